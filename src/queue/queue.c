/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue.c - the queue role: start, recovery, ids, stop; see core.h for the path of a mail
 *
 * Every state that others may rely on is on disk before it is acted on: acceptance before 250, an expansion
 * before its leaves are delivered, a bounce before the failure it tells of. Results of deliveries ride with
 * the next commit.
 */
#include "queue/queue.h"
#include "base/clock.h"
#include "mail/queue_id.h"
#include "queue/core.h"
#include "queue/submissions.h"
#include "queue/walk.h"

#define ID_EPOCH_US (QUEUE_ID_EPOCH_S * 1000000)
#define ID_RESERVE UINT64_C(1200000000) /* ids made durable ahead: twenty minutes of microseconds */
#define BUSY_TRIES 50
#define BUSY_PAUSE_MS 100
#define ID_TICK_MS 60000

struct queue queue;

static uv_timer_t id_timer, again_timer;
static uv_prepare_t turn;

/* ---- ids ---- */

static uint64_t id_clock(void)
{
	uint64_t now = clock_wall_us();

	return now > ID_EPOCH_US ? now - ID_EPOCH_US : 1;
}

/* Commands and the drop directory: they may bring a mail again that is in the spool, so all of that must be
 * known; who calls earlier waits in the listener's backlog. SMTP clients are served before. */
static void intake_commands_start(void)
{
	if (!queue.is_loaded || queue.reserved_number == 0)
		return;
	control_start();
	drop_intake_start();
}

static void ids_reserved(void *user, int result)
{
	uint64_t *upto = user;

	if (result == 0) {
		bool is_first = queue.reserved_number == 0;
		queue.reserved_number = MAX(queue.reserved_number, *upto);
		intake_lease_all();
		if (is_first) {
			intake_commands_start();
			role_ready(queue.rp);
		}
	} else {
		log_error("queue ids cannot be reserved: %s", strerror(-result));
	}
	mem_free(upto);
}

static void ids_reserve(void)
{
	uint64_t *upto = mem_new(sizeof(*upto));

	*upto = MAX(queue.next_number, id_clock()) + ID_RESERVE;
	spool_update_id_high_water(
		queue.spool, queue_id_make((uint8_t)queue.rp->config->main_node, *upto), ids_reserved, upto);
}

static void on_id_tick(uv_timer_t *timer)
{
	(void)timer;
	age_check_clock();
	if (MAX(queue.next_number, id_clock()) + ID_RESERVE / 2 > queue.reserved_number)
		ids_reserve();
}

uint64_t queue_new_ids(unsigned n)
{
	uint64_t first = MAX(queue.next_number, id_clock());

	if (first + n > queue.reserved_number)
		first = queue.next_number; /* the clock jumped ahead of what is reserved: go on from where we
					      were */
	if (first + n > queue.reserved_number)
		return 0;
	queue.next_number = first + n;
	return queue_id_make((uint8_t)queue.rp->config->main_node, first);
}

uint64_t queue_new_id(void)
{
	return queue_new_ids(1);
}

struct message *queue_find(uint64_t id)
{
	return by_id_find(&queue.by_id, id);
}

/* ---- the spool's hooks ---- */

static struct spool_entry *on_recovered(
	void *user, const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts)
{
	struct message *m = message_recover(env, rcpts, n_rcpts);

	(void)user;
	if (!m)
		return NULL;
	queue_enter(m);
	queue.n_recovered++;
	submission_recovered(env->submission, env->id);
	return &m->entry;
}

/* One call's views at a time, as the spool promises. */
static void describe(void *user, struct spool_entry *entry, struct spool_envelope *env_out,
	const struct spool_recipient **rcpts_out, size_t *n_rcpts_out)
{
	static struct spool_recipient *views;
	static size_t n_views;
	struct message *m = message_of_entry(entry);

	(void)user;
	if (n_views < m->n_rcpts) {
		mem_free(views);
		n_views = m->n_rcpts;
		views = mem_new_array(n_views, sizeof(*views));
	}
	message_recipients(m, views);
	message_envelope(m, env_out);
	*rcpts_out = views;
	*n_rcpts_out = m->n_rcpts;
}

