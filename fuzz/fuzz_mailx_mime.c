/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_mailx_mime.c - any bytes as a message that is shown, or whose parts are written to files */
#include "mailx/ceilings.h"
#include "mailx/html.h"
#include "mailx/mime_in.h"
#include "mailx/screen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool check_part(const struct mime_part *part, void *user)
{
	auto_buf struct buf name = BUF_INIT(MAILX_TEXT_MAX);
	size_t *n = user;

	CHECK(part->type && *part->type);
	if (!part->file_name)
		return ++*n < 1000;
	mime_safe_name(slice_of(part->file_name), &name);
	CHECK(name.len < NAME_MAX && slice_find(buf_slice(&name), '/') == name.len);
	CHECK(name.len == 0 || !strchr(".|- ", name.at[0]));
	return ++*n < 1000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice message = { (const char *)data, size };
	auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX), reduced = BUF_INIT(MAILX_TEXT_MAX);
	size_t n = 0;

	mime_read_text(message, false, &text);
	CHECK(buf_ok(&text));
	mime_walk(message, check_part, &n);
	html_to_text(message, &reduced);
	CHECK(buf_ok(&reduced) && reduced.len <= size * 45 + 1);
	return 0;
}
