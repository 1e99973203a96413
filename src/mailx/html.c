/* SPDX-License-Identifier: Apache-2.0 */
/*
 * html.c - see html.h
 *
 * One pass: text is copied with its white space joined, tags are looked up in a table of what they do to the
 * lines.
 */
#include "mailx/html.h"

enum tag_effect {
	TAG_BREAK = 1,	   /* ends the line */
	TAG_PARAGRAPH = 2, /* and leaves an empty one */
	TAG_ITEM = 4,	   /* begins a line with a mark */
	TAG_SKIP = 8,	   /* its content is no text */
	TAG_RULE = 16,	   /* a line across */
	TAG_CELL = 32,	   /* a blank */
};

static const struct {
	const char *name;
	unsigned effect;
} tags[] = {
	{ "br", TAG_BREAK },
	{ "p", TAG_PARAGRAPH },
	{ "div", TAG_BREAK },
	{ "tr", TAG_BREAK },
	{ "table", TAG_PARAGRAPH },
	{ "ul", TAG_BREAK },
	{ "ol", TAG_BREAK },
	{ "li", TAG_BREAK | TAG_ITEM },
	{ "h1", TAG_PARAGRAPH },
	{ "h2", TAG_PARAGRAPH },
	{ "h3", TAG_PARAGRAPH },
	{ "h4", TAG_PARAGRAPH },
	{ "h5", TAG_PARAGRAPH },
	{ "h6", TAG_PARAGRAPH },
	{ "blockquote", TAG_PARAGRAPH },
	{ "pre", TAG_BREAK },
	{ "hr", TAG_BREAK | TAG_RULE },
	{ "td", TAG_CELL },
	{ "th", TAG_CELL },
	{ "script", TAG_SKIP },
	{ "style", TAG_SKIP },
	{ "title", TAG_SKIP },
	{ "head", 0 },
};

static const struct {
	const char *name;
	const char *text;
} entities[] = {
	{ "amp", "&" },
	{ "lt", "<" },
	{ "gt", ">" },
	{ "quot", "\"" },
	{ "apos", "'" },
	{ "nbsp", " " },
	{ "copy", "\xc2\xa9" },
	{ "reg", "\xc2\xae" },
	{ "euro", "\xe2\x82\xac" },
	{ "ndash", "\xe2\x80\x93" },
	{ "mdash", "\xe2\x80\x94" },
	{ "hellip", "\xe2\x80\xa6" },
	{ "laquo", "\xc2\xab" },
	{ "raquo", "\xc2\xbb" },
	{ "bull", "\xe2\x80\xa2" },
	{ "lsquo", "\xe2\x80\x98" },
	{ "rsquo", "\xe2\x80\x99" },
	{ "ldquo", "\xe2\x80\x9c" },
	{ "rdquo", "\xe2\x80\x9d" },
	{ "auml", "\xc3\xa4" },
	{ "ouml", "\xc3\xb6" },
	{ "uuml", "\xc3\xbc" },
	{ "Auml", "\xc3\x84" },
	{ "Ouml", "\xc3\x96" },
	{ "Uuml", "\xc3\x9c" },
	{ "szlig", "\xc3\x9f" },
	{ "eacute", "\xc3\xa9" },
};

struct reducer {
	struct buf *out;
	size_t start;	/* of our text in out */
	bool has_blank; /* white space is due before the next word */
	size_t n_ends;	/* line ends at the end of out */
};

static void reducer_break(struct reducer *r, size_t n_ends)
{
	r->has_blank = false;
	if (r->out->len == r->start)
		return;
	while (r->n_ends < n_ends) {
		buf_append_byte(r->out, '\n');
		r->n_ends++;
	}
}

static void reducer_text(struct reducer *r, struct slice text)
{
	if (r->has_blank && r->out->len > r->start && r->n_ends == 0)
		buf_append_byte(r->out, ' ');
	r->has_blank = false;
	r->n_ends = 0;
	buf_append(r->out, text);
}

static void put_code(struct reducer *r, uint64_t code)
{
	char utf8[4];
	size_t n;

	if (code < 0x80) {
		utf8[0] = (char)code;
		n = 1;
	} else if (code < 0x800) {
		utf8[0] = (char)(0xc0 | code >> 6);
		utf8[1] = (char)(0x80 | (code & 0x3f));
		n = 2;
	} else if (code < 0x10000) {
		utf8[0] = (char)(0xe0 | code >> 12);
		utf8[1] = (char)(0x80 | (code >> 6 & 0x3f));
		utf8[2] = (char)(0x80 | (code & 0x3f));
		n = 3;
	} else {
		utf8[0] = (char)(0xf0 | code >> 18);
		utf8[1] = (char)(0x80 | (code >> 12 & 0x3f));
		utf8[2] = (char)(0x80 | (code >> 6 & 0x3f));
		utf8[3] = (char)(0x80 | (code & 0x3f));
		n = 4;
	}
	reducer_text(r, (struct slice){ utf8, n });
}

