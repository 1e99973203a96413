/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_install.h - a new table in place of the old one: read the source, build in memory, replace the file
 *
 * Whatever goes wrong, the table that was there stays. Readers see the old or the new one whole. What
 * is installed last comes from the source as it was last, also when several do this at once. Layer: table.
 * Tests: test_alias_install.c.
 */
#pragma once
#include "ipc/jail.h"
#include "table/alias_build.h"

enum alias_install_outcome {
	ALIAS_INSTALL_DONE = 1,
	ALIAS_INSTALL_NO_SOURCE,	 /* the aliases file does not exist */
	ALIAS_INSTALL_SOURCE_UNREADABLE, /* or is no regular file, or too large; see error */
	ALIAS_INSTALL_SOURCE_CHANGING,	 /* written to again and again meanwhile: try again */
	ALIAS_INSTALL_NOTHING_USABLE,	 /* entries, but all of them wrong: surely not meant */
	ALIAS_INSTALL_CANNOT_WRITE,	 /* neither beside the source nor in the state directory; see error */
	ALIAS_INSTALL_FAILED,		 /* no memory, the sandboxed builder died; see error */
};
struct alias_install {
	struct alias_places places;
	const struct config *config; /* may be NULL */
	/* Parse in a child process in this jail; NULL: here. The request's jail needs no files. */
	const struct jail_request *jail;
	bool only_check;	     /* build and throw away: nothing is written */
	struct alias_table *table;   /* DONE: is what was built, whatever the files say; may be NULL */
	struct alias_files *earlier; /* as in struct alias_build, like the rest */
	bool more_follow;
	alias_report report; /* both are called at the end, for the text that counted */
	alias_ask ask;
	size_t max_questions;
	void *user;
};
struct alias_install_result {
	struct alias_summary summary;
	int error; /* positive errno, or 0 */
};
MUST_USE enum alias_install_outcome alias_install(
	const struct alias_install *in, struct alias_install_result *result_out);