/* What was found at the start stays true until the spool is repaired. */
static void note_damage(const struct spool_problem *p)
{
	auto_buf struct buf line = BUF_INIT(512);
	char file[SPOOL_PROBLEM_FILE];

	spool_problem_file(p, file);
	buf_printf(&line,
		"spool damage: %s (%s, %" PRIu64 " bytes%s%s), %zu records saved; after `postrider stop` "
		"`postrider spool check` says more\n",
		spool_problem_text(p->kind), file, p->bytes, p->id ? ", mail " : "",
		p->id ? queue_id_format(p->id).at : "", p->n_salvaged);
	if (buf_ok(&line) && line.len <= queue.spool_damage.max - queue.spool_damage.len)
		buf_append(&queue.spool_damage, buf_slice(&line));
}

static bool is_damage(enum spool_problem_kind kind)
{
	return kind == SPOOL_PROBLEM_CORRUPT || kind == SPOOL_PROBLEM_SEGMENT_GONE ||
		kind == SPOOL_PROBLEM_BODY_GONE || kind == SPOOL_PROBLEM_CONTENT;
}

static void on_problem(void *user, const struct spool_problem *p)
{
	bool is_normal = p->kind == SPOOL_PROBLEM_TORN || p->kind == SPOOL_PROBLEM_ORPHAN;
	char file[SPOOL_PROBLEM_FILE];

	(void)user;
	spool_problem_file(p, file);
	if (p->kind == SPOOL_PROBLEM_CHECKPOINT) {
		log_warning("spool: %s (%s, %s)", spool_problem_text(p->kind), file, strerror(-p->error));
		return;
	}
	log_line(is_normal ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
		"spool: %s (%s, offset %" PRIu64 ", %" PRIu64 " bytes, %zu records saved%s%s%s%s)",
		spool_problem_text(p->kind), file, p->offset, p->bytes, p->n_salvaged, p->id ? ", mail " : "",
		p->id ? queue_id_format(p->id).at : "", p->error ? ", " : "",
		p->error ? strerror(-p->error) : "");
	if (is_damage(p->kind))
		note_damage(p);
}

/* ---- the role ---- */

static int queue_before_jail(struct role_process *rp)
{
	queue.rp = rp;
	queue.system_state = BUF_INIT(256 * 1024);
	queue.spool_damage = BUF_INIT(8 * 1024);
	list_init(&queue.all);
	permission_init();
	return 0;
}

static void on_again(uv_timer_t *timer)
{
	(void)timer; /* on_turn() follows */
}

static void on_turn(uv_prepare_t *handle)
{
	(void)handle;
	life_turn();
	if (router_turn())
		CHECK(uv_timer_start(&again_timer, on_again, 0, 0) == 0); /* the loop must not wait */
	scheduler_pump();
}

/* Every mail of earlier is known: what the drop directory has of it goes, then it is delivered. */
static void on_loaded(void *user, int result)
{
	(void)user;
	if (result < 0) {
		log_error("spool %s: reading it ended with: %s; it is read again",
			queue.rp->config->paths.spool_dir, strerror(-result));
		role_exit(queue.rp, 1);
	}
	queue.is_loaded = true;
	if (queue.n_recovered)
		log_info("%" PRIu64 " messages recovered from the spool", queue.n_recovered);
	drop_intake_recover();
	submission_expect_no_more();
	queue_resume_recovered();
	intake_commands_start();
}

static int queue_after_jail(struct role_process *rp)
{
	const struct config *c = rp->config;
	const struct spool_settings spool_settings = {
		.segment_bytes = c->queue_segment_size & ~UINT64_C(4095),
		.reserve_bytes = c->queue_reserve,
		.memory_budget = c->queue_memory,
		.node = (uint8_t)c->main_node,
	};
	static const struct spool_hooks spool_hooks = { on_recovered, describe, on_problem, on_loaded };
	int r;

	channel_loop_init(rp->loop);
	message_memory_init(SIZE_MAX);
	router_init();
	explain_init();
	scheduler_init();
	report_init();
	CHECK(uv_timer_init(rp->loop, &id_timer) == 0);
	CHECK(uv_timer_init(rp->loop, &again_timer) == 0);
	age_init();
	life_init();
	walks_init();
	drop_intake_prepare();
	/* The queue of a supervisor that was killed has the lock until its last write has returned. */
	for (unsigned tries = 0; tries == 0 || (r == -EBUSY && tries < BUSY_TRIES); tries++) {
		if (tries)
			uv_sleep(BUSY_PAUSE_MS);
		r = spool_open(
			c->paths.spool_dir, &spool_settings, rp->loop, &spool_hooks, NULL, &queue.spool);
	}
	if (r < 0) {
		log_error("spool %s: %s", c->paths.spool_dir,
			r == -EBUSY ? "another process has it open" : strerror(-r));
		return r;
	}
	queue.next_number = MAX(queue_id_number(spool_id_high_water(queue.spool)), id_clock());
	ids_reserve();
	CHECK(uv_timer_start(&id_timer, on_id_tick, ID_TICK_MS, ID_TICK_MS) == 0);
	CHECK(uv_prepare_init(rp->loop, &turn) == 0);
	CHECK(uv_prepare_start(&turn, on_turn) == 0);
	history_start();
	return 0;
}

