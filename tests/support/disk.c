/* SPDX-License-Identifier: Apache-2.0 */
/* disk.c - see disk.h */
#include "support/disk.h"
#include "base/std.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define SECTOR 512
#define MAX_FILES 4096
#define MAX_DIRS 64

struct file {
	uint64_t inode;
	mode_t mode;
	char *bytes;
	size_t n_bytes, cap;
};
struct name {
	uint64_t dir, inode;
	char name[SHIM_NAME];
};
struct dir {
	uint64_t inode;
	char path[PATH_MAX];
};
struct disk {
	struct file files[MAX_FILES];
	size_t n_files;
	struct name names[MAX_FILES];
	size_t n_names;
	struct dir dirs[MAX_DIRS];
	size_t n_dirs;
	unsigned random;
};

struct disk *disk_new(void)
{
	return mem_new(sizeof(struct disk));
}

void disk_free(struct disk **d)
{
	if (!*d)
		return;
	for (size_t i = 0; i < (*d)->n_files; i++)
		mem_free((*d)->files[i].bytes);
	mem_free(*d);
	*d = NULL;
}

/* ---- files ---- */

static struct file *file_of(struct disk *d, uint64_t inode)
{
	for (size_t i = 0; i < d->n_files; i++)
		if (d->files[i].inode == inode)
			return &d->files[i];
	CHECK(d->n_files < MAX_FILES);
	d->files[d->n_files] = (struct file){ .inode = inode };
	return &d->files[d->n_files++];
}

static void grow(struct file *f, size_t end)
{
	size_t cap = MAX(end, f->cap * 2);
	char *grown;

	if (end <= f->cap)
		return;
	grown = mem_new(cap);
	if (f->n_bytes)
		memcpy(grown, f->bytes, f->n_bytes);
	mem_free(f->bytes);
	f->bytes = grown;
	f->cap = cap;
}

static void write_at(struct disk *d, uint64_t inode, uint64_t offset, const char *bytes, size_t n)
{
	struct file *f = file_of(d, inode);
	size_t end = (size_t)offset + n;

	grow(f, end);
	if (n)
		memcpy(f->bytes + offset, bytes, n);
	f->n_bytes = MAX(f->n_bytes, end);
}

static void truncate_to(struct disk *d, uint64_t inode, size_t size)
{
	struct file *f = file_of(d, inode);

	grow(f, size);
	if (size < f->n_bytes)
		memset(f->bytes + size, 0, f->n_bytes - size);
	f->n_bytes = size;
}

/* ---- names ---- */

static struct name *name_of(struct disk *d, uint64_t dir, const char *name)
{
	for (size_t i = 0; i < d->n_names; i++)
		if (d->names[i].dir == dir && strcmp(d->names[i].name, name) == 0)
			return &d->names[i];
	return NULL;
}

static void remove_name(struct disk *d, uint64_t dir, const char *name)
{
	struct name *n = name_of(d, dir, name);

	if (n)
		*n = d->names[--d->n_names];
}

static void add_name(struct disk *d, uint64_t dir, const char *name, uint64_t inode)
{
	struct name *n;

	remove_name(d, dir, name);
	CHECK(d->n_names < MAX_FILES);
	n = &d->names[d->n_names++];
	*n = (struct name){ .dir = dir, .inode = inode };
	(void)snprintf(n->name, sizeof(n->name), "%s", name);
}

static void change_dir(struct disk *d, const struct shim_event *e)
{
	const struct name *n = e->call == SHIM_CREATE ? NULL : name_of(d, e->dir, e->name);
	uint64_t inode = n ? n->inode : e->file;

	if (!n && e->call != SHIM_CREATE && e->call != SHIM_LINK)
		return; /* a name that this power cut had already taken; a second one may be all there is */
	if (e->call == SHIM_RENAME || e->call == SHIM_UNLINK)
		remove_name(d, e->dir, e->name);
	if (e->call == SHIM_RENAME || e->call == SHIM_LINK)
		add_name(d, e->to_dir, e->to, inode);
	if (e->call == SHIM_CREATE)
		add_name(d, e->dir, e->name, inode);
}

/* ---- what was there before ---- */

void disk_add_dir(struct disk *d, uint64_t inode, const char *path)
{
	CHECK(d->n_dirs < MAX_DIRS);
	d->dirs[d->n_dirs].inode = inode;
	(void)snprintf(d->dirs[d->n_dirs++].path, PATH_MAX, "%s", path);
}

void disk_add_file(struct disk *d, uint64_t inode, uint64_t dir, const char *name, mode_t mode,
	const char *bytes, size_t n)
{
	add_name(d, dir, name, inode);
	write_at(d, inode, 0, bytes, n);
	file_of(d, inode)->mode = mode;
}

/* ---- the power cut ---- */

static bool is_of_dir(const struct shim_event *e)
{
	return e->call == SHIM_CREATE || e->call == SHIM_RENAME || e->call == SHIM_LINK ||
		e->call == SHIM_UNLINK;
}

