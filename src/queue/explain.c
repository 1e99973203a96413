/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain.c - where mail to an address would go, and why: a dry run for `postrider explain`, sendmail -bv and
 * -bt
 *
 * A message of one recipient is made that never enters the queue and has no place in the spool. It is routed
 * as any other: lookup is asked, its leaves become recipients by the code that makes them so for real mail
 * (router_resolve(), queue_expand_dry()), and where a job would begin, local and smtp are asked what it would
 * do. What each of them decides comes back in steps, which go on to who asked. A step is about a node: the
 * recipient itself, or what it leads to; who answers counts nodes from 1, here they get numbers of their own.
 *
 * Bounded, because everybody may ask: leaves, steps, dry runs at a time, and each counts as a mail that was
 * submitted. A user is told of his own files only; the worker that reads them knows by the asker's uid. See
 * control-private.h.
 * Tests: tests/system/test_explain.py.
 */
#include "base/limits.h"
#include "ipc/pending.h"
#include "mail/address.h"
#include "mail/origin.h"
#include "queue/control-private.h"

#define AT_A_TIME 20	/* of all users but administrators */
#define PER_USER 2	/* of one of them */
#define ANSWER_MS 30000 /* of one question: a look-up of hosts or a slow user database lie within */
#define QUESTIONS_MAX 10000

/* Of a question's number: those of router and jobs lack it. */
#define EXPLAIN_ID (UINT64_C(1) << 63)

struct explanation {
	struct list in_all;
	struct client_state *client;
	uint64_t request; /* the client's */
	uid_t uid;
	enum dry_run dry_run;
	char *login;   /* who the client says he is; his worker knows better */
	char *address; /* in canonical form */
	struct message *m;
	uint32_t *nodes;   /* of its recipients */
	uint32_t n_nodes;  /* numbers that were given */
	uint32_t at;	   /* the recipient that is looked at */
	bool is_rcpt_told; /* RCPT's answer, the last question */
	int exit_code;
	size_t n_steps, max_leaves;
	bool is_cut;
	/* The question under way: */
	struct list questions; /* struct pending_request: one, or none */
	uint64_t asked;
	struct channel *whom;
	uint32_t base; /* nodes of its answer begin behind it */
	struct leaves leaves;
	uint32_t leaf_nodes[LIMIT_DRY_RUN_ALL];
};

static struct {
	struct list all;
	size_t n_of_users; /* but administrators' */
	struct pending pending;
	const struct channel *gone; /* it is being closed: nobody is to be asked there any more */
} explain = { .all = { &explain.all, &explain.all } };

/* ---- what the asker is told ---- */

static void send_step(struct explanation *x, struct msg_EXPLAIN_STEP step)
{
	if (x->n_steps == x->max_leaves * LIMIT_DRY_RUN_STEPS || channel_congested(x->client->ch)) {
		x->is_cut = true;
		return;
	}
	x->n_steps++;
	step.request = x->request;
	channel_send(x->client->ch, MSG_EXPLAIN_STEP, &step);
}

static void PRINTF_LIKE(3, 4) tell(struct explanation *x, enum explain_kind kind, const char *fmt, ...)
{
	char words[LIMIT_DRY_RUN_TEXT];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(words, sizeof(words), fmt, args); /* cut when too long: it is for reading */
	va_end(args);
	send_step(x,
		(struct msg_EXPLAIN_STEP){ .node = x->at < x->m->n_rcpts ? x->nodes[x->at] : 0,
			.kind = (uint8_t)kind,
			.text = slice_of(words),
			.file = SLICE_EMPTY });
}

