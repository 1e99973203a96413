/* SPDX-License-Identifier: Apache-2.0 */
/*
 * errand.h - deliveries that are no mailbox: commands, files and Maildirs named in aliases and .forward,
 * lists
 *
 * Runs in a worker's process of its own branch, as the user whose .forward it was, as local.command_user for
 * an alias, or as the owner of a list; a branch that runs commands or writes anywhere is outside of the
 * sandbox and never has gid mail. Each job names its item by reference (mail/origin.h): the errand reads the
 * alias table or the .forward itself, and what is not written there any more sends the recipient back to be
 * routed anew. Several commands run at a time (local.command_concurrency). Layer: local. Tests:
 * test_errand.c, test_privileges.c.
 */
#pragma once
#include "local/worker.h"

/* After the worker has found its user and before it gives up its rights: what cannot be read later is read
 * now. list: the reference of the list that this process reads, or empty. */
void errand_before_drop(struct worker *w, struct slice list);
/* What it has read before may change: it is not to be kept when it has nothing to do. */
bool errand_is_brief(const struct worker *w);
/* The owner of that list, to become; false: there is no such list now, and its jobs will hear why. */
MUST_USE bool errand_list_owner(uid_t *uid_out);
/* Starts what can be started now. */
void errand_step(struct worker *w);
