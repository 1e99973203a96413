/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.c - the control socket: commands of people and programs; see core.h
 *
 * Whoever connects is known by the real uid that the kernel vouches for. Everyone may submit and list; root
 * (and in sandbox mode the one user) may act on any mail. A listing is sent piece by piece as the command
 * reads, and never holds up mail. What changes mail is answered when it is on disk.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "mail/address.h"
#include "mail/queue_id.h"
#include "queue/core.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <sysexits.h>

#define CLIENTS_MAX 1000
#define CLIENTS_PER_UID 100 /* root is exempt: one user cannot keep out the others */
#define GREETING_MS 10000   /* to say HELLO */
#define IDLE_MS 600000	    /* between two messages; sendmail never pauses that long */
#define SWEEP_MS 5000
#define UID_UNMAPPED 65534	 /* what the kernel reports for users of other namespaces */
#define LIST_UNSENT (256 * 1024) /* a listing pauses above this */

struct client_state {
	struct channel *ch;
	bool is_greeted;
	uint64_t active_ms; /* when it last said something, or connected */
	size_t n_acts;	    /* it waits for the answers of */
	struct list in_clients;
	/* A listing under way: the node in queue.all of the mail that comes next, which mails that leave
	 * correct, and that mail's first recipient that was not sent yet. */
	struct list in_listings;
	uint64_t list_request;
	struct list *list_next;
	uint32_t list_rcpt;
	bool is_mail_sent;
};

static struct {
	int fd;
	uv_poll_t poll;
	size_t n_clients;
	struct list clients, listings, acts; /* acts: struct act, in the order of their records */
} control = { .fd = -1,
	.clients = { &control.clients, &control.clients },
	.listings = { &control.listings, &control.listings },
	.acts = { &control.acts, &control.acts } };

static struct client_state *client_of(const struct channel *ch)
{
	return ch->user;
}

static size_t clients_of(uid_t uid)
{
	size_t n = 0;

	list_for_each (node, &control.clients) {
		n += CONTAINER_OF(node, struct client_state, in_clients)->ch->peer_uid == uid;
	}
	return n;
}

static void reply(struct channel *ch, uint64_t request, int exit_code, const char *text)
{
	SEND(ch, REQUEST_DONE, .request = request, .exit_code = (uint16_t)exit_code, .text = slice_of(text));
}

/* ---- greeting ---- */

static void on_hello(struct channel *ch, const union msg_any *m, int *fd)
{
	struct client_state *c = client_of(ch);

	(void)m, (void)fd;
	if (c->is_greeted || ch->peer_uid == (uid_t)-1)
		return;
	if (ch->peer_uid == UID_UNMAPPED && !queue.rp->config->security_accept_unmapped) {
		reply(ch, 0, EX_NOPERM,
			"uid 65534 (nobody, or a user of another namespace) is not served; see "
			"security.accept_unmapped");
		return;
	}
	if (!control_is_administrator(ch->peer_uid) && clients_of(ch->peer_uid) > CLIENTS_PER_UID) {
		reply(ch, 0, EX_TEMPFAIL, "too many connections of this user");
		return;
	}
	/* Another protocol is told ours, and goes away by itself with a message for its user. */
	SEND(ch, WELCOME, .protocol = msg_protocol_hash(),
		.host = slice_of(queue.rp->config->main_host_name));
	c->is_greeted = true;
	intake_peer(ch);
}

/* ---- submission ---- */

/* True when it has greeted; it is not silent then. */
static bool client_speaks(struct channel *ch)
{
	if (client_of(ch)->is_greeted)
		client_of(ch)->active_ms = clock_mono_ms();
	return client_of(ch)->is_greeted;
}

static void on_mail_begin(struct channel *ch, const union msg_any *m, int *fd)
{
	if (!client_speaks(ch))
		return;
	if (!control_may_submit(ch->peer_uid)) {
		SEND(ch, MAIL_RESULT, .mail = m->MAIL_BEGIN.mail, .code = 452, .status = SLICE("4.3.2"),
			.text = SLICE("Too many messages in a minute (queue.max_per_uid)"));
		return;
	}
	intake_begin(ch, m, fd);
}

static void on_mail_rcpt(struct channel *ch, const union msg_any *m, int *fd)
{
	if (client_speaks(ch))
		intake_rcpt(ch, m, fd);
}

static void on_mail_content(struct channel *ch, const union msg_any *m, int *fd)
{
	if (client_speaks(ch))
		intake_content(ch, m, fd);
}