/* The recipient's way ends here. */
static void end_leaf(struct explanation *x, enum leaf_kind kind, struct slice target, struct slice user)
{
	struct recipient *r = &x->m->rcpts[x->at];

	if (kind == LEAF_FAIL)
		x->exit_code = EX_NOUSER;
	else if (kind == LEAF_DEFER && x->exit_code == EX_OK)
		x->exit_code = EX_TEMPFAIL;
	SEND(x->client->ch, EXPLAIN_LEAF, .request = x->request, .node = x->nodes[x->at],
		.kind = (uint8_t)kind, .address = r->forward_path, .target = target, .user = user,
		.reverse_path = recipient_reverse_path(x->m, r),
		.status = kind == LEAF_FAIL || kind == LEAF_DEFER ? r->status : SLICE_EMPTY,
		.reason = kind == LEAF_FAIL || kind == LEAF_DEFER ? r->reason : SLICE_EMPTY);
	recipient_stage(x->m, r, STAGE_DONE);
}

static void end_badly(struct explanation *x, bool for_good, struct slice status, struct slice reason)
{
	recipient_set_outcome(&x->m->rcpts[x->at], status, reason, SLICE_EMPTY);
	end_leaf(x, for_good ? LEAF_FAIL : LEAF_DEFER, SLICE_EMPTY, SLICE_EMPTY);
}

/* ---- begin and end ---- */

static void explanation_free(struct explanation *x)
{
	if (x->asked && x->whom && x->whom->peer == ROLE_LOCAL)
		SEND(x->whom, JOB_CANCEL, .job = x->asked);
	pending_cancel_all(&explain.pending, &x->questions);
	list_remove(&x->in_all);
	explain.n_of_users -= x->dry_run != DRY_RUN_ALL;
	x->client->explanation = NULL;
	leaves_free(&x->leaves);
	message_free(&x->m);
	mem_free(x->nodes);
	mem_free(x->login);
	mem_free(x->address);
	mem_free(x);
}

void explain_client_gone(struct client_state *c)
{
	if (c->explanation)
		explanation_free(c->explanation);
}

static void end(struct explanation *x)
{
	struct channel *ch = x->client->ch;
	uint64_t request = x->request;
	int exit_code = x->exit_code;
	const char *words = x->is_cut ? "there is more, which is not shown" : "";

	explanation_free(x);
	client_reply(ch, request, exit_code, words);
}

static size_t n_of_user(uid_t uid)
{
	size_t n = 0;

	list_for_each (node, &explain.all) {
		n += CONTAINER_OF(node, struct explanation, in_all)->uid == uid;
	}
	return n;
}

/* NULL: it may begin. */
static const char *why_not(const struct client_state *c)
{
	if (c->explanation || queue.is_stopping)
		return c->explanation ? "one question at a time" : "the daemon is stopping";
	if (c->is_administrator)
		return NULL;
	if (explain.n_of_users == AT_A_TIME || n_of_user(c->ch->peer_uid) == PER_USER)
		return "others ask just now; try again";
	return control_may_submit(c->ch->peer_uid)
		? NULL
		: "too many questions and messages in a minute (queue.max_per_uid)";
}

/* What goes on to other roles must fit into their messages, too. NULL: it does. */
static const char *malformed(const struct msg_EXPLAIN_ASK *a)
{
	if (a->address.len > LIMIT_PATH)
		return "the address is too long";
	return address_is_reverse_path(a->reverse_path) ? NULL : "the sender is no address";
}

/* As sendmail makes it of what was given; or that, when it is none. */
static char *canonical(struct slice text)
{
	auto_buf struct buf full = BUF_INIT(2 * LIMIT_PATH);
	struct address a;

	if (address_parse(text, ADDRESS_UNQUALIFIED | ADDRESS_UTF8, &a) != ADDRESS_OK)
		return slice_dup(text);
	address_canonical(&a, slice_of(queue.rp->config->main_origin), &full);
	return slice_dup(buf_slice(&full));
}

static struct message *dry_message(const struct msg_EXPLAIN_ASK *a)
{
	const struct spool_envelope env = {
		.id = queue_new_id(), .reverse_path = a->reverse_path, .client_address = SLICE_EMPTY
	};
	const struct spool_recipient rcpt = { .forward_path = a->address, .original = a->address };
	struct message *m = message_new(&env, &rcpt, 1);

