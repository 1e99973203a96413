/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dsn.c - the whole notification: its header, the part for people, the part for programs, the original
 *
 * See dsn.h. What differs between kinds is in one table; actions and diagnostic types have theirs.
 */
#include "mail/dsn.h"
#include "mail/chars.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/queue_id.h"
#include "mail/xtext.h"

#define TEXT_WIDTH 76

/* clang-format off */
static const struct {
	const char *subject;
	const char *intro;
	const char *outro;
	const char *original; /* Content-Description of the third part */
} kinds[DSN_KIND_COUNT] = {
	[DSN_FAILURE] = {
		"Undelivered Mail Returned to Sender",
		"Your message could not be delivered to the recipients named below, and no\n"
		"further attempt will be made. The reason stands behind each address.\n",
		"What you wrote comes back with this mail. If you cannot tell from the reason\n"
		"what to do, forward this whole mail to the postmaster.\n",
		"Undelivered Message" },
	[DSN_DELAY] = {
		"Delayed Mail (still being retried)",
		"This is only a warning: you need not send your message again.\n\n"
		"It could not be delivered yet to the recipients named below. Attempts go on;\n"
		"if they fail in the end you will be told.\n",
		"", "Delayed Message Headers" },
	[DSN_SUCCESS] = {
		"Successful Mail Delivery Report",
		"You asked to be told: this is what became of your message.\n",
		"", "Message Headers" },
	[DSN_POSTMASTER] = {
		"Postmaster Copy: Undelivered Mail",
		"For the postmaster: a message could not be delivered, and its sender cannot be\n"
		"told or has been told.\n",
		"", "Undelivered Message Headers" },
};
static const struct {
	const char *word;
	const char *status; /* when none is given */
} actions[DSN_ACTION_COUNT] = {
	[DSN_ACTION_FAILED] = { "failed", "5.0.0" },
	[DSN_ACTION_DELAYED] = { "delayed", "4.0.0" },
	[DSN_ACTION_DELIVERED] = { "delivered", "2.0.0" },
	[DSN_ACTION_RELAYED] = { "relayed", "2.0.0" },
	[DSN_ACTION_EXPANDED] = { "expanded", "2.0.0" },
};
static const struct {
	const char *type;
	const char *verb; /* for people, behind the name of whoever speaks */
} diagnostics[DSN_DIAGNOSTIC_COUNT] = {
	[DSN_DIAGNOSTIC_POSTRIDER] = { "X-Postrider", "" },
	[DSN_DIAGNOSTIC_SMTP] = { "smtp", "said: " },
	[DSN_DIAGNOSTIC_UNIX] = { "x-unix", "the command said: " },
};
/* clang-format on */

/* The boundary: of this mail alone, and not in the original. */
static void make_boundary(const struct dsn_facts *f, struct buf *boundary)
{
	for (unsigned n = 0;; n++) {
		buf_clear(boundary);
		queue_id_append(boundary, f->queue_id);
		buf_printf(boundary, ".%" PRId64, f->now_s);
		if (n)
			buf_printf(boundary, ".%u", n);
		if (!f->original.len || !buf_ok(boundary) ||
			!memmem(f->original.at, f->original.len, boundary->at, boundary->len))
			return;
	}
}

/* Words broken at TEXT_WIDTH, every line but the first indented. */
static void append_wrapped(struct buf *out, struct slice text)
{
	struct slice word;
	size_t column = 0;

	while (slice_next_word(&text, &word)) {
		if (column && column + 1 + word.len > TEXT_WIDTH) {
			buf_append_str(out, "\n    ");
			column = 4;
		} else if (column) {
			buf_append_byte(out, ' ');
			column++;
		}
		buf_append(out, word);
		column += word.len;
	}
	buf_append_byte(out, '\n');
}

static bool has_8bit(const struct dsn_facts *f)
{
	bool found = text_has_8bit(f->original) || text_has_8bit(f->sender) || text_has_8bit(f->to);

	for (size_t i = 0; i < f->n_recipients && !found; i++) {
		const struct dsn_recipient *r = &f->recipients[i];
		found = text_has_8bit(r->address) || text_has_8bit(r->original) || text_has_8bit(r->reason) ||
			text_has_8bit(r->orcpt);
	}
	return found;
}

