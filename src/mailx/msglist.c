/* SPDX-License-Identifier: Apache-2.0 */
/* msglist.c - see msglist.h */
#include "mailx/msglist.h"
#include "mailx/args.h"
#include "mailx/head.h"

/* What a letter behind a colon asks for. */
static const struct {
	char letter;
	unsigned has, lacks;
} colons[] = {
	{ 'n', MESSAGE_NEW, MESSAGE_READ },
	{ 'o', 0, MESSAGE_NEW },
	{ 'r', MESSAGE_READ, 0 },
	{ 'u', 0, MESSAGE_READ },
	{ 'd', MESSAGE_DELETED, 0 },
	{ 'f', MESSAGE_FLAGGED, 0 },
	{ 'a', MESSAGE_ANSWERED, 0 },
	{ 't', MESSAGE_DRAFT, 0 },
	{ 's', MESSAGE_SAVED, 0 },
};

struct selection {
	struct mailx *mx;
	enum msglist_want want;
	bool *marks; /* one per message: numbers and ranges */
	bool has_numbers;
	struct strlist names; /* addresses and /text */
	bool colons[ARRAY_LEN(colons)];
	bool has_colons, wants_deleted;
	struct buf *problem;
};

static bool fits_want(const struct selection *s, size_t index)
{
	bool is_deleted = s->mx->folder.messages.at[index].flags & MESSAGE_DELETED;

	return s->want == MSGLIST_EITHER || s->wants_deleted || is_deleted == (s->want == MSGLIST_GONE);
}

/* The nearest message from dot in the direction that the command may use. */
static enum msglist_status select_neighbour(struct selection *s, bool forward, size_t *index_out)
{
	size_t n = s->mx->folder.messages.n, i = s->mx->folder.dot;

	for (;;) {
		if (forward ? i + 1 >= n : i == 0) {
			buf_append_str(
				s->problem, forward ? "Referencing beyond EOF" : "Referencing before 1");
			return MSGLIST_NUMBER;
		}
		i += forward ? 1 : (size_t)-1;
		if (fits_want(s, i)) {
			*index_out = i;
			return MSGLIST_OK;
		}
	}
}

/* One end of a range at the front of *word. */
static enum msglist_status select_end(struct selection *s, struct slice *word, size_t *index_out)
{
	size_t n = s->mx->folder.messages.n, digits = 0;
	uint64_t number;

	if (slice_skip(word, '$')) {
		*index_out = n - 1;
		return MSGLIST_OK;
	}
	if (slice_skip(word, '^')) {
		*index_out = 0;
		return MSGLIST_OK;
	}
	if (slice_skip(word, '.')) {
		*index_out = s->mx->folder.dot;
		return MSGLIST_OK;
	}
	while (digits < word->len && ascii_is_digit(word->at[digits]))
		digits++;
	if (!slice_to_u64(slice_first(*word, digits), SIZE_MAX, &number) || number == 0 || number > n) {
		buf_printf(s->problem, "%.*s: Invalid message number", SLICE_ARG(*word));
		return digits ? MSGLIST_NUMBER : MSGLIST_SYNTAX;
	}
	*word = slice_from(*word, digits);
	*index_out = (size_t)number - 1;
	return MSGLIST_OK;
}

static enum msglist_status select_one(struct selection *s, size_t index)
{
	s->has_numbers = true;
	if (!fits_want(s, index)) {
		buf_printf(s->problem, "%zu: Inappropriate message", index + 1);
		return MSGLIST_DELETED;
	}
	s->marks[index] = true;
	return MSGLIST_OK;
}

static enum msglist_status select_range(struct selection *s, struct slice word)
{
	struct slice rest = word;
	size_t from, to;
	enum msglist_status r = select_end(s, &rest, &from);

	if (r != MSGLIST_OK)
		return r;
	if (rest.len == 0)
		return select_one(s, from);
	if (slice_skip(&rest, '-') && (r = select_end(s, &rest, &to)) != MSGLIST_OK)
		return r;
	if (rest.len || rest.at == word.at) {
		buf_printf(s->problem, "%.*s: not a range of messages", SLICE_ARG(word));
		return MSGLIST_SYNTAX;
	}
	s->has_numbers = true;
	for (size_t i = from; i <= to && i < s->mx->folder.messages.n; i++)
		s->marks[i] = s->marks[i] || fits_want(s, i);
	return MSGLIST_OK;
}

static enum msglist_status select_colons(struct selection *s, struct slice letters)
{
	bool is_known = letters.len > 0;

	for (size_t i = 0; i < letters.len && is_known; i++) {
		is_known = false;
		for (size_t k = 0; k < ARRAY_LEN(colons); k++)
			if (colons[k].letter == letters.at[i])
				is_known = s->colons[k] = s->has_colons = true;
		s->wants_deleted = s->wants_deleted || letters.at[i] == 'd';
	}
	if (is_known)
		return MSGLIST_OK;
	buf_printf(s->problem, ":%.*s: the letters are n o r u d f a t s", SLICE_ARG(letters));
	return MSGLIST_SYNTAX;
}

static bool is_range_start(char c)
{
	return ascii_is_digit(c) || c == '$' || c == '^';
}

static enum msglist_status select_word(struct selection *s, struct slice word)
{
	enum msglist_status r;
	size_t index;

