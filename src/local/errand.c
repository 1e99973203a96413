/* SPDX-License-Identifier: Apache-2.0 */
/* errand.c - see errand.h */
#include "local/errand.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "local/command.h"
#include "local/command_environment.h"
#include "local/dry_run.h"
#include "local/list_file.h"
#include "local/root_forward.h"
#include "mail/trail.h"
#include "mail/origin.h"
#include "mail/queue_id.h"
#include "table/alias_files.h"
#include <fcntl.h>
#include <sys/stat.h>

#define ENVIRONMENT_MAX (64 * 1024)
#define LOCK_PAUSE_MS 100 /* between attempts at a file that another program has locked */

static struct errands {
	struct alias_files aliases;
	char *list_path;	   /* of the list that this process reads, or NULL */
	struct leash *leash;	   /* NULL until the first command */
	size_t n_running, n_begun; /* n_begun: ever */
} errands;

/* One delivery under way. */
struct errand {
	struct worker *w;
	struct worker_rcpt *r;
	struct buf text; /* of the item: command line or path */
	struct arena strings;
	/* A file that waits for its lock: */
	struct mailbox file;
	int file_outcome; /* enum mailbox_outcome or negative errno */
	uv_timer_t retry;
	uint64_t lock_deadline_ms;
};

/* ---- what the item says ---- */

static enum alias_status find_alias_item(
	const struct worker *w, const struct origin *o, enum rhs_kind *kind_out, struct buf *text)
{
	if (errands.aliases.n == 0 && !alias_files_init(&errands.aliases, w->config))
		return ALIAS_BROKEN;
	alias_files_refresh(&errands.aliases);
	return alias_files_find_item(&errands.aliases, o, kind_out, text);
}

/* What this process has read may be out of date when it has served before: its successor reads anew. */
static enum alias_status find_in_roots_forward(
	const struct origin *o, enum rhs_kind *kind_out, struct buf *text)
{
	const struct forward_leaf *leaf;

	switch (root_forward_find(o, &leaf)) {
	case ROOT_FORWARD_FOUND:
		*kind_out = leaf->item;
		buf_append(text, leaf->text);
		return ALIAS_FOUND;
	case ROOT_FORWARD_NONE: return errands.n_begun > 1 ? ALIAS_BROKEN : ALIAS_NONE;
	case ROOT_FORWARD_UNREADABLE: break;
	}
	return ALIAS_BROKEN;
}

static enum alias_status find_in_forward(struct worker *w, const struct origin *o, struct slice origin,
	enum rhs_kind *kind_out, struct buf *text)
{
	const struct forward_leaf *leaf;
	struct forward f;
	enum alias_status status;

	if (root_forward_is_read())
		return find_in_roots_forward(o, kind_out, text);
	status = forward_read(w->config, &w->forward_user, o->extension, &f) == FORWARD_DEFER ? ALIAS_BROKEN
											      : ALIAS_NONE;
	leaf = forward_find(&f, origin);
	if (leaf) {
		*kind_out = leaf->item;
		buf_append(text, leaf->text);
		status = ALIAS_FOUND;
	}
	forward_free(&f);
	return status;
}

static enum alias_status find_item(
	struct worker *w, struct slice origin, enum rhs_kind *kind_out, struct buf *text)
{
	struct origin o;

	if (!origin_parse(origin, &o))
		return ALIAS_NONE;
	switch (o.kind) {
	case ORIGIN_ALIAS: return find_alias_item(w, &o, kind_out, text);
	case ORIGIN_LIST:
		*kind_out = RHS_INCLUDE;
		buf_append_str(text, errands.list_path ? errands.list_path : "");
		return errands.list_path ? ALIAS_FOUND : ALIAS_NONE;
	case ORIGIN_FORWARD: return find_in_forward(w, &o, origin, kind_out, text);
	case ORIGIN_MAILBOX_COMMAND: break;
	}
	*kind_out = RHS_COMMAND;
	buf_append_str(text, w->config->local_mailbox_command);
	return text->len ? ALIAS_FOUND : ALIAS_NONE;
}

