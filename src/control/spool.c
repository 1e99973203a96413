/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool.c - postrider spool: a stopped spool is checked, shown, repaired; see commands.h, spool.h
 *
 * check and dump read only. Exit status: 0 all is well, 1 damage was found, others as in sysexits.
 */
#include "control/spool.h"
#include "control/commands.h"
#include "mail/json.h"
#include <sysexits.h>

#define LINE_MAX_BYTES 8192 /* of one problem or record as JSON */

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

static void problem_json(struct json *j, const struct spool_problem *p, const char *file)
{
	json_put_object(j, NULL);
	json_put_text(j, "problem", slice_of(spool_problem_text(p->kind)));
	json_put_text(j, "file", slice_of(file));
	json_put_bool(j, "is_damage", spool_problem_is_damage(p));
	json_put_number(j, "offset", p->offset);
	json_put_number(j, "bytes", p->bytes);
	json_put_number(j, "first_lsn", p->first_lsn);
	json_put_number(j, "last_lsn", p->last_lsn);
	json_put_number(j, "records_saved", p->n_salvaged);
	if (p->id)
		json_put_text(j, "id", slice_of(queue_id_format(p->id).at));
	if (p->error)
		json_put_text(j, "error", slice_of(strerror(-p->error)));
	json_put_text(j, "advice", slice_of(advice(p->kind)));
	json_put_object_end(j);
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
	bool writes_json;
	struct json json;
	struct buf out; /* of json, printed problem by problem */
};

static void check_print(struct check *c)
{
	(void)fwrite(c->out.at, 1, c->out.len, stdout); /* ferror() tells at the end */
	buf_clear(&c->out);
}

static void on_problem(void *user, const struct spool_problem *p)
{
	struct check *c = user;
	char file[SPOOL_PROBLEM_FILE];

	spool_problem_file(p, file);
	c->n_problems++;
	c->n_damages += spool_problem_is_damage(p);
	if (!c->writes_json) {
		problem_print(p, file);
		return;
	}
	problem_json(&c->json, p, file);
	check_print(c);
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

static void check_begin(struct check *c)
{
	c->json = JSON_INIT(&c->out);
	if (!c->writes_json)
		return;
	json_put_object(&c->json, NULL);
	json_put_array(&c->json, "problems");
}

static void check_end(struct check *c)
{
	if (!c->writes_json) {
		(void)printf("%zu messages, %zu problems, %zu of them damage\n", c->n_messages, c->n_problems,
			c->n_damages);
		return;
	}
	json_put_array_end(&c->json);
	json_put_number(&c->json, "messages", c->n_messages);
	json_put_number(&c->json, "damages", c->n_damages);
	json_put_object_end(&c->json);
	buf_append_byte(&c->out, '\n');
	check_print(c);
}

static int check(const struct paths *paths, const struct spool_words *w)
{
	struct check c = { .writes_json = w->json, .out = BUF_INIT(LINE_MAX_BYTES) };
	const struct spool_visitor visitor = {
		.message = on_message, .problem = on_problem, .verify_content = true
	};
	int r;

	check_begin(&c);
	r = spool_scan(paths->spool_dir, &visitor, &c);
	if (r == 0)
		check_end(&c);
	buf_free(&c.out);
	if (r < 0)
		return spool_fail(paths->spool_dir, r);
	if (fflush(stdout) == EOF || ferror(stdout))
		return EX_IOERR;
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

struct dumped {
	uint64_t generation, offset, lsn, id;
	unsigned type;
	size_t fields_bytes;
	uint64_t content_bytes;
};

static void dump_json(const struct dumped *r)
{
	auto_buf struct buf line = BUF_INIT(LINE_MAX_BYTES);
	struct json j = JSON_INIT(&line);
	char file[64];

	(void)snprintf(file, sizeof(file), "log/%016" PRIX64 ".seg", r->generation);
	json_put_object(&j, NULL);
	json_put_text(&j, "file", slice_of(file));
	json_put_number(&j, "offset", r->offset);
	json_put_number(&j, "lsn", r->lsn);
	json_put_text(&j, "id", slice_of(queue_id_format(r->id).at));
	json_put_text(&j, "type", slice_of(type_name(r->type)));
	json_put_number(&j, "fields", r->fields_bytes);
	json_put_number(&j, "content", r->content_bytes);
	json_put_object_end(&j);
	(void)printf("%.*s\n", SLICE_ARG(buf_slice(&line)));
}

static void dump_record(void *user, uint64_t generation, uint64_t offset, uint64_t lsn, uint64_t id,
	unsigned type, struct slice meta, uint64_t content_bytes)
{
	struct dump *d = user;

	if (!is_wanted(d, id))
		return;
	d->n_shown++;
	if (d->words->json)
		dump_json(&(struct dumped){ generation, offset, lsn, id, type, meta.len, content_bytes });
	else
		(void)printf("%016" PRIX64 "+%-9" PRIu64 " %12" PRIu64
			     "  %s  %-10s %6zu bytes of fields, %" PRIu64 " of content\n",
			generation, offset, lsn, id ? queue_id_format(id).at : "-              ",
			type_name(type), meta.len, content_bytes);
}

static void dump_problem(void *user, const struct spool_problem *p)
{
	char file[SPOOL_PROBLEM_FILE];

	(void)user;
	if (!spool_problem_is_damage(p))
		return;
	spool_problem_file(p, file);
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
	return unknown_word("spool", n_words, words, "");
}
