/* SPDX-License-Identifier: Apache-2.0 */
/* alias_audit.c - see alias_audit.h */
#include "table/alias_audit.h"
#include "base/clock.h"
#include "base/userdb.h"
#include "base/writer.h"
#include "table/alias_include.h"
#include "table/alias_match.h"
#include "table/alias_walk.h"

struct asked {
	enum alias_question_kind kind;
	const char *file;
	size_t line, key_len, text_len;
};
struct run {
	struct alias_audit *audit;
	uint64_t deadline_ms;
	bool is_over; /* no more users are asked for */
};

void alias_audit_deinit(struct alias_audit *a)
{
	buf_free(&a->questions);
}

void alias_audit_ask(const struct alias_question *q, void *audit)
{
	struct alias_audit *a = audit;
	const struct asked asked = { .kind = q->kind,
		.file = a->file,
		.line = q->line,
		.key_len = q->key.len,
		.text_len = q->text.len };

	if (!buf_reserve(&a->questions, sizeof(asked) + q->key.len + q->text.len))
		return;
	buf_append(&a->questions, (struct slice){ (const char *)&asked, sizeof(asked) });
	buf_append(&a->questions, q->key);
	buf_append(&a->questions, q->text);
}

static void tell(struct run *r, enum alias_problem_kind kind, const char *file, size_t line, const char *fmt,
	...) PRINTF_LIKE(5, 6);
static void tell(
	struct run *r, enum alias_problem_kind kind, const char *file, size_t line, const char *fmt, ...)
{
	const struct alias_problem problem = { .kind = kind, .file = file, .line = line };
	va_list args;

	va_start(args, fmt);
	alias_problem_vtell(&problem, r->audit->report, r->audit->user, fmt, args);
	va_end(args);
}

/* ---- users ---- */

static void stop_asking(struct run *r, const char *file, const char *why)
{
	r->is_over = true;
	tell(r, ALIAS_PROBLEM_UNASKED, file, 0, "not all names were looked up: %s", why);
}

static enum userdb_outcome find_user(struct run *r, struct slice name, struct userdb_user *out)
{
	return userdb_find_recipient(r->audit->config->users_file, name, out);
}

static bool is_alias(struct run *r, struct slice name)
{
	struct alias_match match;

	alias_match_local(alias_files_find, r->audit->files, slice_of(r->audit->config->aliases_delimiter),
		name, &match);
	return match.status != ALIAS_NONE;
}

/* In another file the name may be an alias: then it is none of the user database's business. */
static void answer_user(struct run *r, const struct asked *q, struct slice key, struct slice name)
{
	struct userdb_user user;

	if (r->is_over || (q->kind == ALIAS_ASK_USER && is_alias(r, name)))
		return;
	if (clock_mono_ms() > r->deadline_ms) {
		stop_asking(r, q->file, "it takes too long; `postrider aliases check` takes its time");
		return;
	}
	switch (find_user(r, name, &user)) {
	case USERDB_FOUND: return;
	case USERDB_ERROR: stop_asking(r, q->file, "the user database cannot be asked now"); return;
	case USERDB_UNKNOWN: break;
	}
	tell(r, ALIAS_PROBLEM_USER, q->file, q->line,
		"\"%.*s\", a recipient of \"%.*s\", is neither an alias nor a user: its mail is returned; "
		"correct "
		"the name or take it out",
		SLICE_ARG(name), SLICE_ARG(key));
}

/* ---- lists ---- */

static void answer_include(struct run *r, const struct asked *q, struct slice key, struct slice path)
{
	auto_free char *name = slice_dup(path);
	const char *why = alias_include_why(name);

	if (why)
		tell(r, ALIAS_PROBLEM_INCLUDE, q->file, q->line,
			":include:%s: %s; until then mail to \"%.*s\" waits", name, why, SLICE_ARG(key));
}

static void answer_all(struct run *r)
{
	struct slice rest = buf_slice(&r->audit->questions);
	struct asked q;

	while (rest.len >= sizeof(q)) {
		struct slice key, text;
		memcpy(&q, rest.at, sizeof(q));
		rest = slice_from(rest, sizeof(q));
		key = slice_first(rest, q.key_len);
		text = slice_first(slice_from(rest, q.key_len), q.text_len);
		rest = slice_from(rest, q.key_len + q.text_len);
		if (q.kind == ALIAS_ASK_INCLUDE)
			answer_include(r, &q, key, text);
		else
			answer_user(r, &q, key, text);
	}
}

/* ---- root's mail ---- */

