/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_rhs.c - any bytes as a right-hand side and as a ~/.forward file */
#include "mail/chars.h"
#include "mail/forward_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_item(const struct rhs_item *item, struct slice text)
{
	CHECK(item->offset < text.len);
	CHECK((item->kind == RHS_ERROR) == (item->error != RHS_OK));
	if (item->kind == RHS_ERROR)
		return;
	for (size_t i = 0; i < item->text.len; i++)
		CHECK(!char_is_control(item->text.at[i]) || item->text.at[i] == '\t');
	switch (item->kind) {
	case RHS_ERROR:
	case RHS_BLACKHOLE: break;
	case RHS_ADDRESS: CHECK(item->address.local.len); break;
	case RHS_USER:
	case RHS_COMMAND: CHECK(item->text.len); break;
	case RHS_FILE:
	case RHS_DIRECTORY:
	case RHS_INCLUDE: CHECK(item->text.len && item->text.at[0] == '/'); break;
	case RHS_FAIL: CHECK(item->code >= 500 && item->code <= 599); break;
	case RHS_DEFER: CHECK(item->code >= 400 && item->code <= 499); break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size };
	struct forward_text f;
	struct rhs_item item;
	struct rhs r;
	size_t line, last = 1;

	rhs_init(&r, text, 0);
	while (rhs_next(&r, &item)) {
		check_item(&item, text);
		CHECK(rhs_line(&r, item.offset, 1) >= 1);
	}
	rhs_deinit(&r);
	(void)forward_text_is_filter(text);
	forward_text_init(&f, text);
	while (forward_text_next(&f, &item, &line)) {
		check_item(&item, text);
		CHECK(line >= last);
		last = line;
	}
	forward_text_deinit(&f);
	return 0;
}
