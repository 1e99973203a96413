/* SPDX-License-Identifier: Apache-2.0 */
/* program.c - see program.h */
#include "control/program.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

static _Noreturn void child_exec(const char *const words[], int output)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C";
	static char *environment[] = { path, locale, NULL };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)signal(SIGPIPE, SIG_DFL);
	if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
		dup2(output, STDERR_FILENO) >= 0) {
		environ = environment; /* execvp looks along PATH in it */
		(void)execvp(words[0], (char *const *)(uintptr_t)words);
	}
	_exit(errno == ENOENT ? PROGRAM_MISSING : 126);
}

/* Everything is read, so that the program never waits for us; what does not fit is dropped. */
static void gather(int from, struct buf *output)
{
	char piece[4096];
	ssize_t n;

	while ((n = read(from, piece, sizeof(piece))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			buf_append(output, (struct slice){ piece, (size_t)n });
	output->failed = false;
}

int program_run(const char *const words[], struct buf *output)
{
	int ends[2], status;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	(void)fflush(stdout); /* ours comes before what the program may print */
	pid = fork();
	if (pid == 0)
		child_exec(words, ends[1]);
	(void)close(ends[1]);
	if (pid < 0) {
		int error = errno;
		(void)close(ends[0]);
		return -error;
	}
	gather(ends[0], output);
	(void)close(ends[0]);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
