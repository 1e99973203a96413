/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dsn-private.h - between dsn.c, which builds the message, and dsn_words.c, which has the words for people
 *
 * Layer: mail. Tests: test_dsn.c.
 */
#pragma once
#include "mail/dsn.h"

/* Whether a kind returns the text of a mail, or its header alone. */
bool dsn_returns_text(const struct dsn_facts *f);
const char *dsn_subject(enum dsn_kind kind);
/* Content-Description of the third part. */
const char *dsn_original_description(const struct dsn_facts *f);
/* "5.1.1", of the class that belongs to the action. */
void dsn_status(const struct dsn_recipient *r, struct buf *out);
/* The whole first part; is_cut: the original is longer than what is returned of it. */
void dsn_text(const struct dsn_facts *f, bool is_cut, struct buf *out);
