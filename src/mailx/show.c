/* SPDX-License-Identifier: Apache-2.0 */
/* show.c - see show.h */
#include "mailx/show.h"
#include "mail/header.h"
#include "mailx/mime_in.h"

int show_problem(struct mailx *mx, size_t index, int r)
{
	if (r == -ESTALE)
		mailx_error(mx,
			"%zu: another program changed \"%s\"; open it again with `file %%' or `file #'",
			index + 1, mx->folder.name);
	else if (r < 0)
		mailx_error(mx, "%zu: cannot read the message: %s", index + 1, strerror(-r));
	return r;
}

static bool needs_decoding(struct slice raw)
{
	if (memmem(raw.at, raw.len, "=?", 2))
		return true;
	for (size_t i = 0; i < raw.len; i++)
		if ((unsigned char)raw.at[i] >= 0x80)
			return true;
	return false;
}

static void put_field(const struct header_field *field, bool is_raw, struct buf *out)
{
	if (is_raw || !needs_decoding(field->raw)) {
		buf_append(out, field->raw);
		if (field->raw.at[field->raw.len - 1] != '\n')
			buf_append_byte(out, '\n');
		return;
	}
	buf_printf(out, "%.*s: ", SLICE_ARG(field->name));
	mime_read_header(field->value, out);
	buf_append_byte(out, '\n');
}

static void put_status(const struct show_options *options, unsigned flags, struct buf *out)
{
	auto_buf struct buf lines = BUF_INIT(256);
	struct slice rest, line;

	mbox_status_lines(flags, &lines);
	rest = buf_slice(&lines);
	while (slice_next_line(&rest, &line)) {
		struct slice name = slice_first(line, slice_find(line, ':'));
		if (!options->fields || fields_show(options->fields, name))
			buf_printf(out, "%.*s\n", SLICE_ARG(line));
	}
}

static void put_header(const struct message_parts *parts, const struct show_options *options, unsigned flags,
	struct buf *out)
{
	struct slice rest = parts->header;
	struct header_field field;

	while (header_next(&rest, &field)) {
		bool is_status = mbox_is_status_line(field.raw);
		if (is_status && options->has_status)
			continue;
		if (!options->fields || fields_show(options->fields, field.name))
			put_field(&field, options->is_raw, out);
	}
	if (options->has_status)
		put_status(options, flags, out);
	buf_append_byte(out, '\n');
}

/* The first n lines of what stands in out from start on. */
static void cut_lines(struct buf *out, size_t start, unsigned n)
{
	size_t at = start;

	while (n-- && at < out->len) {
		struct slice rest = slice_from(buf_slice(out), at);
		at += MIN(slice_find(rest, '\n') + 1, rest.len);
	}
	out->len = at;
}

static void put_body(struct mailx *mx, struct slice text, const struct message_parts *parts,
	const struct show_options *options, struct buf *out)
{
	size_t start = out->len;

	if (options->is_raw)
		buf_append(out, parts->body);
	else
		mime_read_text(slice_from(text, parts->from_line.len + 1),
			vars_on(&mx->vars, "print-alternatives"), out);
	/* The parser sees the closing empty line of the folder as text. */
	if (!options->is_raw && out->len >= start + 1 && out->at[out->len - 1] == '\n' &&
		(out->len == start + 1 || out->at[out->len - 2] == '\n'))
		out->len--;
	if (options->n_lines)
		cut_lines(out, start, options->n_lines);
	if (out->len > start && out->at[out->len - 1] != '\n')
		buf_append_byte(out, '\n');
}

int show_message(struct mailx *mx, size_t index, const struct show_options *options, struct buf *utf8_out)
{
	auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX);
	const struct message *m = &mx->folder.messages.at[index];
	struct message_parts parts;
	int r = folder_read(&mx->folder, index, &text);

	if (r < 0)
		return show_problem(mx, index, r);
	parts = message_split(buf_slice(&text), m->head_size);
	if (options->has_from_line)
		buf_printf(utf8_out, "%.*s\n", SLICE_ARG(parts.from_line));
	if (options->has_header)
		put_header(&parts, options, m->flags, utf8_out);
	put_body(mx, buf_slice(&text), &parts, options, utf8_out);
	return buf_ok(utf8_out) ? 0 : show_problem(mx, index, -EFBIG);
}

int show_on_terminal(struct mailx *mx, size_t index, const struct show_options *options)
{
	auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX), clean = BUF_INIT(MAILX_TEXT_MAX);
	struct message *m = &mx->folder.messages.at[index];
	uint16_t before = m->flags;
	int r;

	m->flags |= MESSAGE_READ | MESSAGE_TOUCHED;
	buf_printf(&text, "Message %2zu:\n", index + 1);
	r = show_message(mx, index, options, &text);
	if (r < 0) {
		m->flags = before;
		return r;
	}
	buf_append_byte(&text, '\n'); /* the empty line that closes a message in the folder */
	screen_clean(&mx->screen, buf_slice(&text), SCREEN_MANY_LINES, &clean);
	mailx_show(mx, buf_slice(&clean));
	return 0;
}
