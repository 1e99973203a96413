/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rhs.c - see rhs.h
 *
 * Two steps per item: where it ends (quotes, brackets and comments protect commas), and what it is. An item
 * that is quoted as a whole is unquoted first and then means what it would mean without quotes.
 */
#include "mail/rhs.h"
#include "base/limits.h"
#include "mail/chars.h"

static const char *const error_texts[RHS_ERROR_COUNT] = {
	[RHS_OK] = "valid",
	[RHS_BAD_ADDRESS] = "no valid address",
	[RHS_OPEN_QUOTE] = "a quoted string does not end",
	[RHS_BAD_USER] = "a plain user name must follow the backslash",
	[RHS_EMPTY_COMMAND] = "there is no command behind the bar",
	[RHS_BAD_PATH] = "an absolute path must follow :include:",
	[RHS_UNKNOWN_SPECIAL] = "no special item of that name is known",
	[RHS_BAD_CODE] = "a code from 400 to 599 must follow error:",
	[RHS_CONTROL] = "a control character",
	[RHS_NOT_KNOWN] = ":unknown: stands alone, and in the aliases only",
};

const char *rhs_error_text(enum rhs_error error)
{
	return error_texts[error];
}

void rhs_init(struct rhs *r, struct slice text, unsigned flags)
{
	*r = (struct rhs){ .text = text, .flags = flags, .scratch = BUF_INIT(LIMIT_ALIAS_LINE) };
}

void rhs_deinit(struct rhs *r)
{
	buf_free(&r->scratch);
}

size_t rhs_line(const struct rhs *r, size_t offset, size_t first_line)
{
	struct slice before = slice_first(r->text, offset);

	for (size_t i = 0; i < before.len; i++)
		first_line += before.at[i] == '\n';
	return first_line;
}

/* Length of the quoted string at the start of s; 0 when it does not end. */
static size_t quoted_len(struct slice s)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.at[i] == '\\')
			i++;
		else if (s.at[i] == '"')
			return i + 1;
	}
	return 0;
}

/* Length of "(...)" or "<...>" at the start of s; 0 when it does not end. */
static size_t bracketed_len(struct slice s, char close)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.at[i] == '\\')
			i++;
		else if (s.at[i] == s.at[0])
			return 0; /* nothing that is legal here nests */
		else if (s.at[i] == close)
			return i + 1;
	}
	return 0;
}

/* '#' begins a comment in ~/.forward, but not within a command. */
static bool is_hash_comment(const struct rhs *r, size_t i)
{
	char before = i ? r->text.at[i - 1] : ' ';

	return r->flags & RHS_HASH_COMMENTS && r->text.at[i] == '#' &&
		(char_is_space(before) || before == ',');
}

static size_t line_end(struct slice s, size_t i)
{
	return i + slice_find(slice_from(s, i), '\n');
}

/* White space, empty items and comments before an item. */
static void skip_to_item(struct rhs *r)
{
	while (r->at < r->text.len) {
		if (is_hash_comment(r, r->at))
			r->at = line_end(r->text, r->at);
		else if (char_is_space(r->text.at[r->at]) || r->text.at[r->at] == ',')
			r->at++;
		else
			break;
	}
}

/* Where the item that starts at r->at ends: at its comma, at a comment, or at the end of text. *is_open_out:
 * a quote did not end, and it was taken up to the next comma. After one that reached the end of the text
 * no other is looked for: it would be found open again, at the price of reading everything again. */
static size_t item_end(struct rhs *r, bool *is_open_out)
{
	struct slice s = r->text;
	bool is_command = s.at[r->at] == '|';
	size_t i = r->at;

	*is_open_out = false;
	while (i < s.len && s.at[i] != ',' && (is_command || !is_hash_comment(r, i))) {
		struct slice rest = slice_from(s, i);
		size_t n = 1;
		if (s.at[i] == '"') {
			n = r->has_open_quote ? 0 : quoted_len(rest);
			r->has_open_quote = *is_open_out = n == 0;
		} else if (s.at[i] == '\\' && is_command) {
			n = 2;
		} else if ((s.at[i] == '(' || s.at[i] == '<') && !is_command) {
			n = bracketed_len(rest, s.at[i] == '(' ? ')' : '>');
		}
		i += MAX(n, (size_t)1);
	}
	return MIN(i, s.len);
}

