/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer.h - who may write to files that say what root does: the aliases, the configuration
 *
 * Only tells; nothing is changed. Layer: base. Tests: table/test_alias_audit.c,
 * tests/system/test_submission.py.
 */
#pragma once
#include "base/std.h"
#include <limits.h>

struct file_writer {
	const char *who, *mend; /* "everybody", "chmod o-w" */
	bool is_directory;	/* it is one above the file */
	char where[PATH_MAX];
};

/* Who else than root and ourselves may write to the file, or to a directory above it and so put another file
 * in its place. path: links are followed. False: nobody, or there is no such file; *out is undefined then. */
bool file_other_writer(const char *path, struct file_writer *out);
