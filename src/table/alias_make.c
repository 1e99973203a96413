/* SPDX-License-Identifier: Apache-2.0 */
/* alias_make.c - see alias_make.h */
#include "table/alias_make.h"
#include "table/alias_audit.h"
#include <sysexits.h>

static bool is_permission(int error)
{
	return error == EACCES || error == EPERM;
}

int alias_made_explain(const struct alias_made_file *file, const char *command, FILE *to)
{
	const char *source = file->places.source, *why = strerror(file->result.error);
	bool is_refused = is_permission(file->result.error);

	switch (file->outcome) {
	case ALIAS_INSTALL_DONE: return EX_OK;
	case ALIAS_INSTALL_NO_SOURCE:
		(void)fprintf(to, "%s: there is no such file; create it (see aliases(5))\n", source);
		return EX_NOINPUT;
	case ALIAS_INSTALL_SOURCE_UNREADABLE:
		(void)fprintf(to, "%s: cannot be read: %s%s%s%s\n", source, why, is_refused ? "; run " : "",
			is_refused ? command : "", is_refused ? " as root" : "");
		return is_refused ? EX_NOPERM : EX_NOINPUT;
	case ALIAS_INSTALL_SOURCE_CHANGING:
		(void)fprintf(to, "%s: is being written to; run %s again\n", source, command);
		return EX_TEMPFAIL;
	case ALIAS_INSTALL_NOTHING_USABLE:
		(void)fprintf(to,
			"%s: no entry can be used, so %s stays as it was; correct the lines above\n", source,
			file->places.beside);
		return EX_DATAERR;
	case ALIAS_INSTALL_CANNOT_WRITE:
		(void)fprintf(to, "%s: cannot be written: %s%s%s%s\n", file->places.beside, why,
			is_refused ? "; run " : "", is_refused ? command : "", is_refused ? " as root" : "");
		return is_refused ? EX_NOPERM : EX_CANTCREAT;
	case ALIAS_INSTALL_FAILED: break;
	}
	(void)fprintf(to, "%s: cannot be built: %s\n", file->places.beside, why);
	return EX_OSERR;
}

/* Where the files are and a table for each. */
static bool find_files(
	const struct alias_make_request *request, struct alias_made *made, struct alias_files *tables)
{
	struct alias_places *places = &made->files[0].places;

	*tables = (struct alias_files){ .n = 0 };
	if (request->file) {
		if (!alias_files_place_named(request->config, request->file, places))
			return false;
		made->n = 1;
	} else {
		while (made->n < LIMIT_ALIAS_FILES &&
			alias_files_places(request->config, made->n, &made->files[made->n].places))
			made->n++;
	}
	for (; tables->n < made->n; tables->n++)
		tables->tables[tables->n] = alias_table_new(&made->files[tables->n].places);
	return made->n > 0;
}

/* What the checks of one file report and ask goes to two places. */
struct listener {
	struct alias_findings *findings;
	struct alias_audit *audit;
};

static void hear_problem(const struct alias_problem *p, void *user)
{
	const struct listener *l = user;

	alias_findings_add(p, l->findings);
}

static void hear_question(const struct alias_question *q, void *user)
{
	const struct listener *l = user;

	alias_audit_ask(q, l->audit);
}

static void make_one(const struct alias_make_request *request, struct alias_made *made,
	struct alias_files *tables, size_t number, struct alias_audit *audit)
{
	struct alias_made_file *file = &made->files[number];
	struct listener listener = { .findings = &made->findings, .audit = audit };
	struct alias_files earlier = *tables;
	const struct alias_install in = { .places = file->places,
		.config = request->config,
		.only_check = request->only_check,
		.table = tables->tables[number],
		.earlier = number ? &earlier : NULL,
		.more_follow = request->file || number + 1 < made->n,
		.report = hear_problem,
		.ask = hear_question,
		.max_questions = request->asks_all ? SIZE_MAX : ALIAS_AUDIT_QUESTIONS,
		.user = &listener };

	earlier.n = number;
	audit->file = file->places.source;
	file->outcome = alias_install(&in, &file->result);
	if (file->outcome != ALIAS_INSTALL_DONE)
		(void)alias_table_refresh(tables->tables[number]); /* the old one is what mail goes by */
}

bool alias_make(const struct alias_make_request *request, struct alias_made *out)
{
	struct alias_files tables;
	struct alias_audit audit = ALIAS_AUDIT_INIT;
	bool is_found;

	*out = (struct alias_made){ .findings = ALIAS_FINDINGS_INIT };
	is_found = find_files(request, out, &tables);
	audit.config = request->config;
	audit.files = &tables;
	audit.is_whole = !request->file;
	audit.limit_ms = request->asks_all ? 0 : ALIAS_AUDIT_MS;
	audit.report = alias_findings_add;
	audit.user = &out->findings;
	for (size_t i = 0; i < out->n; i++)
		alias_findings_file(&out->findings, out->files[i].places.source);
	for (size_t i = 0; i < out->n; i++)
		make_one(request, out, &tables, i, &audit);
	alias_audit_run(&audit);
	alias_audit_deinit(&audit);
	alias_files_deinit(&tables);
	alias_findings_sort(&out->findings);
	return is_found;
}

void alias_made_deinit(struct alias_made *made)
{
	alias_findings_deinit(&made->findings);
}
