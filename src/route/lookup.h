/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup.h - the lookup role without its process: questions from channels, answers to them
 *
 * Only for src/route. lookup_main() puts role hooks around it, tests a loop of their own. Layer: role
 * (lookup). Tests: test_lookup.c.
 */
#pragma once
#include "ipc/channel.h"
#include "route/rules.h"
#include "route/user_pool.h"

struct lookup {
	struct route_source source;
	struct route_rules rules;
	struct alias_files aliases;
	struct user_pool users;
	uv_loop_t *loop;
	struct list rcpt_jobs, route_jobs;
	size_t n_jobs;
	uint64_t looked_at_ms; /* the turn of the loop in which the tables were looked at */
	enum alias_table_state told[LIMIT_ALIAS_FILES]; /* of each file: what was logged last */
};

/* hooks: how user questions leave. False: the aliases files cannot be used by their names. */
MUST_USE bool lookup_init(struct lookup *l, uv_loop_t *loop, const struct config *config,
	const struct user_pool_hooks *hooks, void *user);
void lookup_deinit(struct lookup *l);
/* After a reload: config is the new one. */
void lookup_set_config(struct lookup *l, const struct config *config);
/* Looks at the alias tables, once per turn of the loop; logs what is new. */
void lookup_refresh(struct lookup *l);

void lookup_rcpt_check(struct lookup *l, struct channel *ch, const struct msg_RCPT_CHECK *m);
void lookup_route_ask(struct lookup *l, struct channel *ch, const struct msg_ROUTE_ASK *m);
void lookup_channel_drained(struct lookup *l, struct channel *ch);
/* What ch had asked is forgotten. */
void lookup_channel_gone(struct lookup *l, struct channel *ch);

/* The two kinds of jobs; see rcpt_job.c and route_job.c. */
#define LOOKUP_JOBS_MAX 20000 /* open at a time; askers have fewer credits */
void rcpt_jobs_cancel(struct lookup *l, const struct channel *ch); /* ch NULL: all */
void route_jobs_cancel(struct lookup *l, const struct channel *ch);
