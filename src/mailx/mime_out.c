/* SPDX-License-Identifier: Apache-2.0 */
/* mime_out.c - see mime_out.h; GMime encodes and puts the parts together */
#include "mailx/mime_out.h"
#include "base/limits.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mailx/head.h"
#include "mailx/identity.h"
#include "mailx/mime_in.h"
#include <gmime/gmime.h>

static const char user_agent[] = "Postrider mail " POSTRIDER_VERSION;

struct text_traits mime_traits(struct slice bytes)
{
	struct text_traits t = { .is_utf8 = screen_is_utf8(bytes), .ends_line = true };
	struct slice rest = bytes;

	while (rest.len) {
		size_t n = slice_find(rest, '\n');
		t.longest = MAX(t.longest, n);
		t.has_from = t.has_from || slice_starts(rest, SLICE("From "));
		t.ends_line = n < rest.len;
		rest = slice_from(rest, n + 1);
	}
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char c = (unsigned char)bytes.at[i];
		t.has_8bit = t.has_8bit || c >= 0x80;
		t.has_nul = t.has_nul || c == 0;
		t.has_cr = t.has_cr || c == '\r';
		t.has_control = t.has_control || (c < 0x20 && c != '\n' && c != '\t');
	}
	return t;
}

/* What was typed as UTF-8: in a locale with another character set it is converted. */
static void to_utf8(struct mailx *mx, struct slice typed, struct buf *out)
{
	if (screen_is_utf8(typed) || mx->screen.charset != SCREEN_OTHER)
		buf_append(out, typed);
	else
		mime_to_utf8(typed, mx->screen.codeset, out);
}

static void write_text_field(struct mailx *mx, const char *name, const char *value, struct buf *out)
{
	auto_buf struct buf utf8 = BUF_INIT(MAILX_TEXT_MAX), encoded = BUF_INIT(MAILX_TEXT_MAX);

	if (!value)
		return;
	to_utf8(mx, slice_of(value), &utf8);
	header_append_encoded(&encoded, buf_slice(&utf8));
	header_append(out, name, buf_slice(&encoded));
}

/* "Name <address>" or "address", as the header has it. */
static void append_address(struct mailx *mx, const char *text, struct buf *out)
{
	auto_buf struct buf name = BUF_INIT(MAILX_VALUE_MAX), utf8 = BUF_INIT(MAILX_VALUE_MAX);
	struct slice written, bare = draft_bare_address(text, &written);

	head_display_name(written, &name);
	if (name.len) {
		to_utf8(mx, buf_slice(&name), &utf8);
		header_append_phrase(out, buf_slice(&utf8));
		buf_append_str(out, " <");
	}
	identity_qualify(mx, bare, out);
	if (name.len)
		buf_append_byte(out, '>');
}

static void write_addresses(struct mailx *mx, const char *name, const struct strlist *list, struct buf *out)
{
	auto_buf struct buf value = BUF_INIT(MAILX_TEXT_MAX);

	for (size_t i = 0; i < list->n; i++) {
		buf_append_str(&value, i ? ", " : "");
		append_address(mx, list->at[i], &value);
	}
	if (list->n)
		header_append(out, name, buf_slice(&value));
}

static void write_address(struct mailx *mx, const char *name, const char *text, struct buf *out)
{
	auto_buf struct buf value = BUF_INIT(MAILX_VALUE_MAX);

	if (!text || !*text)
		return;
	append_address(mx, text, &value);
	header_append(out, name, buf_slice(&value));
}

static void write_date(const struct draft *d, int64_t now_s, struct buf *out)
{
	auto_buf struct buf date = BUF_INIT(256);
	struct slice value;

	if (draft_field(d, "Date"))
		return;
	date_append_rfc5322(&date, now_s);
	value = buf_slice(&date);
	header_append(out, "Date", slice_first(value, slice_find(value, '('))); /* without the zone's name */
}

/* The user's own fields, but for those that describe the text or name the author: these have their places
 * below. */
static bool has_own_place(struct slice name)
{
	static const char *const placed[] = { "Content-Type", "Content-Transfer-Encoding", "MIME-Version",
		"From", "Bcc", "User-Agent", "Date" };

	for (size_t i = 0; i < ARRAY_LEN(placed); i++)
		if (slice_eq_nocase(name, slice_of(placed[i])))
			return true;
	return false;
}