static void on_mail_end(struct channel *ch, const union msg_any *m, int *fd)
{
	if (client_speaks(ch))
		intake_end(ch, m, fd);
}

static void on_mail_abort(struct channel *ch, const union msg_any *m, int *fd)
{
	if (client_speaks(ch))
		intake_abort(ch, m, fd);
}

/* ---- listing ---- */

static bool has_active(const struct message *m)
{
	for (uint32_t i = 0; i < m->n_rcpts; i++)
		if (m->rcpts[i].stage != STAGE_WAITING && m->rcpts[i].stage != STAGE_DONE &&
			m->rcpts[i].stage != STAGE_NEW)
			return true;
	return false;
}

static void list_mail(struct channel *ch, uint64_t request, const struct message *m)
{
	enum queue_mail_state state = m->flags & SPOOL_FLAG_HELD ? QUEUE_MAIL_HELD
		: has_active(m)					 ? QUEUE_MAIL_ACTIVE
								 : QUEUE_MAIL_WAITING;

	SEND(ch, QUEUE_MAIL, .request = request, .queue_id = m->entry.id, .state = (uint8_t)state,
		.size = m->entry.content_bytes, .arrival_s = m->arrival_us / 1000000,
		.reverse_path = m->reverse_path);
}

static void list_rcpt(struct channel *ch, uint64_t request, const struct recipient *r)
{
	if (r->stage != STAGE_DONE)
		SEND(ch, QUEUE_RCPT, .request = request, .forward_path = r->forward_path, .status = r->status,
			.reason = r->attempts ? r->reason : SLICE_EMPTY,
			.next_attempt_s = r->next_attempt_us / 1000000, .attempts = r->attempts);
}

static void list_go_to(struct client_state *c, struct list *next)
{
	c->list_next = next;
	c->list_rcpt = 0;
	c->is_mail_sent = false;
}

/* True when all of the mail was sent; else it goes on behind the recipient that was the last. */
static bool list_one(struct client_state *c, const struct message *m)
{
	if (!c->is_mail_sent)
		list_mail(c->ch, c->list_request, m);
	c->is_mail_sent = true;
	while (c->list_rcpt < m->n_rcpts) {
		if (channel_unsent(c->ch) > LIST_UNSENT)
			return false;
		list_rcpt(c->ch, c->list_request, &m->rcpts[c->list_rcpt++]);
	}
	return true;
}

/* From the place on, as much as the channel takes; the rest when it drains. */
static void list_some(struct client_state *c)
{
	while (c->list_next != &queue.all) {
		if (channel_unsent(c->ch) > LIST_UNSENT ||
			!list_one(c, CONTAINER_OF(c->list_next, struct message, in_all)))
			return;
		list_go_to(c, c->list_next->next);
	}
	list_remove(&c->in_listings);
	reply(c->ch, c->list_request, EX_OK, "");
}

void control_message_leaves(const struct message *m)
{
	list_for_each (node, &control.listings) {
		struct client_state *c = CONTAINER_OF(node, struct client_state, in_listings);
		if (c->list_next == &m->in_all)
			list_go_to(c, m->in_all.next);
	}
}

/* The channel says drained only after congestion; a listing looks after itself once per turn. */
static void on_turn(uv_check_t *check)
{
	(void)check;
	list_for_each_safe (node, &control.listings) {
		struct client_state *c = CONTAINER_OF(node, struct client_state, in_listings);
		if (channel_unsent(c->ch) < LIST_UNSENT / 2)
			list_some(c);
	}
}

static void on_list(struct channel *ch, const union msg_any *m, int *fd)
{
	struct client_state *c = client_of(ch);

	(void)fd;
	if (!client_speaks(ch))
		return;
	if (list_linked(&c->in_listings)) {
		reply(ch, m->QUEUE_LIST.request, EX_TEMPFAIL, "one listing at a time");
		return;
	}
	list_push_back(&control.listings, &c->in_listings);
	c->list_request = m->QUEUE_LIST.request;
	list_go_to(c, queue.all.next);
	list_some(c);
}

/* ---- acting on mail ---- */

static bool has_recipient_in(const struct message *m, struct slice domain)
{
	for (uint32_t i = 0; i < m->n_rcpts; i++) {
		struct slice path = m->rcpts[i].forward_path;
		if (m->rcpts[i].stage != STAGE_DONE &&
			slice_eq_nocase(slice_from(path, slice_rfind(path, '@') + 1), domain))
			return true;
	}
	return false;
}

