/* SPDX-License-Identifier: Apache-2.0 */
/* test_hops.c - Received fields counted, whole and split at every byte */
#include "smtpd/hops.h"
#include "support/test.h"

static void counts(void **state)
{
	static const struct {
		struct slice content;
		uint64_t n;
	} rows[] = {
		{ SLICE(""), 0 },
		{ SLICE("Received: a\n\nb\n"), 1 },
		{ SLICE("Received: a\n\tReceived: folded\nRECEIVED:b\nreceived \t: c\nSubject: Received: "
			"d\n\n"
			"Received: body\n"),
			3 },
		{ SLICE("Receive: a\nReceivedX: b\nReceived\nX-Received: c\nRe\n\n"), 0 },
		{ SLICE("\nReceived: body\n"), 0 },
		{ SLICE("Received: a"), 1 },
		{ SLICE("Received"), 0 },
		{ SLICE("Rec\nReceived:\n"), 1 },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t at = 0; at <= rows[i].content.len; at++) {
			struct hops h = HOPS_INIT;
			hops_count(&h, slice_first(rows[i].content, at));
			hops_count(&h, slice_from(rows[i].content, at));
			if (h.n != rows[i].n)
				fail_msg("row %zu split at %zu: %" PRIu64, i, at, h.n);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
