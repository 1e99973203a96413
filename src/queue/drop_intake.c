/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drop_intake.c - mail that sendmail left in the drop directory; see core.h
 *
 * The file is removed only after the commit, and delivery begins only after the removal is synced: a crash in
 * between leaves a file whose submission id is that of a message in the queue, which is then not taken in
 * again. Such files go before anything that was recovered is delivered. What cannot be removed is in
 * drop_stuck.c. The directory is watched, and looked at from time to time in any case; a look goes through it
 * a few files in each turn of the loop, one of them at a time in memory, and content flows to the spool as
 * fast as the disk takes it.
 * Tests: tests/system/test_drop.py, tests/system/test_submission.py.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "mail/address.h"
#include "mail/drop_format.h"
#include "mail/header_facts.h"
#include "mail/trace.h"
#include "queue/core.h"
#include "queue/submissions.h"
#include "spool/drop.h"

#define LOOK_EVERY_MS 5000
#define LOOK_SOON_MS 10		    /* after a change: others follow it closely */
#define FILES_PER_TURN 50	    /* looked at */
#define BYTES_PER_TURN (8 << 20)    /* read; one file may exceed it */
#define COMMITS_AT_ONCE 200	    /* files handed to the spool and not yet answered */
#define PIECE_BYTES (1 << 20)	    /* of content, at a time */
#define BACKLOG_BYTES (16ULL << 20) /* above this the disk is waited for */
#define WAIT_MS 5		    /* for the disk */
#define HEAD_BYTES 256		    /* the first two lines of a file with the longest id */
#define DROP_ENVELOPE_BYTES                                                                                  \
	(64 * 1024 * 1024) /* above what sendmail writes before the content; see ENVELOPE_BYTES of intake.c  \
			    */
#define UNFINISHED_S 86400 /* a file that its writer has not finished for so long has no writer any more */
#define UID_UNMAPPED 65534 /* what the kernel reports for users of other namespaces */

/* A file on its way into the spool. */
struct dropped {
	struct list in_committing;
	struct drop_file file;
	struct message *m;
	struct header_facts header;
	struct spool_message *content; /* while it is being fed */
	struct slice left;	       /* what is to be fed yet; into drop.text */
	bool is_repeat;		       /* its mail came before and is gone: only its id is to be kept */
};

static struct {
	int dir;
	uv_fs_event_t event;
	uv_timer_t look, step;
	struct drop_walk *walk; /* NULL: nobody looks */
	struct buf head, text;
	struct dropped *feeding;
	struct list committing;
	size_t n_committing;
	size_t n_put_off, n_put_off_before; /* files that wait because of queue.max_per_uid, of this look and
					       the last */
	bool look_again;
} drop = { .dir = -1, .committing = { &drop.committing, &drop.committing } };

/* ---- looks ---- */

static void on_step(uv_timer_t *timer);

static void step_after(unsigned ms)
{
	CHECK(uv_timer_start(&drop.step, on_step, ms, 0) == 0);
}

static void drop_look(void)
{
	int r;

	if (queue.is_stopping || spool_is_full(queue.spool))
		return;
	if (drop.walk || drop.n_committing) { /* those under way are still in the directory */
		drop.look_again = true;
		return;
	}
	drop.look_again = false;
	drop_stuck_retry(drop.dir);
	r = drop_remove_unfinished(drop.dir, UNFINISHED_S);
	if (r < 0)
		log_error("unfinished drop files cannot be removed: %s", strerror(-r));
	r = drop_walk_open(drop.dir, &drop.walk);
	if (r < 0) {
		log_error("the drop directory cannot be read: %s", strerror(-r));
		return;
	}
	drop.text = BUF_INIT(queue.rp->config->message_max_size + DROP_ENVELOPE_BYTES + LIMIT_HEADER);
	step_after(0);
}

static void on_look(uv_timer_t *timer)
{
	(void)timer;
	drop_look();
}

static void look_soon(void)
{
	CHECK(uv_timer_start(&drop.look, on_look, LOOK_SOON_MS, LOOK_EVERY_MS) == 0);
}

static void look_ended(void)
{
	drop_walk_close(&drop.walk);
	buf_free(&drop.text); /* its memory was for mail as large as there was */
	if (drop.n_put_off && !drop.n_put_off_before)
		log_info("%zu drop files wait: their users have sent queue.max_per_uid messages in a minute",
			drop.n_put_off);
	drop.n_put_off_before = drop.n_put_off;
	drop.n_put_off = 0;
	if (drop.look_again && drop.n_committing == 0)
		look_soon();
}

/* ---- one file ---- */

