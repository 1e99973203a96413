/* SPDX-License-Identifier: Apache-2.0 */
/* lane.c - see lane.h */
#include "smtp/lane.h"
#include "smtp/session.h"

static struct lane *lane_find(struct relay *relay, struct slice destination)
{
	uint64_t hash = table_hash_bytes(destination);
	struct lane *lane;

	for (struct table_node *n = table_first(&relay->lanes, hash); n; n = table_next(n, hash)) {
		lane = CONTAINER_OF(n, struct lane, node);
		if (slice_eq(slice_of(lane->destination), destination))
			return lane;
	}
	lane = mem_new(sizeof(*lane));
	lane->relay = relay;
	lane->destination = slice_dup(destination);
	list_init(&lane->waiting);
	list_init(&lane->idle);
	list_init(&lane->in_starved);
	table_insert(&relay->lanes, &lane->node, hash);
	return lane;
}

static void lane_free_when_empty(struct lane *lane)
{
	if (lane->n_sessions || !list_empty(&lane->waiting))
		return;
	list_remove(&lane->in_starved);
	table_remove(&lane->relay->lanes, &lane->node);
	mem_free(lane->destination);
	mem_free(lane);
}

/* Room for one more connection in all; an idle one of another destination gives way. */
static bool relay_has_room(struct relay *relay)
{
	if (relay->n_sessions < relay->config->smtp_max_connections)
		return true;
	if (list_empty(&relay->idle))
		return false;
	session_abort(session_of_idle_node(relay->idle.next));
	return relay->n_sessions < relay->config->smtp_max_connections;
}

static struct job *lane_take_job(struct lane *lane)
{
	struct job *job = list_first(&lane->waiting, struct job, in_lane);

	if (!job)
		return NULL;
	list_remove(&job->in_lane);
	job->lane = NULL;
	return job;
}

/* Starts as many sessions as there is need and room for. Only jobs without an idle session get here. */
static void lane_serve(struct lane *lane)
{
	struct relay *relay = lane->relay;

	while (!list_empty(&lane->waiting) && !relay->is_stopping &&
		lane->n_sessions < relay->config->smtp_destination_concurrency) {
		if (!relay_has_room(relay)) {
			if (!list_linked(&lane->in_starved))
				list_push_back(&relay->starved, &lane->in_starved);
			return;
		}
		lane->n_sessions++;
		relay->n_sessions++;
		(void)session_new(lane, lane_take_job(lane)); /* the relay's list knows it */
	}
	list_remove(&lane->in_starved);
}

/* A thousand destinations at once do not leave a thousand connections that nobody uses. */
static size_t idle_max(const struct relay *relay)
{
	return (size_t)relay->config->smtp_max_connections / 4;
}

void lane_add_job(struct relay *relay, struct job *job)
{
	struct lane *lane = lane_find(relay, job->destination);

	if (!list_empty(&lane->idle) && list_empty(&lane->waiting)) {
		session_give_job(session_of_lane_node(lane->idle.next), job);
		return;
	}
	list_push_back(&lane->waiting, &job->in_lane);
	job->lane = lane;
	lane_serve(lane);
}

void lane_remove_job(struct job *job)
{
	struct lane *lane = take_ptr(&job->lane);

	list_remove(&job->in_lane);
	lane_free_when_empty(lane);
}

void lane_session_free(struct lane *lane, struct session *session)
{
	struct relay *relay = lane->relay;
	bool is_over = relay->is_stopping || session_is_used_up(session);
	struct job *job = is_over ? NULL : lane_take_job(lane);

	if (job) {
		session_give_job(session, job);
		return;
	}
	if (is_over || relay->config->smtp_idle_time == 0) {
		session_quit(session);
		return;
	}
	session_set_idle(session);
	if (relay->n_idle > idle_max(relay)) /* the one that has waited longest in vain */
		session_quit(session_of_idle_node(relay->idle.next));
}

void lane_session_gone(struct lane *lane)
{
	struct relay *relay = lane->relay;

	lane->n_sessions--;
	relay->n_sessions--;
	lane_serve(lane);
	lane_free_when_empty(lane);
	while (!list_empty(&relay->starved) && relay->n_sessions < relay->config->smtp_max_connections) {
		struct lane *next = CONTAINER_OF(relay->starved.next, struct lane, in_starved);
		list_remove(&next->in_starved);
		lane_serve(next);
	}
	if (relay->is_stopping && relay->n_sessions == 0 && relay->on_stopped)
		relay->on_stopped(relay);
}
