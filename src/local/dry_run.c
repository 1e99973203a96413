/* SPDX-License-Identifier: Apache-2.0 */
/* dry_run.c - see dry_run.h */
#include "local/dry_run.h"
#include "base/limits.h"

static void tell(struct worker *w, const struct worker_rcpt *r, struct msg_EXPLAIN_STEP step)
{
	step.request = r->job->id;
	if (!channel_congested(w->local)) /* what does not fit is not for reading */
		channel_send(w->local, MSG_EXPLAIN_STEP, &step);
}

static void hear(void *user, const char *path, size_t line, const char *words)
{
	struct dry_run_listener *l = user;

	tell(l->w, l->r,
		(struct msg_EXPLAIN_STEP){ .kind = EXPLAIN_FORWARD,
			.text = slice_of(words),
			.file = line ? slice_of(path) : SLICE_EMPTY,
			.line = (uint32_t)line });
}

void dry_run_listen(struct dry_run_listener *l, struct worker *w, const struct worker_rcpt *r)
{
	*l = (struct dry_run_listener){ .forward = { .hear = hear, .user = l }, .w = w, .r = r };
}

bool dry_run_may_see(struct worker *w, struct worker_rcpt *r)
{
	if (r->job->dry_run == DRY_RUN_ALL || w->forward_user.uid == r->job->asker)
		return true;
	tell(w, r,
		(struct msg_EXPLAIN_STEP){ .kind = EXPLAIN_HIDDEN,
			.text = SLICE("not shown: it is not yours"),
			.file = SLICE_EMPTY });
	worker_result(w, r, JOB_DELIVERED, "2.0.0", "");
	return false;
}

void dry_run_mailbox(struct worker *w, struct worker_rcpt *r)
{
	char path[2 * PATH_MAX];

	if (w->maildir[0])
		(void)snprintf(path, sizeof(path), "%s", w->maildir);
	else
		(void)snprintf(path, sizeof(path), "%s/%s", w->mailbox_dir, w->mailbox_name);
	worker_result(w, r, JOB_DELIVERED, "2.0.0", path);
}

/* As it is written in the file or, of what stands in the mailbox's place, in the setting. */
static struct slice written(const struct worker *w, const struct forward_leaf *leaf)
{
	if (!leaf->file)
		return slice_of(w->config->local_mailbox_command);
	return slice_first(leaf->text.len ? leaf->text : leaf->address, LIMIT_DRY_RUN_TEXT);
}

size_t dry_run_leaves(struct worker *w, const struct worker_rcpt *r, const struct forward *f)
{
	size_t max = r->job->dry_run == DRY_RUN_ALL ? LIMIT_DRY_RUN_ALL : LIMIT_DRY_RUN_OWN;
	size_t n = MIN(f->n_leaves, max);

	if (f == &w->mailbox_command)
		hear(&(struct dry_run_listener){ .w = w, .r = r }, NULL, 0,
			"local.mailbox_command delivers in the mailbox's place");
	for (size_t i = 0; i < n; i++) {
		tell(w, r,
			(struct msg_EXPLAIN_STEP){ .child = (uint32_t)i + 1,
				.kind = EXPLAIN_LEAF,
				.text = written(w, &f->leaves[i]),
				.file = slice_of(f->leaves[i].file),
				.line = (uint32_t)f->leaves[i].line });
	}
	if (n < f->n_leaves)
		tell(w, r,
			(struct msg_EXPLAIN_STEP){ .kind = EXPLAIN_NOTE,
				.text = SLICE("and more, which is not shown"),
				.file = SLICE_EMPTY });
	return n;
}
