/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c - a worker's birth, its jobs, its answers; see worker.h */
#include "local/worker.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "ipc/jail.h"
#include "local/become.h"
#include "local/errand.h"
#include "local/maildir.h"
#include "local/delivered_to.h"
#include "mail/trail.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#define RCPT_STRINGS_MAX (4 * LIMIT_FRAME) /* a frame's strings fit, whatever they are */
#define FETCH_JOBS 4			   /* asked for at a time: local need not hold many chunks for us */
#define NOBODY_ID 65534 /* group of a process that is an owner of a file, whatever his groups are */
#define FETCH_BYTES (32 * 1024 * 1024) /* in memory at a time, unless a single mail is larger */

static struct worker worker; /* one per process */

/* ---- answers ---- */

static void job_free(struct worker *w, struct worker_job *job)
{
	list_remove(&job->in_jobs);
	if (job->is_fetched) {
		w->n_fetching -= job->content.len < job->size;
		w->fetched_bytes -= job->size;
	}
	list_for_each_safe (node, &job->rcpts) {
		struct worker_rcpt *r = CONTAINER_OF(node, struct worker_rcpt, in_job);
		list_remove(&r->in_job);
		mem_free(r);
	}
	arena_reset(&job->strings);
	buf_free(&job->content);
	mem_free(job);
}

void worker_result(struct worker *w, struct worker_rcpt *r, enum job_outcome outcome, const char *status,
	const char *reason)
{
	struct worker_job *job = r->job;

	SEND(w->local, JOB_RESULT, .job = job->id, .rcpt = r->number, .outcome = (uint8_t)outcome,
		.status = slice_of(status), .reason = slice_first(slice_of(reason), LIMIT_REASON));
	list_remove(&r->in_job);
	list_remove(&r->in_batch);
	mbox_text_free(&r->text);
	mem_free(r);
	if (--job->n_open == 0) {
		SEND(w->local, JOB_DONE, .job = job->id);
		job_free(w, job);
	}
}

void worker_forward(struct worker *w, struct worker_rcpt *r, const struct forward *f)
{
	for (size_t i = 0; i < f->n_leaves; i++)
		SEND(w->local, JOB_FORWARD, .job = r->job->id, .rcpt = r->number,
			.kind = (uint8_t)f->leaves[i].kind, .flags = (uint8_t)f->leaves[i].flags,
			.address = f->leaves[i].address.len ? f->leaves[i].address : r->forward_path,
			.origin = f->leaves[i].origin);
	worker_result(w, r, JOB_FORWARDED, "2.0.0", "forwarded by ~/.forward");
}

bool worker_text(struct worker *w, struct worker_rcpt *r, enum mbox_style style)
{
	struct mbox_delivery d = { .style = style,
		.is_mboxrd = strcmp(w->config->local_mbox_quoting, "mboxrd") == 0,
		.sender = r->job->reverse_path,
		.original_to = r->original,
		.forward_path = r->forward_path,
		.trail = r->trail,
		.content = buf_slice(&r->job->content),
		.queue_id = r->job->queue_id,
		.time_s = clock_wall_s() };

	if (mbox_text_build(&r->text, &d))
		return true;
	worker_result(w, r, JOB_DEFERRED, "4.3.0", "no memory for the message");
	return false;
}

int worker_maildir(const struct worker *w, const struct worker_rcpt *r, const char *path)
{
	const struct maildir_mail mail = { .text = buf_slice(&r->text.text),
		.queue_id = r->job->queue_id,
		.rcpt = r->number,
		.host = w->config->main_host_name,
		.is_doubtful = r->flags & RCPT_RECONCILE };

	return maildir_deliver(path, &mail);
}

bool worker_refuses_loop(struct worker *w, struct worker_rcpt *r)
{
	struct slice address = trail_delivered_to(r->trail, r->forward_path);
	char reason[LIMIT_REASON];

	if (trail_length(r->trail) > LIMIT_TRAIL) {
		worker_result(w, r, JOB_FAILED, "5.4.6", "too many forwardings by ~/.forward");
		return true;
	}
	if (!delivered_to_names(w->config, buf_slice(&r->job->content), address))
		return false;
	(void)snprintf(reason, sizeof(reason), "mail forwarding loop for %.*s", SLICE_ARG(address));
	worker_result(w, r, JOB_FAILED, "5.4.6", reason);
	return true;
}