static void dropped_free(struct dropped **dp)
{
	struct dropped *d = take_ptr(dp);

	spool_message_abort(&d->content);
	message_free(&d->m);
	header_facts_deinit(&d->header);
	mem_free(d);
}

static void on_drop_committed(void *user, int result)
{
	struct dropped *d = user;

	drop.n_committing--;
	list_remove(&d->in_committing);
	if (!d->is_repeat)
		submission_end(message_submission(d->m), d->file.owner, result == 0);
	if (result < 0) {
		log_error("drop file %s: cannot be taken in yet: %s", d->file.name, strerror(-result));
	} else {
		struct message *m = take_ptr(&d->m);
		drop_stuck_remove(drop.dir, &d->file, m);
		if (d->is_repeat && !queue.is_stopping)
			queue_forget(m);
		else
			queue_accepted(m, buf_slice(&d->header.message_id));
	}
	dropped_free(&d);
	if (drop.look_again && !drop.walk && drop.n_committing == 0 && !queue.is_stopping)
		look_soon();
}

static void drop_commit(struct dropped *d)
{
	auto_free struct spool_recipient *rcpts = mem_new_array(d->m->n_rcpts, sizeof(*rcpts));
	struct spool_message *content = take_ptr(&d->content);
	struct spool_envelope env;

	message_envelope(d->m, &env);
	message_recipients(d->m, rcpts);
	drop.n_committing++;
	list_push_back(&drop.committing, &d->in_committing);
	if (!d->is_repeat)
		submission_begin(env.submission, d->file.owner, env.id); /* another file may carry it */
	spool_message_commit(content, &d->m->entry, &env, rcpts, d->m->n_rcpts, on_drop_committed, d);
}

/* As much of the content as the spool takes now; the commit when that was all. */
static void feed(void)
{
	struct dropped *d = drop.feeding;
	int r = 0;

	while (r == 0 && d->left.len && spool_message_backlog(d->content) < BACKLOG_BYTES) {
		struct slice piece = slice_first(d->left, PIECE_BYTES);
		r = spool_message_append(d->content, piece);
		d->left = slice_from(d->left, piece.len);
	}
	if (r < 0) {
		log_warning("drop file %s: cannot be taken in yet: %s", d->file.name, strerror(-r));
		dropped_free(&drop.feeding);
	} else if (d->left.len == 0) {
		drop_commit(take_ptr(&drop.feeding));
	}
}

/* The recipients of a drop file, as the queue keeps them. False when one is malformed: sendmail never writes
 * such. */
static bool drop_recipients(const struct drop_message *msg, struct spool_recipient *rcpts, struct buf *trails)
{
	struct slice rest = msg->recipients;
	struct drop_recipient rcpt;
	size_t n = 0;

	/* One block for all canonical addresses, reserved beforehand: the slices into it must not move. */
	if (!buf_reserve(trails, msg->n_recipients * (LIMIT_PATH + LIMIT_DOMAIN)))
		return false;
	while (n < msg->n_recipients && drop_recipient_next(&rest, &rcpt)) {
		struct address a;
		size_t start = trails->len;
		if (address_parse(rcpt.address, ADDRESS_UNQUALIFIED | ADDRESS_UTF8, &a) != ADDRESS_OK)
			return false;
		address_canonical(&a, slice_of(queue.rp->config->main_origin), trails);
		rcpts[n] = (struct spool_recipient){
			.forward_path = { trails->at + start, trails->len - start },
			.original = rcpt.address,
			.orcpt = rcpt.orcpt,
			.trail = { trails->at + start, trails->len - start },
			.parent = (uint32_t)n,
			.notify = (uint8_t)rcpt.notify,
		};
		n++;
	}
	return n == msg->n_recipients && buf_ok(trails);
}

static int drop_begin_content(
	struct dropped *d, const struct drop_message *msg, const struct trace_client *client)
{
	auto_buf struct buf received = BUF_INIT(4096);
	int r = spool_message_new(queue.spool, msg->content.len, &d->content);

	if (r < 0)
		return r;
	trace_append_received_local(&received,
		&(struct trace_local){ .host = slice_of(queue.rp->config->main_host_name),
			.uid = (unsigned)d->file.owner,
			.queue_id = d->m->entry.id,
			.time_s = (int64_t)(d->file.modified_us / 1000000),
			.client = *client });
	d->left = msg->content;
	return spool_message_append(d->content, buf_slice(&received));
}