static void append_header(const struct dsn_facts *f, struct slice boundary, bool is_8bit, struct buf *out)
{
	buf_append_str(out, "Date: ");
	date_append_rfc5322(out, f->now_s);
	buf_append_str(out, "\nFrom: MAILER-DAEMON@");
	header_safe_text(f->origin, out);
	buf_append_str(out, " (Mail Delivery System)\n");
	buf_printf(out, "Subject: %s\nTo: ", kinds[f->kind].subject);
	header_safe_text(f->to, out);
	buf_append_str(out, "\nAuto-Submitted: auto-replied\nMessage-ID: <");
	buf_printf(out, "%" PRId64 ".%s@", f->now_s, queue_id_format(f->queue_id).at);
	header_safe_text(f->host, out);
	buf_append_str(out,
		">\nMIME-Version: 1.0\n"
		"Content-Type: multipart/report; report-type=delivery-status;\n\tboundary=\"");
	buf_append(out, boundary);
	buf_append_str(out, "\"\n");
	if (is_8bit)
		buf_append_str(out, "Content-Transfer-Encoding: 8bit\n");
	buf_append_str(out, "\nThis is a MIME-encapsulated message.\n");
}

static void append_part(
	struct buf *out, struct slice boundary, const char *description, const char *type, bool is_8bit)
{
	buf_append_str(out, "\n--");
	buf_append(out, boundary);
	buf_printf(out, "\nContent-Description: %s\nContent-Type: %s\n", description, type);
	if (is_8bit)
		buf_append_str(out, "Content-Transfer-Encoding: 8bit\n");
	buf_append_byte(out, '\n');
}

/* "<a@b> (sent to <c@d>): host mx.b said: 550 ..." */
static void append_for_people(const struct dsn_recipient *r, struct buf *out)
{
	auto_buf struct buf line = BUF_INIT(out->max);

	buf_append_byte(&line, '<');
	header_safe_text(r->address, &line);
	buf_append_byte(&line, '>');
	if (r->original.len && !slice_eq(r->original, r->address)) {
		buf_append_str(&line, " (sent to <");
		header_safe_text(r->original, &line);
		buf_append_str(&line, ">)");
	}
	buf_append_str(&line, ": ");
	if (r->action != DSN_ACTION_FAILED && r->action != DSN_ACTION_DELAYED)
		buf_printf(&line, "%s; ", actions[r->action].word);
	if (r->diagnostic == DSN_DIAGNOSTIC_SMTP) {
		buf_append_str(&line, "host ");
		header_safe_text(r->remote_mta.len ? r->remote_mta : SLICE("unknown"), &line);
		buf_append_byte(&line, ' ');
	}
	buf_append_str(&line, diagnostics[r->diagnostic].verb);
	header_safe_text(r->reason.len ? r->reason : SLICE("no further reason was given"), &line);
	out->failed = out->failed || !buf_ok(&line);
	append_wrapped(out, buf_slice(&line));
}

static void append_date_line(struct buf *out, const char *name, int64_t time_s)
{
	buf_append_str(out, name);
	date_append_rfc5322(out, time_s);
	buf_append_byte(out, '\n');
}

static void append_text_part(const struct dsn_facts *f, bool is_truncated, struct buf *out)
{
	buf_append_str(out, "This is the mail system of host ");
	header_safe_text(f->host, out);
	buf_append_str(out, ".\n\n");
	buf_append_str(out, kinds[f->kind].intro);
	buf_append_byte(out, '\n');
	for (size_t i = 0; i < f->n_recipients; i++) {
		append_for_people(&f->recipients[i], out);
		if (f->recipients[i].action == DSN_ACTION_DELAYED && f->recipients[i].retry_until_s)
			append_date_line(out, "    Attempts go on until ", f->recipients[i].retry_until_s);
		buf_append_byte(out, '\n');
	}
	buf_append_str(out, kinds[f->kind].outro);
	if (is_truncated)
		buf_append_str(out, "Your message is long: only its beginning is returned.\n");
}

static const char *address_type(struct slice address, bool smtputf8)
{
	return smtputf8 && text_has_8bit(address) ? "utf-8" : "rfc822";
}

/* "Name: type; value", folded. */
static void append_typed(struct buf *out, const char *name, const char *type, struct slice value)
{
	auto_buf struct buf text = BUF_INIT(out->max);

	buf_printf(&text, "%s; ", type);
	buf_append(&text, value);
	header_append(out, name, buf_slice(&text));
	out->failed = out->failed || !buf_ok(&text);
}

/* ORCPT as it came, its address decoded; a utf-8 one is xtext only in part and stays as it is. */
static void append_original_recipient(const struct dsn_recipient *r, bool smtputf8, struct buf *out)
{
	auto_buf struct buf address = BUF_INIT(ORCPT_MAX), name = BUF_INIT(ORCPT_MAX + 1);
	struct slice encoded = r->orcpt, type;

	if (slice_cut(&encoded, ';', &type)) {
		if (!xtext_decode(encoded, &address))
			buf_append(&address, encoded);
		buf_append(&name, type);
		append_typed(out, "Original-Recipient", buf_cstr(&name), buf_slice(&address));
	} else if (r->original.len) {
		append_typed(out, "Original-Recipient", address_type(r->original, smtputf8), r->original);
	}
}