/* ---- jobs ---- */

static struct worker_job *find_job(struct worker *w, uint64_t id)
{
	list_for_each (node, &w->jobs) {
		struct worker_job *job = CONTAINER_OF(node, struct worker_job, in_jobs);
		if (job->id == id)
			return job;
	}
	return NULL;
}

static struct worker_job *last_job(struct worker *w, uint64_t id)
{
	struct worker_job *job =
		list_empty(&w->jobs) ? NULL : CONTAINER_OF(w->jobs.prev, struct worker_job, in_jobs);

	return job && job->id == id ? job : find_job(w, id); /* a job's messages come together, mostly */
}

static void ask_for_more(struct worker *w, const struct worker_job *job)
{
	SEND(w->local, JOB_MORE, .job = job->id, .offset = job->content.len);
}

/* After its first chunk a job that has more waits for fetch_some(); then each chunk asks for the next. */
static void job_advance(struct worker *w, struct worker_job *job)
{
	if (job->content.len < job->size) {
		if (job->is_fetched)
			ask_for_more(w, job);
		return;
	}
	w->n_fetching -= job->is_fetched;
	list_remove(&job->in_jobs);
	list_push_back(&w->ready, &job->in_jobs);
}

static bool may_fetch(const struct worker *w, const struct worker_job *job)
{
	return w->fetched_bytes == 0 || w->fetched_bytes + job->size <= FETCH_BYTES;
}

/* Those that came first are asked for first; the others keep their first chunk only. */
static void fetch_some(struct worker *w)
{
	list_for_each (node, &w->jobs) {
		struct worker_job *job = CONTAINER_OF(node, struct worker_job, in_jobs);
		if (w->n_fetching == FETCH_JOBS)
			return;
		if (job->is_fetched || job->content.len == 0) /* its first chunk comes unasked */
			continue;
		if (!may_fetch(w, job))
			return;
		job->is_fetched = true;
		w->n_fetching++;
		w->fetched_bytes += job->size;
		ask_for_more(w, job);
	}
}

static void on_job_begin(struct channel *ch, const union msg_any *m, int *fd)
{
	const struct msg_JOB_BEGIN *b = &m->JOB_BEGIN;
	struct worker *w = ch->user;
	struct worker_job *job = mem_new(sizeof(*job));

	(void)fd;
	job->id = b->job;
	job->queue_id = b->queue_id;
	job->size = b->size;
	job->n_rcpts_missing = job->n_open = b->n_rcpts;
	job->strings = ARENA_INIT(LIMIT_FRAME + (size_t)b->n_rcpts * RCPT_STRINGS_MAX);
	job->content = BUF_INIT((size_t)b->size);
	list_init(&job->rcpts);
	CHECK(arena_copy(&job->strings, b->reverse_path, &job->reverse_path) &&
		arena_copy(&job->strings, b->envid, &job->envid) &&
		client_copy(&job->strings, b, &job->client));
	list_push_back(&w->jobs, &job->in_jobs);
}

static void on_job_rcpt(struct channel *ch, const union msg_any *m, int *fd)
{
	const struct msg_JOB_RCPT *from = &m->JOB_RCPT;
	struct worker *w = ch->user;
	struct worker_job *job = last_job(w, from->job);
	struct worker_rcpt *r;

	(void)fd;
	if (!job || job->n_rcpts_missing == 0)
		return;
	r = mem_new(sizeof(*r));
	r->job = job;
	r->number = from->rcpt;
	r->flags = from->flags;
	list_init(&r->in_batch);
	CHECK(arena_copy(&job->strings, from->forward_path, &r->forward_path));
	CHECK(arena_copy(&job->strings, from->original, &r->original));
	CHECK(arena_copy(&job->strings, from->trail, &r->trail));
	CHECK(arena_copy(&job->strings, from->origin, &r->origin));
	list_push_back(&job->rcpts, &r->in_job);
	job->n_rcpts_missing--;
}

