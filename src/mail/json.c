/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - see json.h */
#include "mail/json.h"
#include "mail/chars.h"

static void append_text(struct buf *out, struct slice s)
{
	buf_append_byte(out, '"');
	while (s.len) {
		size_t n = utf8_char_len(s);
		unsigned char c = (unsigned char)s.at[0];
		if (n == 0)
			buf_append(out, SLICE("\\ufffd"));
		else if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c < ' ' || c == 0x7f)
			buf_printf(out, "\\u%04x", c);
		else
			buf_append(out, slice_first(s, n));
		s = slice_from(s, MAX(n, (size_t)1));
	}
	buf_append_byte(out, '"');
}

static void member(struct json *j, const char *name)
{
	if (j->has_member)
		buf_append(j->out, SLICE(", "));
	j->has_member = true;
	if (!name)
		return;
	append_text(j->out, slice_of(name));
	buf_append(j->out, SLICE(": "));
}

static void open_with(struct json *j, const char *name, char bracket)
{
	member(j, name);
	buf_append_byte(j->out, bracket);
	j->has_member = false;
}

static void close_with(struct json *j, char bracket)
{
	buf_append_byte(j->out, bracket);
	j->has_member = true;
}

void json_put_object(struct json *j, const char *name)
{
	open_with(j, name, '{');
}

void json_put_object_end(struct json *j)
{
	close_with(j, '}');
}

void json_put_array(struct json *j, const char *name)
{
	open_with(j, name, '[');
}

void json_put_array_end(struct json *j)
{
	close_with(j, ']');
}

void json_put_text(struct json *j, const char *name, struct slice value)
{
	member(j, name);
	append_text(j->out, value);
}

void json_put_number(struct json *j, const char *name, uint64_t value)
{
	member(j, name);
	buf_printf(j->out, "%" PRIu64, value);
}

void json_put_bool(struct json *j, const char *name, bool value)
{
	member(j, name);
	buf_append_str(j->out, value ? "true" : "false");
}
