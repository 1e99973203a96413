/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_aliases.c - any bytes as an aliases file: entries in order, keys folded, values for rhs.h */
#include "mail/aliases_text.h"
#include "mail/rhs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct aliases_text t;
	struct aliases_entry e;
	struct rhs_item item;
	struct rhs r;
	size_t last = 0;

	aliases_text_init(&t, (struct slice){ (const char *)data, size });
	while (aliases_text_next(&t, &e)) {
		CHECK(e.line > last);
		last = e.line;
		if (e.error != ALIASES_OK)
			continue;
		CHECK(e.key.len && e.rhs.len);
		for (size_t i = 0; i < e.key.len; i++)
			CHECK(ascii_lower(e.key.at[i]) == e.key.at[i]);
		rhs_init(&r, e.rhs, 0);
		while (rhs_next(&r, &item))
			CHECK(rhs_line(&r, item.offset, e.line) >= e.line);
		rhs_deinit(&r);
	}
	aliases_text_deinit(&t);
	return 0;
}