/* ---- answers ---- */

static void end(struct errand *e)
{
	buf_free(&e->text);
	arena_reset(&e->strings);
	mem_free(e);
	errands.n_running--; /* errand_step() follows at the end of the loop's turn */
}

static void answer(struct errand *e, enum job_outcome outcome, const char *status, const char *reason)
{
	worker_result(e->w, e->r, outcome, status, reason);
	end(e);
}

static void answer_path(struct errand *e, enum job_outcome outcome, const char *status, const char *words)
{
	char reason[LIMIT_REASON];

	(void)snprintf(reason, sizeof(reason), "%s: %.500s",
		outcome == JOB_DELIVERED ? words : "cannot deliver to file", buf_cstr(&e->text));
	if (outcome != JOB_DELIVERED) {
		size_t n = strlen(reason);
		(void)snprintf(reason + n, sizeof(reason) - n, ": %s", words);
	}
	answer(e, outcome, status, reason);
}

/* False: the recipient has been answered, and the errand is over. */
static bool has_text(struct errand *e, enum mbox_style style)
{
	if (worker_text(e->w, e->r, style))
		return true;
	end(e);
	return false;
}

static void forward_to(struct errand *e, const struct forward *f)
{
	worker_forward(e->w, e->r, f);
	end(e);
}

/* The file was edited meanwhile: the address leads elsewhere now. */
static void route_anew(struct errand *e)
{
	struct origin o;
	bool is_mailbox = origin_parse(e->r->origin, &o) && o.kind == ORIGIN_MAILBOX_COMMAND;
	struct forward_leaf leaf = { .kind = LEAF_ADDRESS,
		.flags = is_mailbox ? RCPT_NO_ALIAS | RCPT_NO_FORWARD : 0,
		.address = e->r->forward_path,
		.origin = SLICE_EMPTY };
	const struct forward f = { .leaves = &leaf, .n_leaves = 1 };

	forward_to(e, &f);
}

/* ---- the four kinds ---- */

static void on_command_done(void *user, const struct command_end *end)
{
	struct errand *e = user;
	struct command_result result;

	command_result(end, buf_slice(&e->text), &result);
	answer(e, result.outcome, result.status, result.reason);
}

static void deliver_command(struct errand *e)
{
	const struct worker_rcpt *r = e->r;
	const struct command_mail mail = { .sender = r->job->reverse_path,
		.forward_path = trail_delivered_to(r->trail, r->forward_path),
		.original = r->original,
		.envid = r->job->envid,
		.client = r->job->client,
		.content = buf_slice(&r->job->content),
		.queue_id = r->job->queue_id };
	struct command_start start = { .line = buf_cstr(&e->text),
		.directory = origin_user(r->origin).len && !root_forward_is_read() ? e->w->user.home : "/",
		.timeout_s = e->w->config->local_command_timeout };

	if (!has_text(e, MBOX_STYLE_COMMAND))
		return;
	if (!errands.leash && leash_new(e->w->local->fd, &errands.leash) < 0) {
		answer(e, JOB_DEFERRED, "4.3.0", "no process for the command");
		return;
	}
	start.leash = errands.leash;
	start.environment = command_environment(&e->strings, e->w->config, &e->w->user, &mail);
	start.input = buf_slice(&e->r->text.text);
	if (!start.environment)
		answer(e, JOB_DEFERRED, "4.3.0", "no memory for the command");
	else
		command_run(&e->w->loop, &start, on_command_done, e);
}

static void deliver_maildir(struct errand *e)
{
	const char *status, *words;
	int r;

	if (!has_text(e, MBOX_STYLE_MAILDIR))
		return;
	r = worker_maildir(e->w, e->r, buf_cstr(&e->text));
	if (r > 0) {
		answer_path(e, JOB_DELIVERED, "2.0.0", "delivered to maildir");
		return;
	}
	mailbox_explain(r, &status, &words);
	answer_path(e, JOB_DEFERRED, status, words);
}

