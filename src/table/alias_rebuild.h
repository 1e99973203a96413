/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_rebuild.h - the short-lived process that brings the alias table up to date
 *
 * Started by the supervisor at its own start, before the lookup role, and when the aliases file has changed
 * and then been still for 2 s. Parses in a jailed child of its own. Layer: table.
 * Tests: test_alias_install.c, tests/system.
 */
#pragma once
#include "base/std.h"

/* argv: --sandbox=DIR as for roles. Exit status 0: the table is up to date (or there is no aliases file);
 * else the sysexits code of what went wrong, and the old table stays. Lines on standard output, also with
 * status 0, say what an administrator should put right: first why a table is the old one, then "FILE:LINE:
 * ...". */
int alias_rebuild_main(int argc, char **argv);