static bool is_cr_of_line_end(struct slice s, size_t i)
{
	return s.at[i] == '\r' && i + 1 < s.len && s.at[i + 1] == '\n';
}

/* The item's own bytes, with line ends inside as blanks and without the escapes of a quoted item. inner may
 * lie in the scratch buffer itself: what is written never overtakes what is read. */
static struct slice item_unquote(struct rhs *r, struct slice inner)
{
	buf_clear(&r->scratch);
	for (size_t i = 0; i < inner.len; i++) {
		char c = inner.at[i];
		if (is_cr_of_line_end(inner, i))
			continue;
		if (c == '\\' && i + 1 < inner.len && (inner.at[i + 1] == '"' || inner.at[i + 1] == '\\'))
			c = inner.at[++i];
		buf_append_byte(&r->scratch, c == '\n' ? ' ' : c);
	}
	return buf_slice(&r->scratch);
}

static struct slice item_join_lines(struct rhs *r, struct slice text)
{
	if (slice_find(text, '\n') == text.len)
		return text;
	buf_clear(&r->scratch);
	for (size_t i = 0; i < text.len; i++)
		if (!is_cr_of_line_end(text, i))
			buf_append_byte(&r->scratch, text.at[i] == '\n' ? ' ' : text.at[i]);
	return buf_slice(&r->scratch);
}

static bool is_whole_quoted(struct slice text)
{
	return text.len >= 2 && text.at[0] == '"' && quoted_len(text) == text.len;
}

static void item_fail(struct rhs_item *item, enum rhs_error error)
{
	item->kind = RHS_ERROR;
	item->error = error;
}

static void decide_address(struct slice text, struct rhs_item *item)
{
	struct address_list list = ADDRESS_LIST_INIT(text, ADDRESS_UNQUALIFIED | ADDRESS_UTF8);
	struct address_item found, second;

	if (!address_list_next(&list, &found)) {
		item->address_status = ADDRESS_EMPTY;
	} else if (found.status != ADDRESS_OK) {
		item->address_status = found.status;
	} else if (address_list_next(&list, &second)) {
		item->address_status = ADDRESS_TRAILING;
	} else {
		item->kind = RHS_ADDRESS;
		item->text = found.text;
		item->address = found.address;
		return;
	}
	item_fail(item, RHS_BAD_ADDRESS);
}

static void decide_user(struct rhs *r, struct slice name, struct rhs_item *item)
{
	struct address address;

	(void)r;
	if (address_parse(name, ADDRESS_UNQUALIFIED | ADDRESS_UTF8, &address) != ADDRESS_OK ||
		address.domain.len || address.local.at[0] == '"') {
		item_fail(item, RHS_BAD_USER);
		return;
	}
	item->kind = RHS_USER;
	item->text = name;
}

/* path: without its first slash, which stands before it. */
static void decide_path(struct rhs *r, struct slice path, struct rhs_item *item)
{
	(void)r;
	path = (struct slice){ path.at - 1, path.len + 1 };
	item->text = path;
	if (slice_eq(path, SLICE("/dev/null")))
		item->kind = RHS_BLACKHOLE;
	else
		item->kind = path.at[path.len - 1] == '/' ? RHS_DIRECTORY : RHS_FILE;
}

/* sendmail's form |"command" has its quotes inside the bar. */
static void decide_command(struct rhs *r, struct slice command, struct rhs_item *item)
{
	command = slice_trim(command);
	if (is_whole_quoted(command))
		command = slice_trim(item_unquote(r, slice_from(slice_first(command, command.len - 1), 1)));
	item->kind = RHS_COMMAND;
	item->text = command;
	if (command.len == 0)
		item_fail(item, RHS_EMPTY_COMMAND);
}

static void decide_include(struct rhs *r, struct slice path, struct rhs_item *item)
{
	path = slice_trim(path);
	if (is_whole_quoted(path))
		path = item_unquote(r, slice_from(slice_first(path, path.len - 1), 1));
	item->kind = RHS_INCLUDE;
	item->text = path;
	if (path.len < 2 || path.at[0] != '/' || path.at[path.len - 1] == '/')
		item_fail(item, RHS_BAD_PATH);
}

static void item_verdict(struct rhs_item *item, enum rhs_kind kind, int code, struct slice reason)
{
	item->kind = kind;
	item->code = code;
	item->text = slice_trim(reason);
}

