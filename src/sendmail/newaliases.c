/* SPDX-License-Identifier: Apache-2.0 */
/* newaliases.c - see newaliases.h */
#include "sendmail/newaliases.h"
#include "config/config.h"
#include "table/alias_files.h"
#include "table/alias_install.h"
#include <sys/stat.h>
#include <sysexits.h>

static void print_problem(const struct alias_problem *p, void *user)
{
	const char *file = user;

	if (p->line)
		(void)fprintf(stderr, "%s:%zu: %.*s\n", file, p->line, SLICE_ARG(p->text));
	else
		(void)fprintf(stderr, "%s: %.*s\n", file, SLICE_ARG(p->text));
}

/* Who writes there gets root's mail, and runs commands. */
static void complain_of_writers(const char *source)
{
	struct stat st;

	if (stat(source, &st) == 0 && st.st_mode & S_IWOTH)
		(void)fprintf(stderr, "%s: may be written by everybody: chmod o-w\n", source);
}

static bool is_permission(int error)
{
	return error == EACCES || error == EPERM;
}

/* The message and exit status for each way it can end. */
static int finish(const struct alias_install *in, enum alias_install_outcome outcome,
	const struct alias_install_result *result)
{
	const char *source = in->places.source, *why = strerror(result->error);

	switch (outcome) {
	case ALIAS_INSTALL_DONE: return EX_OK;
	case ALIAS_INSTALL_NO_SOURCE:
		(void)fprintf(stderr, "%s: there is no such file; create it (see aliases(5))\n", source);
		return EX_NOINPUT;
	case ALIAS_INSTALL_SOURCE_UNREADABLE:
		(void)fprintf(stderr, "%s: cannot be read: %s%s\n", source, why,
			is_permission(result->error) ? "; run newaliases as root" : "");
		return is_permission(result->error) ? EX_NOPERM : EX_NOINPUT;
	case ALIAS_INSTALL_SOURCE_CHANGING:
		(void)fprintf(stderr, "%s: is being written to; run newaliases again\n", source);
		return EX_TEMPFAIL;
	case ALIAS_INSTALL_NOTHING_USABLE:
		(void)fprintf(stderr,
			"%s: no entry can be used, so %s stays as it was; correct the lines above\n", source,
			in->places.beside);
		return EX_DATAERR;
	case ALIAS_INSTALL_CANNOT_WRITE:
		(void)fprintf(stderr, "%s: cannot be written: %s%s\n", in->places.beside, why,
			is_permission(result->error) ? "; run newaliases as root" : "");
		return is_permission(result->error) ? EX_NOPERM : EX_CANTCREAT;
	case ALIAS_INSTALL_FAILED: break;
	}
	(void)fprintf(stderr, "%s: cannot be built: %s\n", in->places.beside, why);
	return EX_OSERR;
}

static int build_file(const struct config *config, bool verbose, const struct alias_places *places)
{
	struct alias_install in = { .places = *places,
		.config = config,
		.check_includes = true,
		.report = print_problem,
		.user = (void *)(uintptr_t)places->source };
	struct alias_install_result result;
	int status = finish(&in, alias_install(&in, &result), &result);

	if (status == EX_OK)
		complain_of_writers(places->source);
	if (status == EX_OK && verbose)
		printf("%s: %zu aliases, longest %zu bytes, %zu bytes total\n", places->source,
			result.summary.n_entries, result.summary.longest, result.summary.total);
	return status;
}

/* One file that was named: only the live tables lie in the state directory. */
static int build_named(const struct config *config, bool verbose, const char *file)
{
	struct alias_places places;

	if (alias_places_init(&places, file, NULL))
		return build_file(config, verbose, &places);
	(void)fprintf(stderr, "newaliases: the file name is too long\n");
	return EX_USAGE;
}

static int build_all(const struct config *config, bool verbose)
{
	struct alias_places places;
	int status = EX_OK;

	for (size_t i = 0; alias_files_places(config, i, &places); i++) {
		int r = build_file(config, verbose, &places);
		status = status == EX_OK ? r : status;
	}
	return status;
}

int newaliases_run(const struct paths *paths, bool verbose, const char *file)
{
	struct config *config = config_load(paths);
	int status;

	if (!config)
		return EX_CONFIG; /* what is wrong was said */
	status = file ? build_named(config, verbose, file) : build_all(config, verbose);
	config_free(&config);
	return fflush(stdout) == 0 ? status : EX_IOERR;
}
