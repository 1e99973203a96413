/* SPDX-License-Identifier: Apache-2.0 */
/* keep.c - see keep.h */
#include "mailx/keep.h"
#include "mail/header.h"
#include "mailx/show.h"

int keep_message(struct mailx *mx, size_t index, const struct fields *fields, struct buf *out)
{
	auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX);
	const struct message *m = &mx->folder.messages.at[index];
	struct message_parts parts;
	struct header_field field;
	struct slice rest;
	int r = folder_read(&mx->folder, index, &text);

	if (r < 0)
		return show_problem(mx, index, r);
	parts = message_split(buf_slice(&text), m->head_size);
	buf_printf(out, "%.*s\n", SLICE_ARG(parts.from_line));
	rest = parts.header;
	while (header_next(&rest, &field))
		if (!mbox_is_status_line(field.raw) && (!fields || fields_show(fields, field.name)))
			buf_append(out, field.raw);
	buf_append(out, rest); /* what stands there and is no field stays as well */
	mbox_status_lines(m->flags & ~(unsigned)MESSAGE_NEW, out);
	buf_append_byte(out, '\n');
	if (mx->folder.kind == FOLDER_MAILDIR) {
		mbox_quote_lines(parts.body, out); /* the bodies of the others are quoted as they stand */
	} else {
		buf_append(out, parts.body);
		if (parts.body.len && parts.body.at[parts.body.len - 1] != '\n')
			buf_append_byte(out, '\n');
	}
	buf_append_byte(out, '\n');
	return buf_ok(out) ? 0 : show_problem(mx, index, -EFBIG);
}
