/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aliases.h - between aliases.c, the commands, and aliases_expand.c, which prints the tree
 *
 * Layer: program. Tests: tests/system/test_aliases.py.
 */
#pragma once
#include "table/alias_files.h"

struct aliases_words {
	const char *word; /* the name, address or file; NULL: none */
	bool as_json;
};
/* Prints where an address leads; returns the exit status. */
int aliases_expand(const struct config *config, struct alias_files *files, const struct aliases_words *words);
