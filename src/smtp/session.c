/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.c - the life of a session: hosts, connections in turn, jobs, its end
 *
 * What is said on a connection stands in dialogue.c, transaction.c and content.c. A session may end while its
 * own bytes are being read; its memory stays until that reading returns (is_reading, is_over).
 */
#include "base/log.h"
#include "mail/queue_id.h"
#include "smtp/session-private.h"

#define HOST_TEXT_MAX (LIMIT_DOMAIN + 64) /* name, address, port */

struct session *session_of_lane_node(struct list *node)
{
	return CONTAINER_OF(node, struct session, in_lane_idle);
}

struct session *session_of_idle_node(struct list *node)
{
	return CONTAINER_OF(node, struct session, in_idle);
}

struct session *session_of_node(struct list *node)
{
	return CONTAINER_OF(node, struct session, in_relay);
}

struct job *session_job(const struct session *s)
{
	return s->job;
}

bool session_is_used_up(const struct session *s)
{
	return s->n_mails >= s->relay->config->smtp_messages_per_connection;
}

bool session_is_committed(const struct session *s)
{
	return s->job && s->transaction.is_content_sent;
}

void session_log(const struct session *s, const char *what)
{
	if (s->job)
		log_info("%s: %s", queue_id_format(s->job->queue_id).at, what);
	else
		log_info("%.*s: %s", SLICE_ARG(buf_slice(&s->remote)), what);
}

static void session_leave_idle(struct session *s)
{
	s->relay->n_idle -= list_linked(&s->in_idle);
	list_remove(&s->in_lane_idle);
	list_remove(&s->in_idle);
}

/* ---- the end ---- */

void session_free(struct session *s)
{
	mem_free(s->hosts);
	mem_free(s->transaction.rcpts);
	reply_deinit(&s->reply);
	buf_free(&s->host_name);
	buf_free(&s->remote);
	mem_free(s);
}

void session_end(struct session *s)
{
	struct lane *lane = s->lane;

	CHECK(!s->is_over && !s->job);
	s->is_over = true;
	hosts_cancel(&s->search);
	connection_close(&s->connection);
	list_remove(&s->in_relay);
	session_leave_idle(s);
	if (!s->is_reading)
		session_free(s);
	lane_session_gone(lane);
}

void session_abort(struct session *s)
{
	if (s->job)
		s->job->session = NULL;
	s->job = NULL;
	/* A server that waits for a command is told; in the middle of anything the connection just closes, so
	 * that half a message cannot be taken for a whole one. */
	if (s->connection && s->phase == PHASE_IDLE) {
		buf_append_str(connection_out(s->connection), "QUIT\r\n");
		connection_send(s->connection);
	}
	session_end(s);
}

/* ---- hosts ---- */

static void session_fail_job(struct session *s, const struct failure *why, struct slice remote)
{
	struct job_result result = { .outcome = why->is_permanent ? JOB_FAILED
			: why->is_unreachable			  ? JOB_UNREACHABLE
								  : JOB_DEFERRED,
		.status = why->status,
		.reason = why->reason,
		.remote = remote };

	job_finish_open(s->job, &result);
	session_job_over(s);
}

static void session_open(struct session *s, const struct endpoint *to)
{
	struct relay *relay = s->relay;

	if (to->address.any.sa_family == AF_UNIX) {
		s->wanted_socket = ++relay->last_socket;
		relay->want_socket(relay, s->wanted_socket);
		return;
	}
	s->connection = connection_open(
		relay->loop, to, (unsigned)relay->config->smtp_connect_timeout, &dialogue_hooks, s);
}

void session_connect(struct session *s)
{
	const struct endpoint *to = &s->hosts->endpoints[s->at];

	connection_close(&s->connection);
	buf_clear(&s->host_name);
	buf_clear(&s->remote);
	endpoint_append(to, &s->host_name);
	endpoint_append_port(to, &s->remote);
	s->n_mails = 0;
	s->is_last_mail = false;
	session_open(s, to);
	dialogue_start(s);
}

bool session_wants_socket(const struct session *s, uint64_t number)
{
	return s->wanted_socket == number;
}

void session_socket_came(struct session *s, int fd)
{
	auto_buf struct buf reason = BUF_INIT(LIMIT_REASON);

	s->wanted_socket = 0;
	if (fd >= 0) {
		s->connection = connection_adopt(s->relay->loop, fd, &dialogue_hooks, s);
		return;
	}
	buf_printf(&reason, "connect to %.*s: %s", SLICE_ARG(buf_slice(&s->remote)), strerror(-fd));
	session_host_failed(s, &(struct failure){ .status = "4.4.1", .reason = buf_slice(&reason) });
}

