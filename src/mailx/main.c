/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - mail(1): options and start-up files, then sending or reading
 * Tests: tests/system/test_mail_send.py, tests/system/test_mail_read.py, tests/system/test_mail_startup.py.
 */
#include "base/file.h"
#include "mail/address.h"
#include "mailx/commands.h"
#include "mailx/compose.h"
#include "mailx/options.h"
#include "mailx/rcfile.h"
#include "mailx/reply.h"
#include "mailx/send.h"
#include "mailx/session.h"
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <sys/stat.h>
#include <sysexits.h>

static bool is_readable_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISDIR(st.st_mode) && access(path, R_OK) == 0;
}

/* ^[!-9;-~]+:[ \t]?. */
static bool looks_like_field(const char *text)
{
	struct slice value = slice_of(text), name;

	if (!slice_cut(&value, ':', &name) || name.len == 0 || value.len == 0)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (name.at[i] < '!' || name.at[i] > '~')
			return false;
	return slice_trim(value).len > 0;
}

/* -a: two traditions share the letter. A file that exists is attached; what looks like a field is one;
 * nothing is guessed beyond that. */
static int take_addition(struct mailx *mx, struct draft *d, const char *what)
{
	bool is_file = is_readable_file(what), is_field = looks_like_field(what);

	if (!is_file && !is_field) {
		mailx_error(mx,
			"-a \"%s\": no file that can be read (%s), and no \"Name: value\"; nothing was sent",
			what, access(what, R_OK) < 0 ? strerror(errno) : "it is a directory");
		return EX_NOINPUT;
	}
	if (is_file && is_field)
		mailx_error(mx,
			"-a \"%s\": attached as the file of that name; a header field would look the same",
			what);
	else if (vars_on(&mx->vars, "verbose"))
		mailx_error(mx, "-a \"%s\": %s", what, is_file ? "attached" : "a header field");
	if (!is_file)
		return draft_take_field(mx, d, what) ? 0 : EX_USAGE;
	strlist_add(&d->attachments, what);
	return 0;
}

static int take_additions(struct mailx *mx, struct draft *d, const struct options *o)
{
	int status = 0;

	for (size_t i = 0; i < o->additions.n && status == 0; i++)
		status = take_addition(mx, d, o->additions.at[i]);
	for (size_t i = 0; i < o->fields.n && status == 0; i++)
		status = draft_take_field(mx, d, o->fields.at[i]) ? 0 : EX_USAGE;
	for (size_t i = 0; i < o->files.n; i++)
		strlist_add(&d->attachments, o->files.at[i]);
	if (status == 0 && !send_check_attachments(mx, d)) {
		mailx_error(mx, "nothing was sent");
		status = EX_NOINPUT;
	}
	return status;
}

/* -r: the From: field as written, the bare address for the envelope. */
static bool take_sender(struct mailx *mx, struct draft *d, const char *written)
{
	auto_free char *bare = NULL;
	struct address parsed;
	char *clean = NULL;
	struct slice name, address;

	draft_set(&clean, written);
	if (clean && strcmp(clean, "<>") == 0) {
		draft_set(&d->sender, "<>");
		mem_free(clean);
		return true;
	}
	address = draft_bare_address(clean ? clean : "", &name);
	bare = slice_dup(address);
	draft_set(&d->from, clean);
	draft_set(&d->sender, bare);
	mem_free(clean);
	if (address_parse(slice_of(bare), ADDRESS_UTF8 | ADDRESS_UNQUALIFIED, &parsed) == ADDRESS_OK)
		return true;
	mailx_error(mx, "-r \"%s\" is no address; nothing was sent", written);
	return false;
}

static bool take_recipients(
	struct mailx *mx, struct draft *d, enum draft_field field, const struct strlist *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		if (!draft_add_recipients(mx, d, field, texts->at[i])) {
			mailx_error(mx, "nothing was sent");
			return false;
		}
	return true;
}

/* -F: the copy goes to a file named after the first recipient. */
static void record_by_name(struct mailx *mx, const struct draft *d)
{
	auto_buf struct buf file = BUF_INIT(PATH_MAX);
	struct slice name, bare;

	if (d->recipients[DRAFT_TO].n == 0)
		return;
	bare = draft_bare_address(d->recipients[DRAFT_TO].at[0], &name);
	reply_file_name(bare, &file);
	if (file.len && buf_cstr(&file))
		vars_set(&mx->vars, "record", buf_cstr(&file));
}

static int fill_draft(struct mailx *mx, struct draft *d, const struct options *o)
{
	int status, r;

	d->takes_targets = vars_on(&mx->vars, "expandaddr");
	if (!take_recipients(mx, d, DRAFT_TO, &o->operands) ||
		!take_recipients(mx, d, DRAFT_CC, &o->copies) ||
		!take_recipients(mx, d, DRAFT_BCC, &o->blind_copies))
		return EX_USAGE;
	if (draft_count_recipients(d) == 0 && !o->from_template) {
		mailx_error(mx, "no addressee; write mail [options] address ...; nothing was sent");
		return EX_USAGE;
	}
	if (o->subject) {
		draft_set(&d->subject, o->subject);
		if (!d->subject)
			d->subject = mem_dup_str(""); /* given, and empty: it is not asked for */
	}
	draft_set(&d->content_type, o->type);
	if (o->sender && !take_sender(mx, d, o->sender))
		return EX_USAGE;
	status = take_additions(mx, d, o);
	if (status)
		return status;
	r = o->text_file ? file_read_path(AT_FDCWD, o->text_file, &d->text) : 0;
	if (r < 0) {
		mailx_error(mx, "cannot read \"%s\": %s; nothing was sent", o->text_file, strerror(-r));
		return EX_NOINPUT;
	}
	return 0;
}

