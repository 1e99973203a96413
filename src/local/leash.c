/* SPDX-License-Identifier: Apache-2.0 */
/* leash.c - see leash.h; the keeper waits for the end of a pipe whose other end only the errand holds */
#include "local/leash.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* Shared by the two processes; written by the errand, read by the keeper once the errand is dead. */
struct leash {
	pid_t groups[LEASH_MAX]; /* 0: free */
};

#define GONE_WAIT_MS 1000 /* a killed process still ends the system call it is in */

/* All but these two; one that stays open elsewhere would keep somebody waiting for its end. */
static void close_others(int a, int b)
{
	unsigned low = (unsigned)MIN(a, b), high = (unsigned)MAX(a, b);

	if ((low == 0 || syscall(SYS_close_range, 0u, low - 1, 0) == 0) &&
		(high - low < 2 || syscall(SYS_close_range, low + 1, high - 1, 0) == 0) &&
		syscall(SYS_close_range, high + 1, ~0u, 0) == 0)
		return;
	for (int i = 0; i < (int)sysconf(_SC_OPEN_MAX); i++) /* a kernel before 5.9 */
		if (i != a && i != b)
			(void)close(i);
}

/* Sends it to every group; whether there is one left. Zombies count until somebody has reaped them. */
static bool signal_all(const struct leash *l, int number)
{
	bool is_any_left = false;

	for (size_t i = 0; i < LEASH_MAX; i++)
		if (l->groups[i] > 0)
			is_any_left |= kill(-l->groups[i], number) == 0;
	return is_any_left;
}

static _Noreturn void keeper_life(const struct leash *l, int channel_fd, int pipe_fd)
{
	char byte;
	ssize_t n;

	(void)prctl(PR_SET_NAME, "keeper", 0, 0, 0);
	(void)signal(SIGCHLD, SIG_DFL); /* the event loop's handler has lost its pipe */
	close_others(channel_fd, pipe_fd);
	do
		n = read(pipe_fd, &byte, 1);
	while (n > 0 || (n < 0 && errno == EINTR));
	(void)signal_all(l, SIGKILL);
	for (int ms = 0; ms < GONE_WAIT_MS && signal_all(l, 0); ms++)
		(void)usleep(1000);
	_exit(0);
}

int leash_new(int channel_fd, struct leash **leash_out)
{
	struct leash *l = mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fds[2], r;
	pid_t pid;

	if (l == MAP_FAILED)
		return -errno;
	if (pipe2(fds, O_CLOEXEC) < 0) {
		r = -errno;
		(void)munmap(l, sizeof(*l));
		return r;
	}
	pid = fork();
	if (pid == 0)
		keeper_life(l, channel_fd, fds[0]);
	r = pid < 0 ? -errno : 0;
	(void)close(fds[0]);
	if (r < 0) {
		(void)close(fds[1]);
		(void)munmap(l, sizeof(*l));
		return r;
	}
	*leash_out = l; /* fds[1] closes with this process */
	return 0;
}

static bool replace(struct leash *l, pid_t old, pid_t now)
{
	for (size_t i = 0; i < LEASH_MAX; i++)
		if (l->groups[i] == old) {
			l->groups[i] = now;
			return true;
		}
	return false;
}

bool leash_add(struct leash *l, pid_t group)
{
	return replace(l, 0, group);
}

void leash_remove(struct leash *l, pid_t group)
{
	(void)replace(l, group, 0); /* there is none when it was never added */
}