static void write_further_fields(struct mailx *mx, const struct draft *d, struct buf *out)
{
	write_text_field(mx, "Date", draft_field(d, "Date"), out);
	for (size_t i = 0; i < d->fields.n; i++) {
		struct slice value = slice_of(d->fields.at[i]), name;
		if (!slice_cut(&value, ':', &name) || has_own_place(slice_trim(name)))
			continue;
		auto_free char *name_text = slice_dup(slice_trim(name));
		write_text_field(mx, name_text, slice_trim(value).at, out);
	}
}

static void write_top(struct mailx *mx, const struct draft *d, int64_t now_s, struct buf *out)
{
	const char *reply_to = d->reply_to ? d->reply_to : vars_get(&mx->vars, "replyto");

	write_date(d, now_s, out);
	if (!draft_field(d, "To"))
		write_addresses(mx, "To", &d->recipients[DRAFT_TO], out);
	if (!draft_field(d, "Cc"))
		write_addresses(mx, "Cc", &d->recipients[DRAFT_CC], out);
	if (d->subject && *d->subject && !draft_field(d, "Subject"))
		write_text_field(mx, "Subject", d->subject, out);
	if (!draft_field(d, "Reply-To"))
		write_address(mx, "Reply-To", reply_to, out);
	if (!draft_field(d, "In-Reply-To"))
		write_text_field(mx, "In-Reply-To", d->in_reply_to, out);
	if (!draft_field(d, "References"))
		write_text_field(mx, "References", d->references, out);
	if (!draft_field(d, "Organization"))
		write_text_field(mx, "Organization", vars_get(&mx->vars, "ORGANIZATION"), out);
	write_further_fields(mx, d, out);
	write_text_field(mx, "User-Agent",
		draft_field(d, "User-Agent") ? draft_field(d, "User-Agent") : user_agent, out);
}

static void write_author(struct mailx *mx, const struct draft *d, struct buf *out)
{
	auto_buf struct buf author = BUF_INIT(MAILX_VALUE_MAX);
	const char *own = draft_field(d, "From");

	if (!own)
		own = d->from;
	if (!own) {
		identity_author(mx, &author);
		own = buf_cstr(&author);
	}
	write_address(mx, "From", own, out);
}

/* How the text travels. */
struct body {
	struct buf bytes; /* in the charset */
	char charset[64];
	GMimeContentEncoding encoding;
};

/* The first of `sendcharsets' that has all characters; UTF-8 always has. */
static void choose_charset(struct mailx *mx, struct slice utf8, struct body *body)
{
	const char *wanted = vars_get(&mx->vars, "sendcharsets");
	struct slice rest = slice_of(wanted ? wanted : "");

	while (rest.len) {
		struct slice name = slice_trim(slice_first(rest, slice_find(rest, ',')));
		char charset[64];
		iconv_t converter;
		rest = slice_from(rest, slice_find(rest, ',') + 1);
		(void)snprintf(charset, sizeof(charset), "%.*s", SLICE_ARG(name));
		if (name.len == 0 || slice_eq_nocase(name, SLICE("utf-8")) ||
			(converter = iconv_open(charset, "UTF-8")) == (iconv_t)-1)
			continue;
		char *from = (char *)(uintptr_t)utf8.at, *room, *to; /* iconv does not write to `from' */
		size_t n_from = utf8.len, n_to = utf8.len * 2 + 16;
		bool fits;
		to = room = buf_reserve(&body->bytes, n_to);
		fits = room && iconv(converter, &from, &n_from, &to, &n_to) == 0 && n_from == 0;
		(void)iconv_close(converter); /* ours: cannot fail */
		if (!fits)
			continue;
		buf_grew(&body->bytes, (size_t)(to - room));
		(void)snprintf(body->charset, sizeof(body->charset), "%s", charset);
		return;
	}
	buf_append(&body->bytes, utf8);
	(void)snprintf(body->charset, sizeof(body->charset), "utf-8");
}

