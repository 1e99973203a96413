/* SPDX-License-Identifier: Apache-2.0 */
/* test_rig.c - see test_rig.h */
#include "queue/test_rig.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "queue/queue.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define MAX_EVENTS 5000
#define CONTENT_MAX (16 << 20)

static void copy_text(char *to, size_t size, struct slice from)
{
	(void)snprintf(to, size, "%.*s", SLICE_ARG(from));
}

/* ---- lookup ---- */

static void leaf_send(struct rig *rig, uint64_t request, const struct rig_leaf *l)
{
	SEND(rig->peers[ROLE_LOOKUP], ROUTE_LEAF, .request = request, .kind = l->kind, .flags = l->flags,
		.address = slice_of(l->address), .destination = slice_of(l->destination),
		.owner = slice_of(l->owner), .status = slice_of(l->status), .reason = slice_of(l->reason));
}

/* A user whose ~/.forward led here before gets it in the mailbox, as lookup has it. */
static void leaf_by_address(struct rig *rig, const struct rig_question *q)
{
	struct slice address = slice_of(q->address);
	struct slice domain = slice_from(address, slice_find(address, '@') + 1);
	bool is_local = domain.len == 0 || slice_eq(domain, SLICE("localhost.localdomain")) ||
		slice_eq(domain, SLICE("here.example"));
	char user[140], been[150];

	copy_text(user, sizeof(user), is_local ? slice_first(address, slice_find(address, '@')) : domain);
	(void)snprintf(been, sizeof(been), "\t%s", user);
	leaf_send(rig, q->request,
		&(struct rig_leaf){ .kind = is_local ? LEAF_USER : LEAF_REMOTE,
			.flags = is_local && strstr(q->trail, been) ? RCPT_NO_FORWARD : 0,
			.address = q->address,
			.destination = user });
}

void rig_answer(struct rig *rig, struct rig_question *q)
{
	const struct rig_route *r = rig->routes;

	while (r && r->address && strcmp(r->address, q->address) != 0)
		r++;
	if (!r || !r->address)
		leaf_by_address(rig, q);
	else
		for (size_t i = 0; i < RIG_LEAVES && r->leaves[i].kind; i++)
			leaf_send(rig, q->request, &r->leaves[i]);
	SEND(rig->peers[ROLE_LOOKUP], ROUTE_DONE, .request = q->request, .outcome = JOB_DELIVERED);
	q->is_answered = true;
}

static void on_ask(struct channel *ch, const union msg_any *m, int *fd)
{
	struct rig *rig = ch->user;
	struct rig_question *q = &rig->questions[rig->n_questions++];

	(void)fd;
	assert_true(rig->n_questions < MAX_EVENTS);
	*q = (struct rig_question){ .request = m->ROUTE_ASK.request, .flags = m->ROUTE_ASK.flags };
	copy_text(q->address, sizeof(q->address), m->ROUTE_ASK.address);
	copy_text(q->trail, sizeof(q->trail), m->ROUTE_ASK.trail);
	if (!rig->routes_manual)
		rig_answer(rig, q);
}

/* ---- local and smtp ---- */

static struct rig_job *job_by_number(struct rig *rig, uint64_t job)
{
	for (size_t i = rig->n_jobs; i-- > 0;)
		if (rig->jobs[i].job == job)
			return &rig->jobs[i];
	fail_msg("a job that was not begun: %" PRIu64, job);
	return NULL;
}