static void on_job_content(struct channel *ch, const union msg_any *m, int *fd)
{
	struct worker *w = ch->user;
	struct worker_job *job = last_job(w, m->JOB_CONTENT.job);

	(void)fd;
	if (!job || job->n_rcpts_missing || m->JOB_CONTENT.offset != job->content.len)
		return;
	buf_append(&job->content, m->JOB_CONTENT.chunk);
	if (!buf_ok(&job->content)) {		       /* no memory, or more than was announced */
		for (uint32_t n = job->n_open; n; n--) /* the last answer frees the job */
			worker_result(w, list_first(&job->rcpts, struct worker_rcpt, in_job), JOB_DEFERRED,
				"4.3.0", "no memory for the message");
		return;
	}
	job_advance(w, job);
}

static void on_job_cancel(struct channel *ch, const union msg_any *m, int *fd)
{
	struct worker_job *job = find_job(ch->user, m->JOB_CANCEL.job);

	(void)fd;
	if (job) /* still incomplete; what is ready is delivered, which the queue must be prepared for anyway
		  */
		job_free(ch->user, job);
}

static void on_sync_self(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	batch_sync_self(ch->user, m->SYNC_SELF.batch);
}

static void on_synced(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	batch_synced(ch->user, m->SYNCED.batch, m->SYNCED.ok ? 0 : -EIO);
}

static const msg_handler handlers[MSG_TYPE_COUNT] = {
	[MSG_JOB_BEGIN] = on_job_begin,
	[MSG_JOB_RCPT] = on_job_rcpt,
	[MSG_JOB_CONTENT] = on_job_content,
	[MSG_JOB_CANCEL] = on_job_cancel,
	[MSG_SYNC_SELF] = on_sync_self,
	[MSG_SYNCED] = on_synced,
};

static void on_closed(struct channel *ch, const char *why)
{
	struct worker *w = ch->user;

	(void)why;
	w->is_over = true;
}

static const struct channel_hooks hooks = { .handlers = handlers, .on_closed = on_closed };

/* ---- birth ---- */

static void log_to_local(enum log_level level, const char *program, struct slice line, void *user)
{
	struct worker *w = user;

	(void)program;
	SEND(w->local, LOG_LINE, .level = (uint8_t)level, .wall_us = clock_wall_us(),
		.pid = (uint32_t)getpid(), .line = slice_first(line, LIMIT_LOG_LINE));
}

static enum user_outcome user_outcome(enum userdb_outcome found)
{
	switch (found) {
	case USERDB_FOUND: return USER_FOUND;
	case USERDB_UNKNOWN: return USER_UNKNOWN;
	case USERDB_ERROR: break;
	}
	return USER_UNAVAILABLE;
}

static bool is_sandbox_mode(const struct worker *w)
{
	return w->config->paths.sandbox[0] != '\0';
}

/* The mail group lets us create mailboxes and lock files, where the directory says so. */
static gid_t needed_group(const struct worker *w, gid_t mail_group)
{
	struct stat st;

	if (mail_group == (gid_t)-1 || w->mail_dir < 0 || fstat(w->mail_dir, &st) < 0)
		return (gid_t)-1;
	return st.st_gid == mail_group && st.st_mode & S_IWGRP && !(st.st_mode & S_IWOTH) ? mail_group
											  : (gid_t)-1;
}

/* ---- who it is ---- */

/* In sandbox mode all users are the one who runs it. */
static void describe_user(struct worker *w)
{
	w->forward_user = (struct forward_user){ .name = slice_of(w->user.name),
		.home = w->user.home,
		.uid = is_sandbox_mode(w) ? geteuid() : w->user.uid,
		.private_gid = is_sandbox_mode(w)	    ? getegid()
			: userdb_group_is_private(&w->user) ? w->user.gid
							    : (gid_t)-1 };
}

