/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_make.h - all aliases files checked, and built where asked for, for the commands people run
 *
 * newaliases, `postrider aliases build` and `check` are this with words around it. Parses with the rights of
 * whoever runs it. Layer: table. Tests: test_alias_audit.c, src/sendmail/test_newaliases.c.
 */
#pragma once
#include "table/alias_findings.h"
#include "table/alias_install.h"

struct alias_make_request {
	const struct config *config;
	const char *file; /* this one instead of the configured ones, perhaps a part of them: it need not have
			   * what must be somewhere; NULL: those */
	bool only_check;  /* write nothing */
	bool asks_all;	  /* look up every name, however long it takes; see alias_audit.h */
};
struct alias_made_file {
	struct alias_places places;
	enum alias_install_outcome outcome;
	struct alias_install_result result;
};
struct alias_made {
	struct alias_made_file files[LIMIT_ALIAS_FILES];
	size_t n;
	struct alias_findings findings; /* sorted */
};
/* False: a file's name is too long. alias_made_deinit() in either case. */
MUST_USE bool alias_make(const struct alias_make_request *request, struct alias_made *out);
void alias_made_deinit(struct alias_made *made);

/* What an outcome means for whoever ran the command: an exit status (sysexits), and one line on *to unless it
 * is EX_OK. command: to run again, such as "newaliases". */
int alias_made_explain(const struct alias_made_file *file, const char *command, FILE *to);
