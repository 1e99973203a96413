/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address_list.c - RFC 5322 address lists; see address.h
 *
 * A member is scanned token by token up to its comma, noting the words and the angle brackets; only then is
 * it decided what it was; a group's semicolon separates as a comma does. "user @ host" with blanks (obsolete
 * syntax) is an error rather than a guess.
 */
#include "mail/address.h"
#include "mail/chars.h"

/* A comment or quoted string above this counts as not ended: bounds the time for many open ones. */
#define TOKEN_MAX 2000

struct member {
	size_t start, end;	     /* within the list's text */
	size_t word_start, word_end; /* the first word */
	size_t n_words;
	size_t angle_start, angle_end; /* with both brackets */
	bool has_angle;
	bool has_trailing; /* words behind the brackets */
};

static struct slice part(struct slice s, size_t start, size_t end)
{
	return slice_first(slice_from(s, start), end - start);
}

/* Each returns the offset behind the token that starts at i, or 0 when the token does not end. */
static size_t comment_end(struct slice s, size_t i)
{
	size_t depth = 0;

	s.len = MIN(s.len, i + TOKEN_MAX);
	for (; i < s.len; i++) {
		if (s.at[i] == '\\')
			i++;
		else if (s.at[i] == '(')
			depth++;
		else if (s.at[i] == ')' && --depth == 0)
			return i + 1;
	}
	return 0;
}

static size_t quote_end(struct slice s, size_t i)
{
	s.len = MIN(s.len, i + TOKEN_MAX);
	for (i++; i < s.len; i++) {
		if (s.at[i] == '\\')
			i++;
		else if (s.at[i] == '"')
			return i + 1;
	}
	return 0;
}

static size_t angle_end(struct slice s, size_t i)
{
	s.len = MIN(s.len, i + TOKEN_MAX);
	for (i++; i < s.len; i++) {
		if (s.at[i] == '"') {
			i = quote_end(s, i);
			if (i == 0)
				return 0;
			i--;
		} else if (s.at[i] == '>') {
			return i + 1;
		} else if (s.at[i] == '<') {
			return 0;
		}
	}
	return 0;
}

static bool ends_word(char c)
{
	return char_is_space(c) || c == ',' || c == ';' || c == ':' || c == '(' || c == '<' || c == '"' ||
		c == '[';
}

/* A word may hold quoted strings and address literals. */
static size_t word_end(struct slice s, size_t i, enum address_status *status)
{
	while (i < s.len) {
		if (s.at[i] == '"') {
			size_t end = quote_end(s, i);
			if (end == 0) {
				*status = ADDRESS_BAD_QUOTE;
				return i + 1;
			}
			i = end;
		} else if (s.at[i] == '[') {
			size_t close = i + slice_find(part(s, i, i + TOKEN_MAX), ']');
			if (close >= s.len || s.at[close] != ']') {
				*status = ADDRESS_BAD_LITERAL;
				return i + 1;
			}
			i = close + 1;
		} else if (ends_word(s.at[i])) {
			break;
		} else {
			i++;
		}
	}
	return i;
}

static size_t member_angle(struct member *m, struct slice s, size_t i, enum address_status *status)
{
	size_t end = angle_end(s, i);

	if (end == 0) {
		*status = ADDRESS_NO_BRACKET;
		return i + 1;
	}
	m->has_trailing = m->has_trailing || m->has_angle;
	m->has_angle = true;
	m->angle_start = i;
	m->angle_end = end;
	return end;
}

static size_t member_word(struct member *m, struct slice s, size_t i, enum address_status *status)
{
	size_t end = word_end(s, i, status);

	if (m->n_words++ == 0) {
		m->word_start = i;
		m->word_end = end;
	}
	m->has_trailing = m->has_trailing || m->has_angle;
	return end;
}

/* Scans up to the separator, which stays; an error leaves m->end where the faulty token begins to be skipped.
 */
static enum address_status member_scan(struct address_list *list, struct member *m)
{
	struct slice s = list->text;
	enum address_status status = ADDRESS_OK;
	size_t i = list->at;

	*m = (struct member){ .start = i };
	while (i < s.len && s.at[i] != ',' && s.at[i] != ';' && status == ADDRESS_OK) {
		char c = s.at[i];
		if (char_is_space(c)) {
			i++;
		} else if (c == '(') {
			size_t end = comment_end(s, i);
			status = end ? ADDRESS_OK : ADDRESS_BAD_COMMENT;
			i = end ? end : i + 1;
		} else if (c == '<') {
			i = member_angle(m, s, i, &status);
		} else if (c == ':') { /* what came before was a group's name, or nothing */
			*m = (struct member){ .start = ++i };
		} else {
			i = member_word(m, s, i, &status);
		}
	}
	m->end = i;
	return status;
}

/* <...>: blanks just inside the brackets are tolerated. */
static enum address_status angle_parse(struct slice bracketed, unsigned flags, struct address *out)
{
	struct slice inner = slice_trim(part(bracketed, 1, bracketed.len - 1));

	if (inner.len && inner.at[0] == '@') {
		enum address_status status = path_parse(&bracketed, flags, out);
		return status == ADDRESS_OK && bracketed.len ? ADDRESS_TRAILING : status;
	}
	return address_parse(inner, flags, out);
}

static enum address_status member_decide(
	const struct address_list *list, const struct member *m, struct address_item *item)
{
	unsigned flags = list->flags & ~(unsigned)ADDRESS_NULL;
	struct slice s = list->text;

	if (m->has_trailing)
		return ADDRESS_TRAILING;
	if (m->has_angle) {
		item->name = slice_trim(part(s, m->start, m->angle_start));
		return angle_parse(part(s, m->angle_start, m->angle_end), flags, &item->address);
	}
	if (m->n_words > 1)
		return ADDRESS_NO_COMMA;
	return address_parse(part(s, m->word_start, m->word_end), flags, &item->address);
}

static void member_report(const struct address_list *list, const struct member *m, struct address_item *item)
{
	if (item->status == ADDRESS_OK) {
		const struct address *a = &item->address;
		const char *end = a->domain.len ? a->domain.at + a->domain.len : a->local.at + a->local.len;
		item->text = (struct slice){ a->local.at, (size_t)(end - a->local.at) };
	} else {
		item->text = slice_trim(part(list->text, m->start, m->end));
		item->address = (struct address){ SLICE_EMPTY, SLICE_EMPTY };
	}
	item->offset = (size_t)(item->text.at - list->text.at);
}

/* Behind the next comma; a quote or parenthesis that does not end protects nothing. */
static void list_recover(struct address_list *list, size_t at)
{
	list->at = at + slice_find(slice_from(list->text, at), ',');
}

bool address_list_next(struct address_list *list, struct address_item *item_out)
{
	struct address_item item = { .name = SLICE_EMPTY };
	struct slice s = list->text;

	for (;;) {
		struct member m;
		while (list->at < s.len &&
			(char_is_space(s.at[list->at]) || s.at[list->at] == ',' || s.at[list->at] == ';')) {
			list->at++;
		}
		if (list->at >= s.len)
			return false;
		item.status = member_scan(list, &m);
		list->at = m.end;
		if (item.status != ADDRESS_OK) {
			list_recover(list, m.end);
			m.end = list->at;
		} else if (m.n_words || m.has_angle) {
			item.status = member_decide(list, &m, &item);
		} else {
			continue; /* comments only, or an empty group */
		}
		member_report(list, &m, &item);
		*item_out = item;
		return true;
	}
}
