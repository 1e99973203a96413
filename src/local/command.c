/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.c - see command.h
 *
 * The end of the process is the end of the delivery: a command that leaves something running in the
 * background, with our pipe still open, does not hold up the mail. What it has printed by then is read to the
 * end.
 *
 * Why not uv_spawn(): the command must not do anything before its group is on the leash. Its process waits
 * for a word at a gate; when we die before we say it, the process ends.
 */
#include "local/command.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define OUTPUT_KEPT 4096       /* of what it prints; the rest is read and dropped */
#define PIPE_BYTES (64 * 1024) /* that a pipe can hold, see pipe(7) */
#define WORDS_MAX 200
#define SHELL "/bin/sh"

struct command {
	pid_t pid; /* and its process group; 0: nothing runs */
	struct leash *leash;
	uv_signal_t children;
	uv_pipe_t in, out;
	uv_timer_t deadline;
	uv_write_t writing;
	int n_handles;
	struct command_end end;
	struct buf output;
	char dropped[4096];
	command_done done;
	void *user;
};

/* ---- what is executed ---- */

bool command_is_plain(const char *line, char *words_out)
{
	static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				       "_-+=/.,:@%^ \t";
	char *to = words_out;
	bool in_word = false;

	while (*line == ' ' || *line == '\t')
		line++;
	if (*line != '/' || line[strspn(line, harmless)] != '\0')
		return false;
	for (; *line; line++) {
		bool is_blank = *line == ' ' || *line == '\t';
		if (!is_blank)
			*to++ = *line;
		else if (in_word)
			*to++ = '\0';
		in_word = !is_blank;
	}
	*to++ = '\0';
	if (in_word)
		*to = '\0';
	return true;
}

/* Points into words, which command_is_plain() made. */
static bool split(char *words, char *argv[WORDS_MAX])
{
	size_t n = 0;

	for (char *word = words; *word; word += strlen(word) + 1) {
		if (n == WORDS_MAX - 1)
			return false;
		argv[n++] = word;
	}
	argv[n] = NULL;
	return true;
}

/* ---- its end ---- */

static void finish(struct command *c)
{
	c->end.output = buf_slice(&c->output);
	c->done(c->user, &c->end);
	buf_free(&c->output);
	mem_free(c);
}

static void on_closed(uv_handle_t *handle)
{
	struct command *c = handle->data;

	if (--c->n_handles == 0)
		finish(c);
}

static void close_handle(uv_handle_t *handle)
{
	if (!uv_is_closing(handle))
		uv_close(handle, on_closed);
}

static void close_all(struct command *c)
{
	close_handle((uv_handle_t *)&c->in);
	close_handle((uv_handle_t *)&c->out);
	close_handle((uv_handle_t *)&c->deadline);
	close_handle((uv_handle_t *)&c->children);
}

/* What stands in the pipe now, without waiting for what a background process may still print; one that prints
 * as fast as we read is not followed. */
static void read_rest(struct command *c)
{
	size_t left = PIPE_BYTES;
	uv_os_fd_t fd;
	ssize_t n;

	if (uv_is_closing((uv_handle_t *)&c->out) || uv_fileno((uv_handle_t *)&c->out, &fd) != 0)
		return;
	while (left && ((n = read(fd, c->dropped, sizeof(c->dropped))) > 0 || (n < 0 && errno == EINTR)))
		if (n > 0) {
			left -= MIN(left, (size_t)n);
			buf_append(&c->output,
				slice_first((struct slice){ c->dropped, (size_t)n },
					OUTPUT_KEPT - c->output.len));
		}
}

static void on_child(uv_signal_t *handle, int number)
{
	struct command *c = handle->data;
	int status;

	(void)number;
	if (c->pid == 0 || waitpid(c->pid, &status, WNOHANG) != c->pid)
		return; /* another child's end */
	leash_remove(c->leash, c->pid);
	c->end.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	c->end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	read_rest(c);
	close_all(c);
}

static void on_deadline(uv_timer_t *timer)
{
	struct command *c = timer->data;

	c->end.is_timed_out = true;
	(void)kill(
		-c->pid, SIGKILL); /* the group: its own children too; it is there until we have reaped it */
}

/* ---- what it reads and writes ---- */

static void on_written(uv_write_t *request, int status)
{
	struct command *c = request->data;

	(void)status; /* it need not read its input: its exit status counts */
	close_handle((uv_handle_t *)&c->in);
}

static void on_space(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct command *c = handle->data;

	(void)suggested;
	*buf = uv_buf_init(c->dropped, sizeof(c->dropped));
}

static void on_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct command *c = stream->data;

	if (n < 0)
		close_handle((uv_handle_t *)stream);
	else
		buf_append(&c->output,
			slice_first((struct slice){ buf->base, (size_t)n }, OUTPUT_KEPT - c->output.len));
}

/* ---- its start ---- */

