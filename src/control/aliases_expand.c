/* SPDX-License-Identifier: Apache-2.0 */
/* aliases_expand.c - postrider aliases expand: the tree of an expansion, for people or as JSON; see aliases.h
 */
#include "base/userdb.h"
#include "control/aliases.h"
#include "control/commands.h"
#include "mail/json.h"
#include "table/alias_walk.h"
#include <sysexits.h>

#define JSON_MAX                                                                                             \
	((size_t)256 * 1024 * 1024) /* LIMIT_EXPANSION steps of long lists; a list of lists is cut           \
				     */

struct expanding {
	const struct config *config;
	bool as_json;
	struct buf line;
	struct json json;
	unsigned depth; /* of the JSON objects that are open, counted from 1; 0: none yet */
	int status;
};

/* ---- what a step means ---- */

static const struct {
	const char *name;  /* in JSON */
	const char *words; /* for people; NULL: depends */
	int status;	   /* of the command, when there is such a step */
} kinds[ALIAS_STEP_COUNT] = {
	[ALIAS_STEP_ALIAS] = { "alias", "alias", EX_OK },
	[ALIAS_STEP_USER] = { "user", NULL, EX_OK },
	[ALIAS_STEP_MAILBOX] = { "mailbox", NULL, EX_OK },
	[ALIAS_STEP_REMOTE] = { "remote", "another host", EX_OK },
	[ALIAS_STEP_FILE] = { "file", "file", EX_OK },
	[ALIAS_STEP_DIRECTORY] = { "maildir", "Maildir", EX_OK },
	[ALIAS_STEP_COMMAND] = { "command", "command", EX_OK },
	[ALIAS_STEP_LIST] = { "list", "list", EX_OK },
	[ALIAS_STEP_FAIL] = { "fail", "the mail is refused", EX_OK },
	[ALIAS_STEP_DEFER] = { "defer", "the mail is not accepted now", EX_OK },
	[ALIAS_STEP_DISCARD] = { "discard", "the mail is discarded", EX_OK },
	[ALIAS_STEP_LOOP] = { "loop",
		"LOOP: leads back to the alias of that name above; the mail is returned", EX_DATAERR },
	[ALIAS_STEP_DEEP] = { "too-deep", "more than 100 aliases lead here; the mail is returned",
		EX_DATAERR },
	[ALIAS_STEP_ERROR] = { "error", "left out", EX_OK },
	[ALIAS_STEP_NOTHING] = { "no-recipient",
		"no usable recipient; the mail waits until this is put right", EX_DATAERR },
	[ALIAS_STEP_BROKEN] = { "unknown", "no table can be asked; the mail waits", EX_UNAVAILABLE },
};

enum user_state { USER_IS_THERE = 1, USER_IS_MISSING, USER_IS_DOUBTFUL };

static enum user_state user_state(struct expanding *e, struct slice name)
{
	struct userdb_user user;

	switch (userdb_find_recipient(e->config->users_file, name, &user)) {
	case USERDB_FOUND: return USER_IS_THERE;
	case USERDB_UNKNOWN: return USER_IS_MISSING;
	case USERDB_ERROR: break;
	}
	return USER_IS_DOUBTFUL;
}

static const char *user_words(enum alias_step_kind kind, enum user_state state)
{
	if (state == USER_IS_MISSING)
		return "NO SUCH USER: the mail is returned";
	if (state == USER_IS_DOUBTFUL)
		return "user, but the user database cannot be asked now";
	return kind == ALIAS_STEP_MAILBOX ? "user's own mailbox" : "user";
}

static bool is_user(const struct alias_step *step)
{
	return step->kind == ALIAS_STEP_USER || step->kind == ALIAS_STEP_MAILBOX;
}

static void note_status(struct expanding *e, const struct alias_step *step, enum user_state state)
{
	int status = kinds[step->kind].status;

	if (step->depth == 0 && state == USER_IS_MISSING)
		status = EX_NOUSER;
	e->status = e->status == EX_OK ? status : e->status;
}

/* ---- for people ---- */

static void print_place(const char *file, size_t line, const char *before, const char *after)
{
	if (!file)
		return;
	(void)fputs(before, stdout);
	print_safely(slice_of(file));
	(void)printf(":%zu%s", line, after);
}