	if (slice_eq(word, SLICE("*"))) {
		s->has_numbers = true;
		for (size_t i = 0; i < s->mx->folder.messages.n; i++)
			s->marks[i] = fits_want(s, i);
		return MSGLIST_OK;
	}
	if (slice_eq(word, SLICE("+")) || slice_eq(word, SLICE("-"))) {
		r = select_neighbour(s, word.at[0] == '+', &index);
		return r == MSGLIST_OK ? select_one(s, index) : r;
	}
	if (word.at[0] == ':')
		return select_colons(s, slice_from(word, 1));
	if (is_range_start(word.at[0]) || (word.at[0] == '.' && (word.len == 1 || word.at[1] == '-')))
		return select_range(s, word);
	strlist_add_slice(&s->names, word);
	return MSGLIST_OK;
}

static bool contains_nocase(struct slice text, struct slice part)
{
	for (size_t i = 0; part.len <= text.len && i <= text.len - part.len; i++)
		if (slice_starts_nocase(slice_from(text, i), part))
			return true;
	return false;
}

/* /text looks at the subject; /field:text at that field, with `searchheaders'. */
static bool matches_search(struct mailx *mx, const struct message_parts *parts, struct slice text)
{
	auto_buf struct buf value = BUF_INIT(MAILX_VALUE_MAX);
	size_t colon = slice_find(text, ':');

	if (vars_on(&mx->vars, "searchheaders") && colon > 0 && colon < text.len) {
		auto_free char *field = slice_dup(slice_first(text, colon));
		return head_text(parts->header, field, &value) &&
			contains_nocase(buf_slice(&value), slice_from(text, colon + 1));
	}
	return head_text(parts->header, "Subject", &value) && contains_nocase(buf_slice(&value), text);
}

static bool matches_author(struct mailx *mx, const struct message_parts *parts, struct slice text)
{
	auto_buf struct buf address = BUF_INIT(MAILX_VALUE_MAX), name = BUF_INIT(MAILX_VALUE_MAX);
	struct slice shown;

	head_author(parts->from_line, parts->header, &address, &name);
	shown = buf_slice(&address);
	if (vars_on(&mx->vars, "allnet"))
		return slice_eq_nocase(
			slice_first(shown, slice_find(shown, '@')), slice_first(text, slice_find(text, '@')));
	return contains_nocase(shown, text);
}

static bool matches_names(struct selection *s, size_t index, struct buf *head)
{
	struct message_parts parts;

	buf_clear(head);
	if (folder_read_head(&s->mx->folder, index, head) < 0)
		return false;
	parts = message_split(buf_slice(head), head->len);
	for (size_t i = 0; i < s->names.n; i++) {
		struct slice name = slice_of(s->names.at[i]);
		bool is_search = slice_skip(&name, '/');
		if (is_search && name.len == 0)
			name = slice_of(s->mx->last_search);
		if (is_search ? matches_search(s->mx, &parts, name) : matches_author(s->mx, &parts, name))
			return true;
	}
	return false;
}

static bool matches_colons(const struct selection *s, size_t index)
{
	unsigned flags = s->mx->folder.messages.at[index].flags;

	for (size_t k = 0; k < ARRAY_LEN(colons); k++)
		if (s->colons[k] && (flags & colons[k].has) == colons[k].has && !(flags & colons[k].lacks))
			return true;
	return false;
}

static void select_remember_search(struct selection *s)
{
	for (size_t i = 0; i < s->names.n; i++) {
		if (s->names.at[i][0] != '/' || s->names.at[i][1] == '\0')
			continue;
		mem_free(s->mx->last_search);
		s->mx->last_search = mem_dup_str(s->names.at[i] + 1);
	}
}

static enum msglist_status select_result(struct selection *s, struct msglist *out)
{
	auto_buf struct buf head = BUF_INIT(MAILX_TEXT_MAX);
	size_t n = s->mx->folder.messages.n;

	out->at = mem_new_array(n, sizeof(*out->at));
	out->n = 0;
	for (size_t i = 0; i < n; i++) {
		if (s->has_numbers ? !s->marks[i] : !fits_want(s, i))
			continue;
		if (s->has_colons && !matches_colons(s, i))
			continue;
		if (s->names.n && !matches_names(s, i, &head))
			continue;
		out->at[out->n++] = i;
	}
	if (out->n)
		return MSGLIST_OK;
	msglist_free(out);
	buf_append_str(s->problem, "No applicable messages");
	return MSGLIST_NONE;
}

static enum msglist_status select_words(struct selection *s, const struct strlist *words)
{
	for (size_t i = 0; i < words->n; i++) {
		enum msglist_status r = words->at[i][0] ? select_word(s, slice_of(words->at[i])) : MSGLIST_OK;
		if (r != MSGLIST_OK)
			return r;
	}
	return MSGLIST_OK;
}

enum msglist_status msglist_parse(struct mailx *mx, struct slice spec, enum msglist_want want,
	struct msglist *out, struct buf *problem_out)
{
	struct selection s = { .mx = mx, .want = want, .problem = problem_out };
	auto_strlist struct strlist words = STRLIST_INIT;
	enum msglist_status r;

	if (args_split(spec, &words) != ARGS_OK) {
		buf_append_str(problem_out, "A quote in the message list has no end");
		return MSGLIST_SYNTAX;
	}
	if (words.n == 0)
		return MSGLIST_EMPTY;
	if (mx->folder.messages.n == 0) {
		buf_append_str(problem_out, "No applicable messages");
		return MSGLIST_NONE;
	}
	s.marks = mem_new_array(mx->folder.messages.n, sizeof(*s.marks));
	r = select_words(&s, &words);
	select_remember_search(&s);
	if (r == MSGLIST_OK)
		r = select_result(&s, out);
	strlist_free(&s.names);
	mem_free(s.marks);
	return r;
}

void msglist_free(struct msglist *l)
{
	mem_free(l->at);
	*l = (struct msglist){ 0 };
}
