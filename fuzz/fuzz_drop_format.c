/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_drop_format.c - any bytes as a drop file, and with a fitting end line appended so that the envelope is
 * reached; what is accepted is written again as it was
 */
#include "base/crc32c.h"
#include "mail/drop_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct slice file)
{
	auto_buf struct buf again = BUF_INIT(16 * 1024 * 1024);
	struct drop_encoder e = DROP_ENCODER_INIT;
	struct drop_recipient rcpt;
	struct drop_message m;
	size_t n = 0;

	if (drop_decode(file, &m) != DROP_OK)
		return;
	drop_encode_begin(&e, &m.envelope, &again);
	for (; drop_recipient_next(&m.recipients, &rcpt); n++)
		drop_encode_recipient(&e, &rcpt, &again);
	CHECK(n == m.n_recipients && n > 0);
	drop_encode_content(&e, &again);
	drop_encode_data(&e, m.content);
	buf_append(&again, m.content);
	drop_encode_end(&e, &again);
	CHECK(drop_decode(buf_slice(&again), &m) == DROP_OK && m.n_recipients == n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char marker[] = "\ncontent\n";
	struct slice text = { (const char *)data, size };
	auto_buf struct buf file = BUF_INIT(16 * 1024 * 1024);
	const char *content = size ? memmem(data, size, marker, sizeof(marker) - 1) : NULL;

	check(text);
	if (!content)
		return 0;
	content += sizeof(marker) - 1;
	buf_append(&file, text);
	buf_printf(&file, "\nend %zu %08" PRIx32 "\n", size - (size_t)(content - text.at), crc32c(0, text));
	check(buf_slice(&file));
	return 0;
}
