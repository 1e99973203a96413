/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_config.c - postrider.conf: a file is taken whole or refused with a line; what is taken is taken again
 */
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(unsigned line, const char *message, void *user)
{
	CHECK(message[0] != '\0');
	(void)line;
	(*(int *)user)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int n = 0;
	struct config *c = config_parse((struct slice){ (const char *)data, size }, count, &n);

	CHECK((c == NULL) == (n > 0));
	if (c) {
		struct config *again = config_parse(buf_slice(&c->text), count, &n);
		CHECK(again != NULL && n == 0);
		config_free(&again);
	}
	config_free(&c);
	return 0;
}
