/* SPDX-License-Identifier: Apache-2.0 */
/* header_facts.c - see header_facts.h */
#include "mail/header_facts.h"
#include "mail/header.h"

static bool is_bulk(struct slice precedence)
{
	static const char *const words[] = { "bulk", "list", "junk" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (slice_eq_nocase(precedence, slice_of(words[i])))
			return true;
	return false;
}

static void take_message_id(struct header_facts *f, struct slice value)
{
	auto_buf struct buf line = BUF_INIT(HEADER_FACTS_BYTES);

	header_unfold(value, &line);
	if (buf_ok(&line))
		buf_append(&f->message_id, slice_first(slice_trim(buf_slice(&line)), HEADER_FACTS_ID));
}

/* True when the header ends within content. */
static bool read_fields(struct header_facts *f, struct slice content)
{
	bool has_precedence = false;
	struct header_field field;

	f->says_bulk = false;
	buf_clear(&f->message_id);
	while (header_next(&content, &field)) {
		if (field.name.len != strlen("Message-ID"))
			continue; /* Precedence has as many letters */
		if (f->message_id.len == 0 && slice_eq_nocase(field.name, SLICE("Message-ID")))
			take_message_id(f, field.value);
		else if (!has_precedence && slice_eq_nocase(field.name, SLICE("Precedence"))) {
			f->says_bulk = is_bulk(field.value);
			has_precedence = true;
		}
	}
	return slice_find(content, '\n') < content.len; /* what cannot be a field is a whole line */
}

/* Whether a line ends and an empty one follows, in what is kept from at on. */
static bool has_blank_line(const struct buf *head, size_t at)
{
	struct slice seen = slice_from(buf_slice(head), at ? at - 1 : 0);

	return seen.len && memmem(seen.at, seen.len, "\n\n", 2) != NULL;
}

void header_facts_end(struct header_facts *f)
{
	if (!f->is_known)
		(void)read_fields(f, buf_slice(&f->head));
	f->is_known = true;
	buf_free(&f->head);
}

void header_facts_add(struct header_facts *f, struct slice content)
{
	size_t at = f->head.len;

	if (f->is_known)
		return;
	if (at == 0 && read_fields(f, content)) {
		f->is_known = true;
		return;
	}
	buf_append(&f->head, slice_first(content, HEADER_FACTS_BYTES - at));
	if (has_blank_line(&f->head, at) || f->head.len == HEADER_FACTS_BYTES)
		header_facts_end(f);
}

void header_facts_deinit(struct header_facts *f)
{
	buf_free(&f->message_id);
	buf_free(&f->head);
}
