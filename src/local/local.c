/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local.c - the local role's parent: jobs come from queue, go to workers user by user, results go back
 *
 * Root, because only root can become every user; it therefore does as little as possible itself. Everything
 * it parses comes from queue or from a worker, in frames that ipc has checked.
 */
#include "local/local.h"
#include "base/limits.h"
#include "base/userdb.h"
#include "ipc/role.h"
#include "local/doubt.h"
#include "local/job.h"
#include "local/pool.h"
#include "local/syncer.h"
#include "local/worker.h"
#include "mail/origin.h"
#include <fcntl.h>

#define JOBS_MAX 10000	  /* ten times what queue gives out; beyond, it is told to come again */
#define STOP_WAIT_MS 8000 /* the supervisor kills us after 10 s */

static struct {
	struct role_process *rp;
	struct nursery nursery;
	uv_timer_t stop_timer;
} local = { .nursery = NURSERY_INIT };

/* ---- what queue says ---- */

static struct job *its_job(const struct channel *queue, uint64_t id)
{
	struct job *job = job_find(id);

	return job && job->queue == queue ? job : NULL;
}

static void on_job_begin(struct channel *ch, const union msg_any *m, int *fd)
{
	struct job *job = local.rp->is_stopping ? NULL : job_begin(ch, &m->JOB_BEGIN);

	(void)fd;
	if (!job)
		return;
	job->is_refused = job_count() > JOBS_MAX;
	(void)job_finish(job); /* none of its recipients is ours to answer for when there are none */
}

/* Which process delivers it; false: nothing here can. */
static bool find_branch(const struct job_rcpt *r, enum worker_branch *branch_out, struct slice *user_out)
{
	struct origin o;

	*branch_out = BRANCH_MAILBOX;
	*user_out = r->user;
	if (r->kind == LEAF_USER)
		return true;
	if ((r->kind != LEAF_COMMAND && r->kind != LEAF_FILE) || !origin_parse(r->origin, &o))
		return false;
	*branch_out = o.kind == ORIGIN_LIST ? BRANCH_LIST : BRANCH_ERRAND;
	*user_out = o.kind == ORIGIN_LIST ? r->origin : origin_user(r->origin);
	return true;
}

static void on_job_rcpt(struct channel *ch, const union msg_any *m, int *fd)
{
	struct job *job = its_job(ch, m->JOB_RCPT.job);
	struct job_rcpt *r = job ? job_add(job, &m->JOB_RCPT) : NULL;
	enum worker_branch branch;
	struct slice user;

	(void)fd;
	if (!r)
		return;
	if (job->is_refused)
		job_defer(job, r, "4.3.2", "too many deliveries are waiting");
	else if (!find_branch(r, &branch, &user))
		job_defer(job, r, "4.3.3", "this is not a local delivery");
	(void)job_finish(job);
}

/* The job is complete as far as it comes unasked: it is cut into parts, one per user. */
static void hand_out(struct job *job)
{
	while (!list_empty(&job->rcpts)) {
		struct job_rcpt *r = list_first(&job->rcpts, struct job_rcpt, in_owner);
		enum worker_branch branch;
		struct slice user;
		struct part *part;
		CHECK(find_branch(r, &branch, &user)); /* others have been answered */
		part = pool_part(pool_worker_get(branch, user), job);
		if (doubt_take(job->queue_id, user))
			r->flags |= RCPT_RECONCILE;
		list_remove(&r->in_owner);
		list_push_back(&part->rcpts, &r->in_owner);
	}
}

static void on_job_content(struct channel *ch, const union msg_any *m, int *fd)
{
	struct job *job = its_job(ch, m->JOB_CONTENT.job);

	(void)fd;
	if (!job || job->n_got < job->n_rcpts)
		return;
	if (job->has_first) {
		job_chunk(job, m->JOB_CONTENT.offset, m->JOB_CONTENT.chunk);
		return;
	}
	if (m->JOB_CONTENT.offset != 0)
		return;
	job->has_first = true;
	buf_append(&job->first, m->JOB_CONTENT.chunk);
	hand_out(job);
}

static void on_job_cancel(struct channel *ch, const union msg_any *m, int *fd)
{
	struct job *job = its_job(ch, m->JOB_CANCEL.job);

	(void)fd;
	if (job)
		job_orphan(job);
}

static const msg_handler handlers[MSG_TYPE_COUNT] = {
	[MSG_JOB_BEGIN] = on_job_begin,
	[MSG_JOB_RCPT] = on_job_rcpt,
	[MSG_JOB_CONTENT] = on_job_content,
	[MSG_JOB_CANCEL] = on_job_cancel,
};

static void on_peer_gone(struct role_process *rp, struct channel *ch)
{
	(void)rp;
	if (ch->peer == ROLE_QUEUE)
		job_orphan_all(ch);
}

/* ---- start and end ---- */

static bool is_sandbox_mode(const struct role_process *rp)
{
	return rp->config->paths.sandbox[0] != '\0';
}

static gid_t find_mail_group(const struct role_process *rp)
{
	const char *name = rp->config->security_mail_group;
	gid_t gid;

	if (is_sandbox_mode(rp) || name[0] == '\0')
		return (gid_t)-1;
	if (userdb_find_group(name, &gid) == USERDB_FOUND)
		return gid;
	log_warning("there is no group %s (security.mail_group)", name);
	return (gid_t)-1;
}

static int before_jail(struct role_process *rp)
{
	local.rp = rp;
	if (geteuid() != 0 && !is_sandbox_mode(rp)) {
		log_error("only root can deliver to everyone's mailbox");
		return -EPERM;
	}
	return nursery_start(&local.nursery, rp->config, find_mail_group(rp), worker_life_main);
}

static void on_idle(void)
{
	if (local.rp->is_stopping)
		role_exit(local.rp, 0);
}

static void on_broken(void)
{
	role_exit(local.rp, 1); /* the supervisor starts both again */
}

static int after_jail(struct role_process *rp)
{
	int mail_dir = open(rp->config->local_mail_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (mail_dir < 0)
		log_error("%s: %s", rp->config->local_mail_dir, strerror(errno));
	job_table_init();
	doubt_init();
	syncer_init(rp->loop, mail_dir);
	pool_init(rp->loop, &local.nursery, on_idle, on_broken);
	pool_settings(rp->config);
	return 0;
}

static void on_reload(struct role_process *rp)
{
	if (nursery_settings(&local.nursery, rp->config) < 0)
		role_exit(
			rp, 1); /* without a nursery there are no workers: the supervisor starts both again */
	pool_settings(rp->config);
}

static void on_stop_timer(uv_timer_t *timer)
{
	(void)timer;
	role_exit(local.rp, 0); /* workers finish what they write by themselves */
}

static void on_stop(struct role_process *rp)
{
	pool_stop();
	if (pool_is_idle() || uv_timer_init(rp->loop, &local.stop_timer) != 0 ||
		uv_timer_start(&local.stop_timer, on_stop_timer, STOP_WAIT_MS, 0) != 0)
		role_exit(rp, 0);
}

/* It forks, changes ids by way of the nursery and syncs file systems: it stays root. */
static const struct jail jail = { .keeps_root = true, .may_write_files = true };

static const struct role_hooks hooks = {
	.role = ROLE_LOCAL,
	.handlers = handlers,
	.jail = &jail,
	.before_jail = before_jail,
	.after_jail = after_jail,
	.on_peer_gone = on_peer_gone,
	.on_reload = on_reload,
	.on_stop = on_stop,
};

int local_main(int argc, char **argv)
{
	return role_main(&hooks, argc, argv);
}
