/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aliases.c - postrider aliases: check, query, expand, build; see commands.h
 *
 * Needs no daemon and no rights but those to read the files: check reads the texts, query and expand the
 * tables that mail goes by.
 */
#include "control/aliases.h"
#include "base/limits.h"
#include "control/commands.h"
#include "mail/aliases_text.h"
#include "mail/json.h"
#include "table/alias_make.h"
#include <sysexits.h>

/* ---- check, build ---- */

static void print_as_json(const struct alias_problem *p)
{
	auto_buf struct buf line = BUF_INIT(2 * LIMIT_LOG_LINE + PATH_MAX);
	struct json j = JSON_INIT(&line);

	json_put_object(&j, NULL);
	json_put_text(&j, "file", slice_of(p->file));
	json_put_number(&j, "line", p->line);
	json_put_text(&j, "severity", slice_of(alias_severity_name(alias_problem_severity(p->kind))));
	json_put_text(&j, "kind", slice_of(alias_problem_name(p->kind)));
	json_put_text(&j, "text", p->text);
	json_put_object_end(&j);
	(void)printf("%.*s\n", SLICE_ARG(buf_slice(&line)));
}

/* Errors make the exit status 65; a file that cannot be used at all has its own. */
static int tell_made(const struct alias_made *made, const struct aliases_words *words, const char *command)
{
	int status = EX_OK;

	for (size_t i = 0; i < alias_findings_count(&made->findings); i++) {
		struct alias_problem p = alias_findings_get(&made->findings, i);
		if (words->as_json)
			print_as_json(&p);
		else
			alias_problem_print(&p, stdout);
	}
	(void)fflush(stdout); /* before what goes to the other stream */
	for (size_t i = 0; i < made->n; i++) {
		int r = alias_made_explain(&made->files[i], command, stderr);
		status = status == EX_OK ? r : status;
	}
	return status == EX_OK && made->findings.n[ALIAS_ERROR] ? EX_DATAERR : status;
}

static int make(const struct config *config, const struct aliases_words *words, bool only_check)
{
	const struct alias_make_request request = {
		.config = config, .file = words->word, .only_check = only_check, .asks_all = only_check
	};
	struct alias_made made;
	int status = EX_USAGE;

	if (alias_make(&request, &made))
		status = tell_made(&made, words, only_check ? "it" : "postrider aliases build");
	else
		complain("%s: the name is too long", words->word ? words->word : "aliases.file");
	alias_made_deinit(&made);
	return status;
}

static int run_check(const struct config *config, const struct aliases_words *words)
{
	return make(config, words, true);
}

/* As newaliases: what is wrong with single entries is no failure. */
static int run_build(const struct config *config, const struct aliases_words *words)
{
	int status = make(config, words, false);

	return status == EX_DATAERR ? EX_OK : status;
}

/* ---- query ---- */

/* Says what the tables are not: there, or made from the files as they are. */
static void tell_state(struct alias_table *t)
{
	enum alias_table_state state = alias_table_refresh(t);
	const struct alias_places *places = alias_table_places(t);
	const struct alias_meta *meta = alias_table_meta(t);
	struct alias_source_id source;
	struct stat st;

	if (state != ALIAS_TABLE_READY) {
		complain("%s: %s", state == ALIAS_TABLE_NO_SOURCE ? places->source : places->beside,
			alias_table_state_text(state));
		return;
	}
	if (stat(places->source, &st) < 0)
		return;
	alias_source_id_of(&st, &source);
	if (!alias_source_id_equal(&source, &meta->source))
		complain("%s: was changed, and the table in use is older: run newaliases, which tells why if "
			 "postriderd does not take the change up by itself",
			places->source);
}

static void print_value(const struct alias_value *v, const struct aliases_words *words)
{
	auto_buf struct buf line = BUF_INIT(2 * LIMIT_ALIAS_LINE);
	struct json j = JSON_INIT(&line);

	if (!words->as_json) {
		(void)printf("%.*s\n", SLICE_ARG(slice_trim(v->text)));
		return;
	}
	json_put_object(&j, NULL);
	json_put_text(&j, "key", slice_of(words->word));
	json_put_text(&j, "file", slice_of(v->file));
	json_put_number(&j, "line", v->line);
	json_put_text(&j, "value", slice_trim(v->text));
	json_put_object_end(&j);
	(void)printf("%.*s\n", SLICE_ARG(buf_slice(&line)));
}

static int query(struct alias_files *files, const struct aliases_words *words)
{
	auto_buf struct buf key = BUF_INIT(LIMIT_ALIAS_LINE);
	struct alias_value value;

	aliases_key_append(slice_of(words->word), &key);
	switch (alias_files_find(files, buf_slice(&key), &value)) {
	case ALIAS_FOUND: print_value(&value, words); return EX_OK;
	case ALIAS_NONE: complain("%s: there is no such alias", words->word); return EX_NOUSER;
	case ALIAS_BROKEN: break;
	}
	return EX_UNAVAILABLE; /* why was told */
}

static int with_tables(const struct config *config, const struct aliases_words *words,
	int (*run)(const struct config *config, struct alias_files *files, const struct aliases_words *words))
{
	struct alias_files files;
	int status;

	if (!alias_files_init(&files, config)) {
		complain("aliases.file: too many files, or a name that is too long");
		return EX_CONFIG;
	}
	for (size_t i = 0; i < files.n; i++)
		tell_state(files.tables[i]);
	status = run(config, &files, words);
	alias_files_deinit(&files);
	return status;
}

static int query_tables(
	const struct config *config, struct alias_files *files, const struct aliases_words *words)
{
	(void)config;
	return query(files, words);
}

static int run_query(const struct config *config, const struct aliases_words *words)
{
	return with_tables(config, words, query_tables);
}

static int run_expand(const struct config *config, const struct aliases_words *words)
{
	return with_tables(config, words, aliases_expand);
}

/* ---- the command line ---- */

static const struct action {
	const char *name;
	int n_min, n_max; /* words besides --json */
	bool has_json;
	int (*run)(const struct config *config, const struct aliases_words *words);
} actions[] = {
	{ "check", 0, 1, true, run_check },
	{ "query", 1, 1, true, run_query },
	{ "expand", 1, 1, true, run_expand },
	{ "build", 0, 1, false, run_build },
};

static bool take_words(const struct action *a, int n, char **words, struct aliases_words *out)
{
	int n_taken = 0;
	bool only_words = false;

	*out = (struct aliases_words){ .as_json = false };
	for (int i = 0; i < n; i++) {
		if (!only_words && strcmp(words[i], "--") == 0)
			only_words = true;
		else if (!only_words && a->has_json && strcmp(words[i], "--json") == 0)
			out->as_json = true;
		else if (!only_words && words[i][0] == '-')
			return false;
		else if (n_taken++ == 0)
			out->word = words[i];
	}
	return n_taken >= a->n_min && n_taken <= a->n_max;
}

int command_aliases(const struct paths *paths, int n_words, char **words)
{
	struct aliases_words taken;
	struct config *config;

	for (size_t i = 0; n_words > 0 && i < ARRAY_LEN(actions); i++) {
		if (strcmp(words[0], actions[i].name) != 0)
			continue;
		if (!take_words(&actions[i], n_words - 1, words + 1, &taken))
			return EX_USAGE;
		config = config_load(paths);
		int status = config ? actions[i].run(config, &taken) : EX_CONFIG; /* what is wrong was said */
		config_free(&config);
		return status;
	}
	return unknown_word("aliases", n_words, words, "");
}
