/* SPDX-License-Identifier: Apache-2.0 */
/* alias_rebuild.c - see alias_rebuild.h */
#include "table/alias_rebuild.h"
#include "base/userdb.h"
#include "table/alias_audit.h"
#include "table/alias_findings.h"
#include "table/alias_install.h"
#include <sysexits.h>

#define EMPTY_DIR "/run/postrider/empty"

#define LINES_MAX 20 /* of what is wrong; newaliases shows all */

static const struct jail builder_jail = { .empty_root = true };
static const struct jail audit_jail = { .no_filter = true }; /* NSS modules are foreign code */

struct rebuild {
	const struct config *config;
	struct alias_files files;
	struct alias_audit audit;
	struct alias_findings findings;
	struct jail_request jail;
	bool has_jail;
	size_t n_built;
};

/* ---- start ---- */

static struct config *find_config(int argc, char **argv)
{
	const char *sandbox = NULL;
	struct paths paths;
	struct config *config;

	for (int i = 1; i < argc; i++) {
		struct slice a = slice_of(argv[i]);
		if (slice_skip_prefix_nocase(&a, SLICE("--sandbox=")))
			sandbox = a.at;
	}
	if (!paths_init(&paths, sandbox))
		return NULL;
	config = config_load(&paths);
	if (!config)
		printf("%s: has a mistake, so the alias table is not rebuilt; see `postrider config check`\n",
			paths.config_file);
	return config;
}

/* Nothing to do: the table was made from the source as it is, and nothing was wrong with it. */
static bool is_current(struct alias_table *t)
{
	bool is_ready = alias_table_refresh(t) == ALIAS_TABLE_READY;
	const struct alias_meta *meta = alias_table_meta(t);
	struct alias_source_id source;
	struct stat st;

	if (!is_ready || meta->n_problems || stat(alias_table_places(t)->source, &st) < 0)
		return false;
	alias_source_id_of(&st, &source);
	return alias_source_id_equal(&meta->source, &source);
}

/* Whom the parser becomes. False: the user that it should become does not exist. */
static bool jail_init(const struct config *config, struct jail_request *jail)
{
	struct userdb_user user;

	*jail = (struct jail_request){
		.jail = &builder_jail, .uid = (uid_t)-1, .gid = (gid_t)-1, .filter = config->security_sandbox
	};
	if (geteuid() != 0 || *config->paths.sandbox)
		return true;
	if (userdb_find(NULL, slice_of(config->security_lookup_user), &user) != USERDB_FOUND || user.uid == 0)
		return false;
	jail->uid = user.uid;
	jail->gid = user.gid;
	jail->empty_dir = access(EMPTY_DIR, X_OK) == 0 ? EMPTY_DIR : NULL;
	return true;
}

/* ---- the end ---- */

static const struct {
	int status;
	const char *text;
} endings[] = {
	[ALIAS_INSTALL_DONE] = { 0, "" },
	[ALIAS_INSTALL_NO_SOURCE] = { 0, "" },
	[ALIAS_INSTALL_SOURCE_UNREADABLE] = { EX_NOINPUT, "cannot be read" },
	[ALIAS_INSTALL_SOURCE_CHANGING] = { EX_TEMPFAIL, "is being written to" },
	[ALIAS_INSTALL_NOTHING_USABLE] = { EX_DATAERR, "no entry can be used" },
	[ALIAS_INSTALL_CANNOT_WRITE] = { EX_CANTCREAT, "the table cannot be written" },
	[ALIAS_INSTALL_FAILED] = { EX_OSERR, "the table cannot be built" },
};

/* The table is what it was. */
static void print_ending(
	const struct rebuild *r, const char *source, enum alias_install_outcome outcome, int error)
{
	struct alias_problem p = { .text = SLICE_EMPTY };

	for (size_t i = 0; i < alias_findings_count(&r->findings) && p.text.len == 0; i++)
		if (strcmp(alias_findings_get(&r->findings, i).file, source) == 0)
			p = alias_findings_get(&r->findings, i);
	printf("%s: %s", source, endings[outcome].text);
	if (p.text.len)
		printf("; %zu: %.*s", p.line, SLICE_ARG(p.text));
	else if (error)
		printf(": %s", strerror(error));
	printf("; the old table stays in use\n");
}