static void print_name(const struct alias_step *step)
{
	bool is_command = step->kind == ALIAS_STEP_COMMAND, is_mailbox = step->kind == ALIAS_STEP_MAILBOX;

	(void)printf("%*s%s", (int)(2 * step->depth), "", is_command ? "|" : is_mailbox ? "\\" : "");
	print_safely(step->kind == ALIAS_STEP_USER && step->depth ? step->text : step->name);
	if (step->kind == ALIAS_STEP_ALIAS && !slice_eq_nocase(step->name, step->text)) {
		(void)fputs(" (", stdout);
		print_safely(step->text);
		(void)putchar(')');
	}
}

static void print_step(const struct alias_step *step, enum user_state state)
{
	print_name(step);
	(void)printf("  %s", is_user(step) ? user_words(step->kind, state) : kinds[step->kind].words);
	if (step->kind == ALIAS_STEP_ALIAS && !step->alias_file)
		(void)fputs(", which always exists", stdout);
	if (step->kind == ALIAS_STEP_ALIAS)
		print_place(step->alias_file, step->alias_line, " at ", "");
	if (step->owner.len) {
		(void)fputs("; its bounces go to ", stdout);
		print_safely(step->owner);
	}
	if (step->why)
		(void)printf(": %s", step->why);
	if (step->code)
		(void)printf(" with %d", step->code);
	if (step->is_own)
		(void)fputs(", named by its own alias", stdout);
	if (step->is_duplicate)
		(void)fputs("; was there already, and counts once", stdout);
	print_place(step->file, step->line, "  [", "]");
	(void)putchar('\n');
}

/* ---- JSON: an object in which "to" has the objects one deeper ---- */

static void close_down_to(struct expanding *e, unsigned depth)
{
	for (; e->depth > depth; e->depth--) {
		json_put_array_end(&e->json);
		json_put_object_end(&e->json);
	}
}

static void put_place(
	struct json *j, const char *file_name, const char *line_name, const char *file, size_t line)
{
	if (!file)
		return;
	json_put_text(j, file_name, slice_of(file));
	json_put_number(j, line_name, line);
}

static void put_step(struct expanding *e, const struct alias_step *step, enum user_state state)
{
	struct json *j = &e->json;

	close_down_to(e, step->depth);
	json_put_object(j, NULL);
	json_put_text(j, "kind", slice_of(kinds[step->kind].name));
	json_put_text(j, "name", step->name);
	json_put_text(j, "text", step->text);
	put_place(j, "file", "line", step->file, step->line);
	put_place(j, "entry_file", "entry_line", step->alias_file, step->alias_line);
	if (is_user(step) && state != USER_IS_DOUBTFUL)
		json_put_bool(j, "user_exists", state == USER_IS_THERE);
	if (step->owner.len)
		json_put_text(j, "owner", step->owner);
	if (step->why)
		json_put_text(j, "why", slice_of(step->why));
	if (step->code)
		json_put_number(j, "code", (uint64_t)step->code);
	json_put_bool(j, "duplicate", step->is_duplicate);
	json_put_array(j, "to");
	e->depth = step->depth + 1;
}

/* ---- all of it ---- */

static bool visit(const struct alias_step *step, void *user)
{
	struct expanding *e = user;
	enum user_state state = is_user(step) ? user_state(e, step->name) : USER_IS_THERE;

	note_status(e, step, state);
	if (e->as_json)
		put_step(e, step, state);
	else
		print_step(step, state);
	return buf_ok(&e->line);
}

int aliases_expand(const struct config *config, struct alias_files *files, const struct aliases_words *words)
{
	struct expanding e = { .config = config, .as_json = words->as_json, .line = BUF_INIT(JSON_MAX) };
	const struct alias_walk_request request = {
		.config = config, .files = files, .reads_lists = true, .visit = visit, .user = &e
	};

	e.json = (struct json)JSON_INIT(&e.line);
	if (!alias_walk(&request, slice_of(words->word))) {
		complain("%s: this is no address", words->word);
		return EX_DATAERR;
	}
	if (words->as_json) {
		close_down_to(&e, 0);
		if (buf_ok(&e.line))
			(void)printf("%.*s\n", SLICE_ARG(buf_slice(&e.line)));
		else
			complain("%s: expands to too much", words->word);
	}
	e.status = buf_ok(&e.line) ? e.status : EX_SOFTWARE;
	buf_free(&e.line);
	return e.status;
}
