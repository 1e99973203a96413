/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syncer.c - see syncer.h
 *
 * While a syncfs runs, and until SPACE_MS after its begin, what is written meanwhile is gathered for the next
 * one. As long as few are at it, each worker syncs its own file, in parallel; when more come at a time, they
 * share. A file system that was slow (another program writes much) is left alone for a while.
 *
 * The directory's descriptor is opened once: the kernel reports to it every write error on that file system
 * since the last syncfs through it, also those that happened before the call.
 */
#include "local/syncer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include <sys/stat.h>

#define FEW 3		    /* so many workers sync for themselves at a time */
#define SPACE_MS 20	    /* from the begin of one syncfs to the next one's: more share it */
#define SLOW_MS 500	    /* a syncfs that took longer waited for others' data */
#define SLOW_PAUSE_MS 10000 /* how long it is not tried again then */

static struct {
	uv_loop_t *loop;
	uv_work_t work;
	uv_timer_t pause;
	int mail_dir;
	uint64_t device;
	struct list waiting, running; /* struct sync_wish */
	size_t n_waiting, n_alone;
	bool is_running;
	int result;
	uint64_t started_ms, avoid_until_ms;
} syncer;

void sync_wish_init(struct sync_wish *w)
{
	*w = (struct sync_wish){ 0 };
	list_init(&w->in_line);
}

void syncer_init(uv_loop_t *loop, int mail_dir)
{
	struct stat st;

	syncer.loop = loop;
	syncer.mail_dir = mail_dir >= 0 && fstat(mail_dir, &st) == 0 ? mail_dir : -1;
	syncer.device = syncer.mail_dir >= 0 ? st.st_dev : 0;
	list_init(&syncer.waiting);
	list_init(&syncer.running);
	CHECK(uv_timer_init(loop, &syncer.pause) == 0);
}

static void tell_alone(struct sync_wish *w)
{
	w->is_alone = true;
	syncer.n_alone++;
	SEND(w->worker, SYNC_SELF, .batch = w->batch);
}

/* ---- all at once ---- */

static void in_thread(uv_work_t *work)
{
	(void)work;
	syncer.result = file_sync_fs(syncer.mail_dir);
}

static void start(void);

static void synced(uv_work_t *work, int status)
{
	uint64_t took_ms = clock_mono_ms() - syncer.started_ms;

	(void)work;
	syncer.is_running = false;
	if (status < 0)
		syncer.result = status;
	if (syncer.result < 0)
		log_error("syncing the mailboxes failed: %s; what was written is taken back and tried again",
			strerror(-syncer.result));
	while (!list_empty(&syncer.running)) {
		struct sync_wish *w = list_first(&syncer.running, struct sync_wish, in_line);
		list_remove(&w->in_line);
		SEND(w->worker, SYNCED, .batch = w->batch, .ok = syncer.result == 0);
	}
	if (took_ms > SLOW_MS)
		syncer.avoid_until_ms = clock_mono_ms() + SLOW_PAUSE_MS;
	start();
}

static void start_all(void)
{
	while (!list_empty(&syncer.waiting)) {
		struct list *node = syncer.waiting.next;
		list_remove(node);
		list_push_back(&syncer.running, node);
	}
	syncer.n_waiting = 0;
	syncer.is_running = true;
	syncer.started_ms = clock_mono_ms();
	CHECK(uv_queue_work(syncer.loop, &syncer.work, in_thread, synced) == 0);
}

static void start_each(void)
{
	while (!list_empty(&syncer.waiting)) {
		struct sync_wish *w = list_first(&syncer.waiting, struct sync_wish, in_line);
		list_remove(&w->in_line);
		tell_alone(w);
	}
	syncer.n_waiting = 0;
}

/* ---- the choice ---- */

static void on_pause(uv_timer_t *timer)
{
	(void)timer;
	start();
}

static void start(void)
{
	uint64_t now_ms = clock_mono_ms();

	if (syncer.n_waiting == 0 || syncer.is_running || uv_is_active((uv_handle_t *)&syncer.pause))
		return;
	if (now_ms < syncer.started_ms + SPACE_MS)
		CHECK(uv_timer_start(&syncer.pause, on_pause, syncer.started_ms + SPACE_MS - now_ms, 0) == 0);
	else if (syncer.n_waiting + syncer.n_alone <= FEW || now_ms < syncer.avoid_until_ms)
		start_each();
	else
		start_all();
}

void syncer_want(struct sync_wish *w, struct channel *worker, uint64_t batch, uint64_t device)
{
	CHECK(!list_linked(&w->in_line) && !w->is_alone);
	w->worker = worker;
	w->batch = batch;
	if (syncer.mail_dir < 0 || device != syncer.device) {
		tell_alone(w);
		return;
	}
	list_push_back(&syncer.waiting, &w->in_line);
	syncer.n_waiting++;
	start();
}

/* Whether in waiting or running does not matter to its place in the list, but to the count. */
static bool is_waiting(const struct sync_wish *w)
{
	list_for_each (node, &syncer.waiting)
		if (node == &w->in_line)
			return true;
	return false;
}

void syncer_forget(struct sync_wish *w)
{
	if (w->is_alone)
		syncer.n_alone--;
	w->is_alone = false;
	if (!list_linked(&w->in_line))
		return;
	syncer.n_waiting -= is_waiting(w);
	list_remove(&w->in_line);
}
