/* SPDX-License-Identifier: Apache-2.0 */
/* address_form.c - the forms of an address: as text, canonical, quoted, split at its extension; see address.h
 */
#include "mail/address.h"
#include "base/limits.h"
#include "mail/chars.h"

void address_append(const struct address *a, struct buf *out)
{
	buf_append(out, a->local);
	if (a->domain.len) {
		buf_append_byte(out, '@');
		buf_append(out, a->domain);
	}
}

void address_unquote_local(struct slice local, struct buf *out)
{
	if (local.len < 2 || local.at[0] != '"') {
		buf_append(out, local);
		return;
	}
	local = slice_from(slice_first(local, local.len - 1), 1);
	for (size_t i = 0; i < local.len; i++) {
		if (local.at[i] == '\\' && i + 1 < local.len)
			i++;
		buf_append_byte(out, local.at[i]);
	}
}

/* Can stand without quotes. Stricter than what address_parse() takes: dots only between atoms. */
static bool is_dot_atom(struct slice local)
{
	if (local.len == 0 || local.at[0] == '.' || local.at[local.len - 1] == '.')
		return false;
	for (size_t i = 0; i < local.len; i++) {
		char c = local.at[i];
		if (c == '.' ? local.at[i - 1] == '.' : !char_is_atext(c) && !char_is_8bit(c))
			return false;
	}
	return true;
}

void address_quote_local(struct slice unquoted, struct buf *out)
{
	if (is_dot_atom(unquoted)) {
		buf_append(out, unquoted);
		return;
	}
	buf_append_byte(out, '"');
	for (size_t i = 0; i < unquoted.len; i++) {
		if (unquoted.at[i] == '"' || unquoted.at[i] == '\\')
			buf_append_byte(out, '\\');
		buf_append_byte(out, unquoted.at[i]);
	}
	buf_append_byte(out, '"');
}

static void append_lower(struct slice s, struct buf *out)
{
	char *room = buf_reserve(out, s.len);

	if (!room)
		return;
	for (size_t i = 0; i < s.len; i++)
		room[i] = ascii_lower(s.at[i]);
	buf_grew(out, s.len);
}

void address_canonical(const struct address *a, struct slice origin, struct buf *out)
{
	struct slice domain = a->domain.len ? a->domain : origin;

	if (address_is_null(a))
		return;
	if (a->local.at[0] == '"') {
		auto_buf struct buf plain = BUF_INIT(LIMIT_ADDRESS);
		address_unquote_local(a->local, &plain);
		address_quote_local(buf_slice(&plain), out);
	} else {
		buf_append(out, a->local);
	}
	buf_append_byte(out, '@');
	if (slice_eq_nocase(domain, SLICE("localhost")))
		domain = SLICE("localhost.localdomain");
	append_lower(domain, out);
}

static bool is_delimiter(struct slice delimiters, char c)
{
	return slice_find(delimiters, c) < delimiters.len;
}

/* Names that have a meaning of their own. With '-' as delimiter a list's owner-x and x-request would lose
 * theirs. */
static bool is_never_split(struct slice local, struct slice delimiters)
{
	static const char *const whole[] = { "postmaster", "mailer-daemon", "double-bounce" };

	for (size_t i = 0; i < ARRAY_LEN(whole); i++)
		if (slice_eq_nocase(local, slice_of(whole[i])))
			return true;
	return is_delimiter(delimiters, '-') &&
		(slice_starts_nocase(local, SLICE("owner-")) || slice_ends_nocase(local, SLICE("-request")));
}

bool address_split_extension(
	struct slice local, struct slice delimiters, struct slice *user_out, struct slice *extension_out)
{
	if (is_never_split(local, delimiters))
		return false;
	for (size_t i = 0; i < local.len; i++) {
		if (!is_delimiter(delimiters, local.at[i]))
			continue;
		if (i == 0)
			return false;
		*user_out = slice_first(local, i);
		*extension_out = slice_from(local, i + 1);
		return true;
	}
	return false;
}
