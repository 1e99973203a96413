/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_set.c - commands about variables, names, header fields, start-up files, shells and help
 * Tests: tests/system/test_mail_startup.py, tests/system/test_mail_variables.py.
 */
#include "mailx/child.h"
#include "mailx/commands.h"
#include "mailx/rcfile.h"

static enum command_result show_text(struct mailx *mx, struct buf *text)
{
	auto_buf struct buf clean = BUF_INIT(MAILX_TEXT_MAX);

	screen_clean(&mx->screen, buf_slice(text), SCREEN_MANY_LINES, &clean);
	mailx_show(mx, buf_slice(&clean));
	return COMMAND_OK;
}

enum command_result cmd_set(struct mailx *mx, struct command_args *args)
{
	auto_buf struct buf out = BUF_INIT(MAILX_TEXT_MAX);

	if (args->words.n == 0) {
		vars_list(&mx->vars, &out);
		return show_text(mx, &out);
	}
	for (size_t i = 0; i < args->words.n; i++) {
		if (!vars_assign(&mx->vars, args->words.at[i])) {
			mailx_error(mx, "set: \"%s\" begins with no name", args->words.at[i]);
			return COMMAND_FAILED;
		}
	}
	return COMMAND_OK;
}

enum command_result cmd_unset(struct mailx *mx, struct command_args *args)
{
	if (args->words.n == 0) {
		mailx_error(mx, "Say which variable: unset name ...");
		return COMMAND_FAILED;
	}
	for (size_t i = 0; i < args->words.n; i++)
		vars_unset(&mx->vars, args->words.at[i]);
	return COMMAND_OK;
}

enum command_result cmd_alias(struct mailx *mx, struct command_args *args)
{
	auto_buf struct buf out = BUF_INIT(MAILX_TEXT_MAX);

	if (args->words.n == 0) {
		aliases_list(&mx->aliases, &out);
		return show_text(mx, &out);
	}
	if (args->words.n == 1) {
		const struct alias *alias = aliases_find(&mx->aliases, args->words.at[0]);
		if (!alias) {
			mailx_error(mx, "\"%s\" is no alias", args->words.at[0]);
			return COMMAND_FAILED;
		}
		buf_printf(&out, "%s\t", alias->name);
		for (size_t i = 0; i < alias->members.n; i++)
			buf_printf(&out, "%s%s", i ? " " : "", alias->members.at[i]);
		buf_append_byte(&out, '\n');
		return show_text(mx, &out);
	}
	for (size_t i = 1; i < args->words.n; i++)
		aliases_add(&mx->aliases, args->words.at[0], args->words.at[i]);
	return COMMAND_OK;
}

enum command_result cmd_unalias(struct mailx *mx, struct command_args *args)
{
	for (size_t i = 0; i < args->words.n; i++)
		aliases_remove(&mx->aliases, args->words.at[i]);
	return COMMAND_OK;
}

static enum command_result show_words(struct mailx *mx, const struct strlist *words)
{
	auto_buf struct buf out = BUF_INIT(MAILX_TEXT_MAX);

	for (size_t i = 0; i < words->n; i++)
		buf_printf(&out, "%s\n", words->at[i]);
	return show_text(mx, &out);
}

enum command_result cmd_alternates(struct mailx *mx, struct command_args *args)
{
	if (args->words.n == 0)
		return show_words(mx, &mx->alternates);
	strlist_free(&mx->alternates); /* POSIX: the new list takes the place of the old one */
	for (size_t i = 0; i < args->words.n; i++)
		strlist_add(&mx->alternates, args->words.at[i]);
	return COMMAND_OK;
}

/* ignore, retain and their relatives differ in the list that they change. */
static struct strlist *fields_of_command(struct mailx *mx, const char *name)
{
	struct fields *fields = strncmp(name, "save", 4) == 0 ? &mx->saved_fields
		: strncmp(name, "fwd", 3) == 0		      ? &mx->forward_fields
							      : &mx->fields;

	return strstr(name, "retain") ? &fields->retained : &fields->ignored;
}