void session_reload(struct session *s)
{
	if (!s->is_lmtp)
		return;
	s->is_last_mail = true;
	if (list_linked(&s->in_idle))
		session_quit(s);
}

static void on_hosts(void *user, struct hosts_answer *answer)
{
	struct session *s = user;

	s->search = NULL;
	s->hosts = answer;
	s->at = 0;
	if (answer->outcome == HOSTS_FOUND) {
		session_connect(s);
		return;
	}
	session_fail_job(s,
		&(struct failure){ .is_permanent = answer->outcome == HOSTS_NEVER,
			.is_unreachable = true,
			.status = answer->status,
			.reason = slice_of(answer->reason) },
		SLICE_EMPTY);
	session_end(s);
}

static bool session_may_try_next(const struct session *s)
{
	return s->transaction.n_accepted == 0 && !s->transaction.is_content_begun && s->at + 1 < s->hosts->n;
}

/* A kept connection that the server had given up meanwhile says nothing about the host. */
static bool session_was_stale(const struct session *s)
{
	return s->n_mails > 1 && !s->transaction.is_answered;
}

void session_host_failed(struct session *s, const struct failure *why)
{
	struct failure last = *why;
	bool was_stale = session_was_stale(s), may_try_next = session_may_try_next(s);

	if (!s->job) {
		session_end(s);
		return;
	}
	transaction_abandon(s);
	if (was_stale) {
		session_connect(s);
		return;
	}
	s->was_reached |= s->n_mails > 0;
	s->saw_temporary |= !why->is_permanent;
	if (may_try_next) {
		auto_buf struct buf line = BUF_INIT(2 * LIMIT_REASON);
		buf_append(&line, why->reason);
		session_log(s, buf_cstr(&line));
		s->at++;
		session_connect(s);
		return;
	}
	/* The mail is returned only when no host left hope. */
	if (s->saw_temporary && last.is_permanent)
		last = (struct failure){ .status = "4.3.0", .reason = why->reason };
	last.is_unreachable = !s->was_reached;
	session_fail_job(s, &last, buf_slice(&s->remote));
	session_end(s);
}

/* ---- jobs ---- */

/* The destination was looked at once before the job got here (relay.c); a setting may have changed since. */
static void session_find_hosts(struct session *s)
{
	const struct relay *relay = s->relay;
	auto_buf struct buf reason = BUF_INIT(2 * LIMIT_REASON);
	struct next_hop hop;
	const struct hosts_finder finder = { .loop = relay->loop,
		.dns = relay->dns,
		.own_name = relay->config->main_host_name,
		.deadline_ms = HOSTS_DEADLINE_MS };

	CHECK(next_hop_parse(relay->config, slice_of(s->lane->destination), &hop, &reason) == NEXT_HOP_OK);
	s->is_lmtp = hop.kind != NEXT_HOP_SMTP;
	if (hop.kind != NEXT_HOP_LMTP_UNIX) {
		s->search = hosts_find(&finder, &hop.destination, on_hosts, s);
		return;
	}
	s->hosts = next_hop_socket(relay->config);
	session_connect(s);
}

struct session *session_new(struct lane *lane, struct job *job)
{
	struct relay *relay = lane->relay;
	struct session *s = mem_new(sizeof(*s));

	s->relay = relay;
	s->lane = lane;
	s->job = job;
	job->session = s;
	job_taken(job);
	s->host_name = BUF_INIT(HOST_TEXT_MAX);
	s->remote = BUF_INIT(HOST_TEXT_MAX);
	list_init(&s->in_lane_idle);
	list_init(&s->in_idle);
	list_init(&s->in_relay);
	list_push_back(&relay->sessions, &s->in_relay);
	session_find_hosts(s);
	return s;
}

void session_give_job(struct session *s, struct job *job)
{
	session_leave_idle(s);
	s->job = job;
	s->saw_temporary = false;
	s->was_reached = false;
	job->session = s;
	job_taken(job);
	transaction_begin(s);
}

void session_content_came(struct session *s)
{
	s->transaction.is_content_asked = false;
	transaction_go_on(s);
}

void session_job_over(struct session *s)
{
	struct job *job = take_ptr(&s->job);

	SEND(job->queue, JOB_DONE, .job = job->id);
	table_remove(&s->relay->jobs, &job->node);
	job_free(&job);
}

void session_set_idle(struct session *s)
{
	list_push_front(&s->lane->idle, &s->in_lane_idle);
	list_push_back(&s->relay->idle, &s->in_idle);
	s->relay->n_idle++;
	s->phase = PHASE_IDLE;
	connection_deadline(s->connection, s->relay->config->smtp_idle_time);
}

void session_quit(struct session *s)
{
	session_leave_idle(s);
	dialogue_send(s, PHASE_QUIT, "QUIT\r\n");
}
