/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mbox.c - see mbox.h
 *
 * A From_ line counts only at the start or behind an empty line, and only with a plausible date: text that
 * happens to begin a paragraph with "From " does not split a message. The search for the next one is a single
 * memmem per message body; only headers are walked line by line.
 */
#include "mailx/mbox.h"
#include "base/crc32c.h"

static bool is_digit_or_blank(char c)
{
	return ascii_is_digit(c) || c == ' ';
}

/* "Wed Feb 19 05:10" at the start of s. */
static bool looks_like_date(struct slice s)
{
	static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	bool day = false, month = false;

	if (s.len < 16 || s.at[3] != ' ' || s.at[7] != ' ' || s.at[10] != ' ' || s.at[13] != ':')
		return false;
	for (size_t i = 0; i < sizeof(days) - 1; i += 3)
		day = day || memcmp(days + i, s.at, 3) == 0;
	for (size_t i = 0; i < sizeof(months) - 1; i += 3)
		month = month || memcmp(months + i, s.at + 4, 3) == 0;
	return day && month && is_digit_or_blank(s.at[8]) && ascii_is_digit(s.at[9]) &&
		is_digit_or_blank(s.at[11]) && ascii_is_digit(s.at[12]) && ascii_is_digit(s.at[14]) &&
		ascii_is_digit(s.at[15]);
}

/* Where the date begins in a From_ line, or line.len. A sender may hold blanks, so every word is tried. */
static size_t from_line_date(struct slice line)
{
	for (size_t i = 5; i < line.len; i++)
		if (line.at[i - 1] == ' ' && looks_like_date(slice_from(line, i)))
			return i;
	return line.len;
}

bool mbox_is_from_line(struct slice line)
{
	return slice_starts(line, SLICE("From ")) && from_line_date(line) < line.len;
}

void mbox_from_parts(struct slice line, struct slice *sender_out, struct slice *date_out)
{
	size_t date = from_line_date(line);

	*date_out = slice_trim(slice_first(slice_from(line, date), 24));
	*sender_out = slice_trim(slice_from(slice_first(line, date), 5));
}

static struct slice first_line(struct slice bytes)
{
	return slice_first(bytes, slice_find(bytes, '\n'));
}

bool mbox_is_status_line(struct slice line)
{
	return slice_starts_nocase(line, SLICE("status:")) || slice_starts_nocase(line, SLICE("x-status:"));
}

static uint16_t status_flags(struct slice line, uint16_t flags)
{
	bool is_x = ascii_lower(line.at[0]) == 'x';
	struct slice value = slice_from(line, slice_find(line, ':') + 1);

	for (size_t i = 0; i < value.len; i++) {
		char c = value.at[i];
		if (!is_x && c == 'R')
			flags |= MESSAGE_READ;
		else if (!is_x && c == 'O')
			flags &= (uint16_t)~MESSAGE_NEW;
		else if (is_x && c == 'A')
			flags |= MESSAGE_ANSWERED;
		else if (is_x && c == 'F')
			flags |= MESSAGE_FLAGGED;
		else if (is_x && (c == 'T' || c == 'D'))
			flags |= MESSAGE_DRAFT;
	}
	return flags;
}

void mbox_scan_head(struct slice rest, struct message *m)
{
	size_t at = slice_find(rest, '\n');
	uint16_t flags = MESSAGE_NEW;

	at = MIN(at + 1, rest.len);
	while (at < rest.len && rest.at[at] != '\n') {
		struct slice line = first_line(slice_from(rest, at));
		if (line.at[0] == '\r' && line.len == 1)
			break;
		if ((line.at[0] | 0x20) == 's' || (line.at[0] | 0x20) == 'x')
			flags = mbox_is_status_line(line) ? status_flags(line, flags) : flags;
		at = MIN(at + line.len + 1, rest.len);
	}
	m->head_size = (uint32_t)MIN(at, (size_t)UINT32_MAX);
	m->head_crc = crc32c(0, slice_first(rest, m->head_size));
	m->stored = m->flags = flags;
}