/* What is known about who reads it. */
struct readers {
	struct run *run;
	bool has_reader; /* or perhaps one: then nothing is said */
	const char *file;
	size_t line; /* of root's entry */
	struct buf names;
};

static bool may_log_in(const struct userdb_user *user)
{
	static const char *const refusing[] = { "nologin", "false", "sync", "halt", "shutdown" };
	const char *slash = strrchr(user->shell, '/'), *shell = slash ? slash + 1 : user->shell;

	for (size_t i = 0; i < ARRAY_LEN(refusing); i++)
		if (strcmp(shell, refusing[i]) == 0)
			return false;
	return true;
}

static void note_reader(struct readers *readers, struct slice name)
{
	struct userdb_user user;
	enum userdb_outcome found = find_user(readers->run, name, &user);

	readers->has_reader |= found == USERDB_ERROR || (found == USERDB_FOUND && may_log_in(&user));
	if (!readers->has_reader)
		buf_printf(&readers->names, "%s%.*s (%s)", readers->names.len ? ", " : "", SLICE_ARG(name),
			found == USERDB_FOUND ? "cannot log in" : "no such user");
}

static bool visit_for_readers(const struct alias_step *step, void *user)
{
	struct readers *readers = user;

	switch (step->kind) {
	case ALIAS_STEP_ALIAS:
		if (step->depth == 0) {
			readers->file = step->alias_file;
			readers->line = step->alias_line;
		}
		break;
	case ALIAS_STEP_USER:
	case ALIAS_STEP_MAILBOX:
		if (!step->is_duplicate && readers->file)
			note_reader(readers, step->name);
		break;
	case ALIAS_STEP_REMOTE:
	case ALIAS_STEP_FILE:
	case ALIAS_STEP_DIRECTORY:
	case ALIAS_STEP_COMMAND:
	case ALIAS_STEP_LIST:
	case ALIAS_STEP_LOOP: /* was told as that */
	case ALIAS_STEP_DEEP:
	case ALIAS_STEP_BROKEN: readers->has_reader = true; break;
	case ALIAS_STEP_FAIL:
	case ALIAS_STEP_DEFER:
	case ALIAS_STEP_DISCARD:
	case ALIAS_STEP_ERROR:
	case ALIAS_STEP_NOTHING:
	case ALIAS_STEP_COUNT: break;
	}
	return !readers->has_reader;
}

static void check_root(struct run *r)
{
	struct readers readers = { .run = r, .names = BUF_INIT(600) };
	const struct alias_walk_request request = { .config = r->audit->config,
		.files = r->audit->files,
		.visit = visit_for_readers,
		.user = &readers };
	bool is_address = alias_walk(&request, SLICE("root"));

	CHECK(is_address);
	if (!readers.has_reader && !readers.file)
		tell(r, ALIAS_PROBLEM_ROOT, alias_table_places(r->audit->files->tables[0])->source, 0,
			"nobody may read the mail for root: there is no alias \"root\"; add a line \"root: "
			"NAME\" "
			"with who is to read it, or \"root: root\" when root does");
	else if (!readers.has_reader)
		tell(r, ALIAS_PROBLEM_ROOT, readers.file, readers.line,
			"nobody reads the mail for root: %.*s; name somebody who does",
			SLICE_ARG(readers.names.len ? buf_slice(&readers.names)
						    : SLICE("it is discarded or refused")));
	buf_free(&readers.names);
}

/* ---- modes ---- */

static void check_modes(struct run *r, const char *source)
{
	struct file_writer writer;

	if (!file_other_writer(source, &writer))
		return;
	if (writer.is_directory)
		tell(r, ALIAS_PROBLEM_MODE, source, 0,
			"%s may write the directory %s, and so get root's mail: %s %s", writer.who,
			writer.where, writer.mend, writer.where);
	else
		tell(r, ALIAS_PROBLEM_MODE, source, 0, "%s may write it, and so get root's mail: %s %s",
			writer.who, writer.mend, writer.where);
}

static bool has_table(const struct alias_files *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (alias_table_meta(f->tables[i]))
			return true;
	return false;
}

void alias_audit_run(struct alias_audit *a)
{
	struct run r = { .audit = a,
		.deadline_ms = a->limit_ms ? clock_mono_ms() + a->limit_ms : UINT64_MAX };

	for (size_t i = 0; i < a->files->n; i++)
		check_modes(&r, alias_table_places(a->files->tables[i])->source);
	answer_all(&r);
	if (a->is_whole && has_table(a->files))
		check_root(&r);
}
