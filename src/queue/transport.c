/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport.c - mailboxes that an LMTP server keeps (local.mailbox_transport); see core.h
 *
 * A user's mail goes to local as all mail does, because aliases and ~/.forward come first and only that user
 * may read the latter. Where nothing is forwarded and the setting is there, local says TRANSPORT instead of
 * delivering, and the recipient goes on to the destination of that server, as if it were one of another host.
 * Nothing of that is recorded: each attempt asks ~/.forward anew.
 * Tests: test_transport.c.
 */
#include "base/limits.h"
#include "mail/address.h"
#include "queue/core.h"

void transport_take(struct message *m, struct recipient *r)
{
	r->by_transport = true;
	recipient_stage(m, r, STAGE_RESOLVED);
	router_gather(m);
}

/* "USER+EXT" of an address as it came; aliases may have led from another name to this user. */
static void append_extension(struct slice forward_path, struct buf *out)
{
	struct slice delimiters = slice_of(queue.rp->config->aliases_delimiter), user, extension;
	auto_buf struct buf local = BUF_INIT(LIMIT_LOCAL_PART + 1);
	struct address a;

	if (address_parse(forward_path, ADDRESS_UNQUALIFIED | ADDRESS_UTF8, &a) != ADDRESS_OK)
		return;
	address_unquote_local(a.local, &local);
	if (address_split_extension(buf_slice(&local), delimiters, &user, &extension) && extension.len)
		buf_append(out, slice_from(buf_slice(&local), user.len));
}

void transport_address(const struct recipient *r, struct buf *out)
{
	const struct config *c = queue.rp->config;
	auto_buf struct buf local = BUF_INIT(2 * LIMIT_LOCAL_PART);

	buf_append(&local, r->user);
	append_extension(r->forward_path, &local);
	address_quote_local(buf_slice(&local), out);
	if (!c->local_lmtp_bare_user)
		buf_printf(out, "@%s", c->main_origin);
}
