/* SPDX-License-Identifier: Apache-2.0 */
/* complete.c - see complete.h */
#include "mailx/complete.h"
#include "base/file.h"
#include "mailx/args.h"
#include "mailx/commands.h"
#include <fcntl.h>

#define CHOICES_MAX 1000 /* more are no help to anybody */

typedef void (*collector)(struct mailx *mx, struct slice word, struct strlist *out);

static void add_choice(struct strlist *out, struct slice word, const char *choice)
{
	if (out->n < CHOICES_MAX && slice_starts(slice_of(choice), word))
		strlist_add(out, choice);
}

static void collect_commands(struct mailx *mx, struct slice word, struct strlist *out)
{
	for (const struct command *c = commands; c->name; c++)
		if (c->name[1]) /* one sign is typed faster than completed */
			add_choice(out, word, c->name);
}

static void collect_variables(struct mailx *mx, struct slice word, struct strlist *out)
{
	for (const struct var_known *v = vars_known; v->name; v++)
		add_choice(out, word, v->name);
	for (size_t i = 0; i < mx->vars.n; i++)
		add_choice(out, word, mx->vars.at[i].name);
}

static void collect_aliases(struct mailx *mx, struct slice word, struct strlist *out)
{
	for (size_t i = 0; i < mx->aliases.n; i++)
		add_choice(out, word, mx->aliases.at[i].name);
}

static void collect_addresses(struct mailx *mx, struct slice word, struct strlist *out)
{
	collect_aliases(mx, word, out);
	for (size_t i = 0; i < mx->aliases.n; i++)
		for (size_t k = 0; k < mx->aliases.at[i].members.n; k++)
			if (strchr(mx->aliases.at[i].members.at[k], '@'))
				add_choice(out, word, mx->aliases.at[i].members.at[k]);
}

/* name as it is typed in a command line. */
static void put_escaped(struct slice name, struct buf *out)
{
	for (size_t i = 0; i < name.len; i++) {
		if (strchr(" \t\\'\"", name.at[i]))
			buf_append_byte(out, '\\');
		buf_append_byte(out, name.at[i]);
	}
}

/* Choices are shown as they are. */
static bool is_printable(const char *name)
{
	struct slice rest = slice_of(name), character;

	while (rest.len)
		if (screen_next_is_harmful(&rest, &character))
			return false;
	return true;
}

/* typed: the word up to and with its last slash (or +), which names directory. */
static void collect_entries(
	const char *directory, struct slice typed, struct slice prefix, struct strlist *out)
{
	DIR *dir;

	if (file_list(AT_FDCWD, directory, &dir) < 0)
		return;
	for (const struct dirent *e; out->n < CHOICES_MAX && (e = readdir(dir));) {
		auto_buf struct buf choice = BUF_INIT(PATH_MAX * 2);
		if (!slice_starts(slice_of(e->d_name), prefix) || !is_printable(e->d_name) ||
			(e->d_name[0] == '.' && prefix.len == 0) || strcmp(e->d_name, ".") == 0 ||
			strcmp(e->d_name, "..") == 0)
			continue;
		put_escaped(typed, &choice);
		put_escaped(slice_of(e->d_name), &choice);
		if (file_is_directory(dirfd(dir), e->d_name))
			buf_append_byte(&choice, '/');
		if (buf_cstr(&choice))
			strlist_add(out, buf_cstr(&choice));
	}
	(void)closedir(dir); /* was only read */
}

/* word is what was typed, backslashes and all. */
static void collect_files(struct mailx *mx, struct slice word, struct strlist *out)
{
	auto_buf struct buf plain = BUF_INIT(PATH_MAX), directory = BUF_INIT(PATH_MAX);
	const char *folder = vars_get(&mx->vars, "folder");
	struct slice rest = word, typed;
	size_t slash;

	if (word.len && args_next(&rest, &plain) != ARGS_OK)
		return;
	slash = slice_rfind(buf_slice(&plain), '/');
	typed = slice_first(buf_slice(&plain), slash == plain.len ? 0 : slash + 1);
	if (typed.len == 0 && plain.len && plain.at[0] == '+')
		typed = SLICE("+");
	if (slice_starts(typed, SLICE("+")) && (!folder || !*folder))
		return;
	auto_free char *written = slice_dup(typed.len ? typed : SLICE("./"));
	if (mailx_file_name(mx, written, &directory) && buf_cstr(&directory))
		collect_entries(buf_cstr(&directory), typed, slice_from(buf_slice(&plain), typed.len), out);
}

