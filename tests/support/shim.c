/* SPDX-License-Identifier: Apache-2.0 */
/* shim.c - the block, the faults, and the record; see shim.h */
#include "support/shim-private.h"
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct shim *shim;

#define VARIABLE "POSTRIDER_SHIM"

static char env_library[PATH_MAX + 16], env_block[PATH_MAX + 16];
const char *const shim_environment[2] = { env_library, env_block };

const char *shim_call_name(enum shim_call call)
{
	static const char *const names[SHIM_CALLS] = {
		[SHIM_CREATE] = "create",
		[SHIM_WRITE] = "write",
		[SHIM_SYNC_BEGIN] = "sync begins",
		[SHIM_SYNC] = "sync",
		[SHIM_RENAME] = "rename",
		[SHIM_LINK] = "link",
		[SHIM_UNLINK] = "unlink",
		[SHIM_TRUNCATE] = "truncate",
		[SHIM_ALLOCATE] = "allocate",
	};

	return names[call];
}

/* ---- the block ---- */

struct shim *shim_new_block(void)
{
	void *block = mmap(NULL, sizeof(struct shim), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (block == MAP_FAILED)
		abort();
	return block;
}

struct shim *shim_map_file(const char *path)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *block = MAP_FAILED;

	if (fd >= 0 && syscall(SYS_ftruncate, fd, (off_t)sizeof(struct shim)) == 0)
		block = mmap(
			NULL, sizeof(struct shim), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (fd >= 0)
		(void)close(fd);
	return block == MAP_FAILED ? NULL : block;
}

/* Everything but the bytes, which nothing refers to then. */
void shim_clear(struct shim *s)
{
	memset(s->events, 0, atomic_load(&s->n_events) * sizeof(s->events[0]));
	memset(s, 0, offsetof(struct shim, events));
}

void shim_reset(void)
{
	shim_clear(shim);
}

size_t shim_n_events(void)
{
	return atomic_load(&shim->n_events);
}

static void shim_init(int argc, char **argv, char **envp) __attribute__((constructor));
static void shim_init(int argc, char **argv, char **envp)
{
	const char *path = getenv(VARIABLE), *library = getenv("LD_PRELOAD");
	const char *name = argc > 0 ? argv[0] : "?";
	void *frame;

	(void)envp;
	(void)backtrace(&frame, 1); /* loads what it needs, which must not happen later */
	if (!IS_PRELOADED) {
		shim = shim_new_block();
		return;
	}
	if (!path || !library)
		return;
	shim = shim_map_file(path);
	(void)snprintf(env_library, sizeof(env_library), "LD_PRELOAD=%s", library);
	(void)snprintf(env_block, sizeof(env_block), VARIABLE "=%s", path);
	shim_site_role(name);
}

/* ---- faults ---- */

static _Noreturn void freeze(void)
{
	for (;;)
		(void)syscall(SYS_pause);
}

_Noreturn void shim_stop(void)
{
	if (atomic_exchange(&shim->is_stopped, true))
		freeze(); /* another thread came first */
	atomic_store(&shim->stopped_at, atomic_load(&shim->n_events));
	if (!IS_PRELOADED)
		(void)syscall(SYS_exit_group, 137);
	freeze(); /* until the test kills us all */
}

_Noreturn void shim_die(void)
{
	(void)syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
	freeze();
}

/* Is this call struck? */
static enum verdict strike(enum shim_call call, uint64_t site)
{
	struct shim_fault *f = &shim->fault;
	unsigned n;

	if (!f->is_armed || (f->calls && !(f->calls & 1U << call)) || (f->site && f->site != site))
		return GO_ON;
	n = atomic_fetch_add(&shim->n_matched, 1) + 1;
	if (f->at == 0 || n < f->at)
		return GO_ON;
	if (n - f->at >= f->n) {
		if (f->then_stops)
			shim_stop();
		return GO_ON;
	}
	atomic_fetch_add(&shim->n_struck, 1);
	errno = f->error;
	switch (f->act) {
	case SHIM_ERROR: return FAIL;
	case SHIM_STOP: shim_stop();
	case SHIM_KILL: shim_die();
	case SHIM_ERROR_PARTLY:
	case SHIM_SHORT:
	case SHIM_TEAR:
	case SHIM_TEAR_KILL: return call == SHIM_WRITE ? PART : FAIL;
	}
	return GO_ON;
}

__attribute__((noinline)) enum verdict shim_enter(
	enum shim_call call, int fd, const char *name, int to_dir, const char *to, bool *watched_out)
{
	struct call c;
	uint64_t site = 0;

	*watched_out = false;
	if (!shim)
		return GO_ON;
	shim_describe(&c, call, fd, name, to_dir, to);
	if (!c.is_watched)
		return GO_ON;
	if (atomic_load(&shim->is_stopped))
		freeze();
	*watched_out = true;
	/* A stack takes time: where one call is waited for, the others need no name. */
	if (shim->names_sites && (!shim->fault.calls || shim->fault.calls & 1U << call))
		site = shim_site_of(&c);
	return strike(call, site);
}

__attribute__((noinline)) enum verdict shim_enter_one(
	enum shim_call call, int fd, const char *name, bool *watched_out)
{
	return shim_enter(call, fd, name, 0, NULL, watched_out);
}

/* ---- recording ---- */

static void keep_bytes(struct shim_event *e, const struct iovec *iov, int n_iov)
{
	size_t left = e->n_bytes;

	e->bytes_at = atomic_fetch_add(&shim->bytes_used, e->n_bytes);
	if (e->bytes_at + e->n_bytes > SHIM_BYTES)
		abort(); /* a longer record than SHIM_BYTES */
	for (int i = 0; i < n_iov && left; i++) {
		size_t part = iov[i].iov_len < left ? iov[i].iov_len : left;
		memcpy(shim->bytes + e->bytes_at + e->n_bytes - left, iov[i].iov_base, part);
		left -= part;
	}
}

static size_t keep(
	const struct shim_event *what, const char *name, const char *to, const struct iovec *iov, int n_iov)
{
	size_t index = 0;

	if (shim->records) {
		struct shim_event e = *what;
		if (name)
			(void)snprintf(e.name, sizeof(e.name), "%.*s", SHIM_NAME - 1, name);
		if (to)
			(void)snprintf(e.to, sizeof(e.to), "%.*s", SHIM_NAME - 1, to);
		if (iov)
			keep_bytes(&e, iov, n_iov);
		index = atomic_fetch_add(&shim->n_events, 1);
		if (index >= SHIM_EVENTS)
			abort(); /* a longer record than SHIM_EVENTS */
		e.is_complete = false;
		memcpy(&shim->events[index], &e, sizeof(e));
		atomic_store(&shim->events[index].is_complete, true);
	}
	if (atomic_load(&shim->is_stopped))
		freeze();
	return index;
}

size_t shim_keep_names(const struct shim_event *what, const char *name, const char *to)
{
	return keep(what, name, to, NULL, 0);
}

size_t shim_keep(const struct shim_event *what, const struct iovec *iov, int n_iov)
{
	return keep(what, NULL, NULL, iov, n_iov);
}