static void prepare_body(struct mailx *mx, const struct draft *d, struct body *body)
{
	auto_buf struct buf utf8 = BUF_INIT(MAILX_TEXT_MAX);
	const char *wanted = vars_get(&mx->vars, "encoding");
	struct text_traits t;

	to_utf8(mx, buf_slice(&d->text), &utf8);
	t = mime_traits(buf_slice(&utf8));
	if (!t.ends_line)
		buf_append_byte(&utf8, '\n');
	(void)snprintf(body->charset, sizeof(body->charset), "%s", t.has_8bit ? "unknown-8bit" : "us-ascii");
	if (t.has_8bit && t.is_utf8)
		choose_charset(mx, buf_slice(&utf8), body);
	else
		buf_append(&body->bytes, buf_slice(&utf8));
	if (t.has_nul)
		body->encoding = GMIME_CONTENT_ENCODING_BASE64;
	else if (t.longest > MIN(vars_number(&mx->vars, "maximum-unencoded-line-length", LIMIT_TEXT_LINE),
				     LIMIT_TEXT_LINE) ||
		t.has_cr ||
		(t.has_8bit && wanted && slice_eq_nocase(slice_of(wanted), SLICE("quoted-printable"))))
		body->encoding = GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE;
	else
		body->encoding = t.has_8bit ? GMIME_CONTENT_ENCODING_8BIT : GMIME_CONTENT_ENCODING_7BIT;
}

/* -M, or a Content-Type: field of the user's, else plain text; with the charset where it has none. */
static void body_type(const struct draft *d, const struct body *body, struct buf *out)
{
	const char *own = draft_field(d, "Content-Type");

	if (!own)
		own = d->content_type;
	buf_append_str(out, own ? own : "text/plain");
	if (strchr(own ? own : "", ';') || (own && strncasecmp(own, "text/", 5) != 0))
		return;
	buf_printf(out, "; charset=%s", body->charset);
}

static void append_encoded_body(const struct body *body, struct buf *out)
{
	struct slice bytes = buf_slice(&body->bytes);
	GMimeEncoding encoder;
	char *room;

	if (body->encoding == GMIME_CONTENT_ENCODING_7BIT || body->encoding == GMIME_CONTENT_ENCODING_8BIT) {
		buf_append(out, bytes);
		return;
	}
	g_mime_encoding_init_encode(&encoder, body->encoding);
	room = buf_reserve(out, g_mime_encoding_outlen(&encoder, bytes.len) + 16);
	if (room)
		buf_grew(out, g_mime_encoding_flush(&encoder, bytes.at, bytes.len, room));
}

static void write_single(
	const struct draft *d, const struct body *body, struct buf *type_out, struct buf *body_out)
{
	body_type(d, body, type_out);
	append_encoded_body(body, body_out);
}

static GMimePart *new_part(const char *type, struct slice content, GMimeContentEncoding encoding)
{
	GMimeContentType *parsed = g_mime_content_type_parse(NULL, type);
	GMimePart *part = g_mime_part_new();
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer(content.at, content.len);
	GMimeDataWrapper *wrapper =
		g_mime_data_wrapper_new_with_stream(stream, GMIME_CONTENT_ENCODING_DEFAULT);

	g_mime_object_set_content_type(GMIME_OBJECT(part), parsed);
	g_mime_part_set_content(part, wrapper);
	g_mime_part_set_content_encoding(part, encoding);
	g_object_unref(parsed);
	g_object_unref(wrapper);
	g_object_unref(stream);
	return part;
}

/* Plain ASCII lines go as they are, so that they can be read anywhere; everything else in base64, which
 * nothing on the way can change. */
static GMimeContentEncoding attachment_encoding(const char *type, struct slice content)
{
	struct text_traits t = mime_traits(content);

	return strncmp(type, "text/", 5) == 0 && !t.has_8bit && !t.has_control && !t.has_from &&
			t.ends_line && t.longest <= LIMIT_TEXT_LINE && content.len
		? GMIME_CONTENT_ENCODING_7BIT
		: GMIME_CONTENT_ENCODING_BASE64;
}

static void set_utf8_names(GMimeParamList *params)
{
	for (int i = 0; params && i < g_mime_param_list_length(params); i++)
		g_mime_param_set_charset(g_mime_param_list_get_parameter_at(params, i), "utf-8");
}

/* Text says which characters it has, as far as that can be known. */
static void attachment_type(struct mailx *mx, const struct attachment *a, struct buf *out)
{
	const char *type = mime_type_of_file(mx, a->name, a->content);
	struct text_traits t = mime_traits(a->content);

	buf_append_str(out, type);
	if (strncmp(type, "text/", 5) == 0 && !strchr(type, ';') && t.is_utf8)
		buf_append_str(out, t.has_8bit ? "; charset=utf-8" : "; charset=us-ascii");
}

