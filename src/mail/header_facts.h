/* SPDX-License-Identifier: Apache-2.0 */
/*
 * header_facts.h - what a queue wants to know of a mail's header, read once as the content passes by
 *
 * Content may come in pieces of any size. A header that is whole in the first piece is read where it is; only
 * what comes in smaller pieces is kept until the blank line, at most HEADER_FACTS_BYTES of it: what stands
 * behind those is not known. Pure. Layer: mail. Tests: test_header_facts.c,
 * fuzz/fuzz_header.c.
 */
#pragma once
#include "base/buf.h"

#define HEADER_FACTS_BYTES (64 * 1024)
#define HEADER_FACTS_ID 500 /* a Message-ID is cut there */

struct header_facts {
	bool is_known;	       /* whatever comes now is no header */
	bool says_bulk;	       /* Precedence: bulk, list or junk */
	struct buf message_id; /* of the first Message-ID, as written, in one line; empty: there is none */
	struct buf head;       /* kept while the header is not whole */
};
#define HEADER_FACTS_INIT                                                                                    \
	((struct header_facts){                                                                              \
		.message_id = BUF_INIT(HEADER_FACTS_ID), .head = BUF_INIT(HEADER_FACTS_BYTES) })

void header_facts_add(struct header_facts *f, struct slice content);
void header_facts_end(struct header_facts *f); /* there is no more content */
void header_facts_deinit(struct header_facts *f);