/* The size of the message that rest begins with: up to the next From_ line behind an empty line. */
static size_t message_size(struct slice rest, size_t head_size)
{
	static const char mark[] = "\n\nFrom ", mark_crlf[] = "\n\r\nFrom ";
	size_t at = head_size ? head_size - 1 : 0;

	for (;;) {
		const char *hit = memmem(rest.at + at, rest.len - at, mark + 1, sizeof(mark) - 2);
		size_t from;
		if (!hit)
			return rest.len;
		from = (size_t)(hit - rest.at) + 1;
		at = from;
		if (!(from >= 2 && memcmp(hit - 1, mark, 2) == 0) &&
			!(from >= 3 && memcmp(hit - 2, mark_crlf, 3) == 0))
			continue;
		if (mbox_is_from_line(first_line(slice_from(rest, from))))
			return from;
	}
}

struct message *mbox_index_add(struct mbox_index *index)
{
	if (index->n == index->cap) {
		size_t cap = index->cap ? index->cap * 2 : 64;
		struct message *at = mem_new_array(cap, sizeof(*at));
		if (index->n)
			memcpy(at, index->at, index->n * sizeof(*at));
		mem_free(index->at);
		index->at = at;
		index->cap = cap;
	}
	return &index->at[index->n++];
}

enum mbox_result mbox_scan(struct slice bytes, uint64_t base, struct mbox_index *index)
{
	size_t at = 0;

	while (at < bytes.len && (bytes.at[at] == '\n' || bytes.at[at] == '\r'))
		at++; /* empty lines before the first message, which some mailers leave */
	if (at < bytes.len && !mbox_is_from_line(first_line(slice_from(bytes, at))))
		return MBOX_NOT_MBOX;
	while (at < bytes.len) {
		struct message *m = mbox_index_add(index);
		struct slice rest = slice_from(bytes, at);
		*m = (struct message){ .offset = base + at };
		mbox_scan_head(rest, m);
		m->size = message_size(rest, m->head_size);
		at += m->size;
	}
	return MBOX_OK;
}

void mbox_index_free(struct mbox_index *index)
{
	for (size_t i = 0; i < index->n; i++)
		if (index->at[i].edited) {
			buf_free(&index->at[i].edited->text);
			mem_free(index->at[i].edited);
		}
	mem_free(index->at);
	*index = (struct mbox_index){ 0 };
}

uint32_t mbox_count_lines(struct slice bytes)
{
	uint32_t n = 0;
	const char *p = bytes.at, *end = bytes.at + bytes.len;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
		n++;
		p++;
	}
	return n;
}

void mbox_status_lines(unsigned flags, struct buf *out)
{
	bool is_old = !(flags & MESSAGE_NEW), is_read = flags & MESSAGE_READ;

	if (is_old || is_read)
		buf_printf(out, "Status: %s%s\n", is_read ? "R" : "", is_old ? "O" : "");
	if (flags & (MESSAGE_ANSWERED | MESSAGE_FLAGGED | MESSAGE_DRAFT))
		buf_printf(out, "X-Status: %s%s%s\n", flags & MESSAGE_ANSWERED ? "A" : "",
			flags & MESSAGE_FLAGGED ? "F" : "", flags & MESSAGE_DRAFT ? "T" : "");
}

bool mbox_needs_quote(struct slice line)
{
	while (slice_skip(&line, '>'))
		;
	return slice_starts(line, SLICE("From "));
}

void mbox_quote_lines(struct slice content, struct buf *out)
{
	while (content.len) {
		size_t n = slice_find(content, '\n');
		if (mbox_needs_quote(slice_first(content, n)))
			buf_append_byte(out, '>');
		buf_append(out, slice_first(content, n));
		buf_append_byte(out, '\n');
		content = slice_from(content, n + 1);
	}
}

void mbox_quote(struct slice from_line, struct slice content, struct buf *out)
{
	buf_append(out, from_line);
	buf_append_byte(out, '\n');
	mbox_quote_lines(content, out);
	buf_append_byte(out, '\n');
}
