/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_history.c - any bytes as lines of the history of messages */
#include "spool/history.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = { (const char *)data, size }, line, name, value;
	auto_buf struct buf text = BUF_INIT(HISTORY_LINE);
	struct history_event e;

	while (slice_next_line(&rest, &line)) {
		if (!history_parse(line, &e))
			continue;
		CHECK(line.len <= HISTORY_LINE && e.name.len);
		while (history_field_next(&e.fields, &name, &value)) {
			CHECK(name.len > 0);
			buf_clear(&text);
			history_unescape(value, &text);
			CHECK(buf_ok(&text) && text.len <= value.len);
		}
	}
	return 0;
}
