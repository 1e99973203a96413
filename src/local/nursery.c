/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nursery.c - see nursery.h
 *
 * Why not fork from local itself: its memory holds other users' mail, and it has threads, after which a child
 * may hardly call anything. Why not execute the program again for each worker: that costs some milliseconds
 * with the libraries of the whole daemon, and users come and go by the thousand. The nursery's image has no
 * mail in it and forks in a fraction of a millisecond. What is given up is a fresh address space layout:
 * workers share the parent's, so a worker's memory tells where local's code lies.
 *
 * The nursery keeps its children's process ids until it has reaped them itself, so that a kill never hits a
 * process that came later. When local is gone it ends; its children finish by themselves.
 */
#include "local/nursery.h"
#include "base/list.h"
#include "base/limits.h"
#include "base/log.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define WORKER_FD_MIN 64

enum nursery_order { NURSERY_WORKER = 1, NURSERY_KILL, NURSERY_SETTINGS };

struct order {
	uint32_t kind, length; /* of what follows: a user's name, or the text of the configuration */
	uint32_t branch, unused;
	uint64_t number;
};

struct child {
	struct list in_all;
	pid_t pid;
	uint64_t number;
};

/* ---- the nursery's own process ---- */

struct home {
	int fd;
	const struct config *config;
	gid_t mail_group;
	worker_life life;
	struct list children;
};

static void reap(struct home *h)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
		list_for_each_safe (node, &h->children) {
			struct child *child = CONTAINER_OF(node, struct child, in_all);
			if (child->pid != pid)
				continue;
			list_remove(&child->in_all);
			mem_free(child);
		}
	}
}

static void kill_child(struct home *h, uint64_t number)
{
	list_for_each (node, &h->children) {
		struct child *child = CONTAINER_OF(node, struct child, in_all);
		if (child->number == number)
			(void)kill(child->pid, SIGKILL); /* ours and not reaped: it cannot be another's */
	}
}

static void signals_default(void)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void give_birth(struct home *h, const struct order *order, struct slice user, int fd)
{
	struct worker_birth birth = { .config = h->config,
		.branch = (enum worker_branch)order->branch,
		.user = user,
		.mail_group = h->mail_group };
	struct child *child;
	pid_t pid;

	/* Out of the way: in the child libuv closes the numbers that its signal pipe had in local, whatever
	 * they are now. */
	birth.fd = fcntl(fd, F_DUPFD_CLOEXEC, WORKER_FD_MIN);
	if (birth.fd < 0)
		return; /* the channel closes with our copy of it: local sees that nobody is there */
	pid = fork();
	if (pid == 0) {
		(void)close(h->fd);
		(void)close(fd);
		signals_default();
		_exit(h->life(&birth));
	}
	(void)close(birth.fd);
	if (pid < 0)
		return;
	child = mem_new(sizeof(*child));
	child->pid = pid;
	child->number = order->number;
	list_push_back(&h->children, &child->in_all);
}

static void report_nowhere(unsigned line, const char *message, void *user)
{
	(void)line, (void)message, (void)user; /* local has parsed the same text */
}

static void change_settings(struct home *h, struct slice text)
{
	struct paths paths = h->config->paths;
	struct config *fresh = config_parse_completed(text, report_nowhere, NULL);
	struct config *old = (struct config *)(uintptr_t)h->config;

	if (!fresh)
		return;
	fresh->paths = paths;
	h->config = fresh;
	config_free(&old);
}

/* All of it, or false at the end of the stream. *fd takes a descriptor that comes along. */
static bool receive(int from, char *to, size_t n, int *fd)
{
	while (n) {
		union {
			char bytes[CMSG_SPACE(sizeof(int))];
			struct cmsghdr align;
		} control;
		struct iovec iov = { .iov_base = to, .iov_len = n };
		struct msghdr mh = { .msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control) };
		ssize_t got = recvmsg(from, &mh, MSG_CMSG_CLOEXEC);
		struct cmsghdr *c;
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		c = CMSG_FIRSTHDR(&mh);
		if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			cleanup_close(fd);
			memcpy(fd, CMSG_DATA(c), sizeof(*fd));
		}
		to += got;
		n -= (size_t)got;
	}
	return true;
}