/* Commands and files of aliases, and those of root's .forward, are this user's. */
static enum userdb_outcome find_command_user(struct worker *w)
{
	const char *name = w->config->local_command_user;
	enum userdb_outcome found = userdb_find(w->config->users_file, slice_of(name), &w->user);

	if (found == USERDB_UNKNOWN &&
		is_sandbox_mode(w)) { /* he is who runs it; his name need not be listed */
		w->user = (struct userdb_user){ .home = "/" };
		(void)snprintf(w->user.name, sizeof(w->user.name), "%s", name);
		return USERDB_FOUND;
	}
	if (found == USERDB_UNKNOWN) /* a mistake of the administrator bounces nothing */
		log_error(
			"there is no user %s (local.command_user): commands and files of aliases wait", name);
	return found == USERDB_FOUND ? USERDB_FOUND : USERDB_ERROR;
}

static enum userdb_outcome find_user(struct worker *w, const struct worker_birth *birth)
{
	enum userdb_outcome found;

	if (birth->branch == BRANCH_LIST) {
		describe_user(w);
		errand_before_drop(w, birth->user);
		return USERDB_FOUND;
	}
	if (birth->branch == BRANCH_ERRAND && birth->user.len == 0)
		found = find_command_user(w);
	else
		found = userdb_find(w->config->users_file, birth->user, &w->user);
	if (found == USERDB_FOUND)
		describe_user(w);
	if (found != USERDB_FOUND || birth->branch != BRANCH_ERRAND)
		return found;
	errand_before_drop(w, SLICE_EMPTY);
	return w->user.uid == 0 && !is_sandbox_mode(w) ? find_command_user(w) : found;
}

static int become_list_owner(struct worker *w)
{
	uid_t uid = NOBODY_ID;

	if (!errand_list_owner(&uid))
		log_debug("a list is not there; its mail waits");
	w->forward_user.uid = uid;
	return become_user(uid, NOBODY_ID, (gid_t)-1);
}

static int change_identity(struct worker *w, gid_t mail_group)
{
	if (is_sandbox_mode(w))
		return 0;
	switch (w->branch) {
	case BRANCH_ERRAND: return become_login(w->user.name, w->user.uid, w->user.gid, mail_group);
	case BRANCH_LIST: return become_list_owner(w);
	case BRANCH_MAILBOX: break;
	}
	return become_user(w->user.uid, w->user.gid, needed_group(w, mail_group));
}

/* ---- where the mailbox is ---- */

static void place_mailbox(struct worker *w)
{
	const char *setting = w->config->local_home_mailbox, *slash = strrchr(setting, '/');
	int n;

	if (setting[0] == '\0') {
		n = snprintf(w->mailbox_dir, sizeof(w->mailbox_dir), "%s", w->config->local_mail_dir);
		w->mailbox_name = w->user.name;
	} else if (slash && slash[1] == '\0') {
		n = snprintf(w->maildir, sizeof(w->maildir), "%s/%s", w->user.home, setting);
		w->mailbox_name = setting;
	} else {
		n = snprintf(w->mailbox_dir, sizeof(w->mailbox_dir), "%s%s%.*s", w->user.home,
			slash ? "/" : "", slash ? (int)(slash - setting) : 0, setting);
		w->mailbox_name = slash ? slash + 1 : setting;
	}
	CHECK(n > 0 && n < PATH_MAX);
}

/* A mailbox delivery becomes the recipient "mailbox:USER", with a state of its own on disk. */
static void name_mailbox_command(struct worker *w)
{
	static struct forward_leaf leaf;
	static char origin[sizeof(w->user.name) + 16];
	int n = snprintf(origin, sizeof(origin), "mailbox:%s", w->user.name);

	leaf = (struct forward_leaf){ .kind = LEAF_COMMAND,
		.address = SLICE_EMPTY,
		.origin = { origin, (size_t)n },
		.item = RHS_COMMAND };
	w->mailbox_command = (struct forward){ .leaves = &leaf, .n_leaves = 1 };
}

static void open_mail_dir(struct worker *w)
{
	w->mail_dir = -1;
	if (w->branch != BRANCH_MAILBOX || w->maildir[0])
		return;
	w->mail_dir = open(w->mailbox_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->mail_dir < 0)
		w->mail_dir_error = errno;
}

