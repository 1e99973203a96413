/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_spool_format.c - fields of records as a damaged disk may hold them: what decodes is encoded to the
 * same bytes */
#include "spool/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_message(struct slice meta)
{
	struct buf again = BUF_INIT(FORMAT_META_MAX);
	struct format_rcpts rcpts = { 0 };
	struct spool_envelope env;

	if (format_get_message(meta, &env, &rcpts)) {
		format_put_message(&again, &env, rcpts.at, rcpts.n);
		CHECK(slice_eq(buf_slice(&again), meta));
	}
	buf_free(&again);
	format_rcpts_free(&rcpts);
}

static void check_changes(struct slice meta)
{
	struct spool_recipient two[2] = { 0 };
	struct format_rcpts rcpts = { 0 };
	struct buf message = BUF_INIT(1000);
	struct spool_envelope env = { 0 };
	uint64_t value;

	format_put_message(&message, &env, two, 2);
	CHECK(format_get_message(buf_slice(&message), &env, &rcpts));
	if (!format_get_result(meta, &rcpts))
		(void)!format_get_expand(meta, &rcpts);
	(void)!format_get_number(meta, UINT64_MAX, &value);
	buf_free(&message);
	format_rcpts_free(&rcpts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice meta = { (const char *)data, size };

	check_message(meta);
	check_changes(meta);
	return 0;
}
