/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intake.c - mail that smtpd or a command hands over: envelope, content, promise; see core.h
 *
 * A sender is believed in nothing but its own mail: ids must be ones it was leased, a command's login is its
 * real uid. The answer 250 leaves only when the spool reported the commit.
 * Tests: test_role.c.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/limits.h"
#include "mail/address.h"
#include "mail/envelope_options.h"
#include "mail/header_facts.h"
#include "mail/queue_id.h"
#include "mail/trace.h"
#include "queue/core.h"
#include "queue/lease.h"
#include "queue/submissions.h"

#define OPEN_PER_SOURCE 100000
#define OPEN_PER_CLIENT 4			  /* a command sends one mail at a time */
#define ENVELOPE_BYTES (64 * 1024 * 1024)	  /* recipients by the ten thousand */
#define SOURCE_ENVELOPE_BYTES (256 * 1024 * 1024) /* of all open mails of one sender */

/* A channel that hands over mail; outlives the channel while a commit is under way. */
struct source {
	struct list in_sources;
	struct channel *ch; /* NULL: gone */
	struct table open;  /* struct intake */
	size_t n_open, n_committing;
	struct leases leases;
	size_t envelope_bytes; /* of all its open mails */
};

/* One mail on its way in. */
struct intake {
	struct table_node node;
	struct source *source;
	uint64_t mail;		       /* the sender's number */
	struct spool_message *content; /* NULL after a failure */
	struct arena arena;
	size_t envelope_bytes;
	struct spool_envelope env;
	struct spool_recipient *rcpts;
	size_t n_rcpts, cap;
	struct message *m; /* while committing */
	uint16_t code;	   /* first refusal; 0: none */
	const char *status, *text;
	uid_t uid;
	struct header_facts header;
	bool is_for_later;
};

static struct list sources = { &sources, &sources };

/* ---- sources ---- */

static struct source *source_of(const struct channel *ch)
{
	return ch->attached;
}

static void source_free_if_done(struct source *s)
{
	if (s->ch || s->n_committing)
		return;
	list_remove(&s->in_sources);
	table_deinit(&s->open);
	leases_deinit(&s->leases);
	mem_free(s);
}

void intake_peer(struct channel *ch)
{
	struct source *s;

	if (ch->peer != ROLE_SMTPD && ch->peer != ROLE_CLIENT)
		return;
	s = mem_new(sizeof(*s));
	s->ch = ch;
	ch->attached = s;
	list_push_front(&sources, &s->in_sources);
	if (ch->peer == ROLE_SMTPD)
		intake_lease(ch, NULL, NULL);
}

static void intake_free(struct intake *in)
{
	table_remove(&in->source->open, &in->node);
	in->source->n_open--;
	in->source->envelope_bytes -= in->envelope_bytes;
	spool_message_abort(&in->content);
	arena_reset(&in->arena);
	header_facts_deinit(&in->header);
	mem_free(in->rcpts);
	mem_free(in);
}

struct open_mails {
	struct intake **at;
	size_t n;
};

static void collect_open(struct table_node *node, void *user)
{
	struct open_mails *open = user;

	open->at[open->n++] = CONTAINER_OF(node, struct intake, node);
}

void intake_peer_gone(struct channel *ch)
{
	struct source *s = source_of(ch);
	struct open_mails open = { 0 };

	if (!s)
		return;
	open.at = mem_new_array(s->n_open, sizeof(*open.at));
	table_each(&s->open, collect_open, &open);
	for (size_t i = 0; i < open.n; i++)
		if (!open.at[i]->m) /* what is being committed stays: it may be on disk */
			intake_free(open.at[i]);
	mem_free(open.at);
	s->ch = NULL;
	ch->attached = NULL;
	source_free_if_done(s);
}

bool intake_is_committing(const struct channel *ch)
{
	const struct source *s = source_of(ch);

	return s && s->n_committing;
}

void intake_stop(void)
{
	list_for_each_safe (node, &sources) {
		struct source *s = CONTAINER_OF(node, struct source, in_sources);
		if (s->ch)
			intake_peer_gone(s->ch);
	}
}

/* ---- ids ---- */