/* ---- the sandbox ---- */

/* The home directory may be missing, or not be a directory: then there is nothing to read. */
static bool home_can_be_allowed(const char *home)
{
	struct stat st;

	return home[0] == '/' && home[1] != '\0' && stat(home, &st) == 0 && S_ISDIR(st.st_mode) &&
		access(home, X_OK) == 0;
}

static int enter_mailbox_jail(struct worker *w)
{
	static const struct jail jail = { .may_write_files = true };
	bool has_home = home_can_be_allowed(w->user.home);
	const char *home[] = { w->user.home, NULL };
	const char *writable[] = { w->config->local_mail_dir,
		has_home && w->config->local_home_mailbox[0] ? w->user.home : NULL, NULL };
	struct jail_request request = { .jail = &jail,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
		.read_below = has_home ? home : NULL,
		.write_below = writable,
		.filter = w->config->security_sandbox };
	int r = jail_enter(&request);

	return r < 0 ? r : jail_seal(&request);
}

static int enter_list_jail(struct worker *w)
{
	static const struct jail jail = { .may_write_files = true };
	const char *everything[] = { "/", NULL };
	struct jail_request request = { .jail = &jail,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
		.read_below = everything,
		.filter = w->config->security_sandbox };
	int r = jail_enter(&request);

	return r < 0 ? r : jail_seal(&request);
}

static int enter_jail(struct worker *w)
{
	struct rlimit no_core = { 0, 0 };

	if (w->branch == BRANCH_ERRAND)
		return 0; /* what its commands may do is their user's business */
	if (setrlimit(RLIMIT_CORE, &no_core) < 0)
		return -errno;
	return w->branch == BRANCH_LIST ? enter_list_jail(w) : enter_mailbox_jail(w);
}

/* Everything up to the point where mail may come; an enum user_outcome, or negative errno. */
static int be_born(struct worker *w, const struct worker_birth *birth)
{
	enum userdb_outcome found = find_user(w, birth);
	int r;

	if (found != USERDB_FOUND)
		return (int)user_outcome(found);
	dotlock_init();
	tzset();
	place_mailbox(w);
	name_mailbox_command(w);
	open_mail_dir(w);
	r = change_identity(w, birth->mail_group);
	if (r < 0) {
		log_error("user %s: cannot take on this identity: %s", w->user.name, strerror(-r));
		return r;
	}
	r = enter_jail(w);
	if (r < 0)
		log_error("user %s: cannot enter the sandbox: %s", w->user.name, strerror(-r));
	return r < 0 ? r : (int)USER_FOUND;
}

static void step(struct worker *w)
{
	if (w->branch == BRANCH_MAILBOX)
		batch_step(w);
	else
		errand_step(w);
	fetch_some(w); /* what is delivered has made room */
}

int worker_life_main(const struct worker_birth *birth)
{
	static const char *const names[] = { "worker", "errand", "list" };
	struct worker *w = &worker;
	int r;

	(void)prctl(PR_SET_NAME, names[birth->branch], 0, 0, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* a write beyond a limit is an error of that write */
	umask(077);
	w->config = birth->config;
	w->branch = birth->branch;
	list_init(&w->jobs);
	list_init(&w->ready);
	if (uv_loop_init(&w->loop) != 0)
		return 1;
	w->local = channel_new(&w->loop, birth->fd, ROLE_WORKER, ROLE_LOCAL, 0, &hooks, w);
	if (!w->local)
		return 1;
	batch_init(w);
	log_set_sink(log_to_local, w);
	r = be_born(w, birth);
	if (r > 0)
		SEND(w->local, WORKER_READY, .outcome = (uint8_t)r, .is_brief = errand_is_brief(w));
	if (r != USER_FOUND) {
		channel_flush_blocking(w->local, 1000);
		return r < 0;
	}
	while (!w->is_over) {
		(void)uv_run(&w->loop, UV_RUN_ONCE);
		if (!w->is_over)
			step(w);
	}
	batch_abandon(w);
	return 0;
}
