/* SPDX-License-Identifier: Apache-2.0 */
/* role_process.c - see role_process.h */
#include "support/role_process.h"
#include "base/file.h"
#include "ipc/role.h"
#include <fcntl.h>
#include <ftw.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

int role_process_main(const struct role_program *p, int argc, char **argv)
{
	return argc == 2 && strcmp(argv[0], p->name) == 0 ? p->main(argc, argv) : -1;
}

static _Noreturn void be_role(const struct role_program *p, const char *sandbox, int control, int config)
{
	char option[200], name[64];
	char *argv[] = { name, option, NULL };

	(void)snprintf(name, sizeof(name), "%s", p->name);
	(void)snprintf(option, sizeof(option), "--sandbox=%s", sandbox);
	control = fcntl(control, F_DUPFD, 10); /* out of the way: they may be 3 and 4 the other way round */
	config = fcntl(config, F_DUPFD, 10);
	if (dup2(control, ROLE_FD_CONTROL) < 0 || dup2(config, ROLE_FD_CONFIG) < 0)
		_exit(99);
	for (int fd = ROLE_FD_CONFIG + 1; fd < 100; fd++)
		(void)close(fd);
	(void)execv("/proc/self/exe", argv);
	_exit(99);
}

pid_t role_process_start(const struct role_program *p, const char *sandbox, int control, int config)
{
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		be_role(p, sandbox, control, config);
	return pid;
}

int role_process_config(struct slice text)
{
	int fd = memfd_create("config", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text), 0);
	return fd;
}

int role_process_wait(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static void on_turn_end(uv_timer_t *timer)
{
	(void)timer;
}

static void on_timer_closed(uv_handle_t *handle)
{
	mem_free(handle);
}

void role_process_turn(uv_loop_t *loop)
{
	uv_timer_t *timer = mem_new(sizeof(*timer));

	assert_int_equal(uv_timer_init(loop, timer), 0);
	assert_int_equal(uv_timer_start(timer, on_turn_end, 20, 0), 0);
	(void)uv_run(loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)timer, on_timer_closed);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

void role_process_remove(const char *dir)
{
	assert_int_equal(nftw(dir, remove_one, 20, FTW_DEPTH | FTW_PHYS), 0);
}
