/* SPDX-License-Identifier: Apache-2.0 */
/* command.c - see command.h */
#include "smtp/command.h"
#include "mail/address.h"
#include "mail/envelope_options.h"

bool command_path_is_safe(struct slice path, bool allow_null)
{
	struct address address;

	if (path.len == 0)
		return allow_null;
	return address_parse(path, ADDRESS_UTF8 | ADDRESS_UNQUALIFIED, &address) == ADDRESS_OK;
}

bool command_path_is_ascii(struct slice path)
{
	for (size_t i = 0; i < path.len; i++)
		if ((unsigned char)path.at[i] >= 0x80)
			return false;
	return true;
}

static void append_path(struct buf *out, const char *verb, struct slice path)
{
	buf_append_str(out, verb);
	buf_append(out, path);
	buf_append_byte(out, '>');
}

void command_mail(const struct job *job, const struct capabilities *can,
	const struct command_mail_options *options, struct buf *out)
{
	append_path(out, "MAIL FROM:<", job->reverse_path);
	if (can->size)
		buf_printf(out, " SIZE=%" PRIu64, options->size);
	if (options->eight_bit)
		buf_append_str(out, " BODY=8BITMIME");
	if (options->smtputf8)
		buf_append_str(out, " SMTPUTF8");
	if (can->dsn && (job->ret == RET_FULL || job->ret == RET_HDRS))
		buf_printf(out, " RET=%s", ret_name(job->ret));
	if (can->dsn && envid_is_valid(job->envid))
		buf_printf(out, " ENVID=%.*s", SLICE_ARG(job->envid));
	buf_append_str(out, "\r\n");
}

void command_rcpt(const struct job_rcpt *rcpt, const struct capabilities *can, struct buf *out)
{
	auto_buf struct buf orcpt = BUF_INIT(ORCPT_MAX);

	append_path(out, "RCPT TO:<", rcpt->forward_path);
	if (can->dsn && rcpt->notify != NOTIFY_DEFAULT && notify_is_valid(rcpt->notify)) {
		buf_append_str(out, " NOTIFY=");
		notify_append(rcpt->notify, out);
	}
	if (can->dsn)
		orcpt_append(rcpt->orcpt, rcpt->original, can->smtputf8, &orcpt);
	if (orcpt.len)
		buf_printf(out, " ORCPT=%.*s", SLICE_ARG(buf_slice(&orcpt)));
	buf_append_str(out, "\r\n");
}
