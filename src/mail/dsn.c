/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dsn.c - the whole notification: its header, the part for people, the part for programs, the original
 *
 * The first two parts are made before the header, which says what is in them. The part for programs is ASCII,
 * as RFC 3464 wants it, unless an address is not: then it is the form of RFC 6533. Of the original nothing is
 * ever re-encoded. The words for people are in dsn_words.c.
 */
#include "mail/chars.h"
#include "mail/date.h"
#include "mail/dsn-private.h"
#include "mail/header.h"
#include "mail/queue_id.h"
#include "mail/xtext.h"

#define MESSAGE_ID_MAX 250 /* of the original, when it is quoted: longer ones are no use to anyone */

static const char *const action_words[DSN_ACTION_COUNT] = {
	[DSN_ACTION_FAILED] = "failed",
	[DSN_ACTION_DELAYED] = "delayed",
	[DSN_ACTION_DELIVERED] = "delivered",
	[DSN_ACTION_RELAYED] = "relayed",
	[DSN_ACTION_EXPANDED] = "expanded",
};
static const char *const diagnostic_types[DSN_DIAGNOSTIC_COUNT] = {
	[DSN_DIAGNOSTIC_POSTRIDER] = "X-Postrider",
	[DSN_DIAGNOSTIC_SMTP] = "smtp",
	[DSN_DIAGNOSTIC_UNIX] = "x-unix",
};

/* The two forms of the part for programs (RFC 3464, RFC 6533). */
static const char *status_type(bool is_global)
{
	return is_global ? "global-delivery-status" : "delivery-status";
}

/* ---- the part for programs ---- */

static bool needs_global(const struct dsn_facts *f)
{
	bool found = text_has_8bit(f->sender);

	for (size_t i = 0; i < f->n_recipients && !found; i++) {
		const struct dsn_recipient *r = &f->recipients[i];
		found = text_has_8bit(r->address) || text_has_8bit(r->original) || text_has_8bit(r->orcpt);
	}
	return found;
}

/* "Name: value", folded; without is_global all ASCII. */
static void append_field(struct buf *out, const char *name, struct slice value, bool is_global)
{
	auto_buf struct buf ascii = BUF_INIT(out->max);
	size_t n;

	for (; !is_global && value.len; value = slice_from(value, n ? n : 1)) {
		n = utf8_char_len(value);
		buf_append_byte(&ascii, n == 1 ? value.at[0] : '?');
	}
	header_append(out, name, is_global ? value : buf_slice(&ascii));
	out->failed = out->failed || !buf_ok(&ascii);
}

/* "Name: type; value". */
static void append_typed(
	struct buf *out, const char *name, const char *type, struct slice value, bool is_global)
{
	auto_buf struct buf text = BUF_INIT(out->max);

	buf_printf(&text, "%s; ", type);
	buf_append(&text, value);
	append_field(out, name, buf_slice(&text), is_global);
	out->failed = out->failed || !buf_ok(&text);
}

static void append_address(struct buf *out, const char *name, struct slice address, bool is_global)
{
	append_typed(out, name, text_has_8bit(address) ? "utf-8" : "rfc822", address, is_global);
}

/* ORCPT's address as its sender wrote it. The type utf-8 has an encoding of its own, and stays in it where
 * only ASCII may stand. */
static void decode_orcpt(struct slice type, struct slice encoded, bool is_global, struct buf *out)
{
	bool is_utf8 = slice_eq_nocase(type, SLICE("utf-8"));

	if ((is_utf8 && !is_global) ||
		!(is_utf8 ? utf8_address_decode(encoded, out) : xtext_decode(encoded, out)))
		buf_append(out, encoded);
}

static void append_original_recipient(const struct dsn_recipient *r, bool is_global, struct buf *out)
{
	auto_buf struct buf address = BUF_INIT(ORCPT_MAX), name = BUF_INIT(ORCPT_MAX + 1);
	struct slice encoded = r->orcpt, type;

	if (slice_cut(&encoded, ';', &type)) {
		decode_orcpt(type, encoded, is_global, &address);
		buf_append(&name, type);
		append_typed(out, "Original-Recipient", buf_cstr(&name), buf_slice(&address), is_global);
	} else if (r->original.len) {
		append_address(out, "Original-Recipient", r->original, is_global);
	}
}