static void lease(struct source *s)
{
	uint64_t first = leases_may_add(&s->leases, clock_mono_ms()) ? queue_new_ids(LEASE_COUNT) : 0;

	if (first == 0)
		return; /* intake_lease_all() follows when ids can be given; smtpd asks again too */
	leases_add(&s->leases, first);
	SEND(s->ch, ID_LEASE, .first = first, .count = LEASE_COUNT);
}

void intake_lease(struct channel *ch, const union msg_any *m, int *fd)
{
	struct source *s = source_of(ch);

	(void)m, (void)fd;
	if (s)
		lease(s);
}

void intake_lease_all(void)
{
	list_for_each (node, &sources) {
		struct source *s = CONTAINER_OF(node, struct source, in_sources);
		if (s->ch && s->ch->peer == ROLE_SMTPD && s->leases.n == 0)
			lease(s);
	}
}

/* ---- a mail ---- */

static struct intake *intake_find(const struct source *s, uint64_t mail)
{
	uint64_t hash = table_hash_u64(mail);

	for (struct table_node *n = s ? table_first(&s->open, hash) : NULL; n; n = table_next(n, hash)) {
		struct intake *in = CONTAINER_OF(n, struct intake, node);
		if (in->mail == mail && !in->m)
			return in;
	}
	return NULL;
}

static void refuse(struct intake *in, uint16_t code, const char *status, const char *text)
{
	if (in->code)
		return; /* the first reason is the one to tell */
	in->code = code;
	in->status = status;
	in->text = text;
	spool_message_abort(&in->content);
}

static void refuse_errno(struct intake *in, int error)
{
	if (error == -ENOSPC)
		refuse(in, 452, "4.3.1", "Insufficient system storage");
	else if (error == -EMSGSIZE || error == -E2BIG || error == -EFBIG)
		refuse(in, 552, "5.3.4", "The envelope is too large");
	else
		refuse(in, 451, "4.3.0",
			error == -ENOMEM ? "Out of memory, try again later" : "The queue cannot be written");
}

static struct slice keep(struct intake *in, struct slice s)
{
	struct slice copy = SLICE_EMPTY;

	if (in->source->envelope_bytes > SOURCE_ENVELOPE_BYTES ||
		(s.len && !arena_copy(&in->arena, s, &copy)))
		refuse(in, 452, "4.5.3", "The envelope is too large");
	in->source->envelope_bytes += copy.len;
	in->envelope_bytes += copy.len;
	return copy;
}

/* "uid 1000" */
static struct slice keep_uid(struct intake *in, uid_t uid)
{
	char text[32];
	int n = snprintf(text, sizeof(text), LOCAL_LOGIN "%u", (unsigned)uid);

	return keep(in, (struct slice){ text, (size_t)MAX(n, 0) });
}

/* What a command may say of itself is little: who it is, the kernel says. */
static void identify_client(struct intake *in, struct channel *ch, const struct msg_MAIL_BEGIN *b)
{
	auto_buf struct buf received = BUF_INIT(4096);
	struct trace_client client = { b->protocol, b->client_address, b->client_name, b->interface }, record;

	in->uid = ch->peer_uid;
	in->env.id = queue_new_id();
	in->env.login = keep_uid(in, ch->peer_uid);
	control_may_say(ch->peer_uid, &client, &record);
	in->env.protocol = keep(in, record.protocol);
	in->env.client_address = keep(in, record.address);
	in->env.client_name = keep(in, record.name);
	in->is_for_later = b->is_for_later;
	if (in->env.id == 0) {
		refuse(in, 452, "4.3.1", "Insufficient system storage");
		return;
	}
	trace_append_received_local(&received,
		&(struct trace_local){ .host = slice_of(queue.rp->config->main_host_name),
			.uid = (unsigned)ch->peer_uid,
			.queue_id = in->env.id,
			.time_s = clock_wall_s(),
			.client = client });
	if (in->content) {
		int r = spool_message_append(in->content, buf_slice(&received));
		if (r < 0)
			refuse_errno(in, r);
	}
}

