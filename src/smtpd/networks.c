/* SPDX-License-Identifier: Apache-2.0 */
/* networks.c - see networks.h */
#include "smtpd/networks.h"
#include "config/config.h"
#include <arpa/inet.h>
#include <netinet/in.h>

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static bool is_ipv4(const struct client_address *a)
{
	return memcmp(a->bytes, mapped, sizeof(mapped)) == 0;
}

static void from_ipv4(const struct in_addr *in, struct client_address *out)
{
	memcpy(out->bytes, mapped, sizeof(mapped));
	memcpy(out->bytes + sizeof(mapped), in, sizeof(*in));
}

bool client_address_of(const struct sockaddr *from, struct client_address *out)
{
	if (from->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, from, sizeof(in));
		from_ipv4(&in.sin_addr, out);
		return true;
	}
	if (from->sa_family == AF_INET6) {
		struct sockaddr_in6 in;
		memcpy(&in, from, sizeof(in));
		memcpy(out->bytes, &in.sin6_addr, sizeof(out->bytes));
		return true;
	}
	return false;
}

void client_address_format(const struct client_address *a, char text_out[CLIENT_ADDRESS_TEXT_MAX])
{
	const char *text = is_ipv4(a)
		? inet_ntop(AF_INET, a->bytes + sizeof(mapped), text_out, CLIENT_ADDRESS_TEXT_MAX)
		: inet_ntop(AF_INET6, a->bytes, text_out, CLIENT_ADDRESS_TEXT_MAX);

	CHECK(text != NULL); /* the buffer holds the longest of both families */
}

/* The address of the word, and how many of the 128 bits its family leaves to the prefix. */
static bool parse_host(struct slice host, struct client_address *out, unsigned *family_bits_out)
{
	char text[CLIENT_ADDRESS_TEXT_MAX];
	struct in_addr v4;
	bool has_brackets = host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']';

	if (has_brackets)
		host = slice_from(slice_first(host, host.len - 1), 1);
	if (host.len >= sizeof(text) || slice_find(host, '\0') < host.len)
		return false;
	memcpy(text, host.at, host.len);
	text[host.len] = '\0';
	if (inet_pton(AF_INET, text, &v4) == 1) {
		from_ipv4(&v4, out);
		*family_bits_out = 32;
		return true;
	}
	*family_bits_out = 128;
	return inet_pton(AF_INET6, text, out->bytes) == 1;
}

bool network_parse(struct slice word, struct network *out)
{
	struct slice host = word, prefix = word;
	bool has_prefix = slice_cut(&prefix, '/', &host);
	struct client_address address;
	unsigned family_bits;
	uint64_t bits;

	if (!parse_host(host, &address, &family_bits))
		return false;
	bits = family_bits;
	if (has_prefix && !slice_to_u64(prefix, family_bits, &bits))
		return false;
	*out = (struct network){ .address = address, .bits = 128 - family_bits + (unsigned)bits };
	return true;
}

static bool network_contains(const struct network *net, const struct client_address *a)
{
	size_t whole = net->bits / 8;
	unsigned left = net->bits % 8;
	uint8_t mask = (uint8_t)(0xff00 >> left);

	if (memcmp(net->address.bytes, a->bytes, whole) != 0)
		return false;
	return left == 0 || ((net->address.bytes[whole] ^ a->bytes[whole]) & mask) == 0;
}

void networks_parse(struct slice list, struct networks *out, struct slice *bad_out)
{
	struct slice rest = list, word;
	size_t n = 0;

	while (config_list_next(&rest, &word))
		n++;
	*out = (struct networks){ .all = mem_new_array(MAX(n, 1), sizeof(struct network)) };
	*bad_out = SLICE_EMPTY;
	while (config_list_next(&list, &word)) {
		if (network_parse(word, &out->all[out->n]))
			out->n++;
		else
			*bad_out = word;
	}
}

bool networks_contain(const struct networks *nets, const struct client_address *a)
{
	for (size_t i = 0; i < nets->n; i++)
		if (network_contains(&nets->all[i], a))
			return true;
	return false;
}

void networks_free(struct networks *nets)
{
	mem_free(nets->all);
	*nets = (struct networks){ 0 };
}