struct program {
	const char *file, *directory;
	char **argv;
	char *const *environment;
	int input, output;
};

static void signals_default(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL); /* some cannot be set, and are default anyway */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the new process. Everything above descriptor 2 closes as the program starts; the gate closes with it,
 * or carries the error. */
static _Noreturn void be_program(const struct program *p, int gate)
{
	char word;
	int error;

	(void)setsid();
	signals_default();
	if (read(gate, &word, 1) != 1)
		_exit(0);
	if (dup2(p->input, 0) >= 0 && dup2(p->output, 1) >= 0 && dup2(p->output, 2) >= 0 &&
		(chdir(p->directory) == 0 || chdir("/") == 0))
		(void)execve(p->file, p->argv, p->environment);
	error = errno;
	(void)!write(gate, &error, sizeof(error));
	_exit(127);
}

/* Lets it through. 0 when the program has started; else it ends, and this is why. */
static int open_gate(int gate)
{
	int error = 0;
	ssize_t n;

	if (send(gate, "", 1, MSG_NOSIGNAL) != 1)
		return -errno;
	do
		n = read(gate, &error, sizeof(error));
	while (n < 0 && errno == EINTR);
	return n == sizeof(error) ? -error : 0;
}

/* The child is on the leash before it does anything. */
static int start_program(struct command *c, const struct program *p)
{
	int gate[2], r, status;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, gate) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		(void)close(gate[0]); /* so that it sees our end */
		be_program(p, gate[1]);
	}
	r = pid < 0 ? -errno : 0;
	(void)close(gate[1]);
	if (r == 0 && !leash_add(c->leash, pid))
		r = -EAGAIN;
	if (r == 0)
		r = open_gate(gate[0]);
	(void)close(gate[0]);
	if (r == 0) {
		c->pid = pid;
	} else if (pid > 0) {
		(void)waitpid(pid, &status, 0); /* it ends at once */
		leash_remove(c->leash, pid);
	}
	return r;
}

static int spawn(struct command *c, const struct command_start *start, int input, int output)
{
	auto_free char *words = mem_new(strlen(start->line) + 2);
	char *argv[WORDS_MAX] = { (char *)(uintptr_t)SHELL, (char *)(uintptr_t) "-c",
		(char *)(uintptr_t)start->line, NULL };
	const struct program p = {
		.file = command_is_plain(start->line, words) && split(words, argv) ? words : SHELL,
		.directory = start->directory,
		.argv = argv,
		.environment = start->environment,
		.input = input,
		.output = output,
	};

	return start_program(c, &p);
}

static void feed(struct command *c, struct slice input)
{
	uv_buf_t whole = uv_buf_init((char *)(uintptr_t)input.at, (unsigned)input.len);

	c->writing.data = c;
	if (input.len == 0 || uv_write(&c->writing, (uv_stream_t *)&c->in, &whole, 1, on_written) != 0)
		close_handle((uv_handle_t *)&c->in);
}

static int start_all(struct command *c, const struct command_start *start)
{
	uv_file in[2], out[2];
	int r = uv_pipe(in, 0, UV_NONBLOCK_PIPE);

	if (r < 0)
		return r;
	r = uv_pipe(out, UV_NONBLOCK_PIPE, 0);
	if (r < 0) {
		(void)close(in[0]);
		(void)close(in[1]);
		return r;
	}
	CHECK(uv_pipe_open(&c->in, in[1]) == 0 && uv_pipe_open(&c->out, out[0]) == 0);
	CHECK(uv_signal_start(&c->children, on_child, SIGCHLD) == 0); /* before there is one */
	r = spawn(c, start, in[0], out[1]);
	(void)close(in[0]);
	(void)close(out[1]);
	if (r < 0)
		return r;
	feed(c, start->input);
	CHECK(uv_timer_start(&c->deadline, on_deadline, start->timeout_s * 1000, 0) == 0);
	return uv_read_start((uv_stream_t *)&c->out, on_space, on_output);
}

void command_run(uv_loop_t *loop, const struct command_start *start, command_done done, void *user)
{
	struct command *c = mem_new(sizeof(*c));
	int r;

	c->done = done;
	c->user = user;
	c->output = BUF_INIT(OUTPUT_KEPT);
	c->end.exit_status = -1;
	CHECK(uv_pipe_init(loop, &c->in, 0) == 0 && uv_pipe_init(loop, &c->out, 0) == 0 &&
		uv_timer_init(loop, &c->deadline) == 0 && uv_signal_init(loop, &c->children) == 0);
	c->children.data = c->in.data = c->out.data = c->deadline.data = c;
	c->n_handles = 4;
	c->leash = start->leash;
	r = start->input.len > UINT_MAX ? -EFBIG : start_all(c, start); /* libuv counts so far */
	if (r < 0) {
		c->end.start_error = r;
		close_all(c);
	}
}
