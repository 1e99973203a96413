/* SPDX-License-Identifier: Apache-2.0 */
/* header.c - reading header sections, a line at a time with memchr; see header.h */
#include "mail/header.h"
#include "mail/chars.h"

static size_t line_len(struct slice s) /* with its LF */
{
	size_t n = slice_find(s, '\n');

	return n < s.len ? n + 1 : n;
}

/* Length of the name at the start of line, 0 when line begins no field. Blanks before the colon are obsolete
 * but legal (RFC 5322 4.5). */
static size_t name_len(struct slice line, size_t *colon_out)
{
	size_t colon = slice_find(line, ':'), n = 0;

	while (n < colon && line.at[n] > ' ' && line.at[n] < 0x7f)
		n++;
	if (n == 0 || colon == line.len)
		return 0;
	for (size_t i = n; i < colon; i++)
		if (line.at[i] != ' ' && line.at[i] != '\t')
			return 0;
	*colon_out = colon;
	return n;
}

bool header_is_field(struct slice line)
{
	size_t colon;

	line.len = slice_find(line, '\n');
	return name_len(line, &colon) > 0;
}

static bool begins_fold(struct slice s)
{
	return s.len && (s.at[0] == ' ' || s.at[0] == '\t');
}

/* Length of the field at the start of s, folded lines included; s begins with a field. */
static size_t field_len(struct slice s)
{
	size_t n = line_len(s);

	while (begins_fold(slice_from(s, n)))
		n += line_len(slice_from(s, n));
	return n;
}

bool header_next(struct slice *rest, struct header_field *field_out)
{
	struct slice line = slice_first(*rest, slice_find(*rest, '\n'));
	size_t colon = 0, n = name_len(line, &colon);
	struct slice raw;

	if (n == 0)
		return false;
	raw = slice_first(*rest, field_len(*rest));
	*field_out = (struct header_field){
		.name = slice_first(raw, n),
		.value = slice_trim(slice_from(raw, colon + 1)),
		.raw = raw,
	};
	*rest = slice_from(*rest, raw.len);
	return true;
}

size_t header_length(struct slice message)
{
	struct header_field field;
	struct slice rest = message;

	while (header_next(&rest, &field))
		continue;
	return message.len - rest.len;
}

void header_split(struct slice message, struct slice *header_out, struct slice *body_out)
{
	size_t n = header_length(message);
	struct slice body = slice_from(message, n);

	(void)slice_skip(&body, '\n'); /* there is none before a body that follows without blank line */
	*header_out = slice_first(message, n);
	*body_out = body;
}

bool header_find(struct slice *rest, struct slice name, struct header_field *field_out)
{
	struct header_field field;

	while (header_next(rest, &field)) {
		if (slice_eq_nocase(field.name, name)) {
			*field_out = field;
			return true;
		}
	}
	*rest = slice_from(*rest, rest->len);
	return false;
}

size_t header_count(struct slice header, struct slice name)
{
	struct header_field field;
	size_t n = 0;

	while (header_find(&header, name, &field))
		n++;
	return n;
}

bool header_has_delivered_to(struct slice header, struct slice address)
{
	struct header_field field;

	while (header_find(&header, SLICE("Delivered-To"), &field))
		if (slice_eq_nocase(field.value, address))
			return true;
	return false;
}

void header_unfold(struct slice value, struct buf *out)
{
	struct slice line;

	while (slice_next_line(&value, &line))
		buf_append(out, line);
}