static void identify_smtpd(struct intake *in, const struct msg_MAIL_BEGIN *b)
{
	in->env.id = b->queue_id;
	in->env.client_address = keep(in, b->client_address);
	in->env.client_name = keep(in, b->client_name);
	in->env.client_helo = keep(in, b->helo);
	in->env.protocol = keep(in, b->protocol);
	in->env.login = keep(in, b->login);
	if (!leases_take(&in->source->leases, b->queue_id))
		refuse(in, 451, "4.3.0", "Queue id out of its lease");
}

void intake_begin(struct channel *ch, const union msg_any *any, int *fd)
{
	const struct msg_MAIL_BEGIN *b = &any->MAIL_BEGIN;
	struct source *s = source_of(ch);
	struct intake *in;
	int r;

	(void)fd;
	if (!s || intake_find(s, b->mail) ||
		s->n_open >= (ch->peer == ROLE_CLIENT ? OPEN_PER_CLIENT : OPEN_PER_SOURCE)) {
		SEND(ch, MAIL_RESULT, .mail = b->mail, .code = 451, .status = SLICE("4.3.0"),
			.text = SLICE("Too many messages at once"));
		return;
	}
	in = mem_new(sizeof(*in));
	in->source = s;
	in->mail = b->mail;
	in->arena = ARENA_INIT(ENVELOPE_BYTES);
	in->header = HEADER_FACTS_INIT;
	table_insert(&s->open, &in->node, table_hash_u64(b->mail));
	s->n_open++;
	in->env.arrival_us = clock_wall_us();
	in->env.reverse_path = keep(in, b->reverse_path);
	in->env.envid = keep(in, b->envid);
	in->env.ret = b->ret <= RET_HDRS ? b->ret : RET_DEFAULT;
	in->env.body_type = b->body <= BODY_8BITMIME ? b->body : BODY_DEFAULT;
	in->env.smtputf8 = b->smtputf8;
	in->env.submission = keep(in, slice_first(b->submission_id, 64));
	r = queue.is_stopping ? -ENOMEM : spool_message_new(queue.spool, b->size_hint, &in->content);
	if (r < 0)
		refuse_errno(in, r);
	if (!address_is_reverse_path(b->reverse_path) || (b->envid.len && !envid_is_valid(b->envid)))
		refuse(in, 501, "5.1.7", "Bad sender address or envelope id syntax");
	if (ch->peer == ROLE_CLIENT)
		identify_client(in, ch, b);
	else
		identify_smtpd(in, b);
}

/* The first line of the trail: the address as accepted, in canonical form (Delivered-To). */
static bool rcpt_trail(struct intake *in, struct slice forward_path, struct slice *trail_out)
{
	auto_buf struct buf text = BUF_INIT(2 * LIMIT_PATH);
	struct address a;

	if (forward_path.len > LIMIT_PATH ||
		address_parse(forward_path, ADDRESS_UNQUALIFIED | ADDRESS_UTF8, &a) != ADDRESS_OK)
		return false;
	address_canonical(&a, slice_of(queue.rp->config->main_origin), &text);
	*trail_out = keep(in, buf_slice(&text));
	return true;
}

void intake_rcpt(struct channel *ch, const union msg_any *any, int *fd)
{
	const struct msg_MAIL_RCPT *m = &any->MAIL_RCPT;
	struct intake *in = intake_find(source_of(ch), m->mail);
	struct spool_recipient *r;
	struct slice trail;

	(void)fd;
	if (!in || in->code)
		return;
	if (in->n_rcpts == LIMIT_EXPANSION) {
		refuse(in, 452, "4.5.3", "Too many recipients");
		return;
	}
	if (!rcpt_trail(in, m->forward_path, &trail)) {
		refuse(in, 501, "5.1.3", "Bad recipient address syntax");
		return;
	}
	if (in->n_rcpts == in->cap) {
		size_t cap = in->cap ? in->cap * 2 : 1;
		struct spool_recipient *grown = mem_new_array(cap, sizeof(*grown));
		if (in->n_rcpts)
			memcpy(grown, in->rcpts, in->n_rcpts * sizeof(*grown));
		mem_free(in->rcpts);
		in->rcpts = grown;
		in->cap = cap;
	}
	r = &in->rcpts[in->n_rcpts];
	*r = (struct spool_recipient){
		.forward_path = trail,
		.original = keep(in, m->forward_path),
		.orcpt = orcpt_is_valid(m->orcpt) ? keep(in, m->orcpt) : SLICE_EMPTY,
		.trail = trail,
		.parent = (uint32_t)in->n_rcpts,
		.notify = notify_is_valid(m->notify) ? m->notify : 0,
	};
	in->n_rcpts++;
}

