/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmdload - runs a command many times with a file as its standard input, and says how long each took
 *
 *	cmdload [-n COUNT] [-p PARALLEL] [-u ID] [-m MAILBOX] -i FILE COMMAND [ARGUMENT ...]
 *
 * Latency is from the fork to the end of the command, as a program sees it that waits for sendmail; with -m
 *to the moment when MAILBOX has grown by the size of FILE, one command at a time. Result: one line of
 *name=value. Exit 0: every command succeeded; 1: not so; 64: usage; 71: the machine refused. Runs commands of
 *the server that is measured, as the user ID: it belongs to the yardstick alone.
 */
#include "bench/loadstats.h"
#include "base/clock.h"
#include "base/slice.h"
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PARALLEL_MAX 1000
#define MAILBOX_PATIENCE_MS 10000

struct running {
	pid_t pid; /* 0: free */
	uint64_t began_ns;
};

struct commands {
	uint64_t n, n_parallel, id;
	const char *input, *mailbox;
	char **argv;
	off_t input_size;
	int inotify_fd;
	struct running running[PARALLEL_MAX];
	uint64_t n_begun, n_ended, n_failed;
	struct loadstats latency;
};

static struct commands commands; /* the only instance: a histogram this large does not belong on the stack */

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "cmdload: %s: %s\n", what, strerror(errno));
	exit(71);
}

static off_t size_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		die(path);
	return st.st_size;
}

/* In the child. Only what every shell does before an exec: none of it is the command's own time. */
static _Noreturn void become_command(const struct commands *c)
{
	int in = open(c->input, O_RDONLY);

	if (in < 0 || dup2(in, STDIN_FILENO) < 0 || close(in) < 0)
		_exit(126);
	if (c->id != 0 && (setgroups(0, NULL) < 0 || setgid((gid_t)c->id) < 0 || setuid((uid_t)c->id) < 0))
		_exit(126);
	execv(c->argv[0], c->argv);
	_exit(127);
}

static void command_begin(struct commands *c, struct running *slot)
{
	slot->began_ns = clock_mono_ns();
	slot->pid = fork();
	if (slot->pid < 0)
		die("fork");
	if (slot->pid == 0)
		become_command(c);
	c->n_begun++;
}

/* False when it did not come in time. */
static bool await_growth(struct commands *c, off_t size)
{
	struct pollfd in = { .fd = c->inotify_fd, .events = POLLIN };
	char events[4096];

	while (size_of(c->mailbox) < size) {
		if (poll(&in, 1, MAILBOX_PATIENCE_MS) <= 0)
			return false;
		if (read(c->inotify_fd, events, sizeof(events)) < 0)
			die("inotify");
	}
	return true;
}

static void command_ended(struct commands *c, struct running *slot, int status, off_t mailbox_size)
{
	bool is_good = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	if (is_good && c->mailbox)
		is_good = await_growth(c, mailbox_size + c->input_size);
	loadstats_add(&c->latency, (clock_mono_ns() - slot->began_ns) / 1000);
	slot->pid = 0;
	c->n_ended++;
	c->n_failed += !is_good;
}

static struct running *slot_of(struct commands *c, pid_t pid)
{
	struct running *slot = c->running;

	while (slot->pid != pid)
		slot++; /* it is there: only our own children are reaped */
	return slot;
}

static void commands_run(struct commands *c)
{
	off_t mailbox_size = 0;

	while (c->n_ended < c->n) {
		pid_t pid;
		int status;
		if (c->mailbox)
			mailbox_size = size_of(c->mailbox);
		while (c->n_begun < c->n && c->n_begun - c->n_ended < c->n_parallel)
			command_begin(c, slot_of(c, 0));
		pid = wait(&status);
		if (pid < 0)
			die("wait");
		command_ended(c, slot_of(c, pid), status, mailbox_size);
	}
}

static bool option(struct commands *c, int opt)
{
	struct slice arg = slice_of(optarg);

	switch (opt) {
	case 'n': return slice_to_u64(arg, 1000000, &c->n) && c->n > 0;
	case 'p': return slice_to_u64(arg, PARALLEL_MAX, &c->n_parallel) && c->n_parallel > 0;
	case 'u': return slice_to_u64(arg, UINT32_MAX, &c->id);
	case 'i': return (c->input = optarg) != NULL;
	case 'm': return (c->mailbox = optarg) != NULL;
	default: return false;
	}
}

int main(int argc, char **argv)
{
	struct commands *c = &commands;
	uint64_t began_us, start_ns;
	bool is_usable = true;
	double seconds;
	int opt;

	*c = (struct commands){ .n = 100, .n_parallel = 1 };
	while ((opt = getopt(argc, argv, "+n:p:u:i:m:")) >= 0)
		is_usable &= option(c, opt);
	if (!is_usable || !c->input || optind == argc || (c->mailbox && c->n_parallel > 1)) {
		fputs("usage: cmdload [-n COUNT] [-p PARALLEL] [-u ID] [-m MAILBOX] -i FILE COMMAND "
		      "[ARGUMENT ...]\n",
			stderr);
		return 64;
	}
	c->argv = argv + optind;
	c->input_size = size_of(c->input);
	c->inotify_fd = inotify_init1(IN_CLOEXEC);
	if (c->inotify_fd < 0 || (c->mailbox && inotify_add_watch(c->inotify_fd, c->mailbox, IN_MODIFY) < 0))
		die("inotify");
	began_us = clock_wall_us();
	start_ns = clock_mono_ns();
	commands_run(c);
	seconds = (double)(clock_mono_ns() - start_ns) / 1e9;
	printf("done=%" PRIu64 " failed=%" PRIu64
	       " seconds=%.3f rate=%.1f p50_ms=%.3f p99_ms=%.3f max_ms=%.3f "
	       "began_s=%.6f\n",
		c->n_ended, c->n_failed, seconds, (double)c->n_ended / seconds,
		(double)loadstats_quantile(&c->latency, 0.5) / 1e3,
		(double)loadstats_quantile(&c->latency, 0.99) / 1e3, (double)c->latency.max_us / 1e3,
		(double)began_us / 1e6);
	return c->n_failed == 0 ? 0 : 1;
}
