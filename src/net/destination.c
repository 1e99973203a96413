/* SPDX-License-Identifier: Apache-2.0 */
/* destination.c - see destination.h */
#include "net/destination.h"
#include <idn2.h>

#define LABEL_MAX 63 /* octets, RFC 1035 2.3.4 */
#define NAME_MAX_OCTETS 253

const char *destination_status_text(enum destination_status status)
{
	switch (status) {
	case DESTINATION_OK: return "fine";
	case DESTINATION_EMPTY: return "the next hop is empty";
	case DESTINATION_BAD_NAME: return "not a host or domain name";
	case DESTINATION_BAD_BRACKET: return "malformed [host] or [host]:port";
	case DESTINATION_BAD_PORT: return "the port must be from 1 to 65535";
	}
	return "unknown";
}

static bool is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.at[i] >= 0x80)
			return false;
	return true;
}

/* Letters, digits, hyphens; the underscore too, which RFC 952 forbids and networks use. */
static bool label_is_good(struct slice label)
{
	if (label.len == 0 || label.len > LABEL_MAX)
		return false;
	for (size_t i = 0; i < label.len; i++)
		if (!ascii_is_alnum(label.at[i]) && label.at[i] != '-' && label.at[i] != '_')
			return false;
	return true;
}

static bool name_copy(struct slice name, char *out)
{
	struct slice rest = name, label;

	if (name.len > NAME_MAX_OCTETS)
		return false;
	while (slice_cut(&rest, '.', &label))
		if (!label_is_good(label))
			return false;
	if (!label_is_good(rest))
		return false;
	for (size_t i = 0; i < name.len; i++)
		out[i] = ascii_lower(name.at[i]);
	out[name.len] = '\0';
	return true;
}

/* U-labels to A-labels (RFC 5891); the result is checked like any other name. */
static bool name_to_ascii(struct slice name, char *out)
{
	auto_free char *copy = NULL;
	uint8_t *ascii = NULL;
	bool good;

	if (name.len > 4 * LIMIT_DOMAIN || slice_find(name, '\0') < name.len)
		return false;
	copy = slice_dup(name);
	if (idn2_lookup_u8((const uint8_t *)copy, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return false;
	good = name_copy(slice_of((const char *)ascii), out);
	idn2_free(ascii);
	return good;
}

static bool name_parse(struct slice name, char *out)
{
	if (name.len > 1 && name.at[name.len - 1] == '.')
		name.len--;
	return is_ascii(name) ? name_copy(name, out) : name_to_ascii(name, out);
}

static bool port_parse(struct slice text, uint16_t *out)
{
	uint64_t port;

	if (!slice_to_u64(text, UINT16_MAX, &port) || port == 0)
		return false;
	*out = (uint16_t)port;
	return true;
}

static enum destination_status parse_bracketed(struct slice text, struct destination *d)
{
	struct slice inner;

	if (!slice_cut(&text, ']', &inner))
		return DESTINATION_BAD_BRACKET;
	if (slice_skip(&text, ':')) {
		if (!port_parse(text, &d->port))
			return DESTINATION_BAD_PORT;
	} else if (text.len) {
		return DESTINATION_BAD_BRACKET;
	}
	if (socket_address_parse(inner, d->port, &d->address)) {
		struct buf name = BUF_INIT(sizeof(d->name));
		socket_address_append(&d->address, &name);
		(void)snprintf(d->name, sizeof(d->name), "%.*s", SLICE_ARG(buf_slice(&name)));
		buf_free(&name);
		d->kind = DESTINATION_ADDRESS;
		return DESTINATION_OK;
	}
	d->kind = DESTINATION_HOST;
	return name_parse(inner, d->name) ? DESTINATION_OK : DESTINATION_BAD_NAME;
}

static enum destination_status parse_domain(struct slice text, struct destination *d)
{
	struct slice name;

	d->kind = DESTINATION_MX;
	if (!slice_cut(&text, ':', &name))
		name = text;
	else if (!port_parse(text, &d->port))
		return DESTINATION_BAD_PORT;
	return name_parse(name, d->name) ? DESTINATION_OK : DESTINATION_BAD_NAME;
}

enum destination_status destination_parse(struct slice text, uint16_t default_port, struct destination *out)
{
	struct destination d = { .port = default_port };
	enum destination_status status;

	if (text.len == 0)
		return DESTINATION_EMPTY;
	status = slice_skip(&text, '[') ? parse_bracketed(text, &d) : parse_domain(text, &d);
	if (status == DESTINATION_OK)
		*out = d;
	return status;
}