/* "mx.b[192.0.2.1]" as "dns; mx.b (192.0.2.1)". */
static void append_remote_mta(const struct dsn_recipient *r, struct buf *out)
{
	auto_buf struct buf text = BUF_INIT(out->max);
	struct slice address = r->remote_mta, name;

	if (!slice_cut(&address, '[', &name) || name.len == 0) {
		append_typed(out, "Remote-MTA", "dns", r->remote_mta, false);
		return;
	}
	buf_append(&text, name);
	address = slice_first(address, slice_find(address, ']'));
	if (!slice_eq(address, name))
		buf_printf(&text, " (%.*s)", SLICE_ARG(address));
	append_typed(out, "Remote-MTA", "dns", buf_slice(&text), false);
	out->failed = out->failed || !buf_ok(&text);
}

static void append_date_field(struct buf *out, const char *name, int64_t time_s)
{
	if (time_s == 0)
		return;
	buf_printf(out, "%s: ", name);
	date_append_rfc5322(out, time_s);
	buf_append_byte(out, '\n');
}

static void append_recipient_fields(const struct dsn_recipient *r, bool is_global, struct buf *out)
{
	auto_buf struct buf status = BUF_INIT(64);

	dsn_status(r, &status);
	buf_append_byte(out, '\n');
	append_original_recipient(r, is_global, out);
	append_address(out, "Final-Recipient", r->address, is_global);
	append_field(out, "Action", slice_of(action_words[r->action]), false);
	append_field(out, "Status", buf_slice(&status), false);
	if (r->remote_mta.len)
		append_remote_mta(r, out);
	if (r->said.len || r->reason.len)
		append_typed(out, "Diagnostic-Code", diagnostic_types[r->diagnostic],
			r->said.len ? r->said : r->reason, is_global);
	append_date_field(out, "Last-Attempt-Date", r->last_attempt_s);
	if (r->action == DSN_ACTION_DELAYED)
		append_date_field(out, "Will-Retry-Until", r->retry_until_s);
	out->failed = out->failed || !buf_ok(&status);
}

static void build_status(const struct dsn_facts *f, bool is_global, struct buf *out)
{
	append_typed(out, "Reporting-MTA", "dns", f->host, is_global);
	append_field(out, "X-Postrider-Queue-ID", slice_of(queue_id_format(f->original_queue_id).at), false);
	if (f->sender.len)
		append_address(out, "X-Postrider-Sender", f->sender, is_global);
	if (f->envid.len) {
		auto_buf struct buf envid = BUF_INIT(ENVID_MAX);
		if (xtext_decode(f->envid, &envid))
			append_field(out, "Original-Envelope-Id", buf_slice(&envid), is_global);
	}
	append_date_field(out, "Arrival-Date", f->arrival_s);
	for (size_t i = 0; i < f->n_recipients; i++)
		append_recipient_fields(&f->recipients[i], is_global, out);
}

/* ---- the original ---- */

/* How much of it goes back: the header whole, the body up to the limit, cut behind a line. */
static struct slice returned_original(const struct dsn_facts *f)
{
	size_t max = f->original_max ? f->original_max : DSN_ORIGINAL_MAX;
	size_t header_len = header_length(f->original);
	struct slice kept = slice_first(f->original, MAX(max, header_len));
	size_t last;

	if (!dsn_returns_text(f))
		return slice_first(f->original, header_len);
	if (kept.len == f->original.len)
		return kept;
	last = slice_rfind(kept, '\n');
	return slice_first(kept, last < kept.len ? MAX(last + 1, header_len) : header_len);
}

/* The original's Message-ID when it is one: printable, without blanks, in brackets. */
static struct slice original_message_id(const struct dsn_facts *f)
{
	struct slice header = slice_first(f->original, header_length(f->original));
	struct header_field field;

	if (!header_find(&header, SLICE("Message-ID"), &field) || field.value.len < 3 ||
		field.value.len > MESSAGE_ID_MAX || field.value.at[0] != '<' ||
		field.value.at[field.value.len - 1] != '>')
		return SLICE_EMPTY;
	for (size_t i = 0; i < field.value.len; i++)
		if (!ascii_is_print(field.value.at[i]) || field.value.at[i] == ' ')
			return SLICE_EMPTY;
	return field.value;
}

/* ---- the whole ---- */

