/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dsn_words.c - the part of a notification for people: what happened, whose problem it is, what to do
 *
 * Three tables: what differs by kind, what an action means, and advice by enhanced status (RFC 3463). The
 * longest status that fits gives the advice, so that a code which nobody foresaw still gets its group's.
 * Tests: test_dsn.c, fuzz/fuzz_dsn.c.
 */
#include "base/limits.h"
#include "mail/chars.h"
#include "mail/date.h"
#include "mail/dsn-private.h"
#include "mail/header.h"
#include "mail/queue_id.h"

#define TEXT_WIDTH 76
#define WORD_MAX 500 /* octets: a longer word is broken, so that no line exceeds LIMIT_TEXT_LINE */

/* clang-format off */
static const struct {
	const char *subject;
	const char *intro;
	const char *outro;
	const char *original, *headers; /* Content-Description of the third part */
} kinds[DSN_KIND_COUNT] = {
	[DSN_FAILURE] = {
		"Undelivered Mail Returned to Sender",
		"Your message could not be delivered to the recipients named below, and no "
		"further attempt will be made for them. The reason stands behind each address.",
		"What you wrote comes back with this mail, as far as its size and your mail "
		"program's wishes allow.",
		"Undelivered Message", "Undelivered Message Headers" },
	[DSN_DELAY] = {
		"Delayed Mail (still being retried)",
		"This is only a warning: you need not send your message again.\n"
		"It could not be delivered yet to the recipients named below. Attempts go on; "
		"if they fail in the end you will be told.",
		"", "", "Delayed Message Headers" },
	[DSN_SUCCESS] = {
		"Successful Mail Delivery Report",
		"You asked to be told: this is what became of your message.",
		"", "", "Message Headers" },
	[DSN_POSTMASTER] = {
		"Postmaster Copy: Undelivered Mail",
		"For the postmaster: the message below could not be delivered, and there is nobody "
		"else to tell. Mostly it is itself a report, whose reader does not exist: then "
		"nothing need be done.",
		"", "Undelivered Message", "Undelivered Message Headers" },
};
static const struct {
	const char *status;  /* when none is given */
	const char *meaning; /* behind what happened; NULL: advice by status */
} actions[DSN_ACTION_COUNT] = {
	[DSN_ACTION_FAILED] = { "5.0.0", NULL },
	[DSN_ACTION_DELAYED] = { "4.0.0", NULL },
	[DSN_ACTION_DELIVERED] = { "2.0.0",
		"It has arrived. That does not mean that anyone has read it." },
	[DSN_ACTION_RELAYED] = { "2.0.0",
		"It was handed on to that host, which sends no reports of success: you will hear of "
		"it again only if it fails there." },
	[DSN_ACTION_EXPANDED] = { "2.0.0",
		"This address stands for several others, and the message goes on to them. You will "
		"hear of each of them only if it fails." },
};

