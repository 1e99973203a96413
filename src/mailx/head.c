/* SPDX-License-Identifier: Apache-2.0 */
/* head.c - see head.h */
#include "mailx/head.h"
#include "mail/header.h"
#include "mailx/ceilings.h"
#include "mailx/mbox.h"
#include "mailx/mime_in.h"

#define LIST_FLAGS (ADDRESS_UTF8 | ADDRESS_UNQUALIFIED)

bool head_text(struct slice header, const char *name, struct buf *utf8_out)
{
	struct header_field field;
	struct slice rest = header;

	if (!header_find(&rest, slice_of(name), &field))
		return false;
	mime_read_header(field.value, utf8_out);
	return true;
}

bool head_date(struct slice header, int64_t *time_s_out)
{
	struct header_field field;
	struct slice rest = header;

	return header_find(&rest, SLICE("Date"), &field) && mime_read_date(field.value, time_s_out);
}

void head_display_name(struct slice written, struct buf *utf8_out)
{
	auto_buf struct buf plain = BUF_INIT(MAILX_VALUE_MAX);
	struct slice text = slice_trim(written);

	if (text.len >= 2 && text.at[0] == '"' && text.at[text.len - 1] == '"') {
		text = slice_first(slice_from(text, 1), text.len - 2);
		for (size_t i = 0; i < text.len; i++) {
			if (text.at[i] == '\\' && i + 1 < text.len)
				i++;
			buf_append_byte(&plain, text.at[i]);
		}
		text = buf_slice(&plain);
	}
	mime_read_header(text, utf8_out);
}

void head_author(struct slice from_line, struct slice header, struct buf *address_out, struct buf *name_out)
{
	struct header_field field;
	struct slice rest = header, sender, date;
	struct address_item item;

	if (header_find(&rest, SLICE("From"), &field)) {
		struct address_list list = ADDRESS_LIST_INIT(field.value, LIST_FLAGS);
		while (address_list_next(&list, &item)) {
			if (item.status != ADDRESS_OK)
				continue;
			buf_append(address_out, item.text);
			head_display_name(item.name, name_out);
			return;
		}
	}
	mbox_from_parts(from_line, &sender, &date);
	buf_append(address_out, sender);
}

void head_addresses(struct slice header, const char *name, bool with_names, struct strlist *out)
{
	auto_buf struct buf text = BUF_INIT(MAILX_VALUE_MAX);
	struct header_field field;
	struct address_item item;

	while (header_find(&header, slice_of(name), &field)) {
		struct address_list list = ADDRESS_LIST_INIT(field.value, LIST_FLAGS);
		while (address_list_next(&list, &item) && out->n < MAILX_RECIPIENTS_MAX) {
			if (item.status != ADDRESS_OK)
				continue;
			buf_clear(&text);
			if (with_names && item.name.len) {
				auto_buf struct buf shown = BUF_INIT(MAILX_VALUE_MAX);
				head_display_name(item.name, &shown);
				header_append_phrase(&text, buf_slice(&shown));
				buf_printf(&text, " <%.*s>", SLICE_ARG(item.text));
			} else {
				buf_append(&text, item.text);
			}
			if (buf_ok(&text))
				strlist_add_slice(out, buf_slice(&text));
		}
	}
}
