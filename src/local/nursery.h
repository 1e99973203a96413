/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nursery.h - the process that delivery workers are forked from
 *
 * It was forked from local before local had seen any mail, has one thread and holds nothing but its socket to
 * local. Layer: local. Tests: test_local.c, test_trouble.c, test_privileges.c.
 */
#pragma once
#include "base/slice.h"
#include "config/config.h"

struct nursery {
	int fd;
	uint64_t next_number;
};
#define NURSERY_INIT ((struct nursery){ .fd = -1, .next_number = 1 })

enum worker_branch {
	BRANCH_MAILBOX, /* confined; the mailbox and .forward of one user */
	BRANCH_ERRAND,	/* not confined: commands and files, as one user */
	BRANCH_LIST,	/* confined; reads one :include: list as its owner */
};

/* What a worker is told at its birth. */
struct worker_birth {
	const struct config *config;
	enum worker_branch branch;
	struct slice user; /* of a list: the reference to it */
	gid_t mail_group;  /* (gid_t)-1: there is none */
	int fd;		   /* its channel to local */
};
/* The worker's life; returns the exit status. */
typedef int (*worker_life)(const struct worker_birth *birth);

/* Forks the nursery; before the first thread and before any mail. 0 or negative errno. */
MUST_USE int nursery_start(struct nursery *n, const struct config *c, gid_t mail_group, worker_life life);
/* A worker for user, or of a list; its end of the channel is fd, which is taken. *number_out: for
 * nursery_kill(). 0 or negative errno: the nursery is gone. */
MUST_USE int nursery_worker(
	struct nursery *n, enum worker_branch branch, struct slice user, int fd, uint64_t *number_out);
/* Ends a worker that hangs or was stopped. */
MUST_USE int nursery_kill(struct nursery *n, uint64_t number);
/* Workers born from now on have these settings. */
MUST_USE int nursery_settings(struct nursery *n, const struct config *c);
