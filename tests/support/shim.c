/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim.c - see shim.h
 *
 * Processes die anywhere, so nothing here is locked: places in the block are taken with atomic additions. The
 * functions have two names where the C library has two (with and without 64), because the daemon and its
 * libraries were built with either. Environments are emptied on the way to a role: the exec functions put
 * back what makes the loader load this library.
 */
#include "support/shim.h"
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct shim *shim;

#if defined(SHIM_PRELOADED)
#define IS_PRELOADED true
#else
#define IS_PRELOADED false
#endif
#define KEY_FRAMES 8 /* further out stands the test, which comes by several ways */
#define VARIABLE "POSTRIDER_SHIM"
#define BOOT_ID "/proc/sys/kernel/random/boot_id"

static char role[32];
static int role_pid;
static char env_library[PATH_MAX + 16], env_block[PATH_MAX + 16];

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
	if (strncmp(name, "postriderd: ", 12) == 0)
		name += 12;
	else if (strrchr(name, '/'))
		name = strrchr(name, '/') + 1;
	(void)snprintf(role, sizeof(role), "%.31s", name);
	role_pid = getpid();
}

/* ---- which files ---- */

static uint64_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* Numbers of a name become a star: files that differ in them alone are of one kind. */
static void kind_of_name(const char *name, char *out, size_t size)
{
	size_t n = 0;

	while (*name && n + 2 < size) {
		size_t digits = strspn(name, "0123456789ABCDEF");
		size_t decimals = strspn(name, "0123456789");
		if (digits >= 8 || (decimals >= 2 && n > 0)) {
			name += digits >= 8 ? digits : decimals;
			out[n++] = '*';
			continue;
		}
		out[n++] = *name++;
	}
	out[n] = '\0';
}

/* The log directory and a file of it are "log/" and "log/(number).seg"; every mailbox is mail/USER. */
static void kind_of_path(const char *path, bool is_dir, char *out, size_t size)
{
	const char *name = strrchr(path, '/'), *dir;
	char kind[SHIM_NAME];

	name = name ? name + 1 : path;
	if (is_dir) {
		(void)snprintf(out, size, "%.80s/", name);
		return;
	}
	for (dir = name > path ? name - 1 : name; dir > path && dir[-1] != '/';)
		dir--;
	kind_of_name(name, kind, sizeof(kind));
	if (strncmp(dir, "mail/", 5) == 0)
		(void)snprintf(out, size, "mail/USER%s", strrchr(name, '.') ? strrchr(name, '.') : "");
	else
		(void)snprintf(out, size, "%.*s%.60s", name > dir ? (int)(name - dir) : 0, dir, kind);
}

static bool path_of(int fd, const char *name, char *out, size_t size)
{
	char link[40], dir[PATH_MAX];
	ssize_t n = 0;

	if (fd != AT_FDCWD && (!name || name[0] != '/')) {
		(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, dir, sizeof(dir) - 1);
		if (n < 0)
			return false;
	}
	dir[n] = '\0';
	if (!name)
		return snprintf(out, size, "%s", dir) < (int)size;
	return snprintf(out, size, "%s%s%s", dir, n ? "/" : "", name) < (int)size;
}

static bool is_watched(const char *path)
{
	size_t n = strlen(shim->root);

	if (!IS_PRELOADED)
		return true;
	if (n == 0 || strncmp(path, shim->root, n) != 0 || path[n] != '/')
		return false;
	path += n + 1;
	return strncmp(path, "log/", 4) != 0 && strncmp(path, "run/", 4) != 0 && strchr(path, '/') != NULL;
}

/* ---- sites ---- */

struct call {
	enum shim_call call;
	bool is_watched;
	char path[PATH_MAX], to_path[PATH_MAX];
	bool is_dir;
};

static uint64_t hash(uint64_t h, const void *bytes, size_t n)
{
	for (const unsigned char *at = bytes; n--; at++)
		h = (h ^ *at) * UINT64_C(0x100000001b3);
	return h;
}