/* The boundary: of this mail alone, and not in what stands between. */
static void make_boundary(const struct dsn_facts *f, struct slice original, struct buf *boundary)
{
	for (unsigned n = 0;; n++) {
		buf_clear(boundary);
		queue_id_append(boundary, f->queue_id);
		buf_printf(boundary, ".%" PRId64, f->now_s);
		if (n)
			buf_printf(boundary, ".%u", n);
		if (!original.len || !buf_ok(boundary) ||
			!memmem(original.at, original.len, boundary->at, boundary->len))
			return;
	}
}

static void append_header(
	const struct dsn_facts *f, struct slice boundary, bool is_global, bool is_8bit, struct buf *out)
{
	struct slice about = original_message_id(f);

	append_date_field(out, "Date", f->now_s);
	buf_append_str(out, "From: MAILER-DAEMON@");
	header_safe_text(f->origin, out);
	buf_append_str(out, " (Mail Delivery System)\n");
	buf_printf(out, "Subject: %s\nTo: ", dsn_subject(f->kind));
	header_safe_text(f->to, out);
	/* RFC 3834 5: postmaster's copy answers no mail of postmaster's. */
	buf_printf(
		out, "\nAuto-Submitted: %s\n", f->kind == DSN_POSTMASTER ? "auto-generated" : "auto-replied");
	buf_printf(out, "Message-ID: <%" PRId64 ".%s@", f->now_s, queue_id_format(f->queue_id).at);
	header_safe_text(f->host, out);
	buf_append_str(out, ">\n");
	if (about.len)
		buf_printf(out, "In-Reply-To: %.*s\nReferences: %.*s\n", SLICE_ARG(about), SLICE_ARG(about));
	/* report-type is the subtype of the second part (RFC 6522 3). */
	buf_printf(out,
		"MIME-Version: 1.0\n"
		"Content-Type: multipart/report; report-type=%s;\n\tboundary=\"%.*s\"\n",
		status_type(is_global), SLICE_ARG(boundary));
	if (is_8bit)
		buf_append_str(out, "Content-Transfer-Encoding: 8bit\n");
	buf_append_str(out, "\nThis is a MIME-encapsulated message.\n");
}

static void append_part(struct buf *out, struct slice boundary, const char *description, const char *type,
	struct slice content)
{
	buf_printf(out, "\n--%.*s\nContent-Description: %s\nContent-Type: %s\n", SLICE_ARG(boundary),
		description, type);
	if (text_has_8bit(content))
		buf_append_str(out, "Content-Transfer-Encoding: 8bit\n");
	buf_append_byte(out, '\n');
	buf_append(out, content);
	if (content.len && content.at[content.len - 1] != '\n')
		buf_append_byte(out, '\n');
}

static const char *original_type(const struct dsn_facts *f, struct slice original)
{
	bool is_global = f->smtputf8 && text_has_8bit(original);

	if (dsn_returns_text(f))
		return is_global ? "message/global" : "message/rfc822";
	return is_global ? "message/global-headers" : "text/rfc822-headers";
}

void dsn_build(const struct dsn_facts *facts, struct buf *out)
{
	struct slice original = returned_original(facts), boundary;
	bool is_cut = dsn_returns_text(facts) &&
		(original.len < facts->original.len || facts->original_size > facts->original.len);
	bool is_global = needs_global(facts);
	auto_buf struct buf text = BUF_INIT(out->max), status = BUF_INIT(out->max), name = BUF_INIT(100);

	dsn_text(facts, is_cut, &text);
	build_status(facts, is_global, &status);
	make_boundary(facts, original, &name);
	boundary = buf_slice(&name);
	append_header(facts, boundary, is_global,
		text_has_8bit(buf_slice(&text)) || text_has_8bit(buf_slice(&status)) ||
			text_has_8bit(original),
		out);
	append_part(out, boundary, "Notification",
		text_has_8bit(buf_slice(&text)) ? "text/plain; charset=utf-8"
						: "text/plain; charset=us-ascii",
		buf_slice(&text));
	append_part(out, boundary, "Delivery report",
		is_global ? "message/global-delivery-status" : "message/delivery-status", buf_slice(&status));
	if (original.len) /* RFC 6522 3: it may be left out */
		append_part(out, boundary, dsn_original_description(facts), original_type(facts, original),
			original);
	buf_printf(out, "\n--%.*s--\n", SLICE_ARG(boundary));
	out->failed = out->failed || !buf_ok(&text) || !buf_ok(&status) || !buf_ok(&name);
}
