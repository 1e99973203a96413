/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lane.h - the jobs and connections of one destination: how many at a time, which job on which connection
 *
 * The only place that decides that; a session asks for its next job here. A lane exists while it has a job or
 * a session. Layer: role smtp. Tests: test_relay_limits.c.
 */
#pragma once
#include "smtp/job.h"
#include "smtp/relay.h"

struct session;

struct lane {
	struct table_node node; /* in the relay's lanes */
	struct relay *relay;
	char *destination;
	struct list waiting; /* jobs, oldest first */
	struct list
		idle; /* sessions, the latest used first: it is the least likely to be closed by its peer */
	struct list in_starved;
	size_t n_sessions;
};

/* Gives the job to an idle session, to a new one, or lets it wait. */
void lane_add_job(struct relay *relay, struct job *job);
/* The job waits; it leaves. */
void lane_remove_job(struct job *job);
/* The session has no job: it gets the next one, or is kept idle, or ends. */
void lane_session_free(struct lane *lane, struct session *session);
/* The session is over; lane may be gone afterwards. */
void lane_session_gone(struct lane *lane);