	if (m)
		message_thaw(m);
	return m;
}

static void go_on(struct explanation *x);

void explain_ask(struct channel *ch, const union msg_any *any, int *fd)
{
	const struct msg_EXPLAIN_ASK *a = &any->EXPLAIN_ASK;
	struct client_state *c = client_of(ch);
	struct explanation *x;
	const char *why;

	(void)fd;
	if (!client_speaks(ch))
		return;
	why = malformed(a);
	if (why) {
		client_reply(ch, a->request, EX_DATAERR, why);
		return;
	}
	why = why_not(c);
	if (why) {
		client_reply(ch, a->request, EX_TEMPFAIL, why);
		return;
	}
	x = mem_new(sizeof(*x));
	x->m = dry_message(a);
	if (!x->m) {
		mem_free(x);
		client_reply(ch, a->request, EX_TEMPFAIL, "no memory");
		return;
	}
	x->client = c;
	x->request = a->request;
	x->uid = ch->peer_uid;
	x->dry_run = c->is_administrator ? DRY_RUN_ALL : DRY_RUN_OWN;
	x->max_leaves = c->is_administrator ? LIMIT_DRY_RUN_ALL : LIMIT_DRY_RUN_OWN;
	x->login = slice_dup(slice_first(a->login, LIMIT_LOCAL_PART));
	x->address = canonical(a->address);
	x->nodes = mem_new_array(x->max_leaves + 1, sizeof(*x->nodes));
	list_init(&x->questions);
	list_push_back(&explain.all, &x->in_all);
	explain.n_of_users += x->dry_run != DRY_RUN_ALL;
	c->explanation = x;
	go_on(x);
}

/* ---- questions ---- */

static struct explanation *asked(const struct channel *ch, uint64_t id)
{
	list_for_each (node, &explain.all) {
		struct explanation *x = CONTAINER_OF(node, struct explanation, in_all);
		if (x->asked == id && x->whom == ch)
			return x;
	}
	return NULL;
}

bool explain_answered(struct channel *ch, uint64_t id, const union msg_any *m)
{
	if (!(id & EXPLAIN_ID))
		return false;
	if (asked(ch, id)) /* else it was given up */
		(void)pending_answer(&explain.pending, id & ~EXPLAIN_ID, m);
	return true;
}

/* Its answers go to done. False: nobody is there to be asked. */
static bool question_begin(struct explanation *x, struct channel *whom, pending_done done)
{
	uint64_t id =
		whom && whom != explain.gone ? pending_add(&explain.pending, done, x, 0, &x->questions) : 0;

	x->asked = id ? id | EXPLAIN_ID : 0;
	x->whom = id ? whom : NULL;
	x->base = x->n_nodes;
	return id;
}

static void question_end(struct explanation *x)
{
	x->asked = 0;
	x->whom = NULL;
}

/* Who answers is not believed: what does not fit is left out. */
bool explain_step(struct channel *ch, const struct msg_EXPLAIN_STEP *m)
{
	struct explanation *x = asked(ch, m->request);
	struct msg_EXPLAIN_STEP step = *m;

	if (!x || m->node > LIMIT_DRY_RUN_ALL || m->child > LIMIT_DRY_RUN_ALL)
		return false;
	step.node = m->node ? x->base + m->node : x->nodes[x->at];
	step.child = m->child ? x->base + m->child : 0;
	x->n_nodes = MAX(x->n_nodes, MAX(step.node, step.child));
	pending_renew(&explain.pending, m->request & ~EXPLAIN_ID);
	send_step(x, step);
	return true;
}