static bool obey(struct home *h)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_CONFIG_FILE + 1);
	auto_close int fd = -1;
	struct order order;
	char *room;

	if (!receive(h->fd, (char *)&order, sizeof(order), &fd))
		return false;
	room = buf_reserve(&text, order.length + 1); /* never nothing */
	if (!room || !receive(h->fd, room, order.length, &fd))
		return false;
	buf_grew(&text, order.length);
	switch ((enum nursery_order)order.kind) {
	case NURSERY_WORKER: give_birth(h, &order, buf_slice(&text), fd); break;
	case NURSERY_KILL: kill_child(h, order.number); break;
	case NURSERY_SETTINGS: change_settings(h, buf_slice(&text)); break;
	}
	return true;
}

static void on_sigchld(int signal_number)
{
	(void)signal_number; /* it interrupts ppoll */
}

static _Noreturn void nursery_life(struct home *h)
{
	struct sigaction action = { .sa_handler = on_sigchld };
	sigset_t blocked, open;

	(void)prctl(PR_SET_NAME, "nursery", 0, 0, 0);
	(void)sigemptyset(&blocked);
	(void)sigaddset(&blocked, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &blocked, &open) < 0 || sigaction(SIGCHLD, &action, NULL) < 0)
		_exit(1);
	for (;;) {
		struct pollfd p = { .fd = h->fd, .events = POLLIN };
		int n = ppoll(&p, 1, NULL, &open);
		reap(h);
		if (n > 0 && !obey(h))
			_exit(0);
	}
}

/* Everything but standard input, output and error goes, local's control channel included. */
static void keep_only(int *fd)
{
	const int place = 3;

	if (*fd != place) {
		if (dup3(*fd, place, O_CLOEXEC) < 0)
			_exit(1);
		*fd = place;
	}
	if (syscall(SYS_close_range, place + 1, ~0u, 0) == 0)
		return;
	for (int i = place + 1; i < (int)sysconf(_SC_OPEN_MAX); i++)
		(void)close(i); /* a kernel before 5.9 */
}

/* ---- local's side ---- */

int nursery_start(struct nursery *n, const struct config *c, gid_t mail_group, worker_life life)
{
	struct home h = { .config = c, .mail_group = mail_group, .life = life };
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		h.fd = fds[1];
		list_init(&h.children);
		log_set_sink(NULL, NULL);
		keep_only(&h.fd);
		nursery_life(&h);
	}
	(void)close(fds[1]);
	if (pid < 0) {
		int error = errno;
		(void)close(fds[0]);
		return -error;
	}
	n->fd = fds[0];
	return 0;
}

/* Small, and the nursery reads at once: waiting for it is short. */
static int send_order(struct nursery *n, const struct order *order, struct slice text, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov[] = {
		{ .iov_base = (void *)(uintptr_t)order, .iov_len = sizeof(*order) },
		{ .iov_base = (void *)(uintptr_t)text.at, .iov_len = text.len },
	};
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = ARRAY_LEN(iov) };
	size_t left = sizeof(*order) + text.len;

	if (fd >= 0) {
		mh.msg_control = &control;
		mh.msg_controllen = sizeof(control);
		struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	while (left) {
		ssize_t sent = sendmsg(n->fd, &mh, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -errno;
		left -= (size_t)sent;
		for (size_t i = 0, done = (size_t)sent; i < ARRAY_LEN(iov); i++) {
			size_t part = MIN(done, iov[i].iov_len);
			iov[i].iov_base = (char *)iov[i].iov_base + part;
			iov[i].iov_len -= part;
			done -= part;
		}
		mh.msg_control = NULL;
		mh.msg_controllen = 0;
	}
	return 0;
}

int nursery_worker(
	struct nursery *n, enum worker_branch branch, struct slice user, int fd, uint64_t *number_out)
{
	auto_close int owned = fd;
	struct order order = { .kind = NURSERY_WORKER,
		.length = (uint32_t)user.len,
		.branch = branch,
		.number = n->next_number };
	int r = send_order(n, &order, user, owned);

	if (r == 0)
		*number_out = n->next_number++;
	return r;
}

int nursery_kill(struct nursery *n, uint64_t number)
{
	struct order order = { .kind = NURSERY_KILL, .number = number };

	return send_order(n, &order, SLICE_EMPTY, -1);
}

int nursery_settings(struct nursery *n, const struct config *c)
{
	struct order order = { .kind = NURSERY_SETTINGS, .length = (uint32_t)c->text.len };

	return send_order(n, &order, buf_slice(&c->text), -1);
}