static bool hex_to_u64(struct slice s, uint64_t max, uint64_t *value_out)
{
	uint64_t value = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = ascii_lower(s.at[i]);
		if (!ascii_is_digit(c) && !(c >= 'a' && c <= 'f'))
			return false;
		value = value * 16 + (uint64_t)(ascii_is_digit(c) ? c - '0' : c - 'a' + 10);
		if (value > max)
			return false;
	}
	*value_out = value;
	return s.len > 0;
}

/* *html begins at '&'; an unknown entity stays as it is written. */
static void reduce_entity(struct reducer *r, struct slice *html)
{
	struct slice name = slice_from(slice_first(*html, 12), 1);
	size_t n = slice_find(name, ';');
	uint64_t code;

	if (n == name.len) {
		reducer_text(r, slice_first(*html, 1));
		*html = slice_from(*html, 1);
		return;
	}
	name = slice_first(name, n);
	*html = slice_from(*html, n + 2);
	if (name.len > 1 && name.at[0] == '#') {
		bool is_hex = ascii_lower(name.at[1]) == 'x';
		if (is_hex ? hex_to_u64(slice_from(name, 2), 0x10ffff, &code)
			   : slice_to_u64(slice_from(name, 1), 0x10ffff, &code))
			put_code(r, code);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(entities); i++)
		if (slice_eq(name, slice_of(entities[i].name))) {
			reducer_text(r, slice_of(entities[i].text));
			return;
		}
	reducer_text(r, SLICE("&"));
	reducer_text(r, name);
	reducer_text(r, SLICE(";"));
}

/* Moves past the end of an element whose content is no text. */
static void skip_content(struct slice *html, struct slice name)
{
	while (html->len) {
		struct slice rest = slice_from(*html, slice_find(*html, '<')), after = slice_from(rest, 1);
		*html = after;
		if (slice_skip(&after, '/') && slice_starts_nocase(after, name)) {
			*html = slice_from(after, slice_find(after, '>') + 1);
			return;
		}
	}
}

static void apply_effect(struct reducer *r, unsigned effect, bool is_closing)
{
	if (effect & TAG_PARAGRAPH)
		reducer_break(r, 2);
	else if (effect & TAG_BREAK)
		reducer_break(r, 1);
	if (effect & TAG_CELL)
		r->has_blank = true;
	if ((effect & TAG_ITEM) && !is_closing)
		reducer_text(r, SLICE("* "));
	if (effect & TAG_RULE) {
		reducer_text(r, SLICE("----------------------------------------"));
		reducer_break(r, 1);
	}
}

/* *html begins at '<'. */
static void reduce_tag(struct reducer *r, struct slice *html)
{
	struct slice tag = slice_from(*html, 1), name;
	bool is_closing;
	size_t n = 0;

	if (slice_starts(*html, SLICE("<!--"))) {
		const char *end = memmem(html->at, html->len, "-->", 3);
		*html = end ? slice_from(*html, (size_t)(end - html->at) + 3) : slice_from(*html, html->len);
		return;
	}
	*html = slice_from(*html, slice_find(*html, '>') + 1);
	is_closing = slice_skip(&tag, '/');
	while (n < tag.len && ascii_is_alnum(tag.at[n]))
		n++;
	name = slice_first(tag, n);
	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		if (!slice_eq_nocase(name, slice_of(tags[i].name)))
			continue;
		if ((tags[i].effect & TAG_SKIP) && !is_closing)
			skip_content(html, name);
		apply_effect(r, tags[i].effect, is_closing);
	}
}

static bool is_tag_start(struct slice html)
{
	return html.len > 1 && html.at[0] == '<' &&
		(ascii_is_alnum(html.at[1]) || html.at[1] == '/' || html.at[1] == '!' || html.at[1] == '?');
}

void html_to_text(struct slice html, struct buf *out)
{
	struct reducer r = { .out = out, .start = out->len };

	while (html.len) {
		size_t n = 0;
		if (is_tag_start(html)) {
			reduce_tag(&r, &html);
			continue;
		}
		if (html.at[0] == '&') {
			reduce_entity(&r, &html);
			continue;
		}
		if (strchr(" \t\r\n", html.at[0]) && html.at[0]) {
			r.has_blank = true;
			html = slice_from(html, 1);
			continue;
		}
		while (n < html.len && html.at[n] != '<' && html.at[n] != '&' &&
			!(html.at[n] && strchr(" \t\r\n", html.at[n])))
			n++;
		n = MAX(n, (size_t)1); /* a lone '<' */
		reducer_text(&r, slice_first(html, n));
		html = slice_from(html, n);
	}
	reducer_break(&r, 1);
}