bool explain_leaf(struct channel *ch, uint64_t id, const struct leaf *leaf, uint32_t node)
{
	struct explanation *x;

	if (!(id & EXPLAIN_ID))
		return false;
	x = asked(ch, id);
	if (!x || leaf->kind < LEAF_ADDRESS || leaf->kind > LEAF_DEFER || node > LIMIT_DRY_RUN_ALL)
		return true;
	if (x->leaves.n == x->max_leaves || !leaves_add(&x->leaves, leaf)) {
		x->is_cut = true;
		return true;
	}
	x->leaf_nodes[x->leaves.n - 1] = x->base + (node ? node : (uint32_t)x->leaves.n);
	x->n_nodes = MAX(x->n_nodes, x->leaf_nodes[x->leaves.n - 1]);
	return true;
}

/* ---- what the answers make of a recipient ---- */

static void become_others(struct explanation *x, struct slice by_user)
{
	struct message *m = x->m;
	uint32_t n_before = m->n_rcpts;
	size_t n = x->leaves.n;

	if (n_before + n > x->max_leaves + 1) { /* the recipient itself is no leaf */
		x->is_cut = true;
		leaves_free(&x->leaves);
		tell(x, EXPLAIN_NOTE, "what it leads to is not followed any more: there is too much");
		recipient_stage(m, &m->rcpts[x->at], STAGE_DONE);
		return;
	}
	if (!queue_expand_dry(m, &m->rcpts[x->at], &x->leaves, by_user)) {
		end_leaf(x, LEAF_FAIL, SLICE_EMPTY, SLICE_EMPTY);
		return;
	}
	for (size_t i = 0; i < n; i++)
		x->nodes[n_before + i] = x->leaf_nodes[i];
	for (x->at = n_before; x->at < m->n_rcpts; x->at++)
		if (m->rcpts[x->at].state == SPOOL_RCPT_DUPLICATE)
			tell(x, EXPLAIN_DUPLICATE, "left out: the mail goes there already");
}

static void on_routed(void *owner, uint64_t argument, const union msg_any *m_done)
{
	struct explanation *x = owner;
	struct recipient *r = &x->m->rcpts[x->at];
	const struct msg_ROUTE_DONE *done = m_done ? &m_done->ROUTE_DONE : NULL;
	uint32_t at = x->at;

	(void)argument;
	question_end(x);
	if (!done || done->outcome != JOB_DELIVERED) {
		leaves_free(&x->leaves);
		recipient_stage(x->m, r, STAGE_RESOLVED);
		end_badly(x, done && done->outcome == JOB_FAILED, done ? done->status : SLICE("4.3.0"),
			done ? done->reason : SLICE("no answer from address look-up"));
		go_on(x);
		return;
	}
	switch (router_resolve(x->m, r, &x->leaves)) {
	case ROUTED_NOWHERE: end_leaf(x, LEAF_DEFER, SLICE_EMPTY, SLICE_EMPTY); break;
	case ROUTED_TO_OTHERS: become_others(x, SLICE_EMPTY); break;
	case ROUTED_TWICE:
		tell(x, EXPLAIN_DUPLICATE, "left out: the mail goes there already");
		recipient_stage(x->m, r, STAGE_DONE);
		break;
	case ROUTED_TO_ITSELF: x->nodes[at] = x->leaf_nodes[0]; break;
	}
	leaves_free(&x->leaves);
	x->at = at;
	go_on(x);
}

/* Whose rights a command or file has. */
static struct slice acts_as(const struct recipient *r)
{
	struct slice user = r->leaf == LEAF_USER ? r->user : origin_user(r->origin_key);

	return user.len && !slice_eq(user, SLICE("root")) ? user
							  : slice_of(queue.rp->config->local_command_user);
}