static bool flush_wants(enum queue_action action, const struct message *m, struct slice argument)
{
	switch (action) {
	case QUEUE_ACT_FLUSH: return true;
	case QUEUE_ACT_FLUSH_DOMAIN: return has_recipient_in(m, argument);
	case QUEUE_ACT_FLUSH_SENDER: return slice_eq_nocase(m->reverse_path, argument);
	case QUEUE_ACT_FLUSH_ID:
	case QUEUE_ACT_HOLD:
	case QUEUE_ACT_RELEASE:
	case QUEUE_ACT_DELETE: break;
	}
	return false;
}

static void flush(enum queue_action action, struct slice argument)
{
	list_for_each_safe (node, &queue.all) {
		struct message *m = CONTAINER_OF(node, struct message, in_all);
		if (flush_wants(action, m, argument))
			queue_kick(m);
	}
}

/* An act on its way to the disk. */
struct act {
	struct list in_acts;
	struct client_state *client; /* NULL: gone */
	uint64_t request, id;
	enum queue_action action;
	bool was_held; /* before it, as far as the disk knows */
};

static struct act *act_new(
	struct channel *ch, uint64_t request, const struct message *m, enum queue_action what)
{
	struct act *a = mem_new(sizeof(*a));

	*a = (struct act){ .client = client_of(ch),
		.request = request,
		.id = m->entry.id,
		.action = what,
		.was_held = m->flags & SPOOL_FLAG_HELD };
	a->client->n_acts++;
	list_push_back(&control.acts, &a->in_acts);
	return a;
}

/* Logs it, answers whoever asked, frees it. */
static void act_done(struct act *a, int result)
{
	const char *word = a->action == QUEUE_ACT_HOLD ? "held"
		: a->action == QUEUE_ACT_RELEASE       ? "released"
						       : "deleted";
	struct queue_id_text id = queue_id_format(a->id);
	char text[160] = "";

	if (result < 0) {
		(void)snprintf(text, sizeof(text), "%s: not %s, that could not be written to the spool: %s",
			id.at, word, strerror(-result));
		log_error("%s", text);
	} else {
		log_info("%s: %s by the administrator", id.at, word);
	}
	if (a->client) {
		a->client->n_acts--;
		a->client->active_ms = clock_mono_ms();
		reply(a->client->ch, a->request, result < 0 ? EX_TEMPFAIL : EX_OK, text);
	}
	list_remove(&a->in_acts);
	mem_free(a);
}

/* The record of a failed: what it had changed is as before, unless a later act on that mail stands. */
static void held_undo(const struct act *a, struct message *m)
{
	for (struct list *node = a->in_acts.next; node != &control.acts; node = node->next) {
		struct act *later = CONTAINER_OF(node, struct act, in_acts);
		if (later->id == a->id && later->action != QUEUE_ACT_DELETE) {
			later->was_held = a->was_held;
			return;
		}
	}
	m->flags = a->was_held ? m->flags | SPOOL_FLAG_HELD : m->flags & ~(uint32_t)SPOOL_FLAG_HELD;
}

static void on_held_recorded(void *user, int result)
{
	struct act *a = user;
	struct message *m = queue_find(a->id);

	if (m && result < 0)
		held_undo(a, m);
	act_done(a, result);
	if (m && !(m->flags & SPOOL_FLAG_HELD))
		queue_kick(m); /* released; or its hold failed */
}

/* What is under way goes on; a release delivers when it is on disk, a hold stops deliveries at once. */
static void set_held(struct message *m, struct act *a)
{
	bool held = a->action == QUEUE_ACT_HOLD;

	m->flags = held ? m->flags | SPOOL_FLAG_HELD : m->flags & ~(uint32_t)SPOOL_FLAG_HELD;
	spool_set_flags(queue.spool, &m->entry, m->flags, on_held_recorded, a);
	if (held) {
		scheduler_forget(m);
		queue_settle(m);
	}
}

static void delete_record(struct message *m, struct act *a);

static bool has_undeleted(const struct message *m)
{
	for (uint32_t i = 0; i < m->n_rcpts; i++)
		if (!spool_rcpt_state_is_final(m->rcpts[i].state))
			return true;
	return false;
}

