/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address.c - one address at a time
 *
 * Every parser works on a copy of its input slice and moves the caller's only at the end, so that a failure
 * consumes nothing.
 */
#include "mail/address.h"
#include "base/limits.h"
#include "mail/chars.h"
#include <arpa/inet.h>

static const char *const status_texts[ADDRESS_STATUS_COUNT] = {
	[ADDRESS_OK] = "valid",
	[ADDRESS_EMPTY] = "the address is empty",
	[ADDRESS_NO_BRACKET] = "the address does not stand in <>",
	[ADDRESS_BAD_LOCAL] = "the part before the @ is empty or has a character that needs quotes",
	[ADDRESS_BAD_QUOTE] = "a quoted string does not end or holds a control character",
	[ADDRESS_BAD_DOMAIN] = "the domain is malformed",
	[ADDRESS_BAD_LITERAL] = "the address literal is neither [IPv4] nor [IPv6:...]",
	[ADDRESS_BAD_ROUTE] = "the source route is malformed",
	[ADDRESS_NO_DOMAIN] = "the domain is missing",
	[ADDRESS_LOCAL_TOO_LONG] = "the part before the @ is too long",
	[ADDRESS_DOMAIN_TOO_LONG] = "the domain is too long",
	[ADDRESS_NOT_ASCII] = "the address has non-ASCII characters",
	[ADDRESS_BAD_UTF8] = "the address has bytes that are no UTF-8",
	[ADDRESS_BAD_COMMENT] = "a comment in parentheses does not end",
	[ADDRESS_NO_COMMA] = "a comma between addresses or an angle bracket is missing",
	[ADDRESS_TRAILING] = "something follows the address",
};

const char *address_status_text(enum address_status status)
{
	return status_texts[status];
}

/* 8-bit bytes: allowed by flag, and then only as UTF-8. */
static enum address_status address_check_8bit(struct slice text, unsigned flags)
{
	if (!text_has_8bit(text))
		return ADDRESS_OK;
	if (!(flags & ADDRESS_UTF8))
		return ADDRESS_NOT_ASCII;
	return utf8_is_valid(text) && !utf8_has_c1(text) ? ADDRESS_OK : ADDRESS_BAD_UTF8;
}

/* Length of a quoted string at the start of s, quotes included; 0 when it does not end or has a control. */
static size_t quoted_len(struct slice s)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.at[i] == '\\')
			i++;
		else if (s.at[i] == '"')
			return i + 1;
		if (i < s.len && char_is_control(s.at[i]))
			return 0;
	}
	return 0;
}

/* Length of the unquoted local part at the start of s: atoms and dots. */
static size_t dot_string_len(struct slice s)
{
	size_t n = 0;

	if (s.len && s.at[0] == '.')
		return 0;
	while (n < s.len && (char_is_atext(s.at[n]) || s.at[n] == '.' || char_is_8bit(s.at[n])))
		n++;
	return n;
}

static enum address_status local_parse(struct slice *in, unsigned flags, struct slice *local_out)
{
	bool is_quoted = in->len && in->at[0] == '"';
	size_t n = is_quoted ? quoted_len(*in) : dot_string_len(*in);
	enum address_status status;

	if (n == 0)
		return is_quoted ? ADDRESS_BAD_QUOTE : ADDRESS_BAD_LOCAL;
	if (is_quoted && n == 2)
		return ADDRESS_BAD_LOCAL;
	if (n > LIMIT_LOCAL_PART)
		return ADDRESS_LOCAL_TOO_LONG;
	status = address_check_8bit(slice_first(*in, n), flags);
	if (status != ADDRESS_OK)
		return status;
	*local_out = slice_first(*in, n);
	*in = slice_from(*in, n);
	return ADDRESS_OK;
}

static bool literal_is_valid(struct slice inner)
{
	bool is_ipv6 = slice_skip_prefix_nocase(&inner, SLICE("IPv6:"));
	unsigned char binary[16];
	char text[INET6_ADDRSTRLEN];

	if (inner.len == 0 || inner.len >= sizeof(text))
		return false;
	memcpy(text, inner.at, inner.len);
	text[inner.len] = '\0';
	return inet_pton(is_ipv6 ? AF_INET6 : AF_INET, text, binary) == 1;
}

