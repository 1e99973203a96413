/* SPDX-License-Identifier: Apache-2.0 */
/* submission_headers.c - the header of a message that sendmail was given; see submission_headers.h */
#include "mail/submission_headers.h"
#include "mail/date.h"
#include "mail/header.h"

static struct slice first_line(struct slice s) /* with its LF */
{
	size_t n = slice_find(s, '\n');

	return slice_first(s, n < s.len ? n + 1 : n);
}

static bool is_mbox_line(struct slice s)
{
	return slice_starts(s, SLICE("From ")) || slice_starts(s, SLICE(">From "));
}

bool submission_header_find(struct slice text, bool at_end, struct submission_header *out)
{
	struct slice rest = text;
	size_t len;

	while (is_mbox_line(rest) && slice_find(rest, '\n') < rest.len)
		rest = slice_from(rest, first_line(rest).len);
	len = header_length(rest);
	out->fields = slice_first(rest, len);
	rest = slice_from(rest, len);
	out->body_at = text.len - rest.len + (rest.len && rest.at[0] == '\n');
	/* The header is over only when a whole line stands behind it; a partial one may still become a field.
	 */
	return at_end || slice_find(rest, '\n') < rest.len;
}

/* What is never sent on, and what must be there. */
enum standard_field { FIELD_MESSAGE_ID, FIELD_DATE, FIELD_FROM, FIELD_COUNT };
static const char *const standard_names[FIELD_COUNT] = { "Message-ID", "Date", "From" };
static const char *const dropped_names[] = { "Bcc", "Resent-Bcc", "Return-Path", "Content-Length" };

static bool is_dropped(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(dropped_names); i++)
		if (slice_eq_nocase(name, slice_of(dropped_names[i])))
			return true;
	return false;
}

static bool has_resent(struct slice fields)
{
	struct header_field field;

	while (header_next(&fields, &field))
		if (slice_starts_nocase(field.name, SLICE("Resent-")))
			return true;
	return false;
}

static void copy_fields(struct slice fields, struct buf *out)
{
	struct header_field field;

	while (header_next(&fields, &field)) {
		if (is_dropped(field.name))
			continue;
		buf_append(out, field.raw);
		if (field.raw.at[field.raw.len - 1] != '\n')
			buf_append_byte(out, '\n');
	}
}

static void append_from(const struct submission_facts *facts, struct buf *out)
{
	if (slice_trim(facts->from_name).len == 0) {
		header_safe_text(facts->from_address, out);
		return;
	}
	header_append_phrase(out, facts->from_name);
	buf_append_str(out, " <");
	header_safe_text(facts->from_address, out);
	buf_append_byte(out, '>');
}

static void append_standard(enum standard_field which, const struct submission_facts *facts, struct buf *out)
{
	switch (which) {
	case FIELD_MESSAGE_ID:
		buf_append_byte(out, '<');
		header_safe_text(facts->message_id, out);
		buf_append_byte(out, '>');
		break;
	case FIELD_DATE: date_append_rfc5322(out, facts->time_s); break;
	case FIELD_FROM: append_from(facts, out); break;
	case FIELD_COUNT: break;
	}
	buf_append_byte(out, '\n');
}

static bool has_field(struct slice fields, const char *prefix, const char *name)
{
	struct header_field field;

	while (header_next(&fields, &field)) {
		struct slice rest = field.name;
		if (slice_skip_prefix_nocase(&rest, slice_of(prefix)) &&
			slice_eq_nocase(rest, slice_of(name)))
			return true;
	}
	return false;
}

void submission_header_build(struct slice fields, const struct submission_facts *facts, struct buf *out)
{
	const char *prefix = has_resent(fields) ? "Resent-" : "";

	copy_fields(fields, out);
	for (int i = 0; i < FIELD_COUNT; i++) {
		if (has_field(fields, prefix, standard_names[i]))
			continue;
		buf_append_str(out, prefix);
		buf_append_str(out, standard_names[i]);
		buf_append_str(out, ": ");
		append_standard((enum standard_field)i, facts, out);
	}
	buf_append_byte(out, '\n');
}

static bool names_recipients(struct slice name, bool is_resent)
{
	static const char *const names[] = { "To", "Cc", "Bcc" };

	if (is_resent && !slice_skip_prefix_nocase(&name, SLICE("Resent-")))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (slice_eq_nocase(name, slice_of(names[i])))
			return true;
	return false;
}

void submission_recipients_init(struct submission_recipients *r, struct slice fields)
{
	struct slice rest = fields;
	struct header_field field;
	bool is_resent = false;

	while (!is_resent && header_next(&rest, &field))
		is_resent = names_recipients(field.name, true);
	*r = (struct submission_recipients){
		.rest = fields,
		.field_name = SLICE_EMPTY,
		.is_resent = is_resent,
		.list = ADDRESS_LIST_INIT(SLICE_EMPTY, ADDRESS_UNQUALIFIED | ADDRESS_UTF8),
	};
}

bool submission_recipients_next(struct submission_recipients *r, struct address_item *item_out)
{
	while (!address_list_next(&r->list, item_out)) {
		struct header_field field;
		do {
			if (!header_next(&r->rest, &field))
				return false;
		} while (!names_recipients(field.name, r->is_resent));
		r->field_name = field.name;
		r->list = ADDRESS_LIST_INIT(field.value, ADDRESS_UNQUALIFIED | ADDRESS_UTF8);
	}
	return true;
}
