/* SPDX-License-Identifier: Apache-2.0 */
/* escapes.c - the tilde escapes of a text that is being written, as one table; see compose.h */
#include "base/file.h"
#include "mailx/append.h"
#include "mailx/args.h"
#include "mailx/child.h"
#include "mailx/commands.h"
#include "mailx/compose.h"
#include "mailx/deadletter.h"
#include "mailx/editor.h"
#include "mailx/send.h"
#include "mailx/show.h"
#include <fcntl.h>

static void go_on(void)
{
	(void)puts("(continue)");
}

static enum escape_result escape_end(struct mailx *mx, struct compose *c, struct slice rest)
{
	return ESCAPE_END;
}

static enum escape_result escape_quit(struct mailx *mx, struct compose *c, struct slice rest)
{
	return ESCAPE_QUIT;
}

static enum escape_result escape_discard(struct mailx *mx, struct compose *c, struct slice rest)
{
	return ESCAPE_DISCARD;
}

static enum escape_result escape_shell(struct mailx *mx, struct compose *c, struct slice rest)
{
	auto_free char *command = slice_dup(rest);
	int status, r = child_shell(mailx_shell(mx), *command ? command : mailx_shell(mx), -1, -1, &status);

	if (r < 0)
		mailx_error(mx, "cannot run \"%s\": %s", command, strerror(-r));
	(void)puts("!");
	return ESCAPE_GO_ON;
}

static enum escape_result escape_command(struct mailx *mx, struct compose *c, struct slice rest)
{
	(void)command_run(mx, rest, false); /* it told what went wrong; the text goes on */
	go_on();
	return ESCAPE_GO_ON;
}

static enum escape_result escape_help(struct mailx *mx, struct compose *c, struct slice rest)
{
	for (const struct escape *e = escapes; e->letter; e++)
		(void)printf("~%c %-18s %s\n", e->letter, e->usage, e->help);
	return ESCAPE_GO_ON;
}

static enum escape_result add_recipients(
	struct mailx *mx, struct compose *c, enum draft_field field, struct slice rest)
{
	auto_free char *text = slice_dup(rest);

	if (!draft_add_recipients(mx, c->draft, field, text))
		go_on();
	return ESCAPE_GO_ON;
}

static enum escape_result escape_to(struct mailx *mx, struct compose *c, struct slice rest)
{
	return add_recipients(mx, c, DRAFT_TO, rest);
}

static enum escape_result escape_cc(struct mailx *mx, struct compose *c, struct slice rest)
{
	return add_recipients(mx, c, DRAFT_CC, rest);
}

static enum escape_result escape_bcc(struct mailx *mx, struct compose *c, struct slice rest)
{
	return add_recipients(mx, c, DRAFT_BCC, rest);
}

static enum escape_result escape_subject(struct mailx *mx, struct compose *c, struct slice rest)
{
	auto_free char *text = slice_dup(rest);

	draft_set(&c->draft->subject, text);
	return ESCAPE_GO_ON;
}

/* Tells how much a file gave or took. */
static void tell_size(struct mailx *mx, const char *name, struct slice text, const char *note)
{
	mailx_tell(mx, "\"%s\" %s%u/%zu", name, note, mbox_count_lines(text), text.len);
}

static void insert_file(struct mailx *mx, struct compose *c, const char *written)
{
	auto_buf struct buf path = BUF_INIT(PATH_MAX), text = BUF_INIT(MAILX_TEXT_MAX);
	int r;

	if (!mailx_file_name(mx, written, &path) || !buf_cstr(&path))
		return;
	r = file_read_path(AT_FDCWD, buf_cstr(&path), &text);
	if (r < 0) {
		mailx_error(mx, "cannot read \"%s\": %s", buf_cstr(&path), strerror(-r));
		return;
	}
	buf_append(&c->draft->text, buf_slice(&text));
	if (text.len && text.at[text.len - 1] != '\n')
		buf_append_byte(&c->draft->text, '\n');
	tell_size(mx, buf_cstr(&path), buf_slice(&text), "");
}

static void insert_output(struct mailx *mx, struct compose *c, const char *command)
{
	auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX);
	int status = 0, r = child_filter(mailx_shell(mx), command, SLICE_EMPTY, &text, &status);

	if (r < 0 || status) {
		mailx_error(mx, "\"%s\" failed; nothing was added", command);
		return;
	}
	buf_append(&c->draft->text, buf_slice(&text));
	tell_size(mx, command, buf_slice(&text), "");
}