static void on_delete_recorded(void *user, int result)
{
	struct act *a = user;
	struct message *m = result == 0 && !queue.is_stopping ? queue_find(a->id) : NULL;

	if (m && has_undeleted(m))
		delete_record(m, a); /* an expansion that was under way brought recipients */
	else
		act_done(a, result);
}

/* Each recipient ends here on disk, whatever a delivery under way comes to: what is found after a crash is a
 * mail without recipients. Results are written even when the disk is full. */
static void delete_record(struct message *m, struct act *a)
{
	for (uint32_t i = 0; i < m->n_rcpts; i++) {
		struct recipient *r = &m->rcpts[i];
		struct spool_progress p;
		bool is_last = i + 1 == m->n_rcpts;
		if (spool_rcpt_state_is_final(r->state) && !is_last)
			continue;
		if (!spool_rcpt_state_is_final(r->state))
			r->state = SPOOL_RCPT_DELETED;
		recipient_progress(r, &p);
		spool_record_result(queue.spool, &m->entry, i, &p, is_last ? on_delete_recorded : NULL,
			is_last ? a : NULL);
	}
}

static void delete_mail(struct message *m, struct act *a)
{
	m->is_deleted = true;
	router_forget(m);
	scheduler_forget(m);
	delete_record(m, a);
	queue_settle(m); /* at once, or when the delivery under way has ended */
}

static void act_on_mail(struct channel *ch, const struct msg_QUEUE_ACT *a)
{
	struct message *m;
	uint64_t id;
	char text[128];

	if (!queue_id_parse(a->argument, &id) || !(m = queue_find(id))) {
		(void)snprintf(text, sizeof(text), "%.*s: no such mail in the queue",
			(int)MIN(a->argument.len, 40u), a->argument.at);
		reply(ch, a->request, EX_NOINPUT, text);
		return;
	}
	enum queue_action what = (enum queue_action)a->action;
	if (what == QUEUE_ACT_DELETE) {
		delete_mail(m, act_new(ch, a->request, m, what));
	} else if (what == QUEUE_ACT_HOLD || what == QUEUE_ACT_RELEASE) {
		set_held(m, act_new(ch, a->request, m, what));
	} else {
		queue_kick(m);
		reply(ch, a->request, EX_OK, "");
	}
}

static void on_act(struct channel *ch, const union msg_any *any, int *fd)
{
	const struct msg_QUEUE_ACT *a = &any->QUEUE_ACT;
	bool is_flush = a->action == QUEUE_ACT_FLUSH || a->action == QUEUE_ACT_FLUSH_DOMAIN ||
		a->action == QUEUE_ACT_FLUSH_SENDER;

	(void)fd;
	if (!client_speaks(ch))
		return;
	if (queue.is_stopping) {
		reply(ch, a->request, EX_TEMPFAIL, "the daemon is stopping");
		return;
	}
	/* Anyone may ask for another attempt, as with the peers' sendmail -q; other acts change mail. */
	if (!is_flush && a->action != QUEUE_ACT_FLUSH_ID && !control_is_administrator(ch->peer_uid)) {
		reply(ch, a->request, EX_NOPERM, "only root may do this");
		return;
	}
	if (a->action < QUEUE_ACT_FLUSH || a->action > QUEUE_ACT_DELETE) {
		reply(ch, a->request, EX_USAGE, "unknown action");
		return;
	}
	if (!is_flush) {
		act_on_mail(ch, a);
		return;
	}
	flush((enum queue_action)a->action, a->argument);
	reply(ch, a->request, EX_OK, "");
}

static void on_status(struct channel *ch, const union msg_any *m, int *fd)
{
	auto_buf struct buf text = BUF_INIT(512 * 1024);
	struct spool_statistics s;

	(void)fd;
	if (!client_speaks(ch))
		return;
	if (queue.is_stopping) {
		reply(ch, m->STATUS_ASK.request, EX_TEMPFAIL, "the daemon is stopping");
		return;
	}
	spool_statistics(queue.spool, &s);
	buf_printf(&text,
		"queue: %" PRIu64 " messages, %zu deliveries under way%s\n"
		"since the start: %" PRIu64 " accepted, %" PRIu64 " delivered, %" PRIu64
		" deferrals, %" PRIu64 " bounced\n"
		"spool: %" PRIu64 " segments of %" PRIu64 " bytes in all, %" PRIu64 " records in %" PRIu64
		" syncs, %" PRIu64 " bytes cached%s\n",
		queue.n_messages, scheduler_jobs(),
		queue.rp->config->queue_paused ? ", paused (queue.paused)" : "", queue.n_accepted,
		queue.n_delivered, queue.n_deferred, queue.n_bounced, s.n_segments, s.log_bytes, s.n_records,
		s.n_batches, s.cached_bytes, spool_is_full(queue.spool) ? "; FULL: new mail is refused" : "");
	buf_append(&text, buf_slice(&queue.system_state));
	SEND(ch, REQUEST_DONE, .request = m->STATUS_ASK.request, .exit_code = EX_OK,
		.text = buf_slice(&text));
}

