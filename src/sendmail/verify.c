/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.c - sendmail -bv: are these addresses deliverable? -bt: which way does mail to them go? see
 * program.h
 *
 * The running daemon is asked (ipc/explanation.h); no mail is made but the report that -bv -v sends.
 * Tests: tests/system/test_explain.py.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "ipc/explanation.h"
#include "mail/address.h"
#include "mail/envelope_options.h"
#include "mail/header.h"
#include "mail/submission_headers.h"
#include "sendmail/program.h"
#include "sendmail/submission.h"
#include <sysexits.h>

#define REPORT_MAX ((size_t)16 * 1024 * 1024)
#define LINE_MAX_BYTES 4096 /* of an address on standard input */

struct asking {
	const struct config *config;
	const struct sendmail_options *options;
	struct client client;
	struct slice reverse_path;
	/* What is made of an answer. */
	void (*print)(const struct explanation *x, struct buf *out);
	struct buf report; /* the same of all, for a mail; without it that is not wanted */
	bool has_report;
	int status;
};

/* ---- -bv: in Sendmail's words ---- */

static void print_deliverable(
	struct slice address, const char *mailer, struct slice host, struct slice user, struct buf *out)
{
	header_mask_text(address, out);
	buf_printf(out, "... deliverable: mailer %s", mailer);
	if (host.len) {
		buf_append_str(out, ", host ");
		header_mask_text(host, out);
	}
	buf_append_str(out, ", user ");
	header_mask_text(user, out);
}

static void print_undeliverable(const struct explanation_leaf *leaf, struct slice address, struct buf *out)
{
	header_mask_text(address, out);
	if (slice_eq(leaf->status, SLICE("5.1.1")) && slice_starts(leaf->reason, SLICE("unknown user"))) {
		buf_append_str(out, "... User unknown");
		return;
	}
	buf_append_str(out, leaf->kind == LEAF_FAIL ? "... undeliverable: " : "... deferred: ");
	header_mask_text(leaf->status, out);
	buf_append_byte(out, ' ');
	header_mask_text(leaf->reason, out);
}

static void print_leaf(const struct explanation_leaf *leaf, struct slice address, struct buf *out)
{
	switch (leaf->kind) {
	case LEAF_USER: print_deliverable(address, "local", SLICE_EMPTY, leaf->user, out); break;
	case LEAF_REMOTE: print_deliverable(address, "smtp", leaf->target, leaf->address, out); break;
	case LEAF_DISCARD: print_deliverable(address, "*file*", SLICE_EMPTY, SLICE("/dev/null"), out); break;
	case LEAF_FILE: print_deliverable(address, "*file*", SLICE_EMPTY, leaf->target, out); break;
	case LEAF_COMMAND: print_deliverable(address, "prog", SLICE_EMPTY, leaf->target, out); break;
	case LEAF_FAIL:
	case LEAF_DEFER: print_undeliverable(leaf, address, out); break;
	case LEAF_ADDRESS: return; /* it leads on */
	}
	buf_append_byte(out, '\n');
}

/* An address that leads to one place is shown as it was written, as Sendmail does. */
static void print_verdicts(const struct explanation *x, struct buf *out)
{
	bool is_alone = x->first && !x->first->next;

	for (const struct explanation_leaf *leaf = x->first; leaf; leaf = leaf->next)
		print_leaf(leaf, is_alone ? x->address : leaf->address, out);
}

/* ---- asking ---- */

/* The worst of all is the exit status: one that fails for good, one that waits. */
static void note_status(struct asking *a, int status)
{
	if (a->status == EX_OK || status == EX_NOUSER)
		a->status = status;
}

/* False: no more can be asked. */
static bool ask(struct asking *a, struct slice address)
{
	auto_buf struct buf out = BUF_INIT(REPORT_MAX);
	struct explanation x;
	int r;

	explanation_init(&x, address);
	r = explanation_ask(&x, &a->client, address, a->reverse_path, program_login(a->config));
	if (r < 0) {
		a->status = program_complain_of_daemon(&a->client, r);
	} else if (!x.first && x.exit_code != EX_OK) { /* it was not answered */
		program_complain("%.*s: %.*s", SLICE_ARG(address), SLICE_ARG(x.words));
		note_status(a, x.exit_code);
	} else {
		a->print(&x, &out);
		(void)fwrite(out.at, 1, out.len, stdout); /* program_end_output() looks for errors */
		if (a->has_report)
			explanation_format(&x, &a->report);
		note_status(a, x.exit_code);
	}
	explanation_free(&x);
	return r == 0;
}

