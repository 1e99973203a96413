/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_origin.c - references to items: what is read is written back to the same reference, whoever made it */
#include "mail/origin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct slice text = { (const char *)data, size };
	auto_buf struct buf first = BUF_INIT(1 << 20), second = BUF_INIT(1 << 20);
	struct origin a, b;

	if (!origin_parse(text, &a))
		return 0;
	CHECK(a.name.len > 0);
	origin_append(&a, &first); /* numbers may be written shorter than they came */
	CHECK(origin_parse(buf_slice(&first), &b) && a.kind == b.kind && a.item == b.item &&
		a.check == b.check && slice_eq(a.name, b.name) && slice_eq(a.extension, b.extension));
	origin_append(&b, &second);
	CHECK(slice_eq(buf_slice(&first), buf_slice(&second)));
	return 0;
}
