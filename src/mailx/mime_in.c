/* SPDX-License-Identifier: Apache-2.0 */
/* mime_in.c - see mime_in.h; GMime parses, what is shown is decided here */
#include "mailx/mime_in.h"
#include "mail/header.h"
#include "mailx/html.h"
#include "mailx/ceilings.h"
#include "mailx/screen.h"
#include <gmime/gmime.h>

static void mime_init(void)
{
	static bool is_ready;

	if (!is_ready)
		g_mime_init();
	is_ready = true;
}

static void convert_with(iconv_t converter, struct slice bytes, struct buf *out)
{
	char *from = (char *)(uintptr_t)bytes.at; /* iconv does not write there */
	size_t n_from = bytes.len;

	while (n_from) {
		char room[8192], *to = room;
		size_t n_to = sizeof(room);
		bool is_stuck = iconv(converter, &from, &n_from, &to, &n_to) == (size_t)-1 && errno != E2BIG;
		buf_append(out, (struct slice){ room, sizeof(room) - n_to });
		if (is_stuck && n_from) {
			buf_append_str(out, "\xef\xbf\xbd");
			from++;
			n_from--;
		}
	}
}

static bool is_utf8_or_ascii(const char *charset)
{
	struct slice s = slice_of(charset);

	return slice_eq_nocase(s, SLICE("utf-8")) || slice_eq_nocase(s, SLICE("us-ascii")) ||
		slice_eq_nocase(s, SLICE("ascii")) || slice_eq_nocase(s, SLICE("utf8")) || s.len == 0;
}

void mime_to_utf8(struct slice bytes, const char *charset, struct buf *utf8_out)
{
	iconv_t converter;

	if (is_utf8_or_ascii(charset) && screen_is_utf8(bytes)) {
		buf_append(utf8_out, bytes);
		return;
	}
	mime_init();
	converter = iconv_open(
		"UTF-8", is_utf8_or_ascii(charset) ? "ISO-8859-1" : g_mime_charset_iconv_name(charset));
	if (converter == (iconv_t)-1) {
		buf_append(utf8_out, bytes); /* the screen shows ? for what is no UTF-8 */
		return;
	}
	convert_with(converter, bytes, utf8_out);
	(void)iconv_close(converter); /* ours: cannot fail */
}

bool mime_read_date(struct slice value, int64_t *time_s_out)
{
	auto_free char *text = slice_dup(value);
	GDateTime *date = g_mime_utils_header_decode_date(text);

	if (!date)
		return false;
	*time_s_out = g_date_time_to_unix(date);
	g_date_time_unref(date);
	return true;
}

void mime_read_header(struct slice value, struct buf *utf8_out)
{
	auto_buf struct buf line = BUF_INIT(MAILX_VALUE_MAX);
	char *text;

	header_unfold(slice_first(value, MAILX_VALUE_MAX / 2), &line);
	if (!memmem(line.at ? line.at : "", line.len, "=?", 2)) {
		mime_to_utf8(buf_slice(&line), "", utf8_out);
		return;
	}
	if (!buf_cstr(&line))
		return;
	mime_init();
	text = g_mime_utils_header_decode_text(NULL, buf_cstr(&line));
	buf_append_str(utf8_out, text ? text : "");
	g_free(text);
}

/* Decoded bytes of a leaf, from its transfer encoding. */
static void part_decode(GMimePart *part, struct buf *out)
{
	GMimeDataWrapper *content = g_mime_part_get_content(part);
	GMimeStream *memory;
	GByteArray *bytes;

	if (!content)
		return;
	memory = g_mime_stream_mem_new();
	(void)g_mime_data_wrapper_write_to_stream(content, memory); /* memory: takes all */
	bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(memory));
	buf_append(out, (struct slice){ (const char *)bytes->data, bytes->len });
	g_object_unref(memory);
}

struct walk {
	mime_visit visit;
	void *user;
	bool all_alternatives;
	bool is_over;
};