static void file_finish(struct errand *e, int r)
{
	const char *status, *words;

	(void)close(e->file.dir);
	mailbox_explain(r, &status, &words);
	if (r == MAILBOX_APPENDED || r == MAILBOX_DELIVERED_BEFORE)
		answer_path(e, JOB_DELIVERED, "2.0.0", "delivered to file");
	else
		answer_path(e, JOB_DEFERRED, status, words);
}

static int file_write(struct errand *e)
{
	int r = MAILBOX_NOT_DELIVERED, synced;

	if (e->r->flags & RCPT_RECONCILE)
		r = mailbox_reconcile(&e->file, &e->r->text);
	if (r == MAILBOX_NOT_DELIVERED)
		r = mailbox_append(&e->file, buf_slice(&e->r->text.text));
	synced = r == MAILBOX_APPENDED || r == MAILBOX_DELIVERED_BEFORE ? mailbox_sync(&e->file) : 0;
	if (synced < 0 || r < 0 || r == MAILBOX_FULL)
		(void)mailbox_undo(&e->file);
	mailbox_unlock(&e->file);
	return synced < 0 ? synced : r;
}

static void on_retry_closed(uv_handle_t *handle)
{
	struct errand *e = handle->data;

	file_finish(e, e->file_outcome);
}

static void on_retry(uv_timer_t *timer)
{
	struct errand *e = timer->data;
	int r = mailbox_lock(&e->file, e->r->text.text.len + 2);

	if (mailbox_is_worth_waiting(r) && clock_mono_ms() < e->lock_deadline_ms) {
		CHECK(uv_timer_start(timer, on_retry, LOCK_PAUSE_MS, 0) == 0);
		return;
	}
	e->file_outcome = r == MAILBOX_LOCKED ? file_write(e) : r;
	uv_close((uv_handle_t *)timer, on_retry_closed);
}

