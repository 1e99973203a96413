/* SPDX-License-Identifier: Apache-2.0 */
/* reply.c - see reply.h */
#include "mail/reply.h"
#include "base/limits.h"
#include "mail/chars.h"

/* Copies with everything but printable ASCII replaced; tabs become blanks. */
static void append_clean(struct slice text, bool allow_8bit, struct buf *out)
{
	char *room = buf_reserve(out, text.len);

	if (!room)
		return;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		bool is_kept = ascii_is_print(c) || (allow_8bit && char_is_8bit(c));
		room[i] = is_kept ? c : c == '\t' ? ' ' : '?';
	}
	buf_grew(out, text.len);
}

/* How much of text goes into a line with room for n octets: broken at a blank where there is one. */
static size_t line_break(struct slice text, size_t n)
{
	size_t at;

	if (text.len <= n)
		return text.len;
	at = slice_rfind(slice_first(text, n + 1), ' ');
	return at > 0 && at <= n ? at : n;
}

void reply_append(struct buf *out, int code, const char *status, struct slice text)
{
	struct slice prefix = slice_of(status);
	size_t room = LIMIT_REPLY_LINE - 6 - (prefix.len ? prefix.len + 1 : 0); /* "250 " and CRLF */
	struct slice rest = text;
	bool is_last = false;

	CHECK(code >= 200 && code <= 599 && prefix.len < REPLY_STATUS_MAX);
	while (!is_last) {
		struct slice line = slice_first(rest, slice_find(rest, '\n'));
		size_t n = line_break(line, room);
		rest = slice_from(rest, n);
		if (rest.len && (rest.at[0] == '\n' || rest.at[0] == ' '))
			rest = slice_from(rest, 1);
		is_last = rest.len == 0;
		buf_printf(out, "%03d%c", code, is_last ? ' ' : '-');
		if (prefix.len) {
			buf_append(out, prefix);
			buf_append_byte(out, ' ');
		}
		append_clean(slice_first(line, n), false, out);
		buf_append_str(out, "\r\n");
	}
}

void reply_init(struct reply *r)
{
	buf_clear(&r->text);
	*r = (struct reply){ .text = r->text };
	r->text.max = REPLY_TEXT_MAX;
}

void reply_deinit(struct reply *r)
{
	buf_free(&r->text);
}

/* Length of "5.1.1" at the start of text when it is an enhanced status of that class and ends there. */
static size_t status_len(struct slice text, int class)
{
	size_t i = 0, digits = 0, dots = 0;

	if (text.len < 5 || text.at[0] != '0' + class || text.at[1] != '.')
		return 0;
	for (i = 1; i < text.len && (ascii_is_digit(text.at[i]) || text.at[i] == '.'); i++) {
		if (text.at[i] == '.') {
			if (dots++ && digits == 0)
				return 0;
			digits = 0;
		} else if (++digits > 3) {
			return 0;
		}
	}
	if (dots != 2 || digits == 0 || (i < text.len && text.at[i] != ' ' && text.at[i] != '\t'))
		return 0;
	return i;
}

/* Reads "250", "250 text" or "250-text"; false for what is no reply line. */
static bool line_split(struct slice line, int *code_out, bool *is_last_out, struct slice *text_out)
{
	if (line.len < 3 || line.at[0] < '2' || line.at[0] > '5' || !ascii_is_digit(line.at[1]) ||
		!ascii_is_digit(line.at[2]))
		return false;
	if (line.len > 3 && line.at[3] != ' ' && line.at[3] != '-' && line.at[3] != '\t')
		return false;
	*code_out = (line.at[0] - '0') * 100 + (line.at[1] - '0') * 10 + (line.at[2] - '0');
	*is_last_out = line.len == 3 || line.at[3] != '-';
	*text_out = slice_from(line, 4);
	return true;
}

static void reply_add_text(struct reply *r, struct slice text)
{
	size_t n = status_len(text, r->code / 100);

	if (n) {
		if (r->n_lines == 0) {
			memcpy(r->status, text.at, n);
			r->status[n] = '\0';
		}
		text = slice_trim(slice_from(text, n));
	}
	if (r->n_lines)
		buf_append_byte(&r->text, '\n');
	append_clean(text, true, &r->text);
	r->n_lines++;
}

enum reply_progress reply_read(struct reply *r, struct slice *in)
{
	for (;;) {
		size_t end = slice_find(*in, '\n');
		struct slice line, text;
		bool is_last;
		int code;

		if (end > REPLY_LINE_MAX)
			return REPLY_GARBAGE;
		if (end == in->len)
			return REPLY_MORE;
		r->octets += end + 1;
		if (!slice_next_line(in, &line) || !line_split(line, &code, &is_last, &text))
			return REPLY_GARBAGE;
		if ((r->n_lines && code != r->code) || r->octets > REPLY_OCTETS_MAX)
			return REPLY_GARBAGE;
		r->code = code;
		reply_add_text(r, text);
		if (is_last)
			return REPLY_DONE;
	}
}

#define QUOTE_HOST "host "
#define QUOTE_SAID " said: "
#define QUOTE_COMMAND " (in reply to "

void reply_quote(const struct reply *r, struct slice host, const char *command, struct buf *out)
{
	buf_printf(out, QUOTE_HOST "%.*s" QUOTE_SAID, SLICE_ARG(host));
	reply_describe(r, out);
	buf_printf(out, QUOTE_COMMAND "%s)", command);
}

/* Where text has part; its length when nowhere. */
static size_t find_text(struct slice text, struct slice part)
{
	const char *at = text.len ? memmem(text.at, text.len, part.at, part.len) : NULL;

	return at ? (size_t)(at - text.at) : text.len;
}

/* Without " (in reply to ...)" at its end. The last one is ours: a host may have said the same words. */
static struct slice without_command(struct slice words)
{
	size_t open = slice_rfind(words, '(');

	if (open == 0 || open == words.len || words.at[words.len - 1] != ')' ||
		!slice_starts(slice_from(words, open - 1), SLICE(QUOTE_COMMAND)))
		return words;
	return slice_first(words, open - 1);
}

bool reply_unquote(struct slice text, struct slice *host_out, struct slice *reply_out)
{
	size_t said = find_text(text, SLICE(QUOTE_SAID));
	struct slice before = slice_first(text, said), reply = slice_from(text, said + strlen(QUOTE_SAID));
	size_t name =
		slice_rfind(before, ' ') + 1; /* the first "said:" behind a name without blanks is ours */

	if (said == text.len || name > before.len || name < strlen(QUOTE_HOST) || name == before.len ||
		!slice_starts(slice_from(before, name - strlen(QUOTE_HOST)), SLICE(QUOTE_HOST)))
		return false;
	if (reply.len < 3 || !ascii_is_digit(reply.at[0]))
		return false;
	*host_out = slice_from(before, name);
	*reply_out = without_command(reply);
	return true;
}

void reply_describe(const struct reply *r, struct buf *out)
{
	auto_buf struct buf line = BUF_INIT(REPLY_TEXT_MAX + 32);
	struct slice text;

	buf_printf(&line, "%03d %s%s", r->code, r->status, r->status[0] ? " " : "");
	buf_append(&line, buf_slice(&r->text));
	for (size_t i = 0; i < line.len; i++)
		if (line.at[i] == '\n')
			line.at[i] = ' ';
	text = slice_trim(buf_slice(&line));
	buf_append(out, slice_trim(slice_first(text, LIMIT_REASON)));
}