static enum escape_result escape_read(struct mailx *mx, struct compose *c, struct slice rest)
{
	auto_free char *what = NULL;
	bool is_command = slice_skip(&rest, '!');

	slice_skip_blanks(&rest);
	what = slice_dup(rest);
	if (*what == '\0')
		mailx_error(mx, "Say which file to read");
	else if (is_command)
		insert_output(mx, c, what);
	else
		insert_file(mx, c, what);
	return ESCAPE_GO_ON;
}

static enum escape_result escape_dead(struct mailx *mx, struct compose *c, struct slice rest)
{
	const char *dead = vars_get(&mx->vars, "DEAD");

	insert_file(mx, c, dead && *dead ? dead : "~/dead.letter");
	return ESCAPE_GO_ON;
}

static enum escape_result escape_write(struct mailx *mx, struct compose *c, struct slice rest)
{
	auto_buf struct buf path = BUF_INIT(PATH_MAX);
	auto_free char *written = slice_dup(rest);
	bool is_new;
	int r;

	if (*written == '\0') {
		mailx_error(mx, "Say which file to write");
		return ESCAPE_GO_ON;
	}
	if (!mailx_file_name(mx, written, &path) || !buf_cstr(&path))
		return ESCAPE_GO_ON;
	r = append_to_file(buf_cstr(&path), APPEND_TEXT, buf_slice(&c->draft->text), &is_new);
	if (r != 0)
		mailx_error(mx, "cannot write \"%s\": %s", buf_cstr(&path), strerror(r < 0 ? -r : EAGAIN));
	else
		tell_size(mx, buf_cstr(&path), buf_slice(&c->draft->text),
			is_new ? "[New file] " : "[Appended] ");
	return ESCAPE_GO_ON;
}

static enum escape_result escape_filter(struct mailx *mx, struct compose *c, struct slice rest)
{
	auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX);
	auto_free char *command = slice_dup(rest);
	int status = 0,
	    r = child_filter(mailx_shell(mx), command, buf_slice(&c->draft->text), &text, &status);

	if (r < 0 || status || text.len == 0) {
		mailx_error(mx, "\"%s\" failed or gave nothing; the text is as it was", command);
		return ESCAPE_GO_ON;
	}
	tell_size(mx, command, buf_slice(&text), "");
	buf_free(&c->draft->text);
	c->draft->text = buf_take(&text);
	return ESCAPE_GO_ON;
}

static enum escape_result escape_print(struct mailx *mx, struct compose *c, struct slice rest)
{
	auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX), clean = BUF_INIT(MAILX_TEXT_MAX);

	buf_append_str(&text, "-------\nMessage contains:\n");
	draft_write_template(c->draft, &text);
	for (size_t i = 0; i < c->draft->attachments.n; i++)
		buf_printf(&text, "[-- Attachment %zu: \"%s\" --]\n", i + 1, c->draft->attachments.at[i]);
	screen_clean(&mx->screen, buf_slice(&text), SCREEN_MANY_LINES, &clean);
	mailx_show(mx, buf_slice(&clean));
	go_on();
	return ESCAPE_GO_ON;
}

/* The header goes to the editor too when `editheaders' is set. */
static enum escape_result edit_text(struct mailx *mx, struct compose *c, enum editor_kind kind)
{
	auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX);
	bool with_header = vars_on(&mx->vars, "editheaders");

	if (!with_header) {
		(void)editor_change(mx, kind, &c->draft->text); /* it told when it failed */
		go_on();
		return ESCAPE_GO_ON;
	}
	draft_write_template(c->draft, &text);
	if (editor_change(mx, kind, &text)) {
		struct draft edited = DRAFT_INIT;
		if (draft_read_template(mx, &edited, buf_slice(&text))) {
			struct draft before = *c->draft;
			edited.attachments = before.attachments;
			before.attachments = STRLIST_INIT;
			draft_set(&edited.sender, before.sender);
			draft_set(&edited.content_type, before.content_type);
			*c->draft = edited;
			edited = before;
		}
		draft_free(&edited);
	}
	go_on();
	return ESCAPE_GO_ON;
}

static enum escape_result escape_edit(struct mailx *mx, struct compose *c, struct slice rest)
{
	return edit_text(mx, c, EDITOR_LINE);
}