static void end_at_transport(struct explanation *x, const struct recipient *r)
{
	const struct config *c = queue.rp->config;
	auto_buf struct buf address = BUF_INIT(2 * LIMIT_ADDRESS);

	transport_address(r, &address);
	tell(x, EXPLAIN_NEXT_HOP, "the mailbox %.*s is kept by local.mailbox_transport, %s line %zu",
		SLICE_ARG(buf_slice(&address)), c->paths.config_file,
		config_line(c, SLICE("local.mailbox_transport")));
	end_leaf(x, LEAF_USER, slice_of(c->local_mailbox_transport), r->user);
}

static void on_delivered(void *owner, uint64_t argument, const union msg_any *m_result)
{
	struct explanation *x = owner;
	struct recipient *r = &x->m->rcpts[x->at];
	const struct msg_JOB_RESULT *result = m_result ? &m_result->JOB_RESULT : NULL;
	auto_free char *by_user = slice_dup(r->leaf == LEAF_USER ? r->user : origin_user(r->origin_key));
	uint32_t at = x->at;

	(void)argument;
	question_end(x);
	switch (result ? (enum job_outcome)result->outcome : JOB_DEFERRED) {
	case JOB_DELIVERED:
		end_leaf(x, r->leaf, result->reason, r->leaf == LEAF_USER ? r->user : acts_as(r));
		break;
	case JOB_FORWARDED: become_others(x, slice_of(by_user)); break;
	case JOB_TRANSPORT: end_at_transport(x, r); break;
	default:
		end_badly(x, result && result->outcome == JOB_FAILED,
			result ? result->status : SLICE("4.3.0"),
			result ? result->reason : SLICE("no answer from local delivery"));
		break;
	}
	leaves_free(&x->leaves);
	x->at = at;
	go_on(x);
}

static void on_hosts(void *owner, uint64_t argument, const union msg_any *m_done)
{
	struct explanation *x = owner;
	const struct msg_EXPLAIN_HOSTS_DONE *done = m_done ? &m_done->EXPLAIN_HOSTS_DONE : NULL;

	(void)argument;
	question_end(x);
	if (done && done->outcome == JOB_RELAYED)
		end_leaf(x, LEAF_REMOTE, x->m->rcpts[x->at].user, SLICE_EMPTY);
	else
		end_badly(x, done && done->outcome == JOB_FAILED, done ? done->status : SLICE("4.3.0"),
			done ? done->reason : SLICE("no answer from the smtp role"));
	go_on(x);
}

static void on_rcpt_verdict(void *owner, uint64_t argument, const union msg_any *m_verdict)
{
	struct explanation *x = owner;
	const struct msg_RCPT_VERDICT *v = m_verdict ? &m_verdict->RCPT_VERDICT : NULL;

	(void)argument;
	question_end(x);
	if (v)
		tell(x, EXPLAIN_RCPT, "RCPT of a client from outside is answered: %u %.*s %.*s", v->code,
			SLICE_ARG(v->status), SLICE_ARG(v->text));
	x->is_rcpt_told = true;
	go_on(x);
}

/* ---- one recipient after the other ---- */

static bool ask_lookup(struct explanation *x, const struct recipient *r)
{
	if (!question_begin(x, router_lookup(), on_routed))
		return false;
	SEND(x->whom, ROUTE_ASK, .request = x->asked, .address = r->forward_path, .flags = (uint8_t)r->flags,
		.trail = r->trail, .dry_run = (uint8_t)x->dry_run);
	return true;
}

/* What local would do with a job for r. */
static bool ask_local(struct explanation *x, const struct recipient *r)
{
	if (!question_begin(x, role_peer(queue.rp, ROLE_LOCAL, 0), on_delivered))
		return false;
	SEND(x->whom, JOB_BEGIN, .job = x->asked, .queue_id = x->m->entry.id,
		.reverse_path = recipient_reverse_path(x->m, r), .n_rcpts = 1, .dry_run = (uint8_t)x->dry_run,
		.asker = x->uid);
	SEND(x->whom, JOB_RCPT, .job = x->asked, .kind = r->leaf, .flags = (uint8_t)r->flags,
		.forward_path = r->forward_path, .user = r->user, .original = r->original, .trail = r->trail,
		.origin = r->origin_key);
	SEND(x->whom, JOB_CONTENT, .job = x->asked, .chunk = SLICE_EMPTY);
	return true;
}