static void print_findings(const struct alias_findings *f)
{
	size_t n_lines = 0, n_left = 0;

	for (size_t i = 0; i < alias_findings_count(f); i++) {
		struct alias_problem p = alias_findings_get(f, i);
		if (alias_problem_severity(p.kind) == ALIAS_NOTE)
			continue;
		if (n_lines++ < LINES_MAX)
			alias_problem_print(&p, stdout);
		else
			n_left++;
	}
	if (n_left)
		printf("and %zu more; newaliases shows all\n", n_left);
}

/* ---- one file, then all ---- */

static void hear_problem(const struct alias_problem *p, void *user)
{
	struct rebuild *r = user;

	alias_findings_add(p, &r->findings);
}

static void hear_question(const struct alias_question *q, void *user)
{
	struct rebuild *r = user;

	alias_audit_ask(q, &r->audit);
}

static enum alias_install_outcome rebuild_file(struct rebuild *r, size_t number, int *error_out)
{
	struct alias_table *table = r->files.tables[number];
	struct alias_files earlier = r->files;
	const struct alias_install in = { .places = *alias_table_places(table),
		.config = r->config,
		.jail = &r->jail,
		.table = table,
		.earlier = number ? &earlier : NULL,
		.more_follow = number + 1 < r->files.n,
		.report = hear_problem,
		.ask = hear_question,
		.max_questions = ALIAS_AUDIT_QUESTIONS,
		.user = r };
	struct alias_install_result result = { 0 };
	enum alias_install_outcome outcome = ALIAS_INSTALL_DONE;

	earlier.n = number;
	if (is_current(table))
		return outcome;
	r->audit.file = alias_table_places(table)->source;
	outcome = r->has_jail ? alias_install(&in, &result) : ALIAS_INSTALL_FAILED;
	r->n_built += outcome == ALIAS_INSTALL_DONE;
	if (outcome == ALIAS_INSTALL_NO_SOURCE && alias_table_refresh(table) == ALIAS_TABLE_READY)
		outcome = ALIAS_INSTALL_SOURCE_UNREADABLE; /* its table stays in use, perhaps for ever */
	*error_out = result.error;
	return outcome;
}

/* Without root's rights, since it asks foreign code. */
static void audit(struct rebuild *r)
{
	struct jail_request request = r->jail;

	request.jail = &audit_jail;
	request.empty_dir = NULL;
	if (r->n_built && jail_enter(&request) >= 0)
		alias_audit_run(&r->audit);
}

static int rebuild_all(struct rebuild *r)
{
	enum alias_install_outcome outcomes[LIMIT_ALIAS_FILES] = { 0 };
	int errors[LIMIT_ALIAS_FILES] = { 0 }, status = 0;

	for (size_t i = 0; i < r->files.n; i++)
		alias_findings_file(&r->findings, alias_table_places(r->files.tables[i])->source);
	for (size_t i = 0; i < r->files.n; i++)
		outcomes[i] = rebuild_file(r, i, &errors[i]);
	audit(r);
	alias_findings_sort(&r->findings);
	for (size_t i = 0; i < r->files.n; i++) {
		int failed = endings[outcomes[i]].status;
		if (failed)
			print_ending(
				r, alias_table_places(r->files.tables[i])->source, outcomes[i], errors[i]);
		status = status ? status : failed;
	}
	print_findings(&r->findings);
	return fflush(stdout) == 0 ? status : EX_IOERR;
}

int alias_rebuild_main(int argc, char **argv)
{
	struct config *config = find_config(argc, argv);
	struct rebuild r = { .config = config, .audit = ALIAS_AUDIT_INIT, .findings = ALIAS_FINDINGS_INIT };
	int status = EX_CONFIG;

	if (config && alias_files_init(&r.files, config)) {
		r.has_jail = jail_init(config, &r.jail);
		r.audit.config = config;
		r.audit.files = &r.files;
		r.audit.is_whole = true;
		r.audit.limit_ms = ALIAS_AUDIT_MS;
		r.audit.report = alias_findings_add;
		r.audit.user = &r.findings;
		status = rebuild_all(&r);
	}
	alias_audit_deinit(&r.audit);
	alias_findings_deinit(&r.findings);
	alias_files_deinit(&r.files);
	config_free(&config);
	return status;
}