/* Underscores are no host names but are in use, so they pass; a hyphen at either end of a label does not. */
static bool labels_are_valid(struct slice domain)
{
	size_t label = 0;

	for (size_t i = 0; i <= domain.len; i++) {
		char c = i < domain.len ? domain.at[i] : '.';
		if (c == '.') {
			if (label == 0 || label > 63 || domain.at[i - 1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (!ascii_is_alnum(c) && c != '_' && !char_is_8bit(c) && (c != '-' || label == 0))
			return false;
		label++;
	}
	return true;
}

enum address_status address_domain_check(struct slice domain, unsigned flags)
{
	enum address_status status = address_check_8bit(domain, flags);

	if (domain.len > LIMIT_DOMAIN)
		return ADDRESS_DOMAIN_TOO_LONG;
	if (status != ADDRESS_OK)
		return status;
	if (domain.len && domain.at[0] == '[') {
		if (domain.len < 3 || domain.at[domain.len - 1] != ']')
			return ADDRESS_BAD_LITERAL;
		return literal_is_valid(slice_from(slice_first(domain, domain.len - 1), 1))
			? ADDRESS_OK
			: ADDRESS_BAD_LITERAL;
	}
	return labels_are_valid(domain) ? ADDRESS_OK : ADDRESS_BAD_DOMAIN;
}

/* local[@domain], up to the character end (which must be there) or, with end 0, up to the end of *in. */
static enum address_status mailbox_parse(struct slice *in, char end, unsigned flags, struct address *out)
{
	struct slice rest = *in;
	struct address found = { .domain = SLICE_EMPTY };
	enum address_status status = local_parse(&rest, flags, &found.local);

	if (status != ADDRESS_OK)
		return status;
	if (slice_skip(&rest, '@')) {
		found.domain = slice_first(rest, end ? slice_find(rest, end) : rest.len);
		rest = slice_from(rest, found.domain.len);
		status = address_domain_check(found.domain, flags);
		if (status != ADDRESS_OK)
			return status;
	} else if (!(flags & ADDRESS_UNQUALIFIED) && !slice_eq_nocase(found.local, SLICE("postmaster"))) {
		if (rest.len == 0 || rest.at[0] == end)
			return ADDRESS_NO_DOMAIN;
	}
	if (end && rest.len == 0)
		return ADDRESS_NO_BRACKET;
	if (end ? rest.at[0] != end : rest.len != 0)
		return ADDRESS_BAD_LOCAL;
	*in = rest;
	*out = found;
	return ADDRESS_OK;
}

/* "@a,@b:" is accepted and ignored (RFC 5321 appendix C). */
static enum address_status route_skip(struct slice *in, unsigned flags)
{
	struct slice rest = *in, route, hop;

	if (rest.len == 0 || rest.at[0] != '@')
		return ADDRESS_OK;
	for (bool is_last = false; !is_last;) {
		size_t n = 0;
		if (!slice_skip(&rest, '@'))
			return ADDRESS_BAD_ROUTE;
		route = rest;
		if (rest.len && rest.at[0] == '[') /* the colons of an IPv6 literal do not end the route */
			n = slice_find(rest, ']');
		while (n < route.len && route.at[n] != ',' && route.at[n] != ':')
			n++;
		hop = slice_first(route, n);
		if (n == route.len || address_domain_check(hop, flags) != ADDRESS_OK)
			return ADDRESS_BAD_ROUTE;
		is_last = route.at[n] == ':';
		rest = slice_from(route, n + 1);
	}
	*in = rest;
	return ADDRESS_OK;
}

enum address_status path_parse(struct slice *in, unsigned flags, struct address *out)
{
	struct slice rest = *in;
	enum address_status status;

	if (!slice_skip(&rest, '<'))
		return ADDRESS_NO_BRACKET;
	if (slice_skip(&rest, '>')) {
		if (!(flags & ADDRESS_NULL))
			return ADDRESS_EMPTY;
		*out = (struct address){ SLICE_EMPTY, SLICE_EMPTY };
		*in = rest;
		return ADDRESS_OK;
	}
	status = route_skip(&rest, flags);
	if (status == ADDRESS_OK)
		status = mailbox_parse(&rest, '>', flags, out);
	if (status == ADDRESS_OK)
		*in = slice_from(rest, 1);
	return status;
}

enum address_status address_parse(struct slice text, unsigned flags, struct address *out)
{
	if (text.len == 0) {
		if (!(flags & ADDRESS_NULL))
			return ADDRESS_EMPTY;
		*out = (struct address){ SLICE_EMPTY, SLICE_EMPTY };
		return ADDRESS_OK;
	}
	return mailbox_parse(&text, '\0', flags, out);
}

bool address_is_reverse_path(struct slice text)
{
	struct address a;

	return text.len == 0 ||
		(text.len <= LIMIT_PATH &&
			address_parse(text, ADDRESS_UNQUALIFIED | ADDRESS_UTF8, &a) == ADDRESS_OK);
}
