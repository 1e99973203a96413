/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aliases_text.c - see aliases_text.h
 *
 * An entry is a region of whole lines: its first line, the lines that begin with white space, and the comment
 * and blank lines between these. Only a region with comments or CR in it is copied.
 */
#include "mail/aliases_text.h"
#include "base/limits.h"
#include "mail/chars.h"

#define KEY_MAX LIMIT_ADDRESS

static const char *const error_texts[ALIASES_ERROR_COUNT] = {
	[ALIASES_OK] = "valid",
	[ALIASES_NO_COLON] = "expected \"name: recipients\"",
	[ALIASES_BAD_KEY] = "the name before the colon is empty or needs quotes",
	[ALIASES_KEY_DOMAIN] = "the name before the colon has a domain",
	[ALIASES_NO_VALUE] = "nothing stands behind the colon",
	[ALIASES_NUL] = "the entry has a NUL byte",
	[ALIASES_TOO_LONG] = "the entry is longer than 1 MB",
	[ALIASES_CONTINUATION] = "a line that begins with white space continues no entry",
};

const char *aliases_error_text(enum aliases_error error)
{
	return error_texts[error];
}

void aliases_text_init(struct aliases_text *t, struct slice text)
{
	*t = (struct aliases_text){
		.rest = text, .line = 1, .key = BUF_INIT(KEY_MAX), .joined = BUF_INIT(LIMIT_ALIAS_LINE)
	};
}

void aliases_text_deinit(struct aliases_text *t)
{
	buf_free(&t->key);
	buf_free(&t->joined);
}

void aliases_key_append(struct slice key, struct buf *out)
{
	char *room = buf_reserve(out, key.len);

	for (size_t i = 0; room && i < key.len; i++)
		room[i] = ascii_lower(key.at[i]);
	if (room)
		buf_grew(out, key.len);
}

enum line_kind { LINE_BLANK, LINE_COMMENT, LINE_CONTINUED, LINE_ENTRY };

static enum line_kind line_kind(struct slice line)
{
	struct slice text = slice_trim(line);

	if (text.len == 0)
		return LINE_BLANK;
	if (text.at[0] == '#')
		return LINE_COMMENT;
	return line.at[0] == ' ' || line.at[0] == '\t' ? LINE_CONTINUED : LINE_ENTRY;
}

static struct slice first_line(struct slice s) /* with its LF */
{
	size_t n = slice_find(s, '\n');

	return slice_first(s, n < s.len ? n + 1 : n);
}

static void skip_line(struct aliases_text *t)
{
	t->rest = slice_from(t->rest, first_line(t->rest).len);
	t->line++;
}

/* Takes the entry's region: up to and with its last continuation line. What follows as comments or blank
 * lines may stay outside. *must_copy_out: a comment line or a CR is in it. */
static struct slice take_region(struct aliases_text *t, bool *must_copy_out)
{
	struct slice line = first_line(t->rest);
	size_t used = line.len, end = used, lines = 1, end_lines = 1;
	bool has_comment = false;

	*must_copy_out = false;
	for (;;) {
		enum line_kind kind;
		line = first_line(slice_from(t->rest, used));
		kind = line.len ? line_kind(line) : LINE_ENTRY;
		if (kind == LINE_ENTRY)
			break;
		has_comment = has_comment || kind == LINE_COMMENT;
		used += line.len;
		lines++;
		if (kind != LINE_CONTINUED)
			continue;
		end = used;
		end_lines = lines;
		*must_copy_out = has_comment;
	}
	line = slice_first(t->rest, end);
	t->rest = slice_from(t->rest, end);
	t->line += end_lines;
	*must_copy_out = *must_copy_out || slice_find(line, '\r') < line.len;
	return line;
}

/* The region without comments' text and without CR before LF; the line ends stay, for counting. */
static void join_lines(struct slice region, struct buf *out)
{
	struct slice line;

	buf_clear(out);
	while (slice_next_line(&region, &line)) {
		if (line_kind(line) != LINE_COMMENT)
			buf_append(out, line);
		buf_append_byte(out, '\n');
	}
}

