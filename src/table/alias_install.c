/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_install.c - see alias_install.h
 *
 * The table is built in a memory file, so that a jailed builder needs no right to any directory, and then
 * replaced by base's file_replace(): written aside, synced, renamed, directory synced.
 *
 * Two may do this at once, newaliases and the rebuild child, and the one that read the older source must not
 * have the last word: the lock keeps them apart, and the source is looked at again before and after the file
 * is replaced. Whoever finds it changed starts over.
 */
#include "table/alias_install.h"
#include "base/file.h"
#include "table/alias_jailed.h"
#include "table/alias_lock.h"
#include <fcntl.h>
#include <sys/mman.h>

#define SOURCE_MAX ((size_t)1 << 30) /* some 30 million aliases; the table's format ends at 4 GiB */
#define SOURCE_ATTEMPTS 3
#define KEPT_BYTES ((size_t)64 * 1024 * 1024) /* of problems; hundreds of thousands */

/* ---- the source ---- */

static int read_once(const char *name, struct buf *text, struct alias_source_id *id, bool *is_still_out)
{
	auto_close int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct alias_source_id after;
	struct stat st;
	int r;

	buf_clear(text);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	alias_source_id_of(&st, id);
	if ((uint64_t)st.st_size > SOURCE_MAX || !buf_reserve(text, (size_t)st.st_size + 1))
		return -EFBIG;
	r = file_read_all(fd, text);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	alias_source_id_of(&st, &after);
	*is_still_out = alias_source_id_equal(id, &after) && text->len == id->size;
	return 0;
}

static enum alias_install_outcome read_source(
	const char *name, struct buf *text, struct alias_source_id *id, int *error_out)
{
	for (int i = 0; i < SOURCE_ATTEMPTS; i++) {
		bool is_still = false;
		int r = read_once(name, text, id, &is_still);
		if (r < 0) {
			*error_out = -r;
			return r == -ENOENT ? ALIAS_INSTALL_NO_SOURCE : ALIAS_INSTALL_SOURCE_UNREADABLE;
		}
		if (is_still)
			return ALIAS_INSTALL_DONE;
	}
	return ALIAS_INSTALL_SOURCE_CHANGING;
}

static bool has_changed(const char *name, const struct alias_source_id *read)
{
	struct alias_source_id now;
	struct stat st;

	if (stat(name, &st) < 0)
		return true;
	alias_source_id_of(&st, &now);
	return !alias_source_id_equal(&now, read);
}

/* ---- problems and questions: kept until it is sure that the text counts that they are in ---- */

struct kept {
	bool is_question;
	struct alias_problem problem;	/* text: only its length */
	struct alias_question question; /* key and text likewise */
};

static void keep(struct buf *kept, const struct kept *k)
{
	buf_append(kept, (struct slice){ (const char *)k, sizeof(*k) });
	buf_append(kept, k->is_question ? k->question.key : SLICE_EMPTY);
	buf_append(kept, k->is_question ? k->question.text : k->problem.text);
}

static void keep_problem(const struct alias_problem *p, void *user)
{
	keep(user, &(struct kept){ .problem = *p });
}

static void keep_question(const struct alias_question *q, void *user)
{
	keep(user, &(struct kept){ .is_question = true, .question = *q });
}

static struct slice take_bytes(struct slice *rest, size_t n)
{
	struct slice taken = slice_first(*rest, n);

	*rest = slice_from(*rest, n);
	return taken;
}

static void pass_on_kept(const struct alias_install *in, const struct buf *kept)
{
	struct slice rest = buf_slice(kept);
	struct kept k;

	while (rest.len >= sizeof(k)) {
		memcpy(&k, take_bytes(&rest, sizeof(k)).at, sizeof(k));
		if (k.is_question) {
			k.question.key = take_bytes(&rest, k.question.key.len);
			k.question.text = take_bytes(&rest, k.question.text.len);
			in->ask(&k.question, in->user);
		} else {
			k.problem.text = take_bytes(&rest, k.problem.text.len);
			k.problem.file = in->places.source;
			if (in->report)
				in->report(&k.problem, in->user);
		}
	}
}

/* ---- the table ---- */

