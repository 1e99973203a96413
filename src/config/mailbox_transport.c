/* SPDX-License-Identifier: Apache-2.0 */
/* mailbox_transport.c - see mailbox_transport.h */
#include "config/mailbox_transport.h"
#include <sys/un.h>

static bool port_parse(struct slice text, uint16_t *out)
{
	uint64_t port;

	if (!slice_to_u64(text, UINT16_MAX, &port) || port == 0)
		return false;
	*out = (uint16_t)port;
	return true;
}

static bool parse_unix(struct slice path, struct mailbox_transport *t)
{
	t->kind = MAILBOX_TRANSPORT_UNIX;
	t->place = path;
	return path.len > 1 && path.at[0] == '/' &&
		path.len < sizeof(((struct sockaddr_un *)NULL)->sun_path) &&
		slice_find(path, '\0') == path.len;
}

static bool parse_inet(struct slice text, struct mailbox_transport *t)
{
	bool has_port;

	t->kind = MAILBOX_TRANSPORT_INET;
	t->port = MAILBOX_TRANSPORT_PORT;
	if (slice_skip(&text, '[')) {
		if (!slice_cut(&text, ']', &t->place))
			return false;
		has_port = slice_skip(&text, ':');
		if (!has_port && text.len)
			return false;
	} else {
		has_port = slice_cut(&text, ':', &t->place);
		if (!has_port)
			t->place = text;
	}
	return t->place.len && (!has_port || port_parse(text, &t->port));
}

bool mailbox_transport_parse(struct slice text, struct mailbox_transport *out)
{
	struct mailbox_transport t = { .place = SLICE_EMPTY };
	bool is_good = text.len == 0;

	if (slice_skip_prefix_nocase(&text, SLICE("lmtp:unix:")))
		is_good = parse_unix(text, &t);
	else if (slice_skip_prefix_nocase(&text, SLICE("lmtp:inet:")))
		is_good = parse_inet(text, &t);
	if (is_good)
		*out = t;
	return is_good;
}