static enum escape_result escape_visual(struct mailx *mx, struct compose *c, struct slice rest)
{
	return edit_text(mx, c, EDITOR_SCREEN);
}

static enum escape_result escape_header(struct mailx *mx, struct compose *c, struct slice rest)
{
	static const char *const asked[] = { "To", "Subject", "Cc", "Bcc" };

	if (!mx->input.is_tty) { /* the answers would be lines of the text */
		mailx_error(mx, "~h and ~H ask a person; use ~t, ~s, ~c and ~b");
		return ESCAPE_GO_ON;
	}
	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		if (compose_ask(mx, c->draft, asked[i]) != INPUT_LINE)
			break;
	go_on();
	return ESCAPE_GO_ON;
}

/* Every line of text with the prefix before it. */
static void append_indented(struct slice text, const char *prefix, struct buf *out)
{
	struct slice line;

	while (slice_next_line(&text, &line)) {
		if (*prefix)
			buf_append_str(out, prefix);
		buf_append(out, line);
		buf_append_byte(out, '\n');
	}
}

static void quote_messages(struct mailx *mx, struct compose *c, const size_t *list, size_t n,
	const struct show_options *options, bool indent)
{
	const char *prefix = vars_get(&mx->vars, "indentprefix");

	(void)fputs("Interpolating:", stdout);
	for (size_t i = 0; i < n; i++) {
		auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX);
		if (show_message(mx, list[i], options, &text) < 0)
			break;
		(void)printf(" %zu", list[i] + 1);
		append_indented(buf_slice(&text), indent ? (prefix ? prefix : "\t") : "", &c->draft->text);
		mx->folder.messages.at[list[i]].flags |= MESSAGE_READ | MESSAGE_TOUCHED;
	}
	(void)putchar('\n');
	go_on();
}

static enum escape_result quote_list(struct mailx *mx, struct compose *c, struct slice rest,
	const struct show_options *options, bool indent)
{
	auto_buf struct buf problem = BUF_INIT(MAILX_VALUE_MAX);
	struct msglist list = { 0 };
	enum msglist_status r;

	if (!mx->has_folder) {
		mailx_error(mx, "No messages to send from: no folder is open");
		return ESCAPE_GO_ON;
	}
	r = msglist_parse(mx, rest, MSGLIST_EITHER, &list, &problem);
	if (r == MSGLIST_EMPTY && c->n_quoted) {
		quote_messages(mx, c, c->quoted, c->n_quoted, options, indent);
		return ESCAPE_GO_ON;
	}
	if (r == MSGLIST_EMPTY)
		r = msglist_parse(mx, SLICE("."), MSGLIST_EITHER, &list, &problem);
	if (r == MSGLIST_OK)
		quote_messages(mx, c, list.at, list.n, options, indent);
	else
		mailx_error(mx, "%s", buf_cstr(&problem) ? buf_cstr(&problem) : "");
	msglist_free(&list);
	return ESCAPE_GO_ON;
}

static enum escape_result escape_forward(struct mailx *mx, struct compose *c, struct slice rest)
{
	const struct show_options options = {
		.fields = &mx->fields, .has_header = true, .has_from_line = true
	};

	return quote_list(mx, c, rest, &options, false);
}

static enum escape_result escape_forward_all(struct mailx *mx, struct compose *c, struct slice rest)
{
	static const struct show_options options = { .has_header = true, .has_from_line = true };

	return quote_list(mx, c, rest, &options, false);
}

static enum escape_result escape_quote(struct mailx *mx, struct compose *c, struct slice rest)
{
	const struct show_options options = {
		.fields = &mx->fields, .has_header = true, .has_from_line = true
	};

	return quote_list(mx, c, rest, &options, true);
}

static enum escape_result escape_quote_all(struct mailx *mx, struct compose *c, struct slice rest)
{
	static const struct show_options options = { .has_header = true, .has_from_line = true };

	return quote_list(mx, c, rest, &options, true);
}

static void insert_variable(struct mailx *mx, struct compose *c, const char *name)
{
	if (!draft_variable_text(mx, name, &c->draft->text))
		mailx_error(mx, "The variable `%s' is not set", name);
}

static enum escape_result escape_sign(struct mailx *mx, struct compose *c, struct slice rest)
{
	insert_variable(mx, c, "sign");
	return ESCAPE_GO_ON;
}