#define GO_ON "There is nothing for you to do."
static const struct {
	const char *status; /* without its class: ".1.1" alone, ".1." a whole group */
	const char *failed, *delayed;
} advices[] = {
	{ ".1.", "The trouble is the recipient's address. Check it for typing mistakes, or ask the person "
		"for the right one by other means.",
		"The recipient's address cannot be checked at present. " GO_ON },
	{ ".1.1", "There is no such address there. Check it for typing mistakes, or ask the person for the "
		"right one by other means.", NULL },
	{ ".1.2", "What stands behind the @ is no domain that takes mail. Check it for typing mistakes.", NULL },
	{ ".1.6", "The person has moved and left no new address there. Ask for it by other means.", NULL },
	{ ".1.7", "The trouble is your own address as the message gives it. Correct the sender's address in "
		"your mail program, and send the message again.", NULL },
	{ ".1.8", "The trouble is your own address: mail to its domain would not arrive. Correct the "
		"sender's address in your mail program, or ask your own postmaster.", NULL },
	{ ".1.10", "That domain says that it takes no mail at all. The person must have another address.", NULL },
	{ ".2.", "The trouble is the recipient's mailbox, which only its owner or the postmaster there can "
		"mend. Try to reach the person in another way.",
		"Something is in the way at the recipient's mailbox for now. " GO_ON },
	{ ".2.2", "The recipient's mailbox is full. Send the message again when there is room in it.",
		"The recipient's mailbox is full. " GO_ON },
	{ ".2.3", "Your message is too large for that mailbox. Send less, or put large files where the "
		"recipient can fetch them.", NULL },
	{ ".3.", "The trouble is the mail system that answers for this address. Send the message again "
		"later; if that does not help, its postmaster should know.",
		"The mail system that answers for this address has a problem for now. " GO_ON },
	{ ".3.4", "Your message is too large for the mail system there. Send less, or put large files where "
		"the recipient can fetch them.", NULL },
	{ ".4.", "The recipient's mail system could not be reached: the trouble is there or in the network, "
		"not in your message. Send it again later, or try another way.",
		"The recipient's mail system cannot be reached for now: the trouble is there or in the "
		"network, not in your message. " GO_ON },
	{ ".4.4", "No mail host can be found for that domain. Check it for typing mistakes; if it is right, "
		"the domain's administrator must mend it.", NULL },
	{ ".4.6", "The message went in a circle: addresses are forwarded to each other. The recipient or "
		"the postmaster who set that up must mend it.", NULL },
	{ ".4.7", "No attempt succeeded in the time there was. The trouble is at the recipient's end or in "
		"the network, not in your message. Send it again later, or try another way.", NULL },
	{ ".5.", "The mail systems did not understand each other, which is no fault of yours. Forward this "
		"whole mail to your postmaster.",
		"The mail systems did not understand each other. " GO_ON },
	{ ".5.3", "That is more recipients than can be served at once. Send the message to fewer.",
		"That is many recipients at once: the others follow later. " GO_ON },
	{ ".6.", "The mail system there does not take what the message contains, or how it is written. Send "
		"it in another form, as plain text for instance.", NULL },
	{ ".6.7", "An address or the header of the message has letters beyond ASCII, which the mail system "
		"there does not take. If you and the recipient have addresses in plain ASCII, use those.", NULL },
	{ ".7.", "The mail system there refused the message by its own rules, as junk for instance, or for "
		"where it comes from. Its words above may name a remedy; nobody here can change its mind.",
		"The mail system there has rules by which it does not take the message yet: often it only "
		"wants to see it a second time. " GO_ON },
	{ ".", "These words are all that is known here. If they do not tell you what to do, forward this "
		"whole mail to your postmaster.",
		GO_ON },
};
/* clang-format on */

bool dsn_returns_text(const struct dsn_facts *f)
{
	/* RET speaks of failures only (RFC 3461 4.3); what has not failed never needs its text back. */
	return *kinds[f->kind].original != '\0' && f->ret != RET_HDRS;
}

const char *dsn_subject(enum dsn_kind kind)
{
	return kinds[kind].subject;
}

const char *dsn_original_description(const struct dsn_facts *f)
{
	return dsn_returns_text(f) ? kinds[f->kind].original : kinds[f->kind].headers;
}

void dsn_status(const struct dsn_recipient *r, struct buf *out)
{
	const char *usual = actions[r->action].status;

	buf_append_byte(out, usual[0]);
	buf_append(out, slice_from(r->status.len ? r->status : slice_of(usual), 1));
}

/* ---- lines ---- */

static size_t word_part(struct slice word)
{
	size_t n = 0, char_len;

	while (n < word.len && (char_len = utf8_char_len(slice_from(word, n))) && n + char_len <= WORD_MAX)
		n += char_len;
	return n;
}

/* Words broken at TEXT_WIDTH. indent: columns before every line; hang: before every line but the first. */
static void append_wrapped(struct buf *out, struct slice text, size_t indent, size_t hang)
{
	struct slice word;
	size_t column = indent;
	bool is_first = true;

	buf_printf(out, "%*s", (int)indent, "");
	while (slice_next_word(&text, &word)) {
		for (size_t n; word.len; word = slice_from(word, n), is_first = false) {
			n = word_part(word);
			if (!is_first && column + 1 + n > TEXT_WIDTH) {
				buf_printf(out, "\n%*s", (int)hang, "");
				column = hang;
			} else if (!is_first) {
				buf_append_byte(out, ' ');
				column++;
			}
			buf_append(out, slice_first(word, n));
			column += n;
		}
	}
	buf_append_byte(out, '\n');
}

