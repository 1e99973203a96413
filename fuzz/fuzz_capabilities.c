/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_capabilities.c - any bytes as a server's reply to EHLO, through the reply parser as in the client */
#include "mail/reply.h"
#include "smtp/capabilities.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = { (const char *)data, size };
	struct reply reply = { .text = BUF_INIT(REPLY_TEXT_MAX) };
	struct capabilities can;

	capabilities_parse(in, &can);
	reply_init(&reply);
	if (reply_read(&reply, &in) == REPLY_DONE) {
		capabilities_parse(buf_slice(&reply.text), &can);
		CHECK(can.size || can.size_limit == 0);
	}
	reply_deinit(&reply);
	return 0;
}