static enum escape_result escape_Sign(struct mailx *mx, struct compose *c, struct slice rest)
{
	insert_variable(mx, c, "Sign");
	return ESCAPE_GO_ON;
}

static enum escape_result escape_variable(struct mailx *mx, struct compose *c, struct slice rest)
{
	auto_free char *name = slice_dup(rest);

	insert_variable(mx, c, name);
	return ESCAPE_GO_ON;
}

static enum escape_result escape_attach(struct mailx *mx, struct compose *c, struct slice rest)
{
	auto_strlist struct strlist words = STRLIST_INIT;

	if (args_split(rest, &words) != ARGS_OK || words.n == 0) {
		mailx_error(mx, "Say which files to attach: ~@ file ...");
		return ESCAPE_GO_ON;
	}
	for (size_t i = 0; i < words.n; i++) {
		auto_buf struct buf path = BUF_INIT(PATH_MAX);
		if (!mailx_file_name(mx, words.at[i], &path) || !buf_cstr(&path))
			continue;
		strlist_add(&c->draft->attachments, buf_cstr(&path));
		if (!send_check_attachments(mx, c->draft))
			strlist_remove(&c->draft->attachments, c->draft->attachments.n - 1);
	}
	return ESCAPE_GO_ON;
}

static enum escape_result escape_reply_to(struct mailx *mx, struct compose *c, struct slice rest)
{
	auto_free char *text = slice_dup(rest);

	draft_set(&c->draft->reply_to, text);
	return ESCAPE_GO_ON;
}

/* clang-format off */
const struct escape escapes[] = {
	{ '.', escape_end, "", "end of the text: send" },
	{ 'q', escape_quit, "", "give up; the text goes to dead.letter" },
	{ 'x', escape_discard, "", "give up; the text is thrown away" },
	{ 'e', escape_edit, "", "change the text with EDITOR" },
	{ 'v', escape_visual, "", "change the text with VISUAL" },
	{ 'p', escape_print, "", "show what has been written" },
	{ 't', escape_to, "address ...", "add addressees" },
	{ 'c', escape_cc, "address ...", "add copies" },
	{ 'b', escape_bcc, "address ...", "add blind copies" },
	{ 's', escape_subject, "text", "set the subject" },
	{ 'h', escape_header, "", "ask for To, Subject, Cc and Bcc (at a terminal)" },
	{ 'H', escape_header, "", "the same" },
	{ 'R', escape_reply_to, "address", "set Reply-To" },
	{ '@', escape_attach, "file ...", "attach files" },
	{ 'r', escape_read, "file | !command", "add a file, or what a command prints" },
	{ '<', escape_read, "file | !command", "the same" },
	{ 'd', escape_dead, "", "add dead.letter" },
	{ 'w', escape_write, "file", "append the text to a file" },
	{ '|', escape_filter, "command", "let a command change the text" },
	{ 'f', escape_forward, "[messages]", "add messages" },
	{ 'F', escape_forward_all, "[messages]", "add messages with all header fields" },
	{ 'm', escape_quote, "[messages]", "add messages, each line behind indentprefix" },
	{ 'M', escape_quote_all, "[messages]", "the same with all header fields" },
	{ 'a', escape_sign, "", "add the variable sign" },
	{ 'A', escape_Sign, "", "add the variable Sign" },
	{ 'i', escape_variable, "name", "add a variable" },
	{ '!', escape_shell, "command", "run a shell command" },
	{ ':', escape_command, "command", "run a command of mail" },
	{ '_', escape_command, "command", "the same" },
	{ '?', escape_help, "", "show this" },
	{ '~', NULL, "text", "a line that begins with one ~" },
	{ 0, NULL, NULL, NULL },
};
/* clang-format on */

enum escape_result escape_run(struct mailx *mx, struct compose *c, struct slice line)
{
	const char *escape = vars_get(&mx->vars, "escape");
	struct slice rest = slice_from(line, 1);

	if (line.len && escape && line.at[0] == *escape) { /* doubled: itself */
		buf_append(&c->draft->text, line);
		buf_append_byte(&c->draft->text, '\n');
		return ESCAPE_GO_ON;
	}
	for (const struct escape *e = escapes; e->letter && line.len; e++)
		if (e->letter == line.at[0] && e->run)
			return e->run(mx, c, slice_trim(rest));
	mailx_error(mx, "Unknown tilde escape (~? shows them)");
	return ESCAPE_GO_ON;
}