/* 0, or negative errno when it must be tried again later; -EINVAL when never. */
static int drop_begin(const struct drop_message *msg, const struct drop_file *file, bool is_repeat)
{
	auto_free struct spool_recipient *rcpts = mem_new_array(msg->n_recipients, sizeof(*rcpts));
	auto_buf struct buf trails = BUF_INIT(msg->n_recipients * (LIMIT_PATH + LIMIT_DOMAIN));
	struct trace_client client = msg->envelope.client, record;
	struct header_facts header = HEADER_FACTS_INIT;
	struct dropped *d;
	char login[32];
	int r;

	control_may_say(file->owner, &client, &record);
	(void)snprintf(login, sizeof(login), LOCAL_LOGIN "%u", (unsigned)file->owner);
	header_facts_add(&header, msg->content);
	header_facts_end(&header);
	const struct spool_envelope env = {
		.id = queue_new_id(),
		.arrival_us = file->modified_us,
		.reverse_path = msg->envelope.sender,
		.envid = msg->envelope.envid,
		.ret = msg->envelope.ret,
		.body_type = msg->envelope.body,
		.smtputf8 = msg->envelope.smtputf8,
		.priority = (uint8_t)priority_of(header.says_bulk, msg->n_recipients),
		.client_address = record.address,
		.client_name = record.name,
		.protocol = record.protocol,
		.login = slice_of(login),
		.submission = msg->envelope.submission_id,
	};
	r = env.id == 0 ? -ENOSPC : !drop_recipients(msg, rcpts, &trails) ? -EINVAL : 0;
	if (r < 0) {
		header_facts_deinit(&header);
		return r;
	}
	for (size_t i = 0; is_repeat && i < msg->n_recipients; i++)
		rcpts[i].progress.state = SPOOL_RCPT_DUPLICATE;
	d = mem_new(sizeof(*d));
	d->header = header;
	list_init(&d->in_committing);
	d->file = *file;
	d->is_repeat = is_repeat;
	d->m = message_new(&env, rcpts, msg->n_recipients);
	r = d->m ? drop_begin_content(d, msg, &client) : -ENOMEM;
	if (r < 0)
		dropped_free(&d);
	drop.feeding = d;
	return r;
}

static void set_aside(const char *name, const char *why)
{
	int r = drop_set_aside(drop.dir, name);

	log_error("drop file %s: %s; %s%s", name, why,
		r < 0 ? "it cannot be moved aside: " : "moved to .bad-", r < 0 ? strerror(-r) : name);
}

/* False when nothing more is to be done with it now. */
static bool was_read(const char *name, int r)
{
	if (r < 0)
		log_error("drop file %s: %s", name, strerror(-r));
	else if (r != DROP_READ_OK && r != DROP_READ_GONE && r != DROP_READ_CHANGED)
		set_aside(name, drop_outcome_text((enum drop_outcome)r));
	return r == DROP_READ_OK;
}

/* The submission id stands in the second line; what else is wrong with the file is found when it is taken in.
 */
static struct slice id_in_head(struct slice head)
{
	struct slice line;

	return slice_next_line(&head, &line) && slice_next_line(&head, &line) &&
			slice_starts(line, SLICE("id "))
		? slice_from(line, 3)
		: SLICE_EMPTY;
}

static bool is_under_way(const struct drop_file *file)
{
	list_for_each (node, &drop.committing) {
		if (drop_file_is_same(&CONTAINER_OF(node, struct dropped, in_committing)->file, file))
			return true;
	}
	return drop_stuck_has(file);
}

enum want { NOT_NOW, THE_MAIL, ITS_ID };

/* It came over the socket, or before a crash. With the mail in the queue its record knows the file, as long
 * as that is there. */
static enum want remove_repeat(const struct drop_file *file, uint64_t mail)
{
	struct message *m = queue_find(mail);

	if (m) {
		drop_stuck_remove(drop.dir, file, m);
		return NOT_NOW;
	}
	return drop_remove(drop.dir, file, true) < 0 ? ITS_ID : NOT_NOW;
}

/* What of the file is to be taken in. */
static enum want look_at_head(const char *name)
{
	struct drop_file file;
	uint64_t mail;

	if (!was_read(name, drop_read_head(drop.dir, name, HEAD_BYTES, &drop.head, &file)) ||
		is_under_way(&file))
		return NOT_NOW;
	if (file.owner == UID_UNMAPPED && !queue.rp->config->security_accept_unmapped) {
		set_aside(name, "from uid 65534, which is not served (security.accept_unmapped)");
		return NOT_NOW;
	}
	switch (submission_find(id_in_head(buf_slice(&drop.head)), file.owner, &mail)) {
	case SUBMISSION_TAKEN: return remove_repeat(&file, mail);
	case SUBMISSION_COMMITTING: return NOT_NOW; /* when that fails, this is the only copy */
	case SUBMISSION_NEW: break;
	}
	if (control_may_submit(file.owner))
		return THE_MAIL;
	drop.n_put_off++;
	return NOT_NOW;
}

