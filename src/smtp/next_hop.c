/* SPDX-License-Identifier: Apache-2.0 */
/* next_hop.c - see next_hop.h */
#include "smtp/next_hop.h"
#include "config/mailbox_transport.h"

static enum next_hop_status parse_host(
	struct slice text, uint16_t port, struct next_hop *hop, struct buf *reason)
{
	enum destination_status status = destination_parse(text, port, &hop->destination);

	if (status == DESTINATION_OK)
		return NEXT_HOP_OK;
	buf_printf(reason, "bad next hop \"%.*s\": %s", SLICE_ARG(slice_first(text, LIMIT_DOMAIN)),
		destination_status_text(status));
	/* What is no name can never be found. */
	return status == DESTINATION_BAD_NAME ? NEXT_HOP_BAD_NAME : NEXT_HOP_MISTAKE;
}

/* A host in brackets is that host itself, without an MX look-up. */
static enum next_hop_status parse_inet(
	const struct mailbox_transport *t, struct next_hop *hop, struct buf *reason)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_DOMAIN + 2);

	hop->kind = NEXT_HOP_LMTP_INET;
	buf_printf(&text, "[%.*s]", SLICE_ARG(slice_first(t->place, LIMIT_DOMAIN)));
	return parse_host(buf_slice(&text), t->port, hop, reason) == NEXT_HOP_OK ? NEXT_HOP_OK
										 : NEXT_HOP_MISTAKE;
}

enum next_hop_status next_hop_parse(
	const struct config *c, struct slice text, struct next_hop *out, struct buf *reason)
{
	struct mailbox_transport t;

	*out = (struct next_hop){ .kind = NEXT_HOP_SMTP };
	if (!slice_eq(text, SLICE(MAILBOX_TRANSPORT_HOP)))
		return parse_host(text, (uint16_t)c->smtp_port, out, reason);
	if (mailbox_transport_parse(slice_of(c->local_mailbox_transport), &t)) {
		if (t.kind == MAILBOX_TRANSPORT_INET)
			return parse_inet(&t, out, reason);
		out->kind = NEXT_HOP_LMTP_UNIX;
		if (t.kind == MAILBOX_TRANSPORT_UNIX)
			return NEXT_HOP_OK;
	}
	buf_printf(reason, "local.mailbox_transport names no LMTP server any more");
	return NEXT_HOP_MISTAKE;
}

struct hosts_answer *next_hop_socket(const struct config *c)
{
	struct hosts_answer *hosts = mem_new(sizeof(*hosts));
	struct endpoint *e = &hosts->endpoints[0];
	struct mailbox_transport t = { .place = SLICE_EMPTY };

	(void)!mailbox_transport_parse(slice_of(c->local_mailbox_transport), &t); /* next_hop_parse() has */
	hosts->n = 1;
	(void)snprintf(e->host, sizeof(e->host), "%s", c->main_host_name);
	e->address.local.sun_family = AF_UNIX;
	(void)snprintf(
		e->address.local.sun_path, sizeof(e->address.local.sun_path), "%.*s", SLICE_ARG(t.place));
	return hosts;
}