static void walk_leaf(struct walk *w, GMimePart *part)
{
	auto_buf struct buf bytes = BUF_INIT(MAILX_TEXT_MAX), text = BUF_INIT(MAILX_TEXT_MAX);
	GMimeContentType *type = g_mime_object_get_content_type(GMIME_OBJECT(part));
	char *name = type ? g_mime_content_type_get_mime_type(type) : NULL;
	bool is_text = type && g_mime_content_type_is_type(type, "text", "*");
	const char *charset = type ? g_mime_content_type_get_parameter(type, "charset") : NULL;
	auto_free char *lower = mem_dup_str(name ? name : "text/plain");

	for (char *p = lower; *p; p++)
		*p = ascii_lower(*p);
	part_decode(part, &bytes);
	if (is_text)
		mime_to_utf8(buf_slice(&bytes), charset ? charset : "", &text);
	w->is_over = !w->visit(&(struct mime_part){ .file_name = g_mime_part_get_filename(part),
				       .type = lower,
				       .is_text = is_text,
				       .content = buf_slice(is_text ? &text : &bytes) },
		w->user);
	g_free(name);
}

/* How well a kind of text can be shown: the best alternative is chosen, not the last. */
static int alternative_rank(GMimeObject *object)
{
	GMimeContentType *type = g_mime_object_get_content_type(object);

	if (!type)
		return 3;
	if (g_mime_content_type_is_type(type, "text", "plain"))
		return 4;
	if (g_mime_content_type_is_type(type, "multipart", "*"))
		return 3;
	return g_mime_content_type_is_type(type, "text", "html") ? 2
		: g_mime_content_type_is_type(type, "text", "*") ? 1
								 : 0;
}

static void walk_object(struct walk *w, GMimeObject *object, unsigned depth);

static void walk_multipart(struct walk *w, GMimeMultipart *multipart, unsigned depth)
{
	GMimeContentType *type = g_mime_object_get_content_type(GMIME_OBJECT(multipart));
	int n = g_mime_multipart_get_count(multipart), best = 0;

	if (n <= 0)
		return;
	if (w->all_alternatives || !type || !g_mime_content_type_is_type(type, "multipart", "alternative")) {
		for (int i = 0; i < n && !w->is_over; i++)
			walk_object(w, g_mime_multipart_get_part(multipart, i), depth);
		return;
	}
	for (int i = 1; i < n; i++)
		if (alternative_rank(g_mime_multipart_get_part(multipart, i)) >
			alternative_rank(g_mime_multipart_get_part(multipart, best)))
			best = i;
	walk_object(w, g_mime_multipart_get_part(multipart, best), depth);
}

static void walk_message(struct walk *w, GMimeMessage *message, unsigned depth)
{
	static const char *const shown[] = { "From", "To", "Cc", "Date", "Subject" };
	auto_buf struct buf text = BUF_INIT(MAILX_VALUE_MAX * 8);

	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		const char *value = g_mime_object_get_header(GMIME_OBJECT(message), shown[i]);
		if (!value)
			continue;
		buf_printf(&text, "%s: ", shown[i]);
		mime_read_header(slice_of(value), &text);
		buf_append_byte(&text, '\n');
	}
	buf_append_byte(&text, '\n');
	w->is_over = !w->visit(
		&(struct mime_part){ .type = "text/plain", .is_text = true, .content = buf_slice(&text) },
		w->user);
	if (!w->is_over && g_mime_message_get_mime_part(message))
		walk_object(w, g_mime_message_get_mime_part(message), depth);
}

static void walk_object(struct walk *w, GMimeObject *object, unsigned depth)
{
	if (depth >= MAILX_MIME_DEPTH || w->is_over || !object)
		return;
	if (GMIME_IS_MULTIPART(object)) {
		walk_multipart(w, GMIME_MULTIPART(object), depth + 1);
	} else if (GMIME_IS_MESSAGE_PART(object)) {
		GMimeMessage *inner = g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
		if (inner)
			walk_message(w, inner, depth + 1);
	} else if (GMIME_IS_PART(object)) {
		walk_leaf(w, GMIME_PART(object));
	}
}