static void append_status_of_recipient(const struct dsn_recipient *r, bool smtputf8, struct buf *out)
{
	struct slice status = r->status.len ? r->status : slice_of(actions[r->action].status);

	buf_append_byte(out, '\n');
	append_typed(out, "Final-Recipient", address_type(r->address, smtputf8), r->address);
	append_original_recipient(r, smtputf8, out);
	header_append(out, "Action", slice_of(actions[r->action].word));
	header_append(out, "Status", status);
	if (r->remote_mta.len)
		append_typed(out, "Remote-MTA", "dns", r->remote_mta);
	if (r->reason.len)
		append_typed(out, "Diagnostic-Code", diagnostics[r->diagnostic].type, r->reason);
	if (r->action == DSN_ACTION_DELAYED && r->retry_until_s)
		append_date_line(out, "Will-Retry-Until: ", r->retry_until_s);
}

static void append_status_part(const struct dsn_facts *f, struct buf *out)
{
	append_typed(out, "Reporting-MTA", "dns", f->host);
	header_append(out, "X-Postrider-Queue-ID", slice_of(queue_id_format(f->original_queue_id).at));
	if (f->sender.len)
		append_typed(out, "X-Postrider-Sender", address_type(f->sender, f->smtputf8), f->sender);
	if (f->envid.len) {
		auto_buf struct buf envid = BUF_INIT(ENVID_MAX);
		if (xtext_decode(f->envid, &envid))
			header_append(out, "Original-Envelope-Id", buf_slice(&envid));
	}
	append_date_line(out, "Arrival-Date: ", f->arrival_s);
	for (size_t i = 0; i < f->n_recipients; i++)
		append_status_of_recipient(&f->recipients[i], f->smtputf8, out);
}

/* How much of the original goes back: the header whole, the body up to the limit, cut behind a line. */
static struct slice returned_original(const struct dsn_facts *f, bool with_body)
{
	size_t max = f->original_max ? f->original_max : DSN_ORIGINAL_MAX;
	size_t header_len = header_length(f->original);
	struct slice kept = slice_first(f->original, MAX(max, header_len));
	size_t last;

	if (!with_body)
		return slice_first(f->original, header_len);
	if (kept.len == f->original.len)
		return kept;
	last = slice_rfind(kept, '\n');
	return slice_first(kept, last < kept.len ? MAX(last + 1, header_len) : header_len);
}

static void append_original_part(const struct dsn_facts *f, struct slice boundary, struct slice original,
	bool with_body, struct buf *out)
{
	const char *type = with_body ? (f->smtputf8 ? "message/global" : "message/rfc822")
				     : (f->smtputf8 ? "message/global-headers" : "text/rfc822-headers");
	const char *description =
		with_body || f->kind != DSN_FAILURE ? kinds[f->kind].original : "Undelivered Message Headers";

	append_part(out, boundary, description, type, text_has_8bit(original));
	buf_append(out, original);
	if (original.len && original.at[original.len - 1] != '\n')
		buf_append_byte(out, '\n');
}

void dsn_build(const struct dsn_facts *facts, struct buf *out)
{
	/* RET speaks of failures only (RFC 3461 4.3); what has not failed never needs its text back. */
	bool with_body = facts->kind == DSN_FAILURE && facts->ret != RET_HDRS;
	struct slice original = returned_original(facts, with_body);
	bool is_truncated = with_body &&
		(original.len < facts->original.len || facts->original_size > facts->original.len);
	auto_buf struct buf boundary_buf = BUF_INIT(100);
	bool is_8bit = has_8bit(facts);
	struct slice boundary;

	make_boundary(facts, &boundary_buf);
	boundary = buf_slice(&boundary_buf);
	append_header(facts, boundary, is_8bit, out);
	append_part(out, boundary, "Notification",
		is_8bit ? "text/plain; charset=utf-8" : "text/plain; charset=us-ascii", is_8bit);
	append_text_part(facts, is_truncated, out);
	append_part(out, boundary, "Delivery report",
		facts->smtputf8 ? "message/global-delivery-status" : "message/delivery-status", is_8bit);
	append_status_part(facts, out);
	append_original_part(facts, boundary, original, with_body, out);
	buf_append_str(out, "\n--");
	buf_append(out, boundary);
	buf_append_str(out, "--\n");
	out->failed = out->failed || !buf_ok(&boundary_buf);
}