/* A word may be a list with names, as when mail is sent. What is no address is the daemon's to say. */
static bool ask_list(struct asking *a, struct slice words)
{
	struct address_list list = ADDRESS_LIST_INIT(words, ADDRESS_UNQUALIFIED | ADDRESS_UTF8);
	struct address_item item;
	bool goes_on = true;

	while (goes_on && address_list_next(&list, &item)) {
		auto_buf struct buf bare = BUF_INIT(2 * LIMIT_PATH);
		if (item.status == ADDRESS_OK)
			address_append(&item.address, &bare);
		else
			buf_append(&bare, slice_first(item.text, LIMIT_PATH));
		goes_on = ask(a, buf_slice(&bare));
	}
	return goes_on;
}

static bool begin(struct asking *a, const struct config *config, const struct sendmail_options *o)
{
	const char *sender = o->has_sender ? o->sender : "";
	int r;

	*a = (struct asking){ .config = config, .options = o, .report = BUF_INIT(REPORT_MAX) };
	a->reverse_path = strcmp(sender, "<>") == 0 ? SLICE_EMPTY : slice_of(sender);
	r = client_open(&a->client, config->paths.control_socket);
	if (r == 0)
		return true;
	a->status = EX_UNAVAILABLE;
	if (r != -ENOENT && r != -ECONNREFUSED)
		a->status = program_complain_of_daemon(&a->client, r);
	else if (program_is_set_up(config))
		program_complain("postriderd is not running, and nobody else knows where mail goes");
	return false;
}

static int end(struct asking *a)
{
	client_close(&a->client);
	buf_free(&a->report);
	return program_end_output(a->status);
}

/* ---- the report of -bv -v, as Postfix sends it ---- */

static int send_report(const struct asking *a)
{
	const char *origin = a->config->main_origin, *login = program_login(a->config);
	auto_buf struct buf fields = BUF_INIT(LIMIT_HEADER), header = BUF_INIT(LIMIT_HEADER),
			    id = BUF_INIT(1024);
	struct submission s;
	int status;

	submission_init(&s, a->config);
	(void)submission_add(&s, slice_of(login), SLICE_EMPTY);
	buf_printf(&fields,
		"From: Mail Delivery System <MAILER-DAEMON@%s>\nTo: %s@%s\nSubject: Mail Delivery Status "
		"Report\n"
		"Auto-Submitted: auto-generated\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
		"Content-Transfer-Encoding: 8bit\n",
		origin, login, origin);
	buf_printf(&id, "%s@%s", s.id, a->config->main_host_name);
	submission_header_build(buf_slice(&fields),
		&(struct submission_facts){ .time_s = clock_wall_s(), .message_id = buf_slice(&id) },
		&header);
	s.header = buf_slice(&header);
	s.content = buf_slice(&a->report);
	s.body = submission_has_8bit(s.content) ? BODY_8BITMIME : BODY_DEFAULT;
	status = buf_ok(&header) && buf_ok(&a->report) ? submission_send(&s) : EX_OSERR;
	submission_free(&s);
	return status;
}

int verify_run(const struct config *config, const struct sendmail_options *o)
{
	struct asking a;

	if (o->n_words == 0) {
		program_complain("-bv: name the addresses to verify");
		return EX_USAGE;
	}
	if (!begin(&a, config, o))
		return a.status;
	a.print = print_verdicts;
	a.has_report = o->is_verbose;
	for (int i = 0; i < o->n_words && ask_list(&a, slice_of(o->words[i])); i++)
		;
	if (a.has_report && a.report.len) {
		int status = send_report(&a);
		if (a.status == EX_OK)
			a.status = status;
	}
	return end(&a);
}

/* ---- -bt ---- */

/* A line of standard input: an address, or Sendmail's "/parse ADDRESS" and "3,0 ADDRESS". False: enough. */
static bool ask_line(struct asking *a, struct slice line)
{
	struct slice first, rest = line = slice_trim(line);
	bool has_command;

	if (!slice_next_word(&rest, &first) || line.at[0] == '#')
		return true;
	if (slice_eq(first, SLICE("/quit")))
		return false;
	has_command = slice_eq(first, SLICE("/parse")) || ascii_is_digit(first.at[0]);
	return ask_list(a, has_command && slice_trim(rest).len ? slice_trim(rest) : line);
}

static void ask_standard_input(struct asking *a)
{
	bool is_person = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	char line[LINE_MAX_BYTES];

	do {
		if (is_person)
			(void)fputs("> ", stdout);
		(void)fflush(stdout);
	} while (fgets(line, sizeof(line), stdin) && ask_line(a, slice_of(line)));
}

int routes_run(const struct config *config, const struct sendmail_options *o)
{
	struct asking a;

	if (!begin(&a, config, o))
		return a.status;
	a.print = explanation_format;
	for (int i = 0; i < o->n_words && ask_list(&a, slice_of(o->words[i])); i++)
		;
	if (o->n_words == 0)
		ask_standard_input(&a);
	return end(&a);
}