enum command_result cmd_fields(struct mailx *mx, struct command_args *args)
{
	struct strlist *list = fields_of_command(mx, args->command->name);

	if (args->words.n == 0)
		return show_words(mx, list);
	for (size_t i = 0; i < args->words.n; i++)
		if (strlist_find_nocase(list, args->words.at[i]) == list->n)
			strlist_add(list, args->words.at[i]);
	return COMMAND_OK;
}

enum command_result cmd_unfields(struct mailx *mx, struct command_args *args)
{
	struct strlist *list = fields_of_command(mx, args->command->name);

	for (size_t i = 0; i < args->words.n; i++) {
		size_t at = strlist_find_nocase(list, args->words.at[i]);
		if (at < list->n)
			strlist_remove(list, at);
	}
	return COMMAND_OK;
}

enum command_result cmd_if(struct mailx *mx, struct command_args *args)
{
	struct conditions *c = &mx->conditions;
	char what = args->words.n == 1 ? ascii_lower(args->words.at[0][0]) : '\0';
	bool is_known = what == 's' || what == 'r' || what == 't' || what == '0' || what == '1';

	if (c->depth >= MAILX_IF_DEPTH) {
		mailx_error(mx, "more than %d `if' inside each other", MAILX_IF_DEPTH);
		return COMMAND_FAILED;
	}
	c->depth++;
	c->had_else[c->depth] = false;
	c->is_live[c->depth] = what == '1' || (what == 's' && mx->mode == MAILX_SENDING) ||
		(what == 'r' && mx->mode == MAILX_READING) || (what == 't' && mx->input.is_tty);
	if (is_known)
		return COMMAND_OK;
	mailx_error(mx, "Behind `if' stands one of s (sending), r (reading), t (terminal)");
	return COMMAND_FAILED;
}

enum command_result cmd_else(struct mailx *mx, struct command_args *args)
{
	struct conditions *c = &mx->conditions;

	if (c->depth == 0 || c->had_else[c->depth]) {
		mailx_error(mx, "`else' without `if'");
		return COMMAND_FAILED;
	}
	c->had_else[c->depth] = true;
	c->is_live[c->depth] = !c->is_live[c->depth];
	return COMMAND_OK;
}

enum command_result cmd_endif(struct mailx *mx, struct command_args *args)
{
	if (mx->conditions.depth == 0) {
		mailx_error(mx, "`endif' without `if'");
		return COMMAND_FAILED;
	}
	mx->conditions.depth--;
	return COMMAND_OK;
}

enum command_result cmd_echo(struct mailx *mx, struct command_args *args)
{
	for (size_t i = 0; i < args->words.n; i++)
		(void)printf("%s%s", i ? " " : "", args->words.at[i]);
	(void)putchar('\n');
	return COMMAND_OK;
}

enum command_result cmd_source(struct mailx *mx, struct command_args *args)
{
	auto_buf struct buf path = BUF_INIT(PATH_MAX);

	if (args->words.n != 1) {
		mailx_error(mx, "Say which file: source file");
		return COMMAND_FAILED;
	}
	if (!mailx_file_name(mx, args->words.at[0], &path) || !buf_cstr(&path))
		return COMMAND_FAILED;
	switch (rcfile_run(mx, buf_cstr(&path))) {
	case RCFILE_DONE: return COMMAND_OK;
	case RCFILE_MISSING: mailx_error(mx, "\"%s\": there is no such file", buf_cstr(&path)); break;
	case RCFILE_FAILED: break;
	}
	return COMMAND_FAILED;
}

enum command_result cmd_shell(struct mailx *mx, struct command_args *args)
{
	const char *const argv[] = { mailx_shell(mx), NULL };
	int status, r = child_run(&(struct child){ .argv = argv, .in = -1, .out = -1 }, &status);

	if (r < 0)
		mailx_error(mx, "cannot run %s: %s", argv[0], strerror(-r));
	return r < 0 ? COMMAND_FAILED : COMMAND_OK;
}

