/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dry_run.h - a worker's job that delivers nothing: what the real one would do is told, step by step
 *
 * Decisions are those of the real code (batch.c, errand.c), which asks here where it would write. A user is
 * told of his own files only: who asks is a uid that the kernel vouched for. Layer: local. Tests:
 * test_dry_run.c, tests/system/test_explain.py.
 */
#pragma once
#include "local/worker.h"

/* Passes on what forward.c and list_file.c find. */
struct dry_run_listener {
	struct forward_listener forward;
	struct worker *w;
	const struct worker_rcpt *r;
};
void dry_run_listen(struct dry_run_listener *l, struct worker *w, const struct worker_rcpt *r);
/* False: it is another user's; r has been answered, and is gone. */
MUST_USE bool dry_run_may_see(struct worker *w, struct worker_rcpt *r);
/* The mail would go to the user's mailbox: answers. */
void dry_run_mailbox(struct worker *w, struct worker_rcpt *r);
/* Tells each of the leaves that are to be sent, and how many these are. */
size_t dry_run_leaves(struct worker *w, const struct worker_rcpt *r, const struct forward *f);
