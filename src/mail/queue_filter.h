/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_filter.h - which mail of the queue a command is about: conditions, all of which must hold
 *
 * Written as lines "name=value", in any order, each name once: that is how a command hands them to the queue.
 * The names are from, to, domain, reason, status and older. A pattern that contains * or ? must fit the whole
 * text, any other one a part of it; a domain is always the whole. ASCII case does not count. Layer: mail.
 * Tests: test_queue_filter.c, fuzz/fuzz_queue_filter.c.
 */
#pragma once
#include "base/slice.h"

struct queue_filter { /* slices are into the text that was parsed */
	struct slice from, to, domain, reason;
	struct slice code; /* enhanced status: 4.4.1, 4.4.* */
	bool by_from, by_to, by_domain, by_reason, by_code;
	char state; /* of the mail, as enum queue_mail_state; 0: any */
	uint64_t older_s;
};

/* "" lets everything through. False: *complaint_out says what is wrong, in words that follow the option's
 * name. */
MUST_USE bool queue_filter_parse(struct slice text, struct queue_filter *out, const char **complaint_out);
/* Whether a filter has that name. */
bool queue_filter_has(struct slice name);
/* "90", "90s", "5m", "2h", "3d", "1w". */
MUST_USE bool queue_filter_time(struct slice text, uint64_t *seconds_out);

bool queue_filter_wants_mail(
	const struct queue_filter *f, struct slice reverse_path, char state, uint64_t age_s);
/* Some recipient that is not served yet must be wanted too. */
bool queue_filter_wants_rcpt(
	const struct queue_filter *f, struct slice forward_path, struct slice status, struct slice reason);
/* Every mail that fits has a recipient that fits. */
static inline bool queue_filter_by_rcpt(const struct queue_filter *f)
{
	return f->by_to || f->by_domain || f->by_reason || f->by_code;
}
/* With * (any bytes) and ? (one), ASCII case ignored: the whole of text fits pattern. */
bool queue_filter_glob(struct slice text, struct slice pattern);
