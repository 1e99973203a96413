/* SPDX-License-Identifier: Apache-2.0 */
/*
 * newaliases.h - the command newaliases, also sendmail -bi and -I
 *
 * Checks the aliases file and builds its table; silent when all is well. Needs no daemon and holds no
 * privilege: who may not write the table is told so. Layer: program. Tests: test_newaliases.c, tests/system.
 */
#pragma once
#include "config/paths.h"

/* file: another aliases file (sendmail -oA); NULL: the configured one. verbose: say how much there was.
 * Complaints go to standard error as "FILE:LINE: ...". Returns the exit status (sysexits): 0 also with
 * warnings, 65 nothing usable, 66 no aliases file, 73 the table cannot be written, 77 not permitted, 78 the
 * configuration is wrong. */
int newaliases_run(const struct paths *paths, bool verbose, const char *file);