static GMimePart *attachment_part(struct mailx *mx, const struct attachment *a)
{
	auto_buf struct buf name = BUF_INIT(MAILX_VALUE_MAX), utf8 = BUF_INIT(MAILX_VALUE_MAX),
			    type = BUF_INIT(MAILX_VALUE_MAX);
	GMimePart *part;

	if (a->is_message) {
		part = new_part("message/rfc822", a->content,
			mime_traits(a->content).has_8bit ? GMIME_CONTENT_ENCODING_8BIT
							 : GMIME_CONTENT_ENCODING_7BIT);
		g_mime_object_set_disposition(GMIME_OBJECT(part), "inline");
		return part;
	}
	attachment_type(mx, a, &type);
	part = new_part(buf_cstr(&type), a->content, attachment_encoding(buf_cstr(&type), a->content));
	header_safe_text(slice_of(a->name), &name);
	to_utf8(mx, buf_slice(&name), &utf8);
	g_mime_object_set_disposition(GMIME_OBJECT(part), "attachment");
	g_mime_part_set_filename(part, buf_cstr(&utf8));
	set_utf8_names(
		g_mime_content_type_get_parameters(g_mime_object_get_content_type(GMIME_OBJECT(part))));
	set_utf8_names(g_mime_content_disposition_get_parameters(
		g_mime_object_get_content_disposition(GMIME_OBJECT(part))));
	return part;
}

static void append_multipart(GMimeMultipart *multipart, struct buf *type_out, struct buf *body_out)
{
	char *type =
		g_mime_content_type_encode(g_mime_object_get_content_type(GMIME_OBJECT(multipart)), NULL);
	GMimeStream *memory = g_mime_stream_mem_new();
	GByteArray *bytes;
	struct slice content;

	buf_append(type_out, slice_trim(slice_of(type)));
	(void)g_mime_object_write_content_to_stream(
		GMIME_OBJECT(multipart), NULL, memory); /* memory: takes all */
	bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(memory));
	content = (struct slice){ (const char *)bytes->data, bytes->len };
	(void)slice_skip(&content, '\n'); /* the header's own empty line stands before it */
	buf_append(body_out, content);
	g_object_unref(memory);
	g_free(type);
}

static void write_multipart(struct mailx *mx, const struct draft *d, const struct body *body,
	const struct attachment *attachments, size_t n, struct buf *type_out, struct buf *body_out)
{
	auto_buf struct buf text_type = BUF_INIT(MAILX_VALUE_MAX);
	GMimeMultipart *multipart = g_mime_multipart_new_with_subtype("mixed");
	GMimePart *part;

	body_type(d, body, &text_type);
	part = new_part(buf_cstr(&text_type), buf_slice(&body->bytes), body->encoding);
	g_mime_multipart_set_boundary(multipart, NULL); /* makes one */
	g_mime_multipart_add(multipart, GMIME_OBJECT(part));
	g_object_unref(part);
	for (size_t i = 0; i < n; i++) {
		part = attachment_part(mx, &attachments[i]);
		g_mime_multipart_add(multipart, GMIME_OBJECT(part));
		g_object_unref(part);
	}
	append_multipart(multipart, type_out, body_out);
	g_object_unref(multipart);
}

bool mime_write(struct mailx *mx, const struct draft *d, const struct attachment *attachments, size_t n,
	int64_t now_s, struct buf *out)
{
	auto_buf struct buf type = BUF_INIT(MAILX_VALUE_MAX), text = BUF_INIT(MAILX_TEXT_MAX);
	struct body body = { .bytes = BUF_INIT(MAILX_TEXT_MAX) };
	bool is_whole;

	prepare_body(mx, d, &body);
	if (n) {
		g_mime_init();
		write_multipart(mx, d, &body, attachments, n, &type, &text);
	} else {
		write_single(d, &body, &type, &text);
	}
	write_top(mx, d, now_s, out);
	header_append(out, "MIME-Version", SLICE("1.0"));
	header_append(out, "Content-Type", buf_slice(&type));
	if (n == 0)
		header_append(out, "Content-Transfer-Encoding",
			slice_of(g_mime_content_encoding_to_string(body.encoding)));
	write_author(mx, d, out);
	buf_append_byte(out, '\n');
	buf_append(out, buf_slice(&text));
	is_whole = buf_ok(&body.bytes) && buf_ok(&text) && buf_ok(&type) && buf_ok(out);
	buf_free(&body.bytes);
	return is_whole;
}
