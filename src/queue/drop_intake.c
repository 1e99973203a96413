/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drop_intake.c - mail that sendmail left in the drop directory; see core.h
 *
 * The file is removed only after the commit, and delivery begins only after the removal is synced: a crash in
 * between leaves a file whose submission id is that of a message in the queue, which is then not taken in
 * again. Such files go before anything that was recovered is delivered: once it is, nobody knows the id any
 * more. The directory is watched, and looked at from time to time in any case.
 */
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "mail/address.h"
#include "mail/drop_format.h"
#include "mail/trace.h"
#include "queue/core.h"
#include "spool/drop.h"

#define LOOK_EVERY_MS 5000
#define FILES_AT_ONCE 200
#define UNFINISHED_S 86400 /* a file that its writer has not finished for so long has no writer any more */
#define UID_UNMAPPED 65534 /* what the kernel reports for users of other namespaces */

static struct {
	int dir;
	uv_fs_event_t event;
	uv_timer_t look;
	size_t n_committing;
} drop = { .dir = -1 };

struct dropped {
	struct drop_file file;
	struct message *m;
	char *submission;
	uid_t uid;
};

static void on_drop_committed(void *user, int result)
{
	struct dropped *d = user;
	int r;

	drop.n_committing--;
	if (result < 0) {
		log_error("drop file %s: cannot be taken in yet: %s", d->file.name, strerror(-result));
		message_free(&d->m);
	} else {
		r = drop_remove(drop.dir, &d->file, true);
		if (r < 0)
			log_error("drop file %s: cannot be removed: %s", d->file.name, strerror(-r));
		intake_remember(slice_of(d->submission), d->uid);
		queue_accepted(take_ptr(&d->m));
	}
	mem_free(d->submission);
	mem_free(d);
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

static int drop_content(
	struct spool_message *content, const struct drop_message *msg, const struct dropped *d, uint64_t id)
{
	auto_buf struct buf received = BUF_INIT(4096);
	int r;

	trace_append_received_local(&received, slice_of(queue.rp->config->main_host_name), (unsigned)d->uid,
		id, (int64_t)(d->file.modified_us / 1000000));
	r = spool_message_append(content, buf_slice(&received));
	return r < 0 ? r : spool_message_append(content, msg->content);
}

/* 0, or negative errno when it must be tried again later. */
static int drop_commit(const struct drop_message *msg, const struct drop_file *file)
{
	auto_free struct spool_recipient *rcpts = mem_new_array(msg->n_recipients, sizeof(*rcpts));
	auto_buf struct buf trails = BUF_INIT(msg->n_recipients * (LIMIT_PATH + LIMIT_DOMAIN));
	struct spool_message *content = NULL;
	struct dropped *d;
	char login[32];
	int r;

	(void)snprintf(login, sizeof(login), "uid %u", (unsigned)file->owner);
	const struct spool_envelope env = {
		.id = queue_new_id(),
		.arrival_us = file->modified_us,
		.reverse_path = msg->envelope.sender,
		.envid = msg->envelope.envid,
		.ret = (enum spool_ret)msg->envelope.ret,
		.body_type = msg->envelope.body == BODY_8BITMIME ? SPOOL_BODY_8BITMIME : SPOOL_BODY_7BIT,
		.smtputf8 = msg->envelope.smtputf8,
		.protocol = SLICE("local"),
		.login = slice_of(login),
		.submission = msg->envelope.submission_id,
	};
	if (env.id == 0)
		return -ENOSPC;
	if (!drop_recipients(msg, rcpts, &trails))
		return -EINVAL;
	r = spool_message_new(queue.spool, msg->content.len, &content);
	if (r < 0)
		return r;
	d = mem_new(sizeof(*d));
	d->file = *file;
	d->uid = file->owner;
	d->submission = slice_dup(msg->envelope.submission_id);
	r = drop_content(content, msg, d, env.id);
	if (r < 0) {
		spool_message_abort(&content);
		mem_free(d->submission);
		mem_free(d);
		return r;
	}
	d->m = message_new(&env, rcpts, msg->n_recipients);
	drop.n_committing++;
	spool_message_commit(content, &d->m->entry, &env, rcpts, msg->n_recipients, on_drop_committed, d);
	return 0;
}

static void set_aside(const char *name, const char *why)
{
	int r = drop_set_aside(drop.dir, name);

	log_error("drop file %s: %s; %s%s", name, why,
		r < 0 ? "it cannot be moved aside: " : "moved to .bad-", r < 0 ? strerror(-r) : name);
}

static void on_found(void *user, const char *name)
{
	struct buf *content = user;
	struct drop_file file;
	struct drop_message msg;
	int r = drop_read(drop.dir, name, queue.rp->config->message_max_size + LIMIT_HEADER, content, &file);

	if (r < 0) {
		log_error("drop file %s: %s", name, strerror(-r));
		return;
	}
	if (r == DROP_READ_GONE || r == DROP_READ_CHANGED)
		return;
	if (r != DROP_READ_OK) {
		set_aside(name, drop_outcome_text((enum drop_outcome)r));
		return;
	}
	if (file.owner == UID_UNMAPPED && !queue.rp->config->security_accept_unmapped) {
		set_aside(name, "from uid 65534, which is not served (security.accept_unmapped)");
		return;
	}
	enum drop_status status = drop_decode(buf_slice(content), &msg);
	if (status != DROP_OK) {
		set_aside(name, drop_status_text(status));
		return;
	}
	if (intake_seen(msg.envelope.submission_id, file.owner)) {
		r = drop_remove(drop.dir, &file, true); /* it came in over the socket, or before a crash */
		if (r < 0)
			log_error("drop file %s: cannot be removed: %s", name, strerror(-r));
		return;
	}
	r = drop_commit(&msg, &file);
	if (r == -EINVAL)
		set_aside(name, "a recipient is not an address");
	else if (r < 0)
		log_warning("drop file %s: cannot be taken in yet: %s", name, strerror(-r));
}

static void drop_look(void)
{
	auto_buf struct buf content = BUF_INIT(queue.rp->config->message_max_size + 2 * LIMIT_HEADER);
	int r;

	if (drop.n_committing || queue.is_stopping || spool_is_full(queue.spool))
		return; /* those under way are still in the directory */
	r = drop_remove_unfinished(drop.dir, UNFINISHED_S);
	if (r < 0)
		log_error("unfinished drop files cannot be removed: %s", strerror(-r));
	r = drop_list(drop.dir, FILES_AT_ONCE, on_found, &content);
	if (r < 0)
		log_error("the drop directory cannot be read: %s", strerror(-r));
}

static void on_look(uv_timer_t *timer)
{
	(void)timer;
	drop_look();
}

static void on_event(uv_fs_event_t *handle, const char *name, int events, int status)
{
	(void)handle, (void)events, (void)status;
	if (!name || name[0] != '.')
		CHECK(uv_timer_start(&drop.look, on_look, 10, LOOK_EVERY_MS) == 0);
}

static void on_left_over(void *user, const char *name)
{
	struct buf *content = user;
	struct drop_message msg;
	struct drop_file file;
	int r;

	/* What cannot be read is dealt with when the directory is looked at. */
	if (drop_read(drop.dir, name, queue.rp->config->message_max_size + LIMIT_HEADER, content, &file) !=
			DROP_READ_OK ||
		drop_decode(buf_slice(content), &msg) != DROP_OK ||
		!intake_seen(msg.envelope.submission_id, file.owner))
		return;
	r = drop_remove(drop.dir, &file, false);
	if (r < 0)
		log_error("drop file %s: cannot be removed: %s", name, strerror(-r));
}

void drop_intake_recover(void)
{
	const char *path = queue.rp->config->paths.drop_dir;
	auto_buf struct buf content = BUF_INIT(queue.rp->config->message_max_size + 2 * LIMIT_HEADER);
	int r;

	drop.dir = drop_open(path);
	if (drop.dir < 0) {
		log_error("drop directory %s: %s; run `postrider setup`", path, strerror(-drop.dir));
		return;
	}
	if (queue.n_messages == 0)
		return;
	r = drop_list(drop.dir, SIZE_MAX, on_left_over, &content);
	if (r >= 0)
		r = file_sync_dir(drop.dir);
	if (r < 0)
		log_error("drop directory %s: %s", path, strerror(-r));
}

void drop_intake_start(void)
{
	const char *path = queue.rp->config->paths.drop_dir;

	if (drop.dir < 0)
		return; /* why, was said */
	CHECK(uv_timer_init(queue.rp->loop, &drop.look) == 0);
	CHECK(uv_timer_start(&drop.look, on_look, 0, LOOK_EVERY_MS) == 0);
	/* Without a watch the look every few seconds finds the files. */
	if (uv_fs_event_init(queue.rp->loop, &drop.event) == 0)
		(void)uv_fs_event_start(&drop.event, on_event, path, 0);
}