/* ---- connections ---- */

static const msg_handler client_handlers[MSG_TYPE_COUNT] = {
	[MSG_HELLO] = on_hello,
	[MSG_MAIL_BEGIN] = on_mail_begin,
	[MSG_MAIL_RCPT] = on_mail_rcpt,
	[MSG_MAIL_CONTENT] = on_mail_content,
	[MSG_MAIL_END] = on_mail_end,
	[MSG_MAIL_ABORT] = on_mail_abort,
	[MSG_QUEUE_LIST] = on_list,
	[MSG_QUEUE_ACT] = on_act,
	[MSG_STATUS_ASK] = on_status,
};

static void on_client_closed(struct channel *ch, const char *why)
{
	struct client_state *c = client_of(ch);

	if (strcmp(why, "closed") != 0)
		log_warning("control socket: uid %u: %s", (unsigned)ch->peer_uid, why);
	intake_peer_gone(ch);
	list_for_each (node, &control.acts) {
		struct act *a = CONTAINER_OF(node, struct act, in_acts);
		if (a->client == c)
			a->client = NULL;
	}
	list_remove(&c->in_listings);
	list_remove(&c->in_clients);
	control.n_clients--;
	channel_free(&c->ch);
	mem_free(c);
}

static const struct channel_hooks client_hooks = { client_handlers, NULL, on_client_closed };

static void on_connection(uv_poll_t *poll, int status, int events)
{
	static const int one = 1;
	struct client_state *c;
	int fd;

	(void)poll, (void)events;
	if (status < 0)
		return;
	fd = accept4(control.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return; /* it went away, or descriptors are short: the next event tries again */
	if (control.n_clients >= CLIENTS_MAX ||
		setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0) {
		(void)close(fd);
		return;
	}
	c = mem_new(sizeof(*c));
	list_init(&c->in_listings);
	c->active_ms = clock_mono_ms();
	c->ch = channel_new(queue.rp->loop, fd, ROLE_QUEUE, ROLE_CLIENT, 0, &client_hooks, c);
	if (!c->ch) {
		mem_free(c);
		return;
	}
	list_push_back(&control.clients, &c->in_clients);
	control.n_clients++;
}

static bool is_owed_answer(const struct client_state *c)
{
	return list_linked(&c->in_listings) || c->n_acts || intake_is_committing(c->ch);
}

/* Those that say nothing make room for others; one that is owed an answer is not silent. */
static void on_sweep(uv_timer_t *timer)
{
	uint64_t now = clock_mono_ms();

	(void)timer;
	list_for_each_safe (node, &control.clients) {
		struct client_state *c = CONTAINER_OF(node, struct client_state, in_clients);
		if (!is_owed_answer(c) && now - c->active_ms > (c->is_greeted ? IDLE_MS : GREETING_MS))
			on_client_closed(c->ch, "closed");
	}
}

/* Who calls between the two waits in the listener's backlog. */
void control_start(void)
{
	static uv_check_t turn;
	static uv_timer_t sweep;

	if (control.fd < 0 || queue.reserved_number == 0)
		return;
	CHECK(uv_poll_init(queue.rp->loop, &control.poll, control.fd) == 0);
	CHECK(uv_poll_start(&control.poll, UV_READABLE, on_connection) == 0);
	CHECK(uv_check_init(queue.rp->loop, &turn) == 0);
	CHECK(uv_check_start(&turn, on_turn) == 0);
	CHECK(uv_timer_init(queue.rp->loop, &sweep) == 0);
	CHECK(uv_timer_start(&sweep, on_sweep, SWEEP_MS, SWEEP_MS) == 0);
}

void control_listen(int fd)
{
	static const int one = 1;

	if (control.fd >= 0) {
		(void)close(fd); /* the supervisor gives it once per process */
		return;
	}
	/* On the listener, so that credentials of what arrives before accept are kept too. */
	(void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
	control.fd = fd;
	control_start();
}
