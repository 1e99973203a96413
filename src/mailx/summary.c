/* SPDX-License-Identifier: Apache-2.0 */
/* summary.c - see summary.h */
#include "mailx/summary.h"
#include "mail/date.h"
#include "mailx/head.h"
#include "mailx/identity.h"

#define SENDER_COLUMNS 20
#define DATE_COLUMNS 16

/* The first row that fits says how the message is marked; place: in `attrlist'. */
static const struct {
	unsigned has, lacks;
	char mark;
	unsigned char place;
} marks[] = {
	{ MESSAGE_SAVED, 0, '*', 4 },
	{ MESSAGE_PRESERVED, 0, 'P', 5 },
	{ MESSAGE_MBOXED, 0, 'M', 6 },
	{ MESSAGE_FLAGGED, 0, 'F', 7 },
	{ MESSAGE_DRAFT, 0, 'T', 9 },
	{ MESSAGE_ANSWERED, 0, 'A', 8 },
	{ MESSAGE_NEW, MESSAGE_READ, 'N', 0 },
	{ 0, MESSAGE_READ, 'U', 1 },
	{ MESSAGE_NEW, 0, ' ', 2 },
	{ 0, 0, ' ', 3 },
};

static char message_mark(const struct mailx *mx, unsigned flags)
{
	const char *list = vars_get(&mx->vars, "attrlist");
	size_t i = 0;

	while ((flags & marks[i].has) != marks[i].has || (flags & marks[i].lacks))
		i++; /* the last row fits all */
	return list && strlen(list) > marks[i].place && ascii_is_print(list[marks[i].place])
		? list[marks[i].place]
		: marks[i].mark;
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
static void find_sender(struct mailx *mx, const struct message_parts *parts, struct buf *text)
{
	auto_buf struct buf address = BUF_INIT(MAILX_VALUE_MAX), name = BUF_INIT(MAILX_VALUE_MAX);
	bool wants_name = vars_on(&mx->vars, "showname");

	head_author(parts->from_line, parts->header, &address, &name);
	if (vars_on(&mx->vars, "showto") && identity_is_own(mx, buf_slice(&address))) {
		auto_strlist struct strlist to = STRLIST_INIT;
		head_addresses(parts->header, "To", false, &to);
		if (to.n && !identity_is_own(mx, slice_of(to.at[0])))
			buf_printf(text, "To %s", to.at[0]);
	}
	if (text->len == 0)
		buf_append(text, buf_slice(wants_name && name.len ? &name : &address));
}

/* When it arrived; with `datefield' when it was written, in the same form. */
static void find_date(struct mailx *mx, const struct message_parts *parts, struct buf *text)
{
	struct slice sender, date;
	int64_t time_s;

	mbox_from_parts(parts->from_line, &sender, &date);
	if (vars_on(&mx->vars, "datefield") && head_date(parts->header, &time_s))
		date_append_from_line(text, time_s);
	else
		buf_append(text, date);
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

/* What a sign of `headline' stands for; false: the sign has no meaning. */
static bool put_sign(
	struct mailx *mx, size_t index, const struct message_parts *parts, char sign, struct buf *out)
{
	const struct message *m = &mx->folder.messages.at[index];

	switch (sign) {
	case '>': buf_append_byte(out, index == mx->folder.dot ? '>' : ' '); break;
	case 'a': buf_append_byte(out, message_mark(mx, m->flags)); break;
	case 'm': buf_printf(out, "%zu", index + 1); break;
	case 'l': buf_printf(out, "%u", folder_count_lines(&mx->folder, index)); break;
	case 'o': buf_printf(out, "%" PRIu64, m->size); break;
	case 'f': find_sender(mx, parts, out); break;
	case 'd': find_date(mx, parts, out); break;
	case 's': (void)head_text(parts->header, "Subject", out); break; /* none: nothing */
	case 'S':
		buf_append_byte(out, '"');
		if (head_text(parts->header, "Subject", out))
			buf_append_byte(out, '"');
		else
			out->len--;
		break;
	default: return false;
	}
	return true;
}

/* "%-20f": at most and at least 20 columns, filled up behind it (without -, before it); "%f": as it is. */
static void put_directive(struct mailx *mx, size_t index, const struct message_parts *parts,
	struct slice *format, struct buf *out)
{
	auto_buf struct buf text = BUF_INIT(MAILX_VALUE_MAX), cut = BUF_INIT(MAILX_VALUE_MAX);
	bool is_left = slice_skip(format, '-');
	unsigned columns = 0, used;

	while (format->len && ascii_is_digit(format->at[0]) && columns < 1000) {
		columns = columns * 10 + (unsigned)(format->at[0] - '0');
		*format = slice_from(*format, 1);
	}
	if (format->len == 0)
		return;
	if (!put_sign(mx, index, parts, format->at[0], &text))
		buf_append_byte(&text, format->at[0]); /* %% too */
	*format = slice_from(*format, 1);
	used = put_column(
		mx, buf_slice(&text), columns ? columns : mx->screen.columns, is_left && columns, &cut);
	for (; !is_left && used < columns; used++)
		buf_append_byte(out, ' ');
	buf_append(out, buf_slice(&cut));
}

static void headline_row(struct mailx *mx, size_t index, const struct message_parts *parts,
	const char *headline, struct buf *out)
{
	auto_buf struct buf row = BUF_INIT(MAILX_VALUE_MAX);
	struct slice format = slice_of(headline), text;
	unsigned used;

	while (slice_cut(&format, '%', &text)) {
		buf_append(&row, text);
		put_directive(mx, index, parts, &format, &row);
	}
	buf_append(&row, format);
	text = screen_cut(&mx->screen, buf_slice(&row), mx->screen.columns, &used);
	while (text.len && text.at[text.len - 1] == ' ')
		text.len--;
	buf_append(out, text);
	buf_append_byte(out, '\n');
}

/* The layout without `headline'. */
static void usual_row(struct mailx *mx, size_t index, const struct message_parts *parts, struct buf *out)
{
	const struct message *m = &mx->folder.messages.at[index];
	auto_buf struct buf sender = BUF_INIT(MAILX_VALUE_MAX), date = BUF_INIT(MAILX_VALUE_MAX);
	size_t start = out->len, used;

	find_sender(mx, parts, &sender);
	find_date(mx, parts, &date);
	buf_printf(
		out, "%c%c%3zu ", index == mx->folder.dot ? '>' : ' ', message_mark(mx, m->flags), index + 1);
	(void)put_column(mx, buf_slice(&sender), SENDER_COLUMNS, true, out);
	buf_append_str(out, "  ");
	(void)put_column(mx, buf_slice(&date), DATE_COLUMNS, true, out);
	used = out->len;
	buf_printf(out, " %3u/%-5" PRIu64, folder_count_lines(&mx->folder, index), m->size);
	/* Number, sender and date fill a known number of columns; what follows is ASCII. */
	used = out->len - used + 2 + (size_t)MAX(snprintf(NULL, 0, "%3zu ", index + 1), 0) + SENDER_COLUMNS +
		2 + DATE_COLUMNS;
	if (used < mx->screen.columns)
		put_subject(mx, parts->header, mx->screen.columns - (unsigned)used, out);
	while (out->len > start && out->at[out->len - 1] == ' ')
		out->len--;
	buf_append_byte(out, '\n');
}

void summary_row(struct mailx *mx, size_t index, struct buf *out)
{
	const char *headline = vars_get(&mx->vars, "headline");
	auto_buf struct buf head = BUF_INIT(MAILX_TEXT_MAX);
	struct message_parts parts;

	if (folder_read_head(&mx->folder, index, &head) < 0)
		buf_clear(&head); /* the row says what is known; showing the message says what is wrong */
	parts = message_split(buf_slice(&head), head.len);
	if (headline && *headline)
		headline_row(mx, index, &parts, headline, out);
	else
		usual_row(mx, index, &parts, out);
}

static void put_count(struct buf *out, size_t n, const char *what)
{
	if (n)
		buf_printf(out, " %zu %s", n, what);
}

void summary_folder(struct mailx *mx, struct buf *out)
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
	buf_append_byte(out, '"');
	screen_clean(&mx->screen, slice_of(mx->folder.name), SCREEN_ONE_LINE, out);
	buf_printf(out, "\": %zu message%s", n, n == 1 ? "" : "s");
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
