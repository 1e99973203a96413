/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_smtp_command.c - any bytes as a command line; an accepted MAIL or RCPT is written and read again */
#include "mail/smtp_command.h"
#include "mail/xtext.h"

#define ALL 0xffffu

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the client writes is what the server reads: one line, ending in CRLF. */
static struct slice written_args(const struct buf *out)
{
	struct smtp_command c;
	struct slice line = slice_first(buf_slice(out), out->len - 2);

	CHECK(slice_find(line, '\n') == line.len && slice_find(line, '\r') == line.len);
	CHECK(smtp_command_parse(line, &c) == SMTP_FAULT_NONE);
	return c.args;
}

static void check_mail(struct slice args)
{
	auto_buf struct buf out = BUF_INIT(65536);
	struct smtp_mail m, again;

	if (smtp_mail_parse(args, ALL, ADDRESS_UNQUALIFIED, &m) != SMTP_FAULT_NONE)
		return;
	smtp_mail_append(&m, ALL, &out);
	CHECK(smtp_mail_parse(written_args(&out), ALL, ADDRESS_UNQUALIFIED, &again) == SMTP_FAULT_NONE);
	CHECK(slice_eq(again.from.local, m.from.local) && slice_eq(again.from.domain, m.from.domain));
	CHECK(again.size == m.size && again.body == m.body && again.ret == m.ret &&
		slice_eq(again.envid, m.envid));
}

static void check_rcpt(struct slice args)
{
	auto_buf struct buf out = BUF_INIT(65536);
	struct smtp_rcpt r, again;

	if (smtp_rcpt_parse(args, ALL, ADDRESS_UNQUALIFIED, true, &r) != SMTP_FAULT_NONE)
		return;
	smtp_rcpt_append(&r, ALL, &out);
	CHECK(smtp_rcpt_parse(written_args(&out), ALL, ADDRESS_UNQUALIFIED, true, &again) == SMTP_FAULT_NONE);
	CHECK(again.notify == r.notify && slice_eq(again.orcpt, r.orcpt) &&
		slice_eq(again.to.local, r.to.local));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice line = { (const char *)data, size };
	auto_buf struct buf plain = BUF_INIT(65536), encoded = BUF_INIT(262144);
	struct smtp_command c;
	uint64_t number;

	if (smtp_command_parse(line, &c) == SMTP_FAULT_NONE) {
		if (c.verb == SMTP_VERB_MAIL)
			check_mail(c.args);
		if (c.verb == SMTP_VERB_RCPT)
			check_rcpt(c.args);
	}
	(void)smtp_extension_parse(line, &number);
	if (xtext_decode(line, &plain)) {
		xtext_encode(buf_slice(&plain), &encoded);
		CHECK(xtext_is_valid(buf_slice(&encoded)));
	}
	return 0;
}
