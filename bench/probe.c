/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe - the ceiling for durable acceptance: an SMTP responder with a group commit and nothing else
 *
 *	probe -f LOGFILE [-z MEBIBYTES] [-a ADDRESS] [-p PORT]
 *
 * One log, written with zeros beforehand and used as a ring, so that a commit touches data only. While the
 * second thread writes and syncs one batch, the first gathers the next; each 250 goes out only after the
 * fdatasync that covers its message. Nothing is ever read back: this measures, it keeps no mail.
 */
#include "bench/responder.h"
#include "base/file.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>

#define COMMIT_ALIGN 4096u /* as the spool pads its commits: whole blocks, no read before a write */
#define MAX_BATCH (256u * 1024 * 1024)

struct batch {
	struct buf bytes;
	struct responder_conn *waiting; /* newest first */
};

struct probe {
	struct responder responder;
	int log_fd;
	uint64_t log_size, log_at;
	pthread_mutex_t lock; /* over the three below */
	pthread_cond_t filled;
	struct batch gathering;
	struct responder_conn *durable; /* their commit is done */
};

static void die(const char *what, int e)
{
	fprintf(stderr, "probe: %s: %s\n", what, strerror(-e));
	exit(1);
}

static void batch_write(struct probe *p, struct batch *b)
{
	size_t padded = (b->bytes.len + COMMIT_ALIGN - 1) / COMMIT_ALIGN * COMMIT_ALIGN, n_pad;
	int e;

	n_pad = padded - b->bytes.len;
	if (n_pad > 0) {
		char *pad = buf_reserve(&b->bytes, n_pad);
		CHECK(pad != NULL);
		memset(pad, 0, n_pad);
		buf_grew(&b->bytes, n_pad);
	}
	if (p->log_at + padded > p->log_size)
		p->log_at = 0;
	e = padded > p->log_size ? -EFBIG : file_pwrite_all(p->log_fd, buf_slice(&b->bytes), p->log_at);
	if (e == 0)
		e = file_sync_data(p->log_fd);
	if (e < 0)
		die("log", e);
	p->log_at += padded;
	buf_clear(&b->bytes);
}

/* The second thread: whatever was gathered while the last sync ran is the next batch. */
static void *commit_thread(void *arg)
{
	struct probe *p = arg;
	struct batch b = { .bytes = BUF_INIT(MAX_BATCH) };

	for (;;) {
		struct batch empty = b;
		struct responder_conn *last;
		uint64_t one = 1;

		CHECK(pthread_mutex_lock(&p->lock) == 0);
		while (!p->gathering.waiting)
			CHECK(pthread_cond_wait(&p->filled, &p->lock) == 0);
		b = p->gathering;
		p->gathering = empty;
		CHECK(pthread_mutex_unlock(&p->lock) == 0);
		batch_write(p, &b);
		CHECK(pthread_mutex_lock(&p->lock) == 0);
		for (last = b.waiting; last->next; last = last->next)
			;
		last->next = p->durable;
		p->durable = b.waiting;
		CHECK(pthread_mutex_unlock(&p->lock) == 0);
		b.waiting = NULL;
		CHECK(write(p->responder.wake_fd, &one, sizeof(one)) == sizeof(one));
	}
	return NULL;
}

static bool gather(struct responder *r, struct responder_conn *c, struct slice content)
{
	struct probe *p = CONTAINER_OF(r, struct probe, responder);

	CHECK(pthread_mutex_lock(&p->lock) == 0);
	buf_append(&p->gathering.bytes, content);
	CHECK(buf_ok(&p->gathering.bytes));
	c->next = p->gathering.waiting;
	p->gathering.waiting = c;
	CHECK(pthread_cond_signal(&p->filled) == 0);
	CHECK(pthread_mutex_unlock(&p->lock) == 0);
	return false;
}

static void release_done(struct responder *r)
{
	struct probe *p = CONTAINER_OF(r, struct probe, responder);
	struct responder_conn *c, *next;
	uint64_t n_syncs;

	CHECK(read(r->wake_fd, &n_syncs, sizeof(n_syncs)) == sizeof(n_syncs));
	r->n_syncs += n_syncs;
	CHECK(pthread_mutex_lock(&p->lock) == 0);
	c = p->durable;
	p->durable = NULL;
	CHECK(pthread_mutex_unlock(&p->lock) == 0);
	for (; c; c = next) {
		next = c->next;
		responder_release(r, c);
	}
}

static void log_open(struct probe *p, const char *path)
{
	int e;

	p->log_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (p->log_fd < 0)
		die(path, -errno);
	e = file_write_zeros(p->log_fd, p->log_size);
	if (e == 0)
		e = file_sync(p->log_fd);
	if (e < 0)
		die(path, e);
}

/* Not on main's stack: the commit thread still uses it while the process exits. */
static struct probe probe = { .responder = { .on_message = gather, .on_wake = release_done },
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.filled = PTHREAD_COND_INITIALIZER,
	.gathering.bytes = BUF_INIT(MAX_BATCH) };

int main(int argc, char **argv)
{
	struct probe *p = &probe;
	const char *address = "127.0.0.1", *path = NULL;
	uint64_t port = 2525, mebibytes = 256;
	pthread_t thread;
	bool is_usable = true;
	int opt, e;

	while ((opt = getopt(argc, argv, "a:p:f:z:")) >= 0) {
		switch (opt) {
		case 'a': address = optarg; break;
		case 'f': path = optarg; break;
		case 'p': is_usable &= slice_to_u64(slice_of(optarg), UINT16_MAX, &port); break;
		case 'z': is_usable &= slice_to_u64(slice_of(optarg), 1u << 20, &mebibytes); break;
		default: is_usable = false;
		}
	}
	if (!is_usable || !path) {
		fprintf(stderr, "usage: probe -f LOGFILE [-z MEBIBYTES] [-a ADDRESS] [-p PORT]\n");
		return 64;
	}
	p->log_size = mebibytes << 20;
	log_open(p, path);
	p->responder.wake_fd = eventfd(0, EFD_CLOEXEC);
	e = p->responder.wake_fd < 0 ? -errno : responder_open(&p->responder, address, (uint16_t)port);
	if (e < 0)
		die(address, e);
	if (pthread_create(&thread, NULL, commit_thread, p) != 0)
		die("thread", -EAGAIN);
	responder_run(&p->responder);
	printf("messages=%" PRIu64 " syncs=%" PRIu64 "\n", p->responder.n_messages, p->responder.n_syncs);
	return 0;
}
