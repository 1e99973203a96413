/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_mx.c - any bytes as MX records: input is a sequence of length octet and rdata */
#include "net/mx.h"

static size_t chance(void *user, size_t n)
{
	size_t *state = user;

	*state = *state * 31 + 7;
	return *state % n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice records[64], rest = { (const char *)data, size };
	struct mx_list list;
	size_t n = 0, state = size;

	while (rest.len && n < ARRAY_LEN(records)) {
		size_t len = (unsigned char)rest.at[0];
		records[n] = slice_first(slice_from(rest, 1), len);
		rest = slice_from(rest, 1 + records[n++].len);
	}
	if (mx_order(records, n, "me.test", chance, &state, &list) != MX_OK)
		return 0;
	CHECK(list.n > 0 && list.n <= MX_HOSTS_MAX);
	for (size_t i = 0; i < list.n; i++) {
		CHECK(list.hosts[i].name[0] && strlen(list.hosts[i].name) <= LIMIT_DOMAIN);
		CHECK(!slice_eq(slice_of(list.hosts[i].name), SLICE("me.test")));
		CHECK(i == 0 || list.hosts[i - 1].preference <= list.hosts[i].preference);
	}
	return 0;
}
