/* SPDX-License-Identifier: Apache-2.0 */
/*
 * links.c - the channels between roles: made when both are ready, made again when one was lost; see
 * supervisor.h
 *
 * Both ends report a loss, each when it notices. Every channel has a serial number, so that a late report of
 * the one before is not taken for the loss of the new one.
 */
#include "base/clock.h"
#include "supervisor/supervisor.h"

#define SETTLE_MS 100 /* mostly the other process has died, of which we hear in a moment */
#define AGAIN_MS 1000 /* from one channel of a pair to its next */

struct link {
	struct list in_all;
	struct child *a, *b; /* the link is forgotten when one of these processes is */
	uint32_t serial;
	uint64_t made_ms, due_ms; /* due_ms: when the next one is made; 0: the one there is works */
};

static struct {
	struct list all;
	uv_timer_t timer;
	uint32_t serial;
} links;

void links_init(struct supervisor *s)
{
	list_init(&links.all);
	CHECK(uv_timer_init(s->loop, &links.timer) == 0);
}

static void child_tell(const struct child *c, const struct child *peer, uint32_t serial, int fd)
{
	channel_send_fd(c->control, MSG_CHANNEL,
		&(struct msg_CHANNEL){ .peer = (uint8_t)peer->row->role,
			.instance = (uint16_t)peer->instance,
			.serial = serial },
		fd);
}

static void link_connect(struct link *l)
{
	int fds[2];
	int r = channel_pair(fds);

	l->made_ms = clock_mono_ms();
	if (r < 0) {
		log_error("cannot connect %s and %s: %s", role_name(l->a->row->role),
			role_name(l->b->row->role), strerror(-r));
		l->due_ms = l->made_ms + AGAIN_MS;
		return;
	}
	l->due_ms = 0;
	l->serial = ++links.serial;
	child_tell(l->a, l->b, l->serial, fds[0]);
	child_tell(l->b, l->a, l->serial, fds[1]);
}

/* ---- lost ones ---- */

static void on_due(uv_timer_t *timer);

static void links_watch(void)
{
	uint64_t now = clock_mono_ms(), first = UINT64_MAX;

	list_for_each (node, &links.all) {
		const struct link *l = CONTAINER_OF(node, struct link, in_all);
		if (l->due_ms)
			first = MIN(first, l->due_ms);
	}
	if (first == UINT64_MAX)
		(void)uv_timer_stop(&links.timer);
	else
		CHECK(uv_timer_start(&links.timer, on_due, first > now ? first - now : 0, 0) == 0);
}

static void on_due(uv_timer_t *timer)
{
	uint64_t now = clock_mono_ms();

	(void)timer;
	list_for_each (node, &links.all) {
		struct link *l = CONTAINER_OF(node, struct link, in_all);
		if (!l->due_ms || l->due_ms > now)
			continue;
		log_warning("%s[%d] and %s[%d] lost their channel; they get another",
			role_name(l->a->row->role), (int)l->a->pid, role_name(l->b->row->role),
			(int)l->b->pid);
		link_connect(l);
	}
	links_watch();
}

void links_lost(const struct child *c, const struct msg_CHANNEL_LOST *m)
{
	list_for_each (node, &links.all) {
		struct link *l = CONTAINER_OF(node, struct link, in_all);
		if (l->serial != m->serial || l->due_ms || (l->a != c && l->b != c))
			continue;
		l->due_ms = MAX(clock_mono_ms() + SETTLE_MS, l->made_ms + AGAIN_MS);
		links_watch();
		return;
	}
}

/* ---- which there are ---- */

void links_make(struct child *a, struct child *b)
{
	struct link *l = mem_new(sizeof(*l));

	l->a = a;
	l->b = b;
	list_push_back(&links.all, &l->in_all);
	link_connect(l);
	links_watch();
}

void links_forget(const struct child *c)
{
	list_for_each_safe (node, &links.all) {
		struct link *l = CONTAINER_OF(node, struct link, in_all);
		if (l->a != c && l->b != c)
			continue;
		list_remove(&l->in_all);
		mem_free(l);
	}
	links_watch();
}