/* "quoted", from behind its first quote; *rest moves behind the last one. */
static enum aliases_error key_take_quoted(struct slice *rest, struct buf *key)
{
	struct slice s = *rest;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i];
		if (c == '"') {
			*rest = slice_from(s, i + 1);
			return key->len ? ALIASES_OK : ALIASES_BAD_KEY;
		}
		if (c == '\\' && i + 1 < s.len)
			c = s.at[++i];
		if (char_is_control(c))
			return ALIASES_BAD_KEY;
		buf_append_byte(key, ascii_lower(c));
	}
	return ALIASES_BAD_KEY;
}

static enum aliases_error key_take_word(struct slice *rest, struct buf *key)
{
	size_t colon = slice_find(*rest, ':');
	struct slice word = slice_trim(slice_first(*rest, colon));

	if (colon == rest->len || slice_find(word, '\n') < word.len)
		return ALIASES_NO_COLON;
	aliases_key_append(word, key);
	if (word.len == 0)
		return ALIASES_BAD_KEY;
	if (slice_find(word, '@') < word.len)
		return ALIASES_KEY_DOMAIN;
	for (size_t i = 0; i < word.len; i++)
		if (char_is_space(word.at[i]) || char_is_control(word.at[i]) || word.at[i] == '"' ||
			word.at[i] == '#')
			return ALIASES_BAD_KEY;
	*rest = slice_from(*rest, colon);
	return ALIASES_OK;
}

/* Reads the key and the colon; *text moves behind it. */
static enum aliases_error key_take(struct slice *text, struct buf *key)
{
	struct slice rest = *text;
	enum aliases_error error =
		slice_skip(&rest, '"') ? key_take_quoted(&rest, key) : key_take_word(&rest, key);

	if (error != ALIASES_OK)
		return error;
	slice_skip_blanks(&rest);
	if (!slice_skip(&rest, ':'))
		return ALIASES_NO_COLON;
	if (!buf_ok(key))
		return ALIASES_BAD_KEY;
	*text = rest;
	return ALIASES_OK;
}

static bool is_empty_list(struct slice rhs)
{
	for (size_t i = 0; i < rhs.len; i++)
		if (!char_is_space(rhs.at[i]) && rhs.at[i] != ',')
			return false;
	return true;
}

static enum aliases_error entry_parse(struct aliases_text *t, struct slice text, struct slice *rhs_out)
{
	enum aliases_error error;

	if (text.len > LIMIT_ALIAS_LINE)
		return ALIASES_TOO_LONG;
	if (slice_find(text, '\0') < text.len)
		return ALIASES_NUL;
	error = key_take(&text, &t->key);
	if (error == ALIASES_OK && is_empty_list(text))
		error = ALIASES_NO_VALUE;
	if (error == ALIASES_OK)
		*rhs_out = text;
	return error;
}

bool aliases_text_next(struct aliases_text *t, struct aliases_entry *entry_out)
{
	struct aliases_entry entry = { .key = SLICE_EMPTY, .rhs = SLICE_EMPTY };
	struct slice region;
	enum line_kind kind = LINE_BLANK;
	bool must_copy;

	while (t->rest.len) {
		kind = line_kind(first_line(t->rest));
		if (kind == LINE_ENTRY || kind == LINE_CONTINUED)
			break;
		skip_line(t);
	}
	if (t->rest.len == 0)
		return false;
	entry.line = t->line;
	buf_clear(&t->key);
	region = take_region(t, &must_copy);
	if (kind == LINE_CONTINUED) {
		entry.error = ALIASES_CONTINUATION;
	} else {
		if (must_copy && region.len <= LIMIT_ALIAS_LINE) {
			join_lines(region, &t->joined);
			region = buf_slice(&t->joined);
		}
		entry.error = entry_parse(t, region, &entry.rhs);
	}
	entry.key = buf_slice(&t->key);
	*entry_out = entry;
	return true;
}
