/* SPDX-License-Identifier: Apache-2.0 */
/* newaliases.c - see newaliases.h */
#include "sendmail/newaliases.h"
#include "config/config.h"
#include "table/alias_make.h"
#include <sysexits.h>

static int finish(const struct alias_made *made, bool verbose)
{
	int status = EX_OK;

	alias_findings_print(&made->findings, verbose, stderr);
	for (size_t i = 0; i < made->n; i++) {
		const struct alias_made_file *f = &made->files[i];
		int r = alias_made_explain(f, "newaliases", stderr);
		if (r == EX_OK && verbose)
			printf("%s: %zu aliases, longest %zu bytes, %zu bytes total\n", f->places.source,
				f->result.summary.n_entries, f->result.summary.longest,
				f->result.summary.total);
		status = status == EX_OK ? r : status;
	}
	return fflush(stdout) == 0 ? status : EX_IOERR;
}

int newaliases_run(const struct paths *paths, bool verbose, const char *file)
{
	struct config *config = config_load(paths);
	const struct alias_make_request request = { .config = config, .file = file };
	struct alias_made made;
	int status = EX_USAGE;

	if (!config)
		return EX_CONFIG; /* what is wrong was said */
	if (alias_make(&request, &made))
		status = finish(&made, verbose);
	else
		(void)fprintf(stderr, "newaliases: the file name is too long\n");
	alias_made_deinit(&made);
	config_free(&config);
	return status;
}