static void queue_on_peer(struct role_process *rp, struct channel *ch)
{
	(void)rp;
	router_peer(ch);
	intake_peer(ch);
}

static void queue_on_peer_gone(struct role_process *rp, struct channel *ch)
{
	(void)rp;
	intake_peer_gone(ch);
	scheduler_peer_gone(ch);
	router_peer_gone(ch);
	explain_peer_gone(ch);
}

static void queue_on_drain(struct role_process *rp, struct channel *ch)
{
	(void)rp;
	scheduler_drained(ch);
}

static void queue_on_listener(struct role_process *rp, struct slice address, int *fd)
{
	(void)rp, (void)address;
	control_listen(take_fd(fd));
}

static void queue_on_reload(struct role_process *rp)
{
	(void)rp;
	scheduler_reload();
	if (queue.is_loaded)
		queue_resume_paused(); /* a pause may have ended */
}

static void on_spool_closed(void *user)
{
	(void)user;
	history_stop();
	role_exit(queue.rp, 0);
}

static void queue_on_stop(struct role_process *rp)
{
	(void)rp;
	report_flush();
	queue.is_stopping = true;
	for (unsigned i = 0; i < ROLE_MAX_INSTANCES; i++)
		if (role_peer(rp, ROLE_SMTPD, i))
			intake_peer_gone(role_peer(rp, ROLE_SMTPD, i));
	intake_stop();
	drop_intake_stop();
	spool_close(queue.spool, on_spool_closed, NULL);
}

static void on_system_state(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch, (void)fd;
	buf_clear(&queue.system_state);
	buf_append(&queue.system_state, m->SYSTEM_STATE.text);
}

static void on_step(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	(void)explain_step(ch, &m->EXPLAIN_STEP); /* late: nobody asks any more */
}

static void on_hosts_done(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	(void)explain_answered(ch, m->EXPLAIN_HOSTS_DONE.request, m);
}

static void on_rcpt_verdict(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	(void)explain_answered(ch, m->RCPT_VERDICT.request, m);
}

static const msg_handler handlers[MSG_TYPE_COUNT] = {
	[MSG_SYSTEM_STATE] = on_system_state,
	[MSG_ID_LEASE_ASK] = intake_lease,
	[MSG_MAIL_BEGIN] = intake_begin,
	[MSG_MAIL_RCPT] = intake_rcpt,
	[MSG_MAIL_CONTENT] = intake_content,
	[MSG_MAIL_END] = intake_end,
	[MSG_MAIL_ABORT] = intake_abort,
	[MSG_ROUTE_LEAF] = router_leaf,
	[MSG_ROUTE_DONE] = router_done,
	[MSG_JOB_MORE] = scheduler_more,
	[MSG_JOB_FORWARD] = scheduler_forward,
	[MSG_JOB_RESULT] = scheduler_result,
	[MSG_JOB_DONE] = scheduler_done,
	[MSG_RCPT_VERDICT] = on_rcpt_verdict,
	[MSG_EXPLAIN_STEP] = on_step,
	[MSG_EXPLAIN_HOSTS_DONE] = on_hosts_done,
};

static const struct jail jail = { .may_write_files = true };
static const struct role_hooks hooks = {
	.role = ROLE_QUEUE,
	.handlers = handlers,
	.jail = &jail,
	.ready_later = true, /* when queue ids are reserved, which takes a sync */
	.before_jail = queue_before_jail,
	.after_jail = queue_after_jail,
	.on_peer = queue_on_peer,
	.on_peer_gone = queue_on_peer_gone,
	.on_drain = queue_on_drain,
	.on_listener = queue_on_listener,
	.on_reload = queue_on_reload,
	.on_stop = queue_on_stop,
};

int queue_main(int argc, char **argv)
{
	return role_main(&hooks, argc, argv);
}
