/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.h - running the host's own tools: useradd, dpkg-divert and their like
 *
 * No shell is involved: words stay words. The environment is PATH and the C locale only, so that what tools
 * print can be read. Layer: program. Tests: test_program.c.
 */
#pragma once
#include "base/buf.h"

#define PROGRAM_MISSING 127 /* as a shell says it: there is no such program */

/* Runs words[0], looked for in the system's directories. Both its output streams are appended to *output, as
 * much as fits. Returns its exit status (128 + signal when one killed it), or negative errno. */
MUST_USE int program_run(const char *const words[], struct buf *output);