static void decide_fail(struct rhs *r, struct slice reason, struct rhs_item *item)
{
	(void)r;
	item_verdict(item, RHS_FAIL, 550, reason);
}

static void decide_defer(struct rhs *r, struct slice reason, struct rhs_item *item)
{
	(void)r;
	item_verdict(item, RHS_DEFER, 451, reason);
}

static void decide_blackhole(struct rhs *r, struct slice rest, struct rhs_item *item)
{
	(void)r, (void)rest; /* Exim ignores it, too */
	item_verdict(item, RHS_BLACKHOLE, 0, SLICE_EMPTY);
}

static void decide_unknown(struct rhs *r, struct slice rest, struct rhs_item *item)
{
	(void)r, (void)rest;
	item_fail(item, RHS_NOT_KNOWN);
}

/* OpenSMTPD's "error:550 text". */
static void decide_error(struct rhs *r, struct slice rest, struct rhs_item *item)
{
	uint64_t code;

	(void)r;
	rest = slice_trim(rest);
	if (!slice_to_u64(slice_first(rest, 3), 599, &code) || code < 400 ||
		(rest.len > 3 && !char_is_space(rest.at[3])))
		item_fail(item, RHS_BAD_CODE);
	else
		item_verdict(item, code < 500 ? RHS_DEFER : RHS_FAIL, (int)code, slice_from(rest, 3));
}

/* How an item begins that is no address. */
static const struct special {
	struct slice word;   /* in lower case */
	bool takes_the_rest; /* it speaks to people: commas belong to the text */
	void (*decide)(struct rhs *r, struct slice rest, struct rhs_item *item);
} specials[] = {
	{ SLICE_CONST("\\"), false, decide_user },
	{ SLICE_CONST("|"), false, decide_command },
	{ SLICE_CONST("/"), false, decide_path },
	{ SLICE_CONST(":include:"), false, decide_include },
	{ SLICE_CONST(":fail:"), true, decide_fail },
	{ SLICE_CONST(":defer:"), true, decide_defer },
	{ SLICE_CONST(":blackhole:"), true, decide_blackhole },
	{ SLICE_CONST(":unknown:"), true, decide_unknown },
	{ SLICE_CONST("error:"), true, decide_error },
};

/* NULL: an address, or nonsense. */
static const struct special *special_of(struct slice text)
{
	char first = ascii_lower(text.at[0]);

	for (size_t i = 0; i < ARRAY_LEN(specials); i++)
		if (first == specials[i].word.at[0] && slice_starts_nocase(text, specials[i].word))
			return &specials[i];
	return NULL;
}

/* ":word:" of none that is known. */
static bool is_unknown_special(struct slice text)
{
	return text.at[0] == ':' && slice_find(slice_from(text, 1), ':') + 1 < text.len;
}

/* Tabs may stand in a command. */
static bool has_control(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (char_is_control(text.at[i]) && text.at[i] != '\t')
			return true;
	return false;
}

static void item_decide(struct rhs *r, struct slice text, struct rhs_item *item)
{
	const struct special *special = special_of(text);

	if (has_control(text))
		item_fail(item, RHS_CONTROL);
	else if (special)
		special->decide(r, slice_from(text, special->word.len), item);
	else if (is_unknown_special(text))
		item_fail(item, RHS_UNKNOWN_SPECIAL);
	else
		decide_address(text, item);
}

bool rhs_next(struct rhs *r, struct rhs_item *item_out)
{
	struct rhs_item item = { .text = SLICE_EMPTY };
	const struct special *special;
	bool is_open = false;
	struct slice text;
	size_t end;

	skip_to_item(r);
	if (r->at >= r->text.len)
		return false;
	item.offset = r->at;
	text = slice_from(r->text, r->at);
	special = special_of(text);
	end = special && special->takes_the_rest ? r->text.len : item_end(r, &is_open);
	text = slice_trim(slice_first(text, end - r->at));
	r->at = end;
	item.text = text;
	if (is_open) {
		item_fail(&item, RHS_OPEN_QUOTE);
	} else {
		if (is_whole_quoted(text))
			text = slice_trim(item_unquote(r, slice_from(slice_first(text, text.len - 1), 1)));
		else
			text = item_join_lines(r, text);
		if (text.len)
			item_decide(r, text, &item);
		else
			item_fail(&item, RHS_BAD_ADDRESS);
	}
	*item_out = item;
	return true;
}
