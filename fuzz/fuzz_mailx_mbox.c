/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_mailx_mbox.c - any bytes as a folder: every byte belongs to one message, in order, whatever it is */
#include "mailx/folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = { (const char *)data, size }, sender, date;
	struct mbox_index index = { 0 };
	enum mbox_result r = mbox_scan(bytes, 7, &index);
	uint64_t at = index.n ? index.at[0].offset : 7 + size;

	CHECK(r == MBOX_OK || index.n == 0);
	for (uint64_t i = 7; i < at && r == MBOX_OK; i++)
		CHECK(data[i - 7] == '\n' || data[i - 7] == '\r');
	for (size_t i = 0; i < index.n; i++) {
		const struct message *m = &index.at[i];
		struct slice text = slice_first(slice_from(bytes, m->offset - 7), m->size);
		struct message_parts parts = message_split(text, m->head_size);
		CHECK(m->offset == at && m->size > 0 && m->head_size <= m->size);
		CHECK(mbox_is_from_line(parts.from_line));
		CHECK(parts.header.len + parts.body.len < m->size);
		mbox_from_parts(parts.from_line, &sender, &date);
		CHECK(date.len >= 16 && date.len <= 24);
		at += m->size;
	}
	CHECK(r == MBOX_NOT_MBOX || at == 7 + size);
	mbox_index_free(&index);
	return 0;
}
