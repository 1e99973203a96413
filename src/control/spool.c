/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool.c - postrider spool: a stopped spool is checked, shown, repaired; see commands.h, spool.h
 *
 * check and dump read only. Exit status: 0 all is well, 1 damage was found, others as in sysexits.
 */
#include "control/spool.h"
#include "control/commands.h"
#include <jansson.h>
#include <sysexits.h>

/* ---- telling of problems ---- */

/* What the administrator does about it. */
static const char *advice(enum spool_problem_kind kind)
{
	switch (kind) {
	case SPOOL_PROBLEM_TORN: return "normal after a crash: nobody had been promised it; nothing to do";
	case SPOOL_PROBLEM_ORPHAN: return "normal after a crash: the next start removes it; nothing to do";
	case SPOOL_PROBLEM_ORPHAN_KEPT: return "look at the file: it may be mail whose record was damaged";
	case SPOOL_PROBLEM_CORRUPT:
	case SPOOL_PROBLEM_SEGMENT_GONE:
		return "bring the file back from a copy if there is one; else run `postrider spool repair`";
	case SPOOL_PROBLEM_BODY_GONE:
		return "bring the file back from a copy, or tell the sender; `postrider spool repair` drops "
		       "the rest";
	case SPOOL_PROBLEM_CONTENT:
		return "tell the sender; `postrider spool repair` puts the damaged mail aside";
	case SPOOL_PROBLEM_WRITE:
	case SPOOL_PROBLEM_PREPARE:
	case SPOOL_PROBLEM_CHECKPOINT:
	case SPOOL_PROBLEM_RECLAIM: break;
	}
	return "see the log and the disk";
}

bool spool_problem_is_damage(const struct spool_problem *p)
{
	return p->kind != SPOOL_PROBLEM_TORN && p->kind != SPOOL_PROBLEM_ORPHAN;
}

void spool_file_of(const struct spool_problem *p, char *out, size_t size)
{
	bool is_body = p->kind == SPOOL_PROBLEM_BODY_GONE || p->kind == SPOOL_PROBLEM_ORPHAN ||
		p->kind == SPOOL_PROBLEM_ORPHAN_KEPT ||
		(p->kind == SPOOL_PROBLEM_CONTENT && p->generation == 0);

	if (is_body)
		(void)snprintf(out, size, "bodies/%016" PRIX64 ".body", p->id);
	else
		(void)snprintf(out, size, "log/%016" PRIX64 ".seg", p->generation);
}

static json_t *problem_json(const struct spool_problem *p, const char *file)
{
	return json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:s*, s:s*, s:s}", "problem",
		spool_problem_text(p->kind), "file", file, "is_damage", spool_problem_is_damage(p), "offset",
		(json_int_t)p->offset, "bytes", (json_int_t)p->bytes, "first_lsn", (json_int_t)p->first_lsn,
		"last_lsn", (json_int_t)p->last_lsn, "records_saved", (json_int_t)p->n_salvaged, "id",
		p->id ? queue_id_format(p->id).at : NULL, "error", p->error ? strerror(-p->error) : NULL,
		"advice", advice(p->kind));
}

static void problem_print(const struct spool_problem *p, const char *file)
{
	(void)printf("%s: %s\n    offset %" PRIu64 ", %" PRIu64 " bytes", file, spool_problem_text(p->kind),
		p->offset, p->bytes);
	if (p->last_lsn >= p->first_lsn && p->last_lsn)
		(void)printf(", records %" PRIu64 " to %" PRIu64 ", %zu of them saved", p->first_lsn,
			p->last_lsn, p->n_salvaged);
	if (p->id)
		(void)printf(", mail %s", queue_id_format(p->id).at);
	if (p->error)
		(void)printf(", %s", strerror(-p->error));
	(void)printf("\n    %s\n", advice(p->kind));
}

/* ---- check ---- */

struct check {
	size_t n_messages, n_problems, n_damages;
	json_t *problems; /* NULL: text */
};

static void on_problem(void *user, const struct spool_problem *p)
{
	struct check *c = user;
	char file[64];

	spool_file_of(p, file, sizeof(file));
	c->n_problems++;
	c->n_damages += spool_problem_is_damage(p);
	if (c->problems)
		(void)json_array_append_new(c->problems, problem_json(p, file));
	else
		problem_print(p, file);
}

static void on_message(
	void *user, const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts)
{
	struct check *c = user;

	(void)env;
	(void)rcpts;
	(void)n_rcpts;
	c->n_messages++;
}

int spool_fail(const char *dir, int error)
{
	switch (-error) {
	case EBUSY:
		complain("%s: a daemon has the spool open; `postrider stop` first", dir);
		return EX_TEMPFAIL;
	case EPROTONOSUPPORT:
		complain("%s: a later version of Postrider wrote it; use that version", dir);
		return EX_UNAVAILABLE;
	case ENOENT: complain("%s: there is no spool", dir); return EX_NOINPUT;
	case EACCES:
	case EPERM: complain("%s: %s; only root may do this", dir, strerror(-error)); return EX_NOPERM;
	default: complain("%s: %s", dir, strerror(-error)); return EX_IOERR;
	}
}

