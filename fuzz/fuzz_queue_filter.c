/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_queue_filter.c - any bytes as a filter, used on itself */
#include "mail/queue_filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size };
	struct queue_filter f;
	const char *complaint = NULL;

	if (size > 4096)
		return 0; /* a filter comes in one frame, but patterns against long texts only take time */
	if (!queue_filter_parse(text, &f, &complaint)) {
		CHECK(complaint != NULL);
		return 0;
	}
	(void)queue_filter_wants_mail(&f, text, ' ', 1);
	if (!queue_filter_by_rcpt(&f))
		CHECK(queue_filter_wants_rcpt(&f, text, text, text));
	else
		(void)queue_filter_wants_rcpt(&f, text, text, text);
	if (f.by_from && f.from.len && !slice_eq(f.from, SLICE("<>"))) /* a pattern fits itself */
		CHECK(queue_filter_glob(f.from, f.from));
	return 0;
}