/* -t: the text on standard input brings its own header; options add to it or take its place. */
static int read_template(struct mailx *mx, struct draft *d)
{
	auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX);
	char *subject = take_ptr(&d->subject), *from = take_ptr(&d->from);
	int r = input_rest(&mx->input, &text);

	if (r < 0)
		mailx_error(mx, "cannot read standard input: %s; nothing was sent", strerror(-r));
	else if (!draft_read_template(mx, d, buf_slice(&text)))
		r = -EINVAL; /* told */
	if (subject)
		draft_set(&d->subject, subject);
	if (from)
		draft_set(&d->from, from);
	mem_free(subject);
	mem_free(from);
	return r < 0 ? EX_DATAERR : 0;
}

/* The text, from a person, a script that may use escapes, or a pipe. */
static int read_text(struct mailx *mx, struct draft *d)
{
	struct compose c = { .draft = d };
	int r;

	if (!mx->has_escapes && !mx->input.is_tty) {
		compose_head(mx, d);
		r = input_rest(&mx->input, &d->text);
		compose_tail(mx, d);
		if (r < 0)
			mailx_error(mx, "cannot read standard input: %s; nothing was sent", strerror(-r));
		return r < 0 ? EX_IOERR : 0;
	}
	if (compose_draft(mx, &c) != COMPOSE_DONE)
		return 1;
	if (d->text.len == 0 && d->attachments.n == 0 && mx->input.is_tty &&
		!vars_on(&mx->vars, "skipemptybody"))
		(void)puts("Null message body; hope that's ok");
	return 0;
}

static int run_sending(struct mailx *mx, const struct options *o)
{
	auto_draft struct draft d = DRAFT_INIT;
	int status = fill_draft(mx, &d, o);

	if (status == 0)
		status = o->from_template ? read_template(mx, &d) : read_text(mx, &d);
	if (status)
		return status;
	if (o->record_by_name)
		record_by_name(mx, &d);
	return send_draft(mx, &d);
}

static int run_reading(struct mailx *mx, const struct options *o)
{
	const char *folder = !o->reads_file ? "%" : o->operands.n ? o->operands.at[0] : "&";

	if (o->operands.n > 1) {
		mailx_error(mx, "one folder at a time");
		return EX_USAGE;
	}
	if (o->only_exists)
		return session_exists(mx, folder, o->spec);
	if (o->only_summary)
		return session_summary(mx, folder, o->spec);
	return session_run(mx, folder);
}

static void run_commands(struct mailx *mx, const struct strlist *commands_given)
{
	for (size_t i = 0; i < commands_given->n; i++)
		(void)command_run(mx, slice_of(commands_given->at[i]), false); /* it told what went wrong */
}

/* Variables from -S are there first, so that start-up files see them, and last: these do not change them. */
static bool start_up(struct mailx *mx, const struct options *o)
{
	for (size_t i = 0; i < o->variables.n; i++)
		if (!vars_assign_pinned(&mx->vars, o->variables.at[i])) {
			mailx_error(mx, "-S \"%s\" begins with no name", o->variables.at[i]);
			return false;
		}
	mx->vars.pins_hold = true;
	run_commands(mx, &o->commands_before);
	rcfile_start(mx, o->without_system_file);
	mx->vars.pins_hold = false;
	run_commands(mx, &o->commands_after);
	if (vars_get(&mx->vars, "ttycharset")) {
		screen_deinit(&mx->screen);
		screen_init(&mx->screen, vars_get(&mx->vars, "ttycharset"));
	}
	return true;
}

static int run(struct mailx *mx, const struct options *o)
{
	bool is_reading = o->reads_file || o->only_exists || o->only_summary || o->user ||
		(o->operands.n == 0 && !o->is_sending);

	if (!mailx_init(mx)) {
		mailx_error(mx, "there is no user of your uid (%u)", (unsigned)getuid());
		return EX_NOUSER;
	}
	if (is_reading && o->is_sending) {
		mailx_error(mx, "options for sending and for reading cannot be used together");
		return EX_USAGE;
	}
	mx->mode = is_reading ? MAILX_READING : MAILX_SENDING;
	mx->is_read_only = o->is_read_only || o->only_summary;
	mx->has_escapes = mx->has_escapes || o->has_escapes;
	mx->input.is_tty = mx->input.is_tty || o->is_interactive;
	if (o->user) {
		mem_free(mx->mailbox_user);
		mx->mailbox_user = mem_dup_str(o->user);
	}
	if (!start_up(mx, o))
		return EX_USAGE;
	if (is_reading || mx->input.is_tty)
		input_catch_signals(o->ignores_interrupt);
	return is_reading ? run_reading(mx, o) : run_sending(mx, o);
}

int main(int argc, char **argv)
{
	struct mailx mx;
	struct options options;
	int status;

	(void)signal(SIGXFSZ, SIG_IGN); /* a write beyond a limit is an error of that write */
	(void)setlocale(LC_CTYPE, "");	/* an unknown locale leaves "C" */
	switch (options_parse(&options, argc, argv)) {
	case OPTIONS_GOOD: break;
	case OPTIONS_BAD: options_free(&options); return EX_USAGE;
	case OPTIONS_DONE: options_free(&options); return 0;
	}
	status = run(&mx, &options);
	mailx_deinit(&mx);
	options_free(&options);
	if (fflush(stdout) != 0 && status == 0)
		status = EX_IOERR;
	return status;
}
