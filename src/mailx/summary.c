/* SPDX-License-Identifier: Apache-2.0 */
/* summary.c - see summary.h */
#include "mailx/summary.h"
#include "mailx/head.h"
#include "mailx/identity.h"

#define SENDER_COLUMNS 20
#define DATE_COLUMNS 16

/* The first row that fits says how the message is marked. */
static const struct {
	unsigned has, lacks;
	char mark;
} marks[] = {
	{ MESSAGE_SAVED, 0, '*' },
	{ MESSAGE_PRESERVED, 0, 'P' },
	{ MESSAGE_MBOXED, 0, 'M' },
	{ MESSAGE_FLAGGED, 0, 'F' },
	{ MESSAGE_DRAFT, 0, 'T' },
	{ MESSAGE_ANSWERED, 0, 'A' },
	{ MESSAGE_NEW, MESSAGE_READ, 'N' },
	{ 0, MESSAGE_READ, 'U' },
	{ 0, 0, ' ' },
};

static char message_mark(unsigned flags)
{
	size_t i = 0;

	while ((flags & marks[i].has) != marks[i].has || (flags & marks[i].lacks))
		i++; /* the last row fits all */
	return marks[i].mark;
}

/* Text made harmless, cut to and (when pad) filled up to columns. */
static unsigned put_column(struct mailx *mx, struct slice text, unsigned columns, bool pad, struct buf *out)
{
	auto_buf struct buf clean = BUF_INIT(MAILX_VALUE_MAX);
	unsigned used;

	screen_clean(&mx->screen, slice_first(text, MAILX_VALUE_MAX / 4), SCREEN_ONE_LINE, &clean);
	buf_append(out, screen_cut(&mx->screen, buf_slice(&clean), columns, &used));
	for (; pad && used < columns; used++)
		buf_append_byte(out, ' ');
	return used;
}

/* Who wrote it; with `showto' to whom one wrote oneself. */
static void put_sender(struct mailx *mx, const struct message_parts *parts, struct buf *out)
{
	auto_buf struct buf address = BUF_INIT(MAILX_VALUE_MAX), name = BUF_INIT(MAILX_VALUE_MAX),
			    text = BUF_INIT(MAILX_VALUE_MAX);
	bool wants_name = vars_on(&mx->vars, "showname");

	head_author(parts->from_line, parts->header, &address, &name);
	if (vars_on(&mx->vars, "showto") && identity_is_own(mx, buf_slice(&address))) {
		auto_strlist struct strlist to = STRLIST_INIT;
		head_addresses(parts->header, "To", false, &to);
		if (to.n && !identity_is_own(mx, slice_of(to.at[0])))
			buf_printf(&text, "To %s", to.at[0]);
	}
	if (text.len == 0)
		buf_append(&text, buf_slice(wants_name && name.len ? &name : &address));
	(void)put_column(mx, buf_slice(&text), SENDER_COLUMNS, true, out);
}

static void put_subject(struct mailx *mx, struct slice header, unsigned columns, struct buf *out)
{
	auto_buf struct buf subject = BUF_INIT(MAILX_VALUE_MAX);

	if (columns < 4 || !head_text(header, "Subject", &subject) ||
		slice_trim(buf_slice(&subject)).len == 0)
		return;
	buf_append_str(out, " \"");
	(void)put_column(mx, slice_trim(buf_slice(&subject)), columns - 3, false, out);
	buf_append_byte(out, '"');
}

void summary_row(struct mailx *mx, size_t index, struct buf *out)
{
	auto_buf struct buf head = BUF_INIT(MAILX_TEXT_MAX);
	const struct message *m = &mx->folder.messages.at[index];
	struct message_parts parts;
	struct slice sender, date;
	size_t start = out->len, used;

	if (folder_read_head(&mx->folder, index, &head) < 0)
		buf_clear(&head); /* the row says what is known; showing the message says what is wrong */
	parts = message_split(buf_slice(&head), head.len);
	mbox_from_parts(parts.from_line, &sender, &date);
	buf_printf(out, "%c%c%3zu ", index == mx->folder.dot ? '>' : ' ', message_mark(m->flags), index + 1);
	put_sender(mx, &parts, out);
	buf_append_str(out, "  ");
	(void)put_column(mx, date, DATE_COLUMNS, true, out);
	used = out->len;
	buf_printf(out, " %3u/%-5" PRIu64, folder_count_lines(&mx->folder, index), m->size);
	/* Number, sender and date fill a known number of columns; what follows is ASCII. */
	used = out->len - used + 2 + (size_t)MAX(snprintf(NULL, 0, "%3zu ", index + 1), 0) + SENDER_COLUMNS +
		2 + DATE_COLUMNS;
	if (used < mx->screen.columns)
		put_subject(mx, parts.header, mx->screen.columns - (unsigned)used, out);
	while (out->len > start && out->at[out->len - 1] == ' ')
		out->len--;
	buf_append_byte(out, '\n');
}

static void put_count(struct buf *out, size_t n, const char *what)
{
	if (n)
		buf_printf(out, " %zu %s", n, what);
}

void summary_folder(const struct mailx *mx, struct buf *out)
{
	size_t n_new = 0, n_unread = 0, n_deleted = 0, n_saved = 0, n = mx->folder.messages.n;

	for (size_t i = 0; i < n; i++) {
		unsigned flags = mx->folder.messages.at[i].flags;
		bool is_unread = !(flags & MESSAGE_READ);
		n_new += is_unread && (flags & MESSAGE_NEW);
		n_unread += is_unread;
		n_deleted += (flags & MESSAGE_DELETED) != 0;
		n_saved += (flags & MESSAGE_SAVED) != 0;
	}
	buf_printf(out, "\"%s\": %zu message%s", mx->folder.name, n, n == 1 ? "" : "s");
	put_count(out, n_new, "new");
	put_count(out, n_unread > n_new ? n_unread : 0,
		"unread"); /* new ones count too, as in BSD's and Heirloom's */
	put_count(out, n_deleted, "deleted");
	put_count(out, n_saved, "saved");
	buf_append_str(out, mx->folder.is_read_only ? " [Read only]\n" : "\n");
}

size_t summary_page_size(struct mailx *mx)
{
	unsigned rows;

	screen_measure(&mx->screen);
	rows = mx->screen.rows > 6 ? mx->screen.rows - 4 : 2; /* room for banner, folder line and prompt */
	rows = vars_number(&mx->vars, "screen", rows);
	return MAX(rows, 1U);
}
