/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rcfile.h - start-up files and `source': lines of commands, errors told with file and line
 *
 * Layer: mailx. Tests: tests/system/test_mail_startup.py.
 */
#pragma once
#include "mailx/mailx.h"

enum rcfile_result {
	RCFILE_DONE,	/* read to its end; single commands may have failed and told so */
	RCFILE_MISSING, /* there is no such file */
	RCFILE_FAILED,	/* it could not be read, or sources itself; told */
};

enum rcfile_result rcfile_run(struct mailx *mx, const char *path);
/* Commands from memory, with name in messages. */
enum rcfile_result rcfile_run_text(struct mailx *mx, const char *name, struct slice text);
/* The system file (unless it is to be left out), then MAILRC or ~/.mailrc. */
void rcfile_start(struct mailx *mx, bool without_system);
/* One logical line off the front of *text: lines that end in a backslash go on; *n_lines_out is how many it
 * took. */
bool rcfile_next_line(struct slice *text, struct buf *line_out, unsigned *n_lines_out);