/* path becomes content; its directory must be there. */
static int replace_path(const char *path, struct slice content)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	auto_free char *dir = NULL;
	auto_close int dirfd = -1;

	if (!slash)
		dir = mem_dup_str(".");
	else
		dir = slice_dup((struct slice){ path, MAX((size_t)(slash - path), (size_t)1) });
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return -errno;
	return file_replace(dirfd, name, 0644, content);
}

static int write_fallback(const char *path, struct slice content)
{
	struct slice all = slice_of(path);
	auto_free char *dir = slice_dup(slice_first(all, slice_rfind(all, '/')));
	int r = file_make_dirs(dir, 0755);

	return r < 0 ? r : replace_path(path, content);
}

static bool is_refused(int error)
{
	return error == -EROFS || error == -EACCES || error == -EPERM;
}

static int write_table(const struct alias_places *p, struct slice content)
{
	int r = replace_path(p->beside, content);

	if (r == 0 && *p->fallback)
		(void)!file_unlink(AT_FDCWD, p->fallback); /* usually there is none */
	if (is_refused(r) && *p->fallback && write_fallback(p->fallback, content) == 0)
		return 0;
	return r;
}

static int write_memory_file(const struct alias_places *p, int fd)
{
	struct stat st;
	void *all;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > ALIAS_TABLE_MAX_BYTES)
		return -EFBIG;
	all = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (all == MAP_FAILED)
		return -errno;
	r = write_table(p, (struct slice){ all, (size_t)st.st_size });
	(void)munmap(all, (size_t)st.st_size); /* our own mapping */
	return r;
}

static enum alias_install_outcome build_and_write(
	const struct alias_install *in, const struct alias_build *build, struct alias_install_result *result)
{
	auto_close int fd = memfd_create("aliases.db", MFD_CLOEXEC);
	int r;

	if (fd < 0) {
		result->error = errno;
		return ALIAS_INSTALL_FAILED;
	}
	r = in->jail ? alias_build_jailed(build, in->jail, fd, &result->summary)
		     : alias_build(build, fd, &result->summary);
	if (has_changed(in->places.source, &build->source))
		return ALIAS_INSTALL_SOURCE_CHANGING;
	if (r < 0) {
		result->error = -r;
		return r == -ENODATA ? ALIAS_INSTALL_NOTHING_USABLE : ALIAS_INSTALL_FAILED;
	}
	r = in->only_check ? 0 : write_memory_file(&in->places, fd);
	if (r < 0) {
		result->error = -r;
		return ALIAS_INSTALL_CANNOT_WRITE;
	}
	if (in->table && alias_table_adopt(in->table, fd) != ALIAS_TABLE_READY) {
		result->error = ENOMEM; /* nothing else can be wrong with what was built just now */
		return ALIAS_INSTALL_FAILED;
	}
	return has_changed(in->places.source, &build->source) ? ALIAS_INSTALL_SOURCE_CHANGING
							      : ALIAS_INSTALL_DONE;
}

static enum alias_install_outcome install_once(
	const struct alias_install *in, struct buf *kept, struct alias_install_result *result)
{
	auto_buf struct buf text = BUF_INIT(SOURCE_MAX + 1);
	struct alias_build build = { .config = in->config,
		.earlier = in->earlier,
		.more_follow = in->more_follow,
		.report = keep_problem,
		.ask = in->ask ? keep_question : NULL,
		.max_questions = in->max_questions,
		.user = kept };
	enum alias_install_outcome outcome;

	buf_clear(kept);
	*result = (struct alias_install_result){ 0 };
	outcome = read_source(in->places.source, &text, &build.source, &result->error);
	if (outcome != ALIAS_INSTALL_DONE)
		return outcome;
	build.text = buf_slice(&text);
	return build_and_write(in, &build, result);
}

enum alias_install_outcome alias_install(
	const struct alias_install *in, struct alias_install_result *result_out)
{
	auto_buf struct buf kept = BUF_INIT(KEPT_BYTES);
	enum alias_install_outcome outcome = ALIAS_INSTALL_SOURCE_CHANGING;
	struct alias_lock lock = { .fd = -1 };

	if (!in->only_check)
		alias_lock_take(&lock, in->places.beside);
	for (int i = 0; i < SOURCE_ATTEMPTS && outcome == ALIAS_INSTALL_SOURCE_CHANGING; i++)
		outcome = install_once(in, &kept, result_out);
	alias_lock_drop(&lock);
	pass_on_kept(in, &kept);
	return outcome;
}