static void on_begin(struct channel *ch, const union msg_any *m, int *fd)
{
	const struct msg_JOB_BEGIN *b = &m->JOB_BEGIN;
	struct rig *rig = ch->user;
	struct rig_job *j = &rig->jobs[rig->n_jobs++];

	(void)fd;
	assert_true(rig->n_jobs < MAX_EVENTS && b->n_rcpts <= RIG_RCPTS);
	buf_free(&j->content);
	*j = (struct rig_job){ .to = ch->self,
		.job = b->job,
		.queue_id = b->queue_id,
		.size = b->size,
		.n_rcpts = b->n_rcpts,
		.content = BUF_INIT(CONTENT_MAX) };
	copy_text(j->destination, sizeof(j->destination), b->destination);
	copy_text(j->reverse_path, sizeof(j->reverse_path), b->reverse_path);
	(void)snprintf(j->client, sizeof(j->client), "%.*s %.*s %.*s %.*s %.*s", SLICE_ARG(b->client_address),
		SLICE_ARG(b->client_name), SLICE_ARG(b->helo), SLICE_ARG(b->protocol), SLICE_ARG(b->login));
}

static void on_rcpt(struct channel *ch, const union msg_any *m, int *fd)
{
	const struct msg_JOB_RCPT *r = &m->JOB_RCPT;
	struct rig_job *j = job_by_number(ch->user, r->job);
	struct rig_job_rcpt *to = &j->rcpts[j->n_known++];

	(void)fd;
	assert_true(j->n_known <= j->n_rcpts);
	to->rcpt = r->rcpt;
	to->kind = r->kind;
	to->flags = r->flags;
	copy_text(to->address, sizeof(to->address), r->forward_path);
	copy_text(to->user, sizeof(to->user), r->user);
	copy_text(to->trail, sizeof(to->trail), r->trail);
}

static void on_content(struct channel *ch, const union msg_any *m, int *fd)
{
	const struct msg_JOB_CONTENT *c = &m->JOB_CONTENT;
	struct rig *rig = ch->user;
	struct rig_job *j = job_by_number(rig, c->job);

	(void)fd;
	assert_int_equal(c->offset, j->content.len);
	buf_append(&j->content, c->chunk);
	if (j->content.len < j->size && !rig->content_manual)
		SEND(ch, JOB_MORE, .job = j->job, .offset = j->content.len);
	if (j->content.len == j->size && !rig->jobs_manual)
		rig_end(rig, j);
}

uint32_t rig_rcpt(const struct rig_job *j, const char *address)
{
	for (uint32_t i = 0; i < j->n_known; i++)
		if (strcmp(j->rcpts[i].address, address) == 0)
			return j->rcpts[i].rcpt;
	fail_msg("%s is not in the job", address);
	return 0;
}

void rig_say(struct rig *rig, const struct rig_job *j, const char *address, enum job_outcome outcome,
	const char *status)
{
	SEND(rig->peers[j->to], JOB_RESULT, .job = j->job, .rcpt = rig_rcpt(j, address),
		.outcome = (uint8_t)outcome, .status = slice_of(status), .reason = SLICE("as the test says"),
		.remote = j->to == ROLE_SMTP ? SLICE("mx.far.example[192.0.2.1]:25") : SLICE_EMPTY);
}

void rig_done(struct rig *rig, struct rig_job *j)
{
	SEND(rig->peers[j->to], JOB_DONE, .job = j->job);
	j->is_ended = true;
}

void rig_end(struct rig *rig, struct rig_job *j)
{
	for (uint32_t i = 0; i < j->n_known; i++) {
		const struct rig_job_rcpt *r = &j->rcpts[i];
		const struct rig_end *e = rig->ends;
		while (e && e->address && strcmp(e->address, r->address) != 0)
			e++;
		bool is_told =
			e && e->address && !(e->outcome == JOB_FORWARDED && r->flags & RCPT_NO_FORWARD);
		for (size_t k = 0; is_told && k < RIG_LEAVES && e->forwards[k].kind; k++)
			SEND(rig->peers[j->to], JOB_FORWARD, .job = j->job, .rcpt = r->rcpt,
				.kind = e->forwards[k].kind, .flags = e->forwards[k].flags,
				.address = slice_of(e->forwards[k].address));
		rig_say(rig, j, r->address,
			is_told			     ? e->outcome
				: j->to == ROLE_SMTP ? JOB_RELAYED
						     : JOB_DELIVERED,
			is_told ? e->status : "2.0.0");
	}
	rig_done(rig, j);
}