static const char *who(char *room, size_t size)
{
	char thread[16] = "";

	if (getpid() == role_pid)
		return role;
	(void)prctl(PR_GET_NAME, thread, 0, 0, 0);
	(void)snprintf(room, size, "%.15s: %.14s", role, thread);
	return room;
}

static void site_fill(
	struct shim_site *site, const struct call *c, void **frames, int n_frames, const char *file)
{
	char room[32];

	site->call = c->call;
	(void)snprintf(site->file, sizeof(site->file), "%.*s", SHIM_NAME - 1, file);
	if (IS_PRELOADED)
		(void)snprintf(site->who, sizeof(site->who), "%.31s", who(room, sizeof(room)));
	for (int i = 0; i < n_frames; i++)
		site->frames[i] = frames[i];
	atomic_store(&site->is_filled, true);
}

static __attribute__((noinline)) uint64_t site_of(const struct call *c)
{
	void *frames[SHIM_FRAMES];
	int n_frames = IS_PRELOADED ? 0 : backtrace(frames, SHIM_FRAMES);
	char file[2 * SHIM_NAME + 8], to[SHIM_NAME], room[32];
	uint64_t key = hash(UINT64_C(0xcbf29ce484222325), &c->call, sizeof(c->call));

	kind_of_path(c->path, c->is_dir, file, SHIM_NAME);
	if (c->to_path[0]) {
		size_t n = strlen(file);
		kind_of_path(c->to_path, false, to, sizeof(to));
		(void)snprintf(file + n, sizeof(file) - n, " -> %s", to);
	}
	key = hash(key, file, strlen(file));
	if (IS_PRELOADED)
		key = hash(key, who(room, sizeof(room)), strlen(who(room, sizeof(room))));
	else
		key = hash(key, frames,
			sizeof(frames[0]) * (size_t)(n_frames < KEY_FRAMES ? n_frames : KEY_FRAMES));
	key += key == 0;
	for (size_t i = key % SHIM_SITES, tries = 0; tries < SHIM_SITES; i = (i + 1) % SHIM_SITES, tries++) {
		struct shim_site *site = &shim->sites[i];
		uint64_t expected = 0;
		if (atomic_compare_exchange_strong(&site->key, &expected, key))
			site_fill(site, c, frames, n_frames, file);
		else if (expected != key)
			continue;
		atomic_fetch_add(&site->hits[shim->phase], 1);
		return key;
	}
	abort(); /* more sites than SHIM_SITES */
}

/* ---- faults ---- */

static _Noreturn void freeze(void)
{
	for (;;)
		(void)syscall(SYS_pause);
}

static void stop(void)
{
	if (atomic_exchange(&shim->is_stopped, true))
		freeze(); /* another thread came first */
	atomic_store(&shim->stopped_at, atomic_load(&shim->n_events));
	if (!IS_PRELOADED)
		(void)syscall(SYS_exit_group, 137);
	freeze(); /* until the test kills us all */
}

static void die(void)
{
	(void)syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
	freeze();
}

enum verdict { GO_ON, FAIL, PART };

/* Is this call struck? PART: a part of the write is to be made. */
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
			stop();
		return GO_ON;
	}
	atomic_fetch_add(&shim->n_struck, 1);
	errno = f->error;
	switch (f->act) {
	case SHIM_ERROR: return FAIL;
	case SHIM_STOP: stop(); break;
	case SHIM_KILL: die(); break;
	case SHIM_ERROR_PARTLY:
	case SHIM_SHORT:
	case SHIM_TEAR:
	case SHIM_TEAR_KILL: return call == SHIM_WRITE ? PART : FAIL;
	}
	return GO_ON;
}

static void describe(struct call *c, enum shim_call call, int fd, const char *name, const char *to)
{
	bool wants_path = IS_PRELOADED || shim->names_sites;

	*c = (struct call){ .call = call, .is_watched = true };
	if (!wants_path)
		return;
	c->is_watched = path_of(fd, name, c->path, sizeof(c->path)) && is_watched(c->path);
	if (to && c->is_watched)
		c->is_watched = path_of(fd, to, c->to_path, sizeof(c->to_path));
	if (c->is_watched && !name) {
		struct stat st;
		c->is_watched = fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
		c->is_dir = c->is_watched && S_ISDIR(st.st_mode);
	}
}