/* With `bang' an unquoted ! is the last command. */
static void bang_expand(const struct mailx *mx, struct slice text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == '\\' && i + 1 < text.len && text.at[i + 1] == '!')
			buf_append_byte(out, text.at[++i]);
		else if (text.at[i] == '!' && vars_on(&mx->vars, "bang"))
			buf_append_str(out, mx->last_shell ? mx->last_shell : "");
		else
			buf_append_byte(out, text.at[i]);
	}
}

enum command_result cmd_bang(struct mailx *mx, struct command_args *args)
{
	auto_buf struct buf command = BUF_INIT(MAILX_LINE_MAX);
	int status, r;

	bang_expand(mx, args->text, &command);
	if (!buf_cstr(&command))
		return COMMAND_FAILED;
	r = child_shell(mailx_shell(mx), buf_cstr(&command), -1, -1, &status);
	if (r < 0) {
		mailx_error(mx, "cannot run \"%s\": %s", buf_cstr(&command), strerror(-r));
		return COMMAND_FAILED;
	}
	mem_free(mx->last_shell);
	mx->last_shell = mem_dup_str(buf_cstr(&command));
	(void)puts("!");
	return COMMAND_OK;
}

#define HELP_COLUMN ((size_t)34)

/* Words from column used on; a line that is full goes on at the column indent. */
static void put_folded(struct slice text, size_t used, size_t indent, size_t columns, struct buf *out)
{
	size_t column = used;
	struct slice word;

	while (slice_next_word(&text, &word)) {
		if (column + 1 + word.len >= columns && column > indent) {
			buf_printf(out, "\n%*s", (int)indent, "");
			column = indent;
		}
		buf_printf(out, "%s%.*s", column ? " " : "", SLICE_ARG(word));
		column += (column != 0) + word.len;
	}
	buf_append_byte(out, '\n');
}

static void help_row(const struct mailx *mx, const struct command *c, struct buf *out)
{
	size_t start = out->len;

	buf_append_str(out, c->name);
	if (strlen(c->name) > c->min)
		buf_printf(out, " (%.*s)", c->min, c->name);
	if (*c->usage)
		buf_printf(out, " %s", c->usage);
	while (out->len - start < HELP_COLUMN)
		buf_append_byte(out, ' ');
	put_folded(slice_of(c->help), out->len - start, HELP_COLUMN, mx->screen.columns, out);
}

enum command_result cmd_help(struct mailx *mx, struct command_args *args)
{
	auto_buf struct buf out = BUF_INIT(MAILX_TEXT_MAX);

	for (size_t i = 0; i < args->words.n; i++) {
		const struct command *c = command_find(slice_of(args->words.at[i]));
		if (!c) {
			mailx_error(mx, "\"%s\" is no command", args->words.at[i]);
			return COMMAND_FAILED;
		}
		help_row(mx, c, &out);
	}
	for (const struct command *c = commands; c->name && args->words.n == 0; c++)
		help_row(mx, c, &out);
	if (args->words.n == 0)
		put_folded(SLICE("[messages] is a list of numbers (3), ranges (2-5, 7-$), * for all, $ for "
				 "the last, . "
				 "for this one, names of authors, /text in subjects, :n new, :u unread, :r "
				 "read, :d "
				 "deleted. A number alone shows that message, an empty line the next one. "
				 "mail(1) says "
				 "more."),
			0, 0, mx->screen.columns, &out);
	return show_text(mx, &out);
}

enum command_result cmd_list(struct mailx *mx, struct command_args *args)
{
	auto_buf struct buf out = BUF_INIT(MAILX_TEXT_MAX);
	size_t column = 0;

	for (const struct command *c = commands; c->name; c++) {
		size_t n = strlen(c->name) + 2;
		if (column + n > 78) {
			buf_append_byte(&out, '\n');
			column = 0;
		}
		buf_printf(&out, "%s%s", c->name, c[1].name ? ", " : "\n");
		column += n;
	}
	return show_text(mx, &out);
}

enum command_result cmd_version(struct mailx *mx, struct command_args *args)
{
	(void)puts("Postrider mail version " POSTRIDER_VERSION);
	return COMMAND_OK;
}