/* The bytes that were read. */
static uint64_t take_in(const char *name)
{
	struct drop_file file;
	struct drop_message msg;
	enum drop_status status;
	enum want want = look_at_head(name);
	int r;

	if (want == NOT_NOW)
		return 0;
	r = drop_read(
		drop.dir, name, queue.rp->config->message_max_size + DROP_ENVELOPE_BYTES, &drop.text, &file);
	if (!was_read(name, r))
		return 0;
	status = drop_decode(buf_slice(&drop.text), &msg);
	if (status != DROP_OK) {
		set_aside(name, drop_status_text(status));
		return file.bytes;
	}
	r = drop_begin(&msg, &file, want == ITS_ID);
	if (r == -EINVAL)
		set_aside(name, "a recipient is not an address");
	else if (r < 0)
		log_warning("drop file %s: cannot be taken in yet: %s", name, strerror(-r));
	else
		feed();
	return file.bytes;
}

/* One turn's share of a look. */
static void on_step(uv_timer_t *timer)
{
	char name[DROP_NAME_MAX + 1];
	uint64_t bytes = 0;
	int r = 1;

	(void)timer;
	if (drop.feeding)
		feed();
	for (unsigned n = 0; !drop.feeding && drop.n_committing < COMMITS_AT_ONCE && n < FILES_PER_TURN &&
		bytes < BYTES_PER_TURN;
		n++) {
		r = spool_is_full(queue.spool) ? 0 : drop_walk_next(drop.walk, name);
		if (r <= 0)
			break;
		bytes += take_in(name);
	}
	if (r < 0)
		log_error("the drop directory cannot be read: %s", strerror(-r));
	if (r <= 0)
		look_ended();
	else
		step_after(drop.feeding || drop.n_committing >= COMMITS_AT_ONCE ? WAIT_MS : 0);
}

/* ---- start and stop ---- */

static void on_event(uv_fs_event_t *handle, const char *name, int events, int status)
{
	(void)handle, (void)events, (void)status;
	if (!name || name[0] != '.')
		look_soon();
}

static bool read_id(const char *name, struct drop_file *file_out, struct slice *id_out)
{
	/* What cannot be read is dealt with when the directory is looked at. */
	if (drop_read_head(drop.dir, name, HEAD_BYTES, &drop.head, file_out) != DROP_READ_OK)
		return false;
	*id_out = id_in_head(buf_slice(&drop.head));
	return true;
}

static void on_present(void *user, const char *name)
{
	struct drop_file file;
	struct slice id;

	(void)user;
	if (read_id(name, &file, &id))
		submission_expect(id);
}

void drop_intake_prepare(void)
{
	const char *path = queue.rp->config->paths.drop_dir;
	int r;

	drop.head = BUF_INIT(HEAD_BYTES);
	drop.dir = drop_open(path);
	r = drop.dir < 0 ? drop.dir : drop_list(drop.dir, on_present, NULL);
	if (r < 0)
		log_error("drop directory %s: %s; run `postrider setup`", path, strerror(-r));
}

static void on_left_over(void *user, const char *name)
{
	struct drop_file file;
	struct slice id;
	uint64_t mail;
	struct message *m;

	(void)user;
	if (read_id(name, &file, &id) && submission_find(id, file.owner, &mail) == SUBMISSION_TAKEN &&
		(m = queue_find(mail)))
		drop_stuck_add(&file, m);
}

void drop_intake_recover(void)
{
	int r;

	if (drop.dir < 0 || queue.n_messages == 0)
		return;
	r = drop_list(drop.dir, on_left_over, NULL);
	if (r < 0)
		log_error("the drop directory cannot be read: %s", strerror(-r));
	drop_stuck_retry(drop.dir);
}

void drop_intake_start(void)
{
	const char *path = queue.rp->config->paths.drop_dir;

	if (drop.dir < 0)
		return; /* why, was said */
	CHECK(uv_timer_init(queue.rp->loop, &drop.step) == 0);
	CHECK(uv_timer_init(queue.rp->loop, &drop.look) == 0);
	CHECK(uv_timer_start(&drop.look, on_look, 0, LOOK_EVERY_MS) == 0);
	/* Without a watch the look every few seconds finds the files. */
	if (uv_fs_event_init(queue.rp->loop, &drop.event) == 0)
		(void)uv_fs_event_start(&drop.event, on_event, path, 0);
}

void drop_intake_stop(void)
{
	if (!drop.walk)
		return;
	(void)uv_timer_stop(&drop.step);
	if (drop.feeding)
		dropped_free(&drop.feeding); /* the file is still there */
	drop_walk_close(&drop.walk);
}
