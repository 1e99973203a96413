/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_mailx_header.c - any bytes as the header that a summary row is made of; nothing harmful comes out */
#include "mailx/ceilings.h"
#include "mailx/head.h"
#include "mailx/mbox.h"
#include "mailx/mime_in.h"
#include "mailx/screen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_clean(struct slice text)
{
	struct screen screen = { .charset = SCREEN_UTF8 };
	auto_buf struct buf clean = BUF_INIT(MAILX_TEXT_MAX);
	struct slice rest;
	uint32_t code;
	unsigned used;

	screen_clean(&screen, text, SCREEN_ONE_LINE, &clean);
	rest = buf_slice(&clean);
	CHECK(screen_is_utf8(rest));
	while (utf8_next(&rest, &code))
		CHECK(code >= 0x20 && (code < 0x7f || code > 0x9f) && code != 0x202e && code != 0x2066);
	CHECK(screen_cut(&screen, buf_slice(&clean), 20, &used).len <= clean.len && used <= 20);
	buf_clear(&clean);
	screen.charset = SCREEN_ASCII;
	screen_clean(&screen, text, SCREEN_MANY_LINES, &clean);
	for (size_t i = 0; i < clean.len; i++)
		CHECK(ascii_is_print(clean.at[i]) || clean.at[i] == '\n' || clean.at[i] == '\t');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const fields[] = { "From", "To", "Subject", "References" };
	struct slice header = { (const char *)data, size }, sender, date;

	check_clean(header);
	mbox_from_parts(slice_first(header, slice_find(header, '\n')), &sender, &date);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		auto_strlist struct strlist found = STRLIST_INIT;
		auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX), address = BUF_INIT(MAILX_TEXT_MAX),
				    name = BUF_INIT(MAILX_TEXT_MAX);
		if (head_text(header, fields[i], &text))
			check_clean(buf_slice(&text));
		head_author(sender, header, &address, &name);
		check_clean(buf_slice(&address));
		check_clean(buf_slice(&name));
		head_addresses(header, fields[i], true, &found);
		for (size_t k = 0; k < found.n; k++)
			CHECK(!strpbrk(found.at[k], "\r\n"));
	}
	return 0;
}