/* Before a call. *watched_out: it counts, and leave() is to be told what it did. */
static __attribute__((noinline)) enum verdict enter(
	enum shim_call call, int fd, const char *name, const char *to, bool *watched_out)
{
	struct call c;
	uint64_t site = 0;

	*watched_out = false;
	if (!shim)
		return GO_ON;
	describe(&c, call, fd, name, to);
	if (!c.is_watched)
		return GO_ON;
	if (atomic_load(&shim->is_stopped))
		freeze();
	*watched_out = true;
	/* A stack takes time: where one call is waited for, the others need no name. */
	if (shim->names_sites && (!shim->fault.calls || shim->fault.calls & 1U << call))
		site = site_of(&c);
	return strike(call, site);
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

/* ---- writes ---- */

static size_t total(const struct iovec *iov, int n_iov)
{
	size_t n = 0;

	for (int i = 0; i < n_iov; i++)
		n += iov[i].iov_len;
	return n;
}

/* The first n bytes of iov. */
static int first_part(const struct iovec *iov, int n_iov, size_t n, struct iovec *out)
{
	int k = 0;

	for (; k < n_iov && n; k++) {
		out[k] = iov[k];
		if (out[k].iov_len > n)
			out[k].iov_len = n;
		n -= out[k].iov_len;
	}
	return k;
}

static ssize_t write_and_keep(
	int fd, const struct iovec *iov, int n_iov, off_t offset, bool is_at_end_of_call)
{
	off_t at = offset >= 0 ? offset : syscall(SYS_lseek, fd, 0, SEEK_CUR);
	ssize_t n = offset >= 0 ? syscall(SYS_pwritev, fd, iov, n_iov, offset, 0L)
				: syscall(SYS_writev, fd, iov, n_iov);

	if (n > 0 && is_at_end_of_call)
		(void)keep(&(struct shim_event){ .call = SHIM_WRITE,
				   .file = inode_of(fd),
				   .offset = (uint64_t)at,
				   .n_bytes = (size_t)n },
			NULL, NULL, iov, n_iov);
	return n;
}

static ssize_t write_part(int fd, const struct iovec *iov, int n_iov, off_t offset)
{
	const struct shim_fault *f = &shim->fault;
	size_t n = total(iov, n_iov), part = n > 1 ? 1 + f->seed * UINT64_C(2654435761) % (n - 1) : n;
	struct iovec some[64];
	enum shim_act act = f->act;
	int n_some = first_part(iov, n_iov < 64 ? n_iov : 64, part, some);
	ssize_t r = write_and_keep(fd, some, n_some, offset, true);

	if (act == SHIM_TEAR)
		stop();
	if (act == SHIM_TEAR_KILL)
		die();
	errno = f->error;
	return act == SHIM_SHORT ? r : -1;
}

/* offset -1: where the descriptor stands */
static ssize_t shim_write(int fd, const struct iovec *iov, int n_iov, off_t offset)
{
	bool is_watched_call;

	switch (enter(SHIM_WRITE, fd, NULL, NULL, &is_watched_call)) {
	case FAIL: return -1;
	case PART: return write_part(fd, iov, n_iov, offset);
	case GO_ON: break;
	}
	return write_and_keep(fd, iov, n_iov, offset, is_watched_call);
}

ssize_t pwritev(int fd, const struct iovec *iov, int n_iov, off_t offset)
{
	return shim_write(fd, iov, n_iov, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
	struct iovec iov = { (void *)(uintptr_t)bytes, n };

	return shim_write(fd, &iov, 1, offset);
}

ssize_t writev(int fd, const struct iovec *iov, int n_iov)
{
	return shim_write(fd, iov, n_iov, -1);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
	struct iovec iov = { (void *)(uintptr_t)bytes, n };

	if (!IS_PRELOADED) /* a test's own output; src/spool writes with pwritev alone */
		return syscall(SYS_write, fd, bytes, n);
	return shim_write(fd, &iov, 1, -1);
}

int ftruncate(int fd, off_t size)
{
	bool is_watched_call;
	int r;

	if (enter(SHIM_TRUNCATE, fd, NULL, NULL, &is_watched_call) != GO_ON)
		return -1;
	r = (int)syscall(SYS_ftruncate, fd, size);
	if (r == 0 && is_watched_call)
		(void)keep(
			&(struct shim_event){
				.call = SHIM_TRUNCATE, .file = inode_of(fd), .offset = (uint64_t)size },
			NULL, NULL, NULL, 0);
	return r;
}

int fallocate(int fd, int mode, off_t offset, off_t n)
{
	bool is_watched_call;

	if (enter(SHIM_ALLOCATE, fd, NULL, NULL, &is_watched_call) != GO_ON)
		return -1;
	return (int)syscall(SYS_fallocate, fd, mode, offset, n);
}

/* ---- syncs ---- */

static int sync_and_keep(int fd, long number)
{
	uint64_t file = number == SYS_syncfs ? 0 : inode_of(fd);
	bool is_watched_call;
	enum verdict verdict = enter(SHIM_SYNC, fd, NULL, NULL, &is_watched_call);
	int error = errno;
	size_t begin;
	long r;

	if (verdict == GO_ON && !is_watched_call)
		return (int)syscall(number, fd);
	if (verdict == GO_ON)
		atomic_fetch_add(&shim->n_syncs_begun, 1);
	begin = keep(&(struct shim_event){ .call = SHIM_SYNC_BEGIN, .file = file }, NULL, NULL, NULL, 0);
	if (verdict != GO_ON) {
		(void)keep(
			&(struct shim_event){
				.call = SHIM_SYNC, .file = file, .begin = begin, .is_failed = true },
			NULL, NULL, NULL, 0);
		errno = error;
		return -1;
	}
	if (number == SYS_fdatasync && shim->hold_sync)
		while (sem_wait(shim->hold_sync) < 0) {
		}
	r = shim->skips_syncs ? 0 : syscall(number, fd);
	atomic_fetch_add(&shim->n_syncs_done, 1);
	(void)keep(
		&(struct shim_event){ .call = SHIM_SYNC, .file = file, .begin = begin, .is_failed = r < 0 },
		NULL, NULL, NULL, 0);
	return (int)r;
}

int fsync(int fd)
{
	return sync_and_keep(fd, SYS_fsync);
}

int fdatasync(int fd)
{
	return sync_and_keep(fd, SYS_fdatasync);
}

int syncfs(int fd)
{
	return sync_and_keep(fd, SYS_syncfs);
}

/* ---- names ---- */

static uint64_t dir_inode(int dir, const char *name)
{
	char path[PATH_MAX];
	struct stat st;
	char *end;

	if (name[0] != '/')
		return dir == AT_FDCWD ? (stat(".", &st) == 0 ? st.st_ino : 0) : inode_of(dir);
	(void)snprintf(path, sizeof(path), "%s", name);
	end = strrchr(path, '/');
	*(end == path ? end + 1 : end) = '\0';
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

static const char *last_part(const char *name)
{
	return strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
}

static int two_names(
	enum shim_call call, int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	bool is_watched_call;
	int r;

	if (enter(call, from_dir, from, to, &is_watched_call) != GO_ON)
		return -1;
	r = (int)syscall(call == SHIM_LINK ? SYS_linkat : SYS_renameat2, from_dir, from, to_dir, to, flags);
	if (r == 0 && is_watched_call)
		(void)keep(&(struct shim_event){ .call = call,
				   .dir = dir_inode(from_dir, from),
				   .to_dir = dir_inode(to_dir, to) },
			last_part(from), last_part(to), NULL, 0);
	return r;
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return two_names(SHIM_RENAME, from_dir, from, to_dir, to, 0);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	return two_names(SHIM_RENAME, from_dir, from, to_dir, to, (int)flags);
}

int rename(const char *from, const char *to)
{
	return two_names(SHIM_RENAME, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	return two_names(SHIM_LINK, from_dir, from, to_dir, to, flags);
}

int unlinkat(int dir, const char *name, int flags)
{
	bool is_watched_call;
	int r;

	if (enter(SHIM_UNLINK, dir, name, NULL, &is_watched_call) != GO_ON)
		return -1;
	r = (int)syscall(SYS_unlinkat, dir, name, flags);
	if (r == 0 && is_watched_call)
		(void)keep(&(struct shim_event){ .call = SHIM_UNLINK, .dir = dir_inode(dir, name) },
			last_part(name), NULL, NULL, 0);
	return r;
}

int unlink(const char *name)
{
	return unlinkat(AT_FDCWD, name, 0);
}

/* ---- opening ---- */

static void keep_created(int fd, int dir, const char *name)
{
	struct stat st = { 0 };

	(void)fstat(fd, &st); /* a descriptor that was just opened */
	(void)keep(&(struct shim_event){ .call = SHIM_CREATE,
			   .file = st.st_ino,
			   .dir = dir_inode(dir, name),
			   .offset = st.st_mode },
		last_part(name), NULL, NULL, 0);
}

static int open_and_keep(int dir, const char *name, int flags, mode_t mode)
{
	bool is_watched_call = false, is_new;
	int fd;

	if (IS_PRELOADED && shim && shim->boot[0] && strcmp(name, BOOT_ID) == 0)
		name = shim->boot;
	if (flags & O_CREAT && enter(SHIM_CREATE, dir, name, NULL, &is_watched_call) != GO_ON)
		return -1;
	is_new = is_watched_call && (flags & O_EXCL || faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0);
	fd = (int)syscall(SYS_openat, dir, name, flags, mode);
	if (fd >= 0 && is_new)
		keep_created(fd, dir, name);
	return fd;
}

int openat(int dir, const char *name, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if (flags & O_CREAT)
		mode = va_arg(args, mode_t);
	va_end(args);
	return open_and_keep(dir, name, flags, mode);
}

#if defined(SHIM_PRELOADED)
int open(const char *name, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if (flags & O_CREAT)
		mode = va_arg(args, mode_t);
	va_end(args);
	return open_and_keep(AT_FDCWD, name, flags, mode);
}

/* The other names: this file is compiled with _FILE_OFFSET_BITS=64, a library perhaps not. */
#define ALSO(type, name, other, parameters)                                                                  \
	type shim_##other parameters __asm__(#other) __attribute__((alias(#name)));
ALSO(ssize_t, pwritev64, pwritev, (int, const struct iovec *, int, off_t))
ALSO(ssize_t, pwrite64, pwrite, (int, const void *, size_t, off_t))
ALSO(int, ftruncate64, ftruncate, (int, off_t))
ALSO(int, fallocate64, fallocate, (int, int, off_t, off_t))
ALSO(int, openat64, openat, (int, const char *, int, ...))
ALSO(int, open64, open, (const char *, int, ...))

/* ---- on the way to a role ---- */

static char **with_shim(char *const envp[], char **room, size_t size)
{
	size_t n = 0;

	for (; envp && envp[n] && n + 3 < size; n++)
		room[n] = envp[n];
	room[n++] = env_library;
	room[n++] = env_block;
	room[n] = NULL;
	return room;
}

int execve(const char *path, char *const argv[], char *const envp[])
{
	char *room[128];

	return (int)syscall(
		SYS_execve, path, argv, shim ? with_shim(envp, room, 128) : (char **)(uintptr_t)envp);
}

int fexecve(int fd, char *const argv[], char *const envp[])
{
	char *room[128];

	return (int)syscall(SYS_execveat, fd, "", argv,
		shim ? with_shim(envp, room, 128) : (char **)(uintptr_t)envp, AT_EMPTY_PATH);
}
#endif
