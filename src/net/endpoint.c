/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint.c - see endpoint.h */
#include "net/endpoint.h"
#include <arpa/inet.h>

bool socket_address_from_bytes(struct slice bytes, uint16_t port, union socket_address *out)
{
	if (bytes.len == 4) {
		*out = (union socket_address){ .v4 = { .sin_family = AF_INET, .sin_port = htons(port) } };
		memcpy(&out->v4.sin_addr, bytes.at, 4);
		return true;
	}
	if (bytes.len == 16) {
		*out = (union socket_address){ .v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) } };
		memcpy(&out->v6.sin6_addr, bytes.at, 16);
		return true;
	}
	return false;
}

bool socket_address_parse(struct slice text, uint16_t port, union socket_address *out)
{
	char copy[INET6_ADDRSTRLEN], bytes[16];
	bool is_v6 = slice_skip_prefix_nocase(&text, SLICE("IPv6:"));

	if (text.len >= sizeof(copy) || slice_find(text, '\0') < text.len)
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	if (!is_v6 && inet_pton(AF_INET, copy, bytes) == 1)
		return socket_address_from_bytes((struct slice){ bytes, 4 }, port, out);
	if (inet_pton(AF_INET6, copy, bytes) == 1)
		return socket_address_from_bytes((struct slice){ bytes, 16 }, port, out);
	return false;
}

socklen_t socket_address_size(const union socket_address *a)
{
	return a->any.sa_family == AF_INET6 ? sizeof(a->v6) : sizeof(a->v4);
}

uint16_t socket_address_port(const union socket_address *a)
{
	return ntohs(a->any.sa_family == AF_INET6 ? a->v6.sin6_port : a->v4.sin_port);
}

void socket_address_append(const union socket_address *a, struct buf *out)
{
	char text[INET6_ADDRSTRLEN] = "unknown";

	if (a->any.sa_family == AF_INET6)
		(void)inet_ntop(AF_INET6, &a->v6.sin6_addr, text, sizeof(text)); /* the room suffices */
	else if (a->any.sa_family == AF_INET)
		(void)inet_ntop(AF_INET, &a->v4.sin_addr, text, sizeof(text));
	else if (a->any.sa_family == AF_UNIX) {
		buf_append_str(out, a->local.sun_path);
		return;
	}
	buf_append_str(out, text);
}

void endpoint_append(const struct endpoint *e, struct buf *out)
{
	buf_append_str(out, e->host);
	buf_append_byte(out, '[');
	socket_address_append(&e->address, out);
	buf_append_byte(out, ']');
}

void endpoint_append_port(const struct endpoint *e, struct buf *out)
{
	endpoint_append(e, out);
	if (e->address.any.sa_family != AF_UNIX)
		buf_printf(out, ":%u", socket_address_port(&e->address));
}
