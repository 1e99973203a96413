/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_address.c - any bytes as path, bare address and address list; what is accepted survives being written
 */
#include "base/limits.h"
#include "mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The canonical form is an address again, and its own canonical form. */
static void check_canonical(const struct address *a)
{
	auto_buf struct buf once = BUF_INIT(4 * LIMIT_ADDRESS), twice = BUF_INIT(4 * LIMIT_ADDRESS);
	struct address again;

	if (address_is_null(a))
		return;
	address_canonical(a, SLICE("Origin.Test"), &once);
	CHECK(buf_ok(&once));
	if (once.len > LIMIT_LOCAL_PART) /* quoting may have lengthened the local part above its limit */
		return;
	CHECK(address_parse(buf_slice(&once), ADDRESS_UTF8, &again) == ADDRESS_OK);
	address_canonical(&again, SLICE_EMPTY, &twice);
	CHECK(slice_eq(buf_slice(&once), buf_slice(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size }, in;
	unsigned flags;
	struct address_list list;
	struct address_item item;
	struct address a;

	if (size < 1)
		return 0;
	flags = data[0] & 7;
	in = text = slice_from(text, 1);
	if (path_parse(&in, flags, &a) == ADDRESS_OK)
		check_canonical(&a);
	else
		CHECK(in.at == text.at && in.len == text.len);
	if (address_parse(text, flags, &a) == ADDRESS_OK) {
		auto_buf struct buf again = BUF_INIT(2 * LIMIT_ADDRESS);
		address_append(&a, &again);
		CHECK(slice_eq(buf_slice(&again), text));
		check_canonical(&a);
	}
	list = ADDRESS_LIST_INIT(text, flags);
	while (address_list_next(&list, &item)) {
		CHECK(item.offset + item.text.len <= text.len);
		if (item.status == ADDRESS_OK)
			check_canonical(&item.address);
	}
	(void)address_split_extension(text, SLICE("+-"), &in, &in);
	return 0;
}