void disk_number_files(struct shim *s)
{
	size_t n = atomic_load(&s->n_events);
	uint64_t n_created = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t inode = s->events[i].file;
		if (s->events[i].call != SHIM_CREATE)
			continue;
		n_created++;
		for (size_t k = i; k < n; k++) {
			if (k > i && s->events[k].call == SHIM_CREATE && s->events[k].file == inode)
				break;
			if (s->events[k].file == inode)
				s->events[k].file = UINT64_MAX - n_created;
		}
	}
}

/* Has a sync that began after event i ended well before event n? One that fails takes away what was written
 * before it; changes of a directory are still in the journal, or in a block that the next change writes
 * whole. */
static bool is_covered(const struct shim *s, size_t i, size_t n, uint64_t inode)
{
	bool is_data = !is_of_dir(&s->events[i]);

	for (size_t k = i + 1; k < n; k++) {
		const struct shim_event *e = &s->events[k];
		if (e->call != SHIM_SYNC || !e->is_complete || (e->file != inode && e->file != 0))
			continue;
		if (e->is_failed && is_data)
			return false;
		if (!e->is_failed && e->begin > i)
			return true;
	}
	return false;
}

static bool event_is_covered(const struct shim *s, size_t i, size_t n)
{
	const struct shim_event *e = &s->events[i];

	if (!is_of_dir(e))
		return is_covered(s, i, n, e->file);
	if (e->call == SHIM_LINK)
		return is_covered(s, i, n, e->to_dir);
	return is_covered(s, i, n, e->dir) && (e->call != SHIM_RENAME || is_covered(s, i, n, e->to_dir));
}

static unsigned dice(struct disk *d)
{
	d->random = d->random * 1103515245 + 12345;
	return d->random >> 16 & 0x7fff;
}

static void cut_write(struct disk *d, const struct shim *s, const struct shim_event *e, enum disk_cut cut)
{
	const char *bytes = s->bytes + e->bytes_at;

	/* A file may be longer than what of it is there: the rest are zeros. */
	for (size_t at = 0; at < e->n_bytes; at += SECTOR - (e->offset + at) % SECTOR) {
		size_t part = MIN(SECTOR - (e->offset + at) % SECTOR, e->n_bytes - at);
		if (cut == DISK_EVERYTHING || (cut == DISK_SOMETHING && dice(d) % 2))
			write_at(d, e->file, e->offset + at, bytes + at, part);
	}
}

static bool happens(struct disk *d, enum disk_cut cut)
{
	return cut == DISK_EVERYTHING || (cut == DISK_SOMETHING && dice(d) % 4);
}

void disk_cut(struct disk *d, const struct shim *s, size_t n_events, enum disk_cut cut, unsigned seed)
{
	bool dirs_go_on = true;

	d->random = seed;
	for (size_t i = 0; i < n_events; i++) {
		const struct shim_event *e = &s->events[i];
		bool covered = e->is_complete && event_is_covered(s, i, n_events);
		if (!e->is_complete)
			continue;
		if (e->call == SHIM_CREATE) /* the first name may be lost, and a second one not */
			file_of(d, e->file)->mode = (mode_t)e->offset;
		if (e->call == SHIM_WRITE && covered)
			write_at(d, e->file, e->offset, s->bytes + e->bytes_at, e->n_bytes);
		else if (e->call == SHIM_WRITE)
			cut_write(d, s, e, cut);
		else if (e->call == SHIM_TRUNCATE && (covered || happens(d, cut)))
			truncate_to(d, e->file, (size_t)e->offset);
		else if (is_of_dir(e)) {
			dirs_go_on = dirs_go_on && (covered || happens(d, cut));
			if (covered || dirs_go_on)
				change_dir(d, e);
		}
	}
}

/* ---- to a real one ---- */

static int store_file(int dir, const struct name *n, const struct file *f)
{
	size_t at = 0;
	int fd = (int)syscall(SYS_openat, dir, n->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || fchmod(fd, f->mode & 07777) < 0)
		return -errno;
	while (at < f->n_bytes) {
		long r = syscall(SYS_write, fd, f->bytes + at, f->n_bytes - at);
		if (r <= 0) {
			(void)close(fd);
			return r < 0 ? -errno : -ENOSPC;
		}
		at += (size_t)r;
	}
	(void)close(fd);
	return 0;
}

static int store_dir(struct disk *d, const struct dir *dir, const char *into)
{
	char path[2 * PATH_MAX];
	int fd, r = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", into, dir->path);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (size_t i = 0; r == 0 && i < d->n_names; i++)
		if (d->names[i].dir == dir->inode)
			r = store_file(fd, &d->names[i], file_of(d, d->names[i].inode));
	(void)close(fd);
	return r;
}

int disk_store(const struct disk *d, const char *into)
{
	struct disk *all = (struct disk *)(uintptr_t)d; /* file_of() may add an empty file */

	for (size_t i = 0; i < d->n_dirs; i++) {
		int r = store_dir(all, &d->dirs[i], into);
		if (r < 0)
			return r;
	}
	return 0;
}