void intake_content(struct channel *ch, const union msg_any *any, int *fd)
{
	const struct msg_MAIL_CONTENT *m = &any->MAIL_CONTENT;
	struct intake *in = intake_find(source_of(ch), m->mail);
	int r;

	(void)fd;
	if (!in || in->code)
		return;
	/* smtpd counts what arrives; this bounds a sender that does not. */
	if (spool_message_bytes(in->content) + m->chunk.len >
		queue.rp->config->message_max_size + LIMIT_HEADER) {
		refuse(in, 552, "5.3.4", "Message size exceeds the limit (message.max_size)");
		return;
	}
	header_facts_add(&in->header, m->chunk);
	r = spool_message_append(in->content, m->chunk);
	if (r < 0)
		refuse_errno(in, r);
}

void intake_abort(struct channel *ch, const union msg_any *any, int *fd)
{
	struct intake *in = intake_find(source_of(ch), any->MAIL_ABORT.mail);

	(void)fd;
	if (in)
		intake_free(in);
}

static void answer(const struct intake *in, uint16_t code, const char *status, const char *text)
{
	if (in->source->ch)
		SEND(in->source->ch, MAIL_RESULT, .mail = in->mail, .queue_id = code == 250 ? in->env.id : 0,
			.code = code, .status = slice_of(status), .text = slice_of(text));
}

static void on_committed(void *user, int result)
{
	struct intake *in = user;
	struct source *s = in->source;
	struct message *m = take_ptr(&in->m);

	s->n_committing--;
	submission_end(in->env.submission, in->uid, result == 0);
	if (result < 0) {
		message_free(&m);
		refuse_errno(in, result);
		answer(in, in->code, in->status, in->text);
	} else {
		answer(in, 250, "2.0.0", "Ok");
		(in->is_for_later ? queue_accepted_for_later : queue_accepted)(
			m, buf_slice(&in->header.message_id));
	}
	intake_free(in);
	source_free_if_done(s);
}

/* True when it was answered and is over. */
static bool refused_at_end(struct intake *in, bool is_client)
{
	uint64_t mail;

	switch (is_client ? submission_find(in->env.submission, in->uid, &mail) : SUBMISSION_NEW) {
	case SUBMISSION_TAKEN: answer(in, 250, "2.0.0", "Ok: taken in before"); return true;
	case SUBMISSION_COMMITTING: refuse(in, 451, "4.3.0", "It is being taken in already"); break;
	case SUBMISSION_NEW: break;
	}
	if (!in->code && in->n_rcpts == 0)
		refuse(in, 554, "5.5.1", "No recipients");
	if (!in->code)
		return false;
	answer(in, in->code, in->status, in->text);
	return true;
}

void intake_end(struct channel *ch, const union msg_any *any, int *fd)
{
	struct intake *in = intake_find(source_of(ch), any->MAIL_END.mail);
	struct spool_message *content;

	(void)fd;
	if (!in)
		return;
	if (refused_at_end(in, ch->peer == ROLE_CLIENT)) {
		intake_free(in);
		return;
	}
	header_facts_end(&in->header);
	in->env.priority = (uint8_t)priority_of(in->header.says_bulk, in->n_rcpts);
	in->m = message_new(&in->env, in->rcpts, in->n_rcpts);
	if (!in->m) {
		refuse_errno(in, -ENOMEM);
		answer(in, in->code, in->status, in->text);
		intake_free(in);
		return;
	}
	/* From now on: the same mail may come by the drop directory while a slow disk writes this one. */
	submission_begin(in->env.submission, in->uid, in->env.id);
	in->source->n_committing++;
	content = take_ptr(&in->content);
	spool_message_commit(content, &in->m->entry, &in->env, in->rcpts, in->n_rcpts, on_committed, in);
}