static int print_json(json_t *json)
{
	int r = json_dumpf(json, stdout, JSON_INDENT(1));

	json_decref(json);
	return r < 0 || putchar('\n') == EOF ? EX_IOERR : EX_OK;
}

static int check(const struct paths *paths, const struct spool_words *w)
{
	struct check c = { .problems = w->json ? json_array() : NULL };
	const struct spool_visitor visitor = {
		.message = on_message, .problem = on_problem, .verify_content = true
	};
	int r = spool_scan(paths->spool_dir, &visitor, &c);

	if (r < 0) {
		json_decref(c.problems);
		return spool_fail(paths->spool_dir, r);
	}
	if (c.problems) {
		if (print_json(json_pack("{s:I, s:I, s:o}", "messages", (json_int_t)c.n_messages, "damages",
			    (json_int_t)c.n_damages, "problems", c.problems)) != EX_OK)
			return EX_IOERR;
	} else {
		(void)printf("%zu messages, %zu problems, %zu of them damage\n", c.n_messages, c.n_problems,
			c.n_damages);
	}
	return c.n_damages ? SPOOL_EXIT_DAMAGE : EX_OK;
}

/* ---- dump ---- */

struct dump {
	const struct spool_words *words;
	size_t n_shown;
};

static const char *type_name(unsigned type)
{
	static const char *const names[] = { "?", "message", "expand", "result", "flags", "remove",
		"high-water" };

	return type < ARRAY_LEN(names) ? names[type] : "?";
}

static bool is_wanted(const struct dump *d, uint64_t id)
{
	return d->words->id == 0 || d->words->id == id;
}

static void dump_record(void *user, uint64_t generation, uint64_t offset, uint64_t lsn, uint64_t id,
	unsigned type, struct slice meta, uint64_t content_bytes)
{
	struct dump *d = user;

	if (!is_wanted(d, id))
		return;
	d->n_shown++;
	if (d->words->json)
		(void)printf(
			"{\"file\": \"log/%016" PRIX64 ".seg\", \"offset\": %" PRIu64 ", \"lsn\": %" PRIu64
			", \"id\": \"%s\", \"type\": \"%s\", \"fields\": %zu, \"content\": %" PRIu64 "}\n",
			generation, offset, lsn, queue_id_format(id).at, type_name(type), meta.len,
			content_bytes);
	else
		(void)printf("%016" PRIX64 "+%-9" PRIu64 " %12" PRIu64
			     "  %s  %-10s %6zu bytes of fields, %" PRIu64 " of content\n",
			generation, offset, lsn, id ? queue_id_format(id).at : "-              ",
			type_name(type), meta.len, content_bytes);
}

static void dump_problem(void *user, const struct spool_problem *p)
{
	char file[64];

	(void)user;
	if (!spool_problem_is_damage(p))
		return;
	spool_file_of(p, file, sizeof(file));
	complain("%s at %" PRIu64 ": %s", file, p->offset, spool_problem_text(p->kind));
}

static int dump(const struct paths *paths, const struct spool_words *w)
{
	struct dump d = { .words = w };
	const struct spool_visitor visitor = { .record = dump_record, .problem = dump_problem };
	int r;

	if (w->content)
		return spool_dump_content(paths, w->id);
	r = spool_scan(paths->spool_dir, &visitor, &d);
	if (r < 0)
		return spool_fail(paths->spool_dir, r);
	if (w->id && d.n_shown == 0) {
		complain("%s: the log has no record of it", queue_id_format(w->id).at);
		return EX_NOINPUT;
	}
	return EX_OK;
}

/* ---- the words ---- */

static const struct act {
	const char *word;
	bool takes_id, takes_json;
	int (*run)(const struct paths *paths, const struct spool_words *w);
} acts[] = {
	{ "check", false, true, check },
	{ "dump", true, true, dump },
	{ "repair", false, false, spool_repair },
};

static int parse_word(const struct act *act, const char *word, struct spool_words *w)
{
	if (strcmp(word, "--json") == 0 && act->takes_json) {
		w->json = true;
	} else if (strcmp(word, "--content") == 0 && act->takes_id) {
		w->content = true;
	} else if (!act->takes_id || word[0] == '-' || w->id) {
		return EX_USAGE;
	} else if (!queue_id_parse(slice_of(word), &w->id)) {
		complain("%s is no queue id", word);
		return EX_DATAERR;
	}
	return EX_OK;
}

int command_spool(const struct paths *paths, int n_words, char **words)
{
	for (size_t i = 0; n_words && i < ARRAY_LEN(acts); i++) {
		struct spool_words w = { 0 };
		int status = EX_OK;
		if (strcmp(words[0], acts[i].word) != 0)
			continue;
		for (int k = 1; k < n_words && status == EX_OK; k++)
			status = parse_word(&acts[i], words[k], &w);
		if (status == EX_OK && w.content && !w.id)
			status = EX_USAGE;
		return status == EX_OK ? acts[i].run(paths, &w) : status;
	}
	return EX_USAGE;
}