static bool ask_smtp(struct explanation *x, const struct recipient *r)
{
	if (!question_begin(x, scheduler_smtp(r->user), on_hosts))
		return false;
	SEND(x->whom, EXPLAIN_HOSTS, .request = x->asked, .destination = r->user);
	return true;
}

/* Another user's files are none of the asker's business, and no process of that user is started for him. */
static bool is_hidden(const struct explanation *x, const struct recipient *r)
{
	struct slice whose = r->leaf == LEAF_USER ? r->user : origin_user(r->origin_key);

	return x->dry_run != DRY_RUN_ALL && whose.len && !slice_eq(whose, slice_of(x->login));
}

static void hide(struct explanation *x, struct recipient *r)
{
	struct slice whose = r->leaf == LEAF_USER ? r->user : origin_user(r->origin_key);

	tell(x, EXPLAIN_HIDDEN, "what becomes of it is not shown: you are not %.*s", SLICE_ARG(whose));
	end_leaf(x, r->leaf, SLICE_EMPTY, whose);
}

/* True: an answer is waited for. */
static bool look_at_resolved(struct explanation *x, struct recipient *r)
{
	bool is_asked = false;

	switch ((enum leaf_kind)r->leaf) {
	case LEAF_USER:
	case LEAF_COMMAND:
	case LEAF_FILE:
		if (is_hidden(x, r)) {
			hide(x, r);
			return false;
		}
		is_asked = ask_local(x, r);
		break;
	case LEAF_REMOTE: is_asked = ask_smtp(x, r); break;
	case LEAF_ADDRESS: break; /* cannot be: it would be new */
	case LEAF_DISCARD:
	case LEAF_FAIL:
	case LEAF_DEFER: end_leaf(x, r->leaf, SLICE_EMPTY, SLICE_EMPTY); return false;
	}
	if (!is_asked)
		end_badly(x, false, SLICE("4.3.0"), SLICE("a process is being restarted; try again"));
	return is_asked;
}

static bool look_at(struct explanation *x)
{
	struct recipient *r = &x->m->rcpts[x->at];

	if (r->stage == STAGE_DONE)
		return false;
	if (r->stage == STAGE_RESOLVED)
		return look_at_resolved(x, r);
	if (ask_lookup(x, r))
		return true;
	recipient_stage(x->m, r, STAGE_RESOLVED);
	end_badly(x, false, SLICE("4.3.0"), SLICE("a process is being restarted; try again"));
	return false;
}

/* The recipient that is looked at may have been resolved just now, or have become others. */
static void go_on(struct explanation *x)
{
	while (x->at < x->m->n_rcpts) {
		if (look_at(x))
			return;
		if (x->m->rcpts[x->at].stage == STAGE_DONE)
			x->at++;
	}
	if (x->is_rcpt_told || !question_begin(x, router_lookup(), on_rcpt_verdict)) {
		end(x);
		return;
	}
	SEND(x->whom, RCPT_CHECK, .request = x->asked, .reverse_path = message_reverse_path(x->m),
		.forward_path = slice_of(x->address));
}

/* ---- the role's part ---- */

void explain_peer_gone(struct channel *ch)
{
	explain.gone = ch;
	list_for_each_safe (node, &explain.all) {
		struct explanation *x = CONTAINER_OF(node, struct explanation, in_all);
		if (x->whom == ch)
			(void)pending_answer(&explain.pending, x->asked & ~EXPLAIN_ID, NULL);
	}
	explain.gone = NULL;
}

void explain_init(void)
{
	pending_init(&explain.pending, queue.rp->loop, QUESTIONS_MAX, ANSWER_MS);
}
