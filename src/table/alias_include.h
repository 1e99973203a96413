/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_include.h - an :include: file as whoever asks sees it: can mail be delivered to its members?
 *
 * The conditions are those of delivery (local/list_file.c), which reads it as its owner; for answers to
 * people only. Layer: table. Tests: test_alias_audit.c, test_alias_walk.c.
 */
#pragma once
#include "base/buf.h"

/* NULL: it can be used, or cannot be looked at by this user. Else why not and what to do, in words. */
const char *alias_include_why(const char *path);
/* The same, and appends its content; NULL: it was read. */
const char *alias_include_read(const char *path, struct buf *text);
