/* SPDX-License-Identifier: Apache-2.0 */
/*
 * envelope_options.h - what MAIL and RCPT may ask for beyond the addresses: NOTIFY, RET, ENVID, ORCPT, BODY
 *
 * The same words stand in SMTP parameters, on sendmail's command line, in drop files and, as these numbers,
 * in the spool and between roles: do not renumber. ENVID and the address of ORCPT are kept everywhere as
 * xtext, as they came; only dsn.h decodes them. Layer: mail. Tests: test_envelope_options.c.
 */
#pragma once
#include "base/buf.h"

enum notify { /* bits; 0 = not given, which means failure (and delay, where the host warns) */
	NOTIFY_DEFAULT = 0,
	NOTIFY_NEVER = 1, /* alone */
	NOTIFY_SUCCESS = 2,
	NOTIFY_FAILURE = 4,
	NOTIFY_DELAY = 8,
};
enum ret { RET_DEFAULT = 0, RET_FULL = 1, RET_HDRS = 2 };
enum body_type { BODY_DEFAULT = 0, BODY_7BIT = 1, BODY_8BITMIME = 2 };

#define ENVID_MAX 100 /* octets of xtext, RFC 3461 4.4 */
#define ORCPT_MAX 500 /* octets with type and ';', RFC 3461 4.2 */

MUST_USE bool notify_parse(struct slice text, unsigned *notify_out); /* "NEVER" or "SUCCESS,FAILURE,DELAY" */
bool notify_is_valid(unsigned notify);		      /* a number from disk or from another role */
void notify_append(unsigned notify, struct buf *out); /* nothing for NOTIFY_DEFAULT */
MUST_USE bool ret_parse(struct slice text, enum ret *ret_out);
const char *ret_name(enum ret ret); /* "" for RET_DEFAULT */
MUST_USE bool body_type_parse(struct slice text, enum body_type *body_out);
const char *body_type_name(enum body_type body); /* "" for BODY_DEFAULT */
bool envid_is_valid(struct slice xtext);	 /* also its length; not empty */
bool orcpt_is_valid(struct slice orcpt);	 /* "type;xtext", also its length */
/* What the next host is told: orcpt as it came; without one, the address that we were given. UTF-8 is written
 * raw only with allow_utf8 (RFC 6533 3). Nothing when neither can be said. */
void orcpt_append(struct slice orcpt, struct slice original, bool allow_utf8, struct buf *out);
