/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim_site.c - which place is it: who calls, which call, what kind of file; see shim-private.h
 *
 * The preloaded form knows a place by the process's role, the linked form by the stack.
 */
#include "support/shim-private.h"
#include <execinfo.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FRAMES 9 /* further out stands the test, which comes by several ways */

static char role[32];
static int role_pid;

void shim_site_role(const char *program)
{
	if (strncmp(program, "postriderd: ", 12) == 0)
		program += 12;
	else if (strrchr(program, '/'))
		program = strrchr(program, '/') + 1;
	(void)snprintf(role, sizeof(role), "%.31s", program);
	role_pid = getpid();
}

uint64_t shim_inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* ---- which files ---- */

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

/* In the directories of the mail system, or one of them. */
static bool is_watched(const char *path, bool is_dir)
{
	size_t n = strlen(shim->root);

	if (!IS_PRELOADED)
		return true;
	if (n == 0 || strncmp(path, shim->root, n) != 0 || path[n] != '/')
		return false;
	path += n + 1;
	if (!strchr(path, '/'))
		return is_dir && strcmp(path, "log") != 0 && strcmp(path, "run") != 0;
	return strncmp(path, "log/", 4) != 0 && strncmp(path, "run/", 4) != 0;
}

void shim_describe(struct call *c, enum shim_call call, int fd, const char *name, int to_dir, const char *to)
{
	bool wants_path = IS_PRELOADED || shim->names_sites;
	struct stat st;

	*c = (struct call){ .call = call, .is_watched = true };
	if (!wants_path)
		return;
	if (!name) {
		c->is_watched = fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
		c->is_dir = c->is_watched && S_ISDIR(st.st_mode);
	}
	c->is_watched = c->is_watched && path_of(fd, name, c->path, sizeof(c->path)) &&
		is_watched(c->path, c->is_dir);
	if (to && c->is_watched)
		c->is_watched = path_of(to_dir, to, c->to_path, sizeof(c->to_path));
}

/* ---- sites ---- */

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

__attribute__((noinline)) uint64_t shim_site_of(const struct call *c)
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
