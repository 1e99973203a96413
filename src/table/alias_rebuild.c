/* SPDX-License-Identifier: Apache-2.0 */
/* alias_rebuild.c - see alias_rebuild.h */
#include "table/alias_rebuild.h"
#include "base/limits.h"
#include "base/userdb.h"
#include "table/alias_files.h"
#include "table/alias_install.h"
#include <sysexits.h>

#define EMPTY_DIR "/run/postrider/empty"

static const struct jail builder_jail = { .empty_root = true };

/* The one line that is printed: the first problem, and how many there are. */
struct complaint {
	char text[LIMIT_LOG_LINE];
};

static void remember_first(const struct alias_problem *p, void *user)
{
	struct complaint *c = user;

	if (!*c->text)
		(void)snprintf(c->text, sizeof(c->text), ":%zu: %.*s", p->line, SLICE_ARG(p->text));
}

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
static bool is_current(const struct alias_places *places)
{
	struct alias_table *t = alias_table_new(places);
	bool is_ready = alias_table_refresh(t) == ALIAS_TABLE_READY;
	struct alias_meta meta = is_ready ? *alias_table_meta(t) : (struct alias_meta){ 0 };
	struct alias_source_id source;
	struct stat st;

	alias_table_free(&t);
	if (!is_ready || meta.n_problems || stat(places->source, &st) < 0)
		return false;
	alias_source_id_of(&st, &source);
	return alias_source_id_equal(&meta.source, &source);
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

static int finish(const char *source, enum alias_install_outcome outcome,
	const struct alias_install_result *result, const struct complaint *c)
{
	size_t n_more = result->summary.n_problems > 1 ? result->summary.n_problems - 1 : 0;
	int status = endings[outcome].status;

	if (status)
		printf("%s: %s%s%s; the old table stays in use%s%s\n", source, endings[outcome].text,
			result->error && !*c->text ? ": " : "",
			result->error && !*c->text ? strerror(result->error) : "", *c->text ? "; " : "",
			*c->text ? c->text + 1 : "");
	else if (*c->text)
		printf("%s%s", source, c->text);
	if (!status && *c->text && n_more)
		printf(" (and %zu more; newaliases shows all)", n_more);
	if (!status && *c->text)
		printf("\n");
	return fflush(stdout) == 0 ? status : EX_IOERR;
}

static int rebuild_file(const struct config *config, const struct alias_places *places)
{
	struct complaint complaint = { "" };
	struct alias_install in = {
		.places = *places, .config = config, .report = remember_first, .user = &complaint
	};
	struct alias_install_result result = { 0 };
	struct jail_request jail;
	enum alias_install_outcome outcome;

	if (is_current(places))
		return 0;
	in.jail = jail_init(config, &jail) ? &jail : NULL;
	outcome = in.jail ? alias_install(&in, &result) : ALIAS_INSTALL_FAILED;
	return finish(places->source, outcome, &result, &complaint);
}

int alias_rebuild_main(int argc, char **argv)
{
	struct config *config = find_config(argc, argv);
	struct alias_places places;
	int status = EX_CONFIG;

	for (size_t i = 0; config && alias_files_places(config, i, &places); i++) {
		int r = rebuild_file(config, &places);
		status = i == 0 || status == 0 ? r : status;
	}
	config_free(&config);
	return status;
}
