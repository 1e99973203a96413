/* SPDX-License-Identifier: Apache-2.0 */
/* child.c - see child.h */
#include "mailx/child.h"
#include "base/file.h"
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

extern char **environ;

/* Our descriptors are all close-on-exec; only what it is given gets through. */
static int child_files(posix_spawn_file_actions_t *files, const struct child *c)
{
	int e = 0;

	if (c->in >= 0)
		e = posix_spawn_file_actions_adddup2(files, c->in, STDIN_FILENO);
	if (e == 0 && c->out >= 0)
		e = posix_spawn_file_actions_adddup2(files, c->out, STDOUT_FILENO);
	return -e;
}

int child_start(const struct child *c, pid_t *pid_out)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t defaults;
	char *const *argv = (char *const *)(uintptr_t)c->argv; /* spawn does not write there */
	int r;

	(void)fflush(stdout);
	(void)sigemptyset(&defaults);
	(void)sigaddset(&defaults, SIGPIPE);
	(void)sigaddset(&defaults, SIGXFSZ);
	if (posix_spawn_file_actions_init(&files) || posix_spawnattr_init(&attributes))
		return -ENOMEM;
	(void)posix_spawnattr_setsigdefault(&attributes, &defaults);
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	r = child_files(&files, c);
	if (r == 0)
		r = -posix_spawnp(pid_out, c->argv[0], &files, &attributes, argv, environ);
	(void)posix_spawn_file_actions_destroy(&files);
	(void)posix_spawnattr_destroy(&attributes);
	return r;
}

int child_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR) /* interrupts are the child's business */
			return 255;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int child_run(const struct child *c, int *status_out)
{
	pid_t pid;
	int r = child_start(c, &pid);

	if (r == 0)
		*status_out = child_wait(pid);
	return r;
}

int child_input(struct slice content)
{
	int fd = memfd_create("mail", MFD_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = file_write_all(fd, content);
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	if (r < 0)
		cleanup_close(&fd);
	return r < 0 ? r : fd;
}

int child_shell(const char *shell, const char *command, int in, int out, int *status_out)
{
	const char *const argv[] = { shell, "-c", command, NULL };

	return child_run(&(struct child){ .argv = argv, .in = in, .out = out }, status_out);
}

int child_filter(
	const char *shell, const char *command, struct slice input, struct buf *output, int *status_out)
{
	const char *const argv[] = { shell, "-c", command, NULL };
	auto_close int in = child_input(input);
	auto_close int read_end = -1, write_end = -1;
	int ends[2], r;
	pid_t pid;

	if (in < 0)
		return in;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	read_end = ends[0];
	write_end = ends[1];
	r = child_start(&(struct child){ .argv = argv, .in = in, .out = write_end }, &pid);
	if (r < 0)
		return r;
	cleanup_close(&write_end);
	write_end = -1;
	r = file_read_all(read_end, output);
	*status_out = child_wait(pid);
	return r;
}