static void walk_parsed(struct walk *w, struct slice message)
{
	GMimeStream *stream;
	GMimeParser *parser;
	GMimeMessage *parsed;

	mime_init();
	stream = g_mime_stream_mem_new_with_buffer(message.at, message.len);
	parser = g_mime_parser_new_with_stream(stream);
	parsed = g_mime_parser_construct_message(parser, NULL);
	if (parsed) {
		walk_object(w, g_mime_message_get_mime_part(parsed), 0);
		g_object_unref(parsed);
	}
	g_object_unref(parser);
	g_object_unref(stream);
}

void mime_walk(struct slice message, mime_visit visit, void *user)
{
	struct walk w = { .visit = visit, .user = user, .all_alternatives = true };

	walk_parsed(&w, message);
}

struct reading {
	struct buf *out;
	unsigned n_attachments;
};

static void read_banner(struct reading *r, const struct mime_part *part)
{
	r->n_attachments++;
	if (r->out->len && r->out->at[r->out->len - 1] != '\n')
		buf_append_byte(r->out, '\n');
	buf_printf(r->out, "[-- Attachment %u: ", r->n_attachments);
	if (part->file_name)
		buf_printf(r->out, "\"%s\", ", part->file_name);
	buf_printf(r->out, "%s, %zu bytes --]\n", part->type, part->content.len);
}

static bool read_part(const struct mime_part *part, void *user)
{
	struct reading *r = user;

	if (!part->is_text || part->file_name)
		read_banner(r, part);
	else if (strcmp(part->type, "text/html") == 0)
		html_to_text(part->content, r->out);
	else
		buf_append(r->out, part->content);
	return true;
}

/* Plain text in ASCII or UTF-8 without encoding, the common case, needs no parser. */
static bool is_simple(struct slice header)
{
	struct slice rest = header;
	struct header_field field;

	while (header_next(&rest, &field)) {
		if (slice_eq_nocase(field.name, SLICE("Content-Transfer-Encoding")) &&
			!slice_eq_nocase(field.value, SLICE("7bit")) &&
			!slice_eq_nocase(field.value, SLICE("8bit")))
			return false;
		if (slice_eq_nocase(field.name, SLICE("Content-Type")) &&
			!slice_eq_nocase(field.value, SLICE("text/plain")) &&
			!slice_eq_nocase(field.value, SLICE("text/plain; charset=us-ascii")) &&
			!slice_eq_nocase(field.value, SLICE("text/plain; charset=utf-8")))
			return false;
	}
	return true;
}

void mime_read_text(struct slice message, bool all_alternatives, struct buf *utf8_out)
{
	struct reading reading = { .out = utf8_out };
	struct walk w = { .visit = read_part, .user = &reading, .all_alternatives = all_alternatives };
	struct slice header, body;

	header_split(message, &header, &body);
	if (is_simple(header))
		mime_to_utf8(body, "", utf8_out);
	else
		walk_parsed(&w, message);
}

void mime_safe_name(struct slice file_name, struct buf *out)
{
	struct slice base = slice_from(file_name, 0);
	size_t slash;

	while ((slash = slice_find(base, '/')) < base.len)
		base = slice_from(base, slash + 1);
	while ((slash = slice_find(base, '\\')) < base.len)
		base = slice_from(base, slash + 1);
	while (base.len && (base.at[0] == '.' || base.at[0] == '|' || base.at[0] == '-' || base.at[0] == ' '))
		base = slice_from(base, 1);
	base = slice_first(base, NAME_MAX - 16);
	while (base.len) {
		struct slice character;
		bool is_harmful = screen_next_is_harmful(&base, &character);
		buf_append(out, is_harmful ? SLICE("_") : character);
	}
}