static void deliver_file(struct errand *e)
{
	char *path = (char *)(uintptr_t)buf_cstr(&e->text), *name = strrchr(path, '/');
	int dir;

	if (!has_text(e, MBOX_STYLE_MBOX))
		return;
	*name = '\0';
	dir = open(name == path ? "/" : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*name = '/';
	if (dir < 0) {
		answer_path(e, JOB_DEFERRED, "4.2.0", strerror(errno));
		return;
	}
	mailbox_init(&e->file, dir, name + 1, e->w->config->local_max_mailbox_size);
	e->file.is_any_file = true;
	e->lock_deadline_ms = clock_mono_ms() + e->w->config->local_lock_timeout * 1000;
	e->retry.data = e;
	CHECK(uv_timer_init(&e->w->loop, &e->retry) == 0);
	on_retry(&e->retry);
}

/* Loud, because a mistake in one file holds up everybody's mail, and returns it before long. */
static void list_is_unusable(struct errand *e, const char *reason)
{
	if (e->r->job->dry_run != DRY_RUN_NO) {
		answer(e, JOB_DEFERRED, "4.3.5", reason);
		return;
	}
	log_error("%s: %s; mail to it waits, and is returned when that is not mended in time "
		  "(queue.misconfigured_lifetime)",
		queue_id_format(e->r->job->queue_id).at, reason);
	answer(e, JOB_MISCONFIGURED, "4.3.5", reason);
}

static void deliver_list(struct errand *e)
{
	struct dry_run_listener listener;
	struct forward members;
	struct worker *w = e->w;
	bool is_dry = e->r->job->dry_run != DRY_RUN_NO;

	dry_run_listen(&listener, w, e->r);
	switch (list_file_read(buf_cstr(&e->text), w->forward_user.private_gid,
		is_dry ? &listener.forward : NULL, &members)) {
	case LIST_EMPTY: answer_path(e, JOB_DELIVERED, "2.0.0", "the list has no members"); break;
	case LIST_DEFER: list_is_unusable(e, members.reason); break;
	case LIST_MEMBERS: forward_to(e, &members); break;
	}
	forward_free(&members);
}

static void deliver(struct errand *e, enum rhs_kind kind)
{
	if (e->r->job->dry_run != DRY_RUN_NO && kind != RHS_INCLUDE) {
		answer(e, JOB_DELIVERED, "2.0.0",
			buf_cstr(&e->text)); /* it is there; no more is to be known */
		return;
	}
	switch (kind) {
	case RHS_COMMAND: deliver_command(e); return;
	case RHS_FILE: deliver_file(e); return;
	case RHS_DIRECTORY: deliver_maildir(e); return;
	case RHS_INCLUDE: deliver_list(e); return;
	case RHS_ERROR:
	case RHS_ADDRESS:
	case RHS_USER:
	case RHS_FAIL:
	case RHS_DEFER:
	case RHS_BLACKHOLE: break;
	}
	route_anew(e);
}

/* Of a dry run: whether what it finds out is somebody's own, and not the asker's. */
static bool is_hidden(struct worker *w, struct worker_rcpt *r)
{
	struct origin o;
	bool is_public =
		!origin_parse(r->origin, &o) || o.kind == ORIGIN_ALIAS || o.kind == ORIGIN_MAILBOX_COMMAND;

	return r->job->dry_run != DRY_RUN_NO && !is_public && !dry_run_may_see(w, r);
}

static void begin(struct worker *w, struct worker_rcpt *r)
{
	struct errand *e;
	enum rhs_kind kind = RHS_ERROR;

	if (is_hidden(w, r) || worker_refuses_loop(w, r))
		return;
	e = mem_new(sizeof(*e));
	e->w = w;
	e->r = r;
	e->text = BUF_INIT(LIMIT_ALIAS_LINE + 1);
	e->strings = ARENA_INIT(ENVIRONMENT_MAX);
	errands.n_running++;
	errands.n_begun++;
	switch (find_item(w, r->origin, &kind, &e->text)) {
	case ALIAS_FOUND:
		if (!buf_cstr(&e->text))
			break; /* no memory for it */
		deliver(e, kind);
		return;
	case ALIAS_NONE: route_anew(e); return;
	case ALIAS_BROKEN: break;
	}
	answer(e, JOB_DEFERRED, "4.3.0", "what the alias or .forward says cannot be read now");
}

/* ---- the branch ---- */

static void take_ready(struct worker *w)
{
	while (!list_empty(&w->ready)) {
		struct worker_job *job = list_first(&w->ready, struct worker_job, in_jobs);
		list_remove(&job->in_jobs);
		list_for_each (node, &job->rcpts)
			list_push_back(&w->batch, &CONTAINER_OF(node, struct worker_rcpt, in_job)->in_batch);
	}
}

void errand_step(struct worker *w)
{
	take_ready(w);
	while (!list_empty(&w->batch) && errands.n_running < (size_t)w->config->local_command_concurrency) {
		struct worker_rcpt *r = list_first(&w->batch, struct worker_rcpt, in_batch);
		list_remove(&r->in_batch);
		begin(w, r);
	}
}

void errand_before_drop(struct worker *w, struct slice list)
{
	auto_buf struct buf path = BUF_INIT(LIMIT_ALIAS_LINE);
	enum rhs_kind kind;
	struct origin o;

	if (list.len) {
		if (origin_parse(list, &o) && o.kind == ORIGIN_LIST &&
			find_alias_item(w, &o, &kind, &path) == ALIAS_FOUND)
			errands.list_path = slice_dup(buf_slice(&path));
		alias_files_deinit(&errands.aliases);
	} else if (w->user.uid == 0 && w->config->paths.sandbox[0] == '\0') {
		root_forward_read(w->config, &w->forward_user);
	}
}

bool errand_is_brief(const struct worker *w)
{
	return w->branch == BRANCH_LIST || root_forward_is_read();
}

bool errand_list_owner(uid_t *uid_out)
{
	auto_close int fd = -1;
	struct stat st;

	if (!errands.list_path)
		return false;
	fd = open(errands.list_path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	*uid_out = st.st_uid;
	return true;
}