/* ---- what else the role says ---- */

static void on_nothing(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch, (void)m, (void)fd;
}

static void on_ready(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)m, (void)fd;
	((struct rig *)ch->user)->is_ready = true;
}

static void on_lease(struct channel *ch, const union msg_any *m, int *fd)
{
	struct rig *rig = ch->user;

	(void)fd;
	rig->next_id = m->ID_LEASE.first;
	rig->id_end = m->ID_LEASE.first + m->ID_LEASE.count;
}

static void on_result(struct channel *ch, const union msg_any *m, int *fd)
{
	struct rig *rig = ch->user;

	(void)fd;
	assert_true(rig->n_results < MAX_EVENTS);
	rig->results[rig->n_results++] = (struct rig_result){
		.mail = m->MAIL_RESULT.mail, .queue_id = m->MAIL_RESULT.queue_id, .code = m->MAIL_RESULT.code
	};
}

static void on_log(struct channel *ch, const union msg_any *m, int *fd)
{
	struct rig *rig = ch->user;

	(void)fd;
	if (m->LOG_LINE.program.len)
		buf_printf(&rig->log, "%.*s: ", SLICE_ARG(m->LOG_LINE.program));
	buf_append(&rig->log, m->LOG_LINE.line);
	buf_append_byte(&rig->log, '\n');
}

static const msg_handler handlers[MSG_TYPE_COUNT] = {
	[MSG_READY] = on_ready,
	[MSG_CHANNEL_LOST] = on_nothing,
	[MSG_LOG_LINE] = on_log,
	[MSG_ID_LEASE] = on_lease,
	[MSG_MAIL_RESULT] = on_result,
	[MSG_ROUTE_ASK] = on_ask,
	[MSG_JOB_BEGIN] = on_begin,
	[MSG_JOB_RCPT] = on_rcpt,
	[MSG_JOB_CONTENT] = on_content,
	[MSG_JOB_CANCEL] = on_nothing,
};

static void on_closed(struct channel *ch, const char *why)
{
	struct rig *rig = ch->user;

	(void)why;
	if (ch == rig->control) {
		rig->is_gone = true;
		channel_free(&rig->control);
	} else {
		channel_free(&rig->peers[ch->self]);
	}
}

static const struct channel_hooks hooks = { .handlers = handlers, .on_closed = on_closed };

/* ---- life ---- */

const char *rig_path(const struct rig *rig, const char *name)
{
	static char path[100];

	(void)snprintf(path, sizeof(path), "%s/%s", rig->dir, name);
	return path;
}

void rig_init(struct rig *rig, const char *lines)
{
	static const char *const places[] = { "etc", "run", "spool", "spool/drop", "mail" };

	*rig = (struct rig){
		.loop = uv_default_loop(), .log = BUF_INIT(64 << 20), .dir = "/tmp/test_queue.XXXXXX"
	};
	(void)snprintf(rig->settings, sizeof(rig->settings), "%s", lines);
	rig->questions = mem_new_array(MAX_EVENTS, sizeof(*rig->questions));
	rig->jobs = mem_new_array(MAX_EVENTS, sizeof(*rig->jobs));
	rig->results = mem_new_array(MAX_EVENTS, sizeof(*rig->results));
	assert_non_null(mkdtemp(rig->dir));
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		assert_int_equal(mkdir(rig_path(rig, places[i]), 0700), 0);
}

void rig_deinit(struct rig *rig)
{
	if (rig->pid)
		rig_kill(rig);
	role_process_remove(rig->dir);
	for (size_t i = 0; i < rig->n_jobs; i++)
		buf_free(&rig->jobs[i].content);
	mem_free(rig->questions);
	mem_free(rig->jobs);
	mem_free(rig->results);
	buf_free(&rig->log);
}