static void append_paragraph(struct buf *out, const char *text, size_t indent)
{
	struct slice rest = slice_of(text), line;

	while (slice_next_line(&rest, &line))
		append_wrapped(out, line, indent, indent);
	buf_append_byte(out, '\n');
}

static void append_dated(struct buf *out, const char *words, int64_t time_s)
{
	buf_append_str(out, words);
	date_append_rfc5322(out, time_s);
	buf_append_byte(out, '\n');
}

/* ---- a recipient ---- */

/* The words of the longest status that fits and has any for this case; status is without its class. */
static const char *advice_for(struct slice status, bool is_delayed)
{
	const char *best = "";
	size_t best_len = 0;

	for (size_t i = 0; i < ARRAY_LEN(advices); i++) {
		struct slice key = slice_of(advices[i].status);
		const char *words = is_delayed ? advices[i].delayed : advices[i].failed;
		bool is_group = key.at[key.len - 1] == '.';
		if (!words || key.len <= best_len ||
			!(is_group ? slice_starts(status, key) : slice_eq(status, key)))
			continue;
		best = words;
		best_len = key.len;
	}
	return best;
}

static const char *meaning_of(const struct dsn_recipient *r)
{
	auto_buf struct buf status = BUF_INIT(64);

	if (actions[r->action].meaning)
		return actions[r->action].meaning;
	dsn_status(r, &status);
	return advice_for(slice_from(buf_slice(&status), 1), r->action == DSN_ACTION_DELAYED);
}

/* "<a@b> (you wrote to <c@d>): host mx.b said: 550 ..." */
static void append_event(const struct dsn_recipient *r, struct buf *out)
{
	auto_buf struct buf line = BUF_INIT(out->max);

	buf_append_byte(&line, '<');
	header_safe_text(r->address, &line);
	buf_append_byte(&line, '>');
	if (r->original.len && !slice_eq(r->original, r->address)) {
		buf_append_str(&line, " (you wrote to <");
		header_safe_text(r->original, &line);
		buf_append_str(&line, ">)");
	}
	buf_append_str(&line, ": ");
	if (r->action == DSN_ACTION_RELAYED && r->remote_mta.len) {
		buf_append_str(&line, "host ");
		header_safe_text(r->remote_mta, &line);
		buf_append_str(&line, " took it and said: ");
	}
	header_safe_text(r->reason.len ? r->reason : SLICE("no further reason was given"), &line);
	out->failed = out->failed || !buf_ok(&line);
	append_wrapped(out, buf_slice(&line), 0, 4);
	buf_append_byte(out, '\n');
}

static void append_recipient(const struct dsn_facts *f, const struct dsn_recipient *r, struct buf *out)
{
	append_event(r, out);
	if (f->kind != DSN_POSTMASTER) /* advice is for senders */
		append_paragraph(out, meaning_of(r), 4);
	if (r->action == DSN_ACTION_DELAYED && r->retry_until_s) {
		append_dated(out, "    Attempts go on until ", r->retry_until_s);
		buf_append_byte(out, '\n');
	}
}

void dsn_text(const struct dsn_facts *f, bool is_cut, struct buf *out)
{
	buf_append_str(out, "This is the mail system of host ");
	header_safe_text(f->host, out);
	buf_append_str(out, ".\n\n");
	append_paragraph(out, kinds[f->kind].intro, 0);
	for (size_t i = 0; i < f->n_recipients; i++)
		append_recipient(f, &f->recipients[i], out);
	if (*kinds[f->kind].outro)
		append_paragraph(out, kinds[f->kind].outro, 0);
	if (f->original.len == 0)
		append_paragraph(
			out, "The message itself cannot be read any more: nothing of it is returned.", 0);
	else if (is_cut)
		append_paragraph(out,
			"The message is long: its header is returned whole, of its text only the "
			"beginning.",
			0);
	buf_printf(out, "The message has the queue id %s here", queue_id_format(f->original_queue_id).at);
	append_dated(out, "; it came\non ", f->arrival_s);
	append_dated(out, "This was written on ", f->now_s);
}
