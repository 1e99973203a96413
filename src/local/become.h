/* SPDX-License-Identifier: Apache-2.0 */
/*
 * become.h - from root to one user, for good
 *
 * Afterwards the process has that user's uid, the user's own group, at most one further group, and no
 * capability; it cannot go back, and it has checked that. Layer: local. Tests: test_privileges.c.
 */
#pragma once
#include "base/std.h"
#include <sys/types.h>

/* further: a group that is needed besides, or (gid_t)-1. 0, or negative errno: then do not go on. */
MUST_USE int become_user(uid_t uid, gid_t gid, gid_t further);
/* To run that user's commands: with all of his groups but never group 0 or never, which serves the mailboxes
 * alone, and without what would keep a setgid program from working. Never root: -EPERM. Looks into the group
 * database. */
MUST_USE int become_login(const char *name, uid_t uid, gid_t gid, gid_t never);