static int make_config(struct rig *rig)
{
	auto_buf struct buf text = BUF_INIT(10000);

	buf_printf(&text,
		"[main]\nhost_name = here.example\norigin = here.example\n"
		"[queue]\nsegment_size = 256k\nreserve = 0\n%s",
		rig->settings);
	return role_process_config(buf_slice(&text));
}

static const struct role_program program = { .name = "postriderd: queue", .main = queue_main };

int rig_main(int argc, char **argv)
{
	return role_process_main(&program, argc, argv);
}

static void give_listener(struct rig *rig)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", rig_path(rig, "run/control"));
	(void)unlink(a.sun_path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 10), 0);
	channel_send_fd(
		rig->control, MSG_LISTENER, &(struct msg_LISTENER){ .address = SLICE("control") }, fd);
}

void rig_connect(struct rig *rig, enum role role)
{
	int fds[2];

	assert_int_equal(channel_pair(fds), 0);
	channel_free(&rig->peers[role]);
	rig->peers[role] = channel_new(rig->loop, fds[0], role, ROLE_QUEUE, 0, &hooks, rig);
	channel_send_fd(rig->control, MSG_CHANNEL, &(struct msg_CHANNEL){ .peer = (uint8_t)role }, fds[1]);
}

void rig_disconnect(struct rig *rig, enum role role)
{
	channel_free(&rig->peers[role]);
	rig_pause(rig, 20); /* its end closes, and the queue hears of it */
}

void rig_start_alone(struct rig *rig)
{
	int config = make_config(rig), control[2];

	assert_int_equal(channel_pair(control), 0);
	rig->pid = role_process_start(&program, rig->dir, control[1], config);
	(void)close(control[1]);
	(void)close(config);
	rig->is_ready = rig->is_gone = false;
	rig->next_id = rig->id_end = 0;
	rig->control = channel_new(rig->loop, control[0], ROLE_SUPERVISOR, ROLE_QUEUE, 0, &hooks, rig);
	rig_connect(rig, ROLE_LOG);
	give_listener(rig);
	rig_wait(rig, rig->is_ready);
}

void rig_start(struct rig *rig)
{
	static const enum role roles[] = { ROLE_LOOKUP, ROLE_LOCAL, ROLE_SMTP, ROLE_SMTPD };

	rig_start_alone(rig);
	for (size_t i = 0; i < ARRAY_LEN(roles); i++)
		rig_connect(rig, roles[i]);
	rig_wait(rig, rig->next_id);
}

void rig_reload(struct rig *rig, const char *lines)
{
	(void)snprintf(rig->settings, sizeof(rig->settings), "%s", lines);
	channel_send_fd(rig->control, MSG_CONFIG, &(struct msg_CONFIG){ .generation = 2 }, make_config(rig));
	rig_pause(rig, 50);
}

static int reap(struct rig *rig)
{
	int status;

	channel_free(&rig->control);
	for (size_t i = 0; i < ROLE_COUNT; i++)
		channel_free(&rig->peers[i]);
	status = role_process_wait(rig->pid);
	rig->pid = 0;
	rig_turn(rig);
	return status;
}

void rig_kill(struct rig *rig)
{
	assert_int_equal(kill(rig->pid, SIGKILL), 0);
	(void)reap(rig);
}

int rig_stop(struct rig *rig)
{
	SEND(rig->control, STOP, .unused = 0);
	rig_wait(rig, rig->is_gone);
	return reap(rig);
}

/* ---- the loop ---- */

uint64_t rig_now(void)
{
	return clock_mono_ms();
}

void rig_turn(struct rig *rig)
{
	role_process_turn(rig->loop);
}

void rig_pause(struct rig *rig, unsigned ms)
{
	for (uint64_t start = rig_now(); rig_now() - start < ms;)
		rig_turn(rig);
}

void rig_fail(struct rig *rig, const char *what, unsigned line)
{
	print_error("%.*s", SLICE_ARG(buf_slice(&rig->log)));
	fail_msg("line %u: waited in vain for %s", line, what);
	abort(); /* fail_msg does not return */
}