/* What the words behind a command are. */
static const struct {
	const char *command;
	collector collect;
} arguments[] = {
	{ "save", collect_files },
	{ "copy", collect_files },
	{ "move", collect_files },
	{ "write", collect_files },
	{ "file", collect_files },
	{ "folder", collect_files },
	{ "remove", collect_files },
	{ "rename", collect_files },
	{ "source", collect_files },
	{ "cd", collect_files },
	{ "chdir", collect_files },
	{ "set", collect_variables },
	{ "unset", collect_variables },
	{ "alias", collect_addresses },
	{ "group", collect_addresses },
	{ "unalias", collect_aliases },
	{ "mail", collect_addresses },
	{ "forward", collect_addresses },
	{ "fwd", collect_addresses },
	{ "resend", collect_addresses },
	{ "redirect", collect_addresses },
	{ "bounce", collect_addresses },
	{ "Resend", collect_addresses },
	{ "help", collect_commands },
	{ "?", collect_commands },
};

static collector argument_collector(const struct command *c)
{
	for (size_t i = 0; c && i < ARRAY_LEN(arguments); i++)
		if (strcmp(arguments[i].command, c->name) == 0)
			return arguments[i].collect;
	return NULL;
}

/* What stands behind the last of the separators that no backslash precedes. */
static struct slice last_word(struct slice line, const char *separators)
{
	size_t start = 0;

	for (size_t i = 0; i < line.len; i++) {
		if (line.at[i] == '\\')
			i++;
		else if (strchr(separators, line.at[i]))
			start = i + 1;
	}
	return slice_from(line, start);
}

static int compare_choices(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool collect(struct mailx *mx, collector how, struct slice word, struct strlist *out)
{
	size_t n = 0;

	if (how)
		how(mx, word, out);
	if (out->n)
		qsort(out->at, out->n, sizeof(*out->at), compare_choices);
	while (n + 1 < out->n)
		if (strcmp(out->at[n], out->at[n + 1]) == 0)
			strlist_remove(out, n + 1);
		else
			n++;
	return true;
}

bool complete_command(void *user, struct slice line, struct slice *word_out, struct strlist *choices_out)
{
	struct slice rest = line, name;
	collector how;

	slice_skip_blanks(&rest);
	*word_out = last_word(rest, " \t");
	if (word_out->len == rest.len)
		return collect(user, collect_commands, *word_out, choices_out);
	name = args_command(&rest);
	how = argument_collector(name.len ? command_find(name) : NULL);
	if (how == collect_addresses)
		*word_out = last_word(line, " \t,");
	return collect(user, how, *word_out, choices_out);
}

bool complete_address(void *user, struct slice line, struct slice *word_out, struct strlist *choices_out)
{
	*word_out = last_word(line, " \t,<");
	return collect(user, collect_addresses, *word_out, choices_out);
}

bool complete_file(void *user, struct slice line, struct slice *word_out, struct strlist *choices_out)
{
	*word_out = line;
	return collect(user, collect_files, line, choices_out);
}

bool complete_text(void *user, struct slice line, struct slice *word_out, struct strlist *choices_out)
{
	struct mailx *mx = user;
	const char *escape = vars_get(&mx->vars, "escape");

	if (!escape || !*escape || line.len < 2 || line.at[0] != *escape)
		return false;
	if (strchr("@r<wd", line.at[1])) {
		*word_out = last_word(slice_from(line, 2), " \t");
		return collect(mx, collect_files, *word_out, choices_out);
	}
	if (!strchr("tcb", line.at[1]))
		return false;
	*word_out = last_word(slice_from(line, 2), " \t,");
	return collect(mx, collect_addresses, *word_out, choices_out);
}
