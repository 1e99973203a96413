/* SPDX-License-Identifier: Apache-2.0 */
/* origin.c - see origin.h */
#include "mail/origin.h"
#include "base/crc32c.h"
#include "base/limits.h"

static const struct slice words[] = {
	[ORIGIN_ALIAS] = { "aliases:", 8 },
	[ORIGIN_LIST] = { "list:", 5 },
	[ORIGIN_FORWARD] = { "forward:", 8 },
	[ORIGIN_MAILBOX_COMMAND] = { "mailbox:", 8 },
};

uint32_t origin_check(const struct rhs_item *item)
{
	const char kind = (char)item->kind;

	return crc32c(crc32c(0, (struct slice){ &kind, 1 }), item->text);
}

void origin_append(const struct origin *o, struct buf *out)
{
	buf_append(out, words[o->kind]);
	buf_append(out, o->name);
	switch (o->kind) {
	case ORIGIN_ALIAS:
	case ORIGIN_LIST: buf_printf(out, ":%zu:%" PRIu32, o->item, o->check); break;
	case ORIGIN_FORWARD:
		buf_append_byte(out, ':');
		buf_append(out, o->extension);
		buf_printf(out, ":%" PRIu32, o->check);
		break;
	case ORIGIN_MAILBOX_COMMAND: break;
	}
}

void origin_append_alias(struct slice key, size_t number, const struct rhs_item *item, struct buf *out)
{
	const struct origin o = { .kind = item->kind == RHS_INCLUDE ? ORIGIN_LIST : ORIGIN_ALIAS,
		.name = key,
		.item = number,
		.check = origin_check(item) };

	origin_append(&o, out);
}

/* Cuts the last ":word" off *s. */
static bool cut_last(struct slice *s, struct slice *word_out)
{
	size_t colon = slice_rfind(*s, ':');

	if (colon == s->len)
		return false;
	*word_out = slice_from(*s, colon + 1);
	*s = slice_first(*s, colon);
	return true;
}

static bool cut_number(struct slice *s, uint64_t max, uint64_t *out)
{
	struct slice word;

	return cut_last(s, &word) && slice_to_u64(word, max, out);
}

static bool parse_rest(struct slice rest, struct origin *o)
{
	uint64_t check, item;

	o->name = rest;
	if (o->kind == ORIGIN_MAILBOX_COMMAND)
		return true;
	if (!cut_number(&rest, UINT32_MAX, &check))
		return false;
	o->check = (uint32_t)check;
	if (o->kind == ORIGIN_FORWARD) {
		o->extension = rest;
		return slice_cut(&o->extension, ':', &o->name);
	}
	if (!cut_number(&rest, LIMIT_ALIAS_LINE, &item) || item == 0)
		return false;
	o->item = (size_t)item;
	o->name = rest;
	return true;
}

bool origin_parse(struct slice text, struct origin *out)
{
	for (size_t kind = ORIGIN_ALIAS; kind < ARRAY_LEN(words); kind++) {
		struct origin o = { .kind = (enum origin_kind)kind, .name = SLICE_EMPTY };
		if (!slice_starts(text, words[kind]))
			continue;
		o.extension = SLICE_EMPTY;
		if (!parse_rest(slice_from(text, words[kind].len), &o) || o.name.len == 0)
			return false;
		*out = o;
		return true;
	}
	return false;
}

struct slice origin_user(struct slice text)
{
	struct origin o;

	if (!origin_parse(text, &o) || o.kind == ORIGIN_ALIAS || o.kind == ORIGIN_LIST)
		return SLICE_EMPTY;
	return o.name;
}

struct slice origin_group(struct slice text)
{
	struct slice user = origin_user(text);

	return user.len ? slice_first(text, (size_t)(user.at - text.at) + user.len) : text;
}
