/* SPDX-License-Identifier: Apache-2.0 */
/* leftover.c - see leftover.h */
#include "mailx/leftover.h"
#include "base/file.h"
#include <fcntl.h>
#include <sys/stat.h>

struct note {
	uint64_t inode, old_size, planned_end;
};

static bool is_this_boot(struct slice boot)
{
	auto_buf struct buf text = BUF_INIT(256);

	return file_read_path(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &text) == 0 &&
		slice_eq(slice_trim(buf_slice(&text)), boot);
}

/* False for the lock file of another program or host. A note of an earlier boot asks for nothing: all zero.
 */
static bool note_read(const char *dotlock, struct note *out)
{
	auto_close int fd = open(dotlock, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	auto_buf struct buf text = BUF_INIT(1024);
	char host[HOST_NAME_MAX + 1] = "";
	struct slice rest, word[7];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || file_read_all(fd, &text) < 0)
		return false;
	rest = buf_slice(&text);
	for (size_t i = 0; i < ARRAY_LEN(word); i++)
		if (!slice_next_word(&rest, &word[i]))
			return false;
	if (gethostname(host, sizeof(host) - 1) < 0 || !slice_eq(word[0], SLICE("postrider")) ||
		!slice_eq(word[1], slice_of(host)))
		return false;
	*out = (struct note){ 0 };
	if (!is_this_boot(word[2]))
		return true;
	return slice_to_u64(word[4], UINT64_MAX, &out->inode) &&
		slice_to_u64(word[5], INT64_MAX, &out->old_size) &&
		slice_to_u64(word[6], INT64_MAX, &out->planned_end);
}

/* The note was written for this file, and the file is as that delivery left it. */
static bool note_applies(const struct note *n, const struct stat *st)
{
	return n->inode == st->st_ino && n->old_size < (uint64_t)st->st_size &&
		n->planned_end >= (uint64_t)st->st_size;
}

int leftover_settle(int fd, const char *dotlock)
{
	struct note note;
	struct stat st;
	int r;

	if (!note_read(dotlock, &note))
		return LEFTOVER_NONE;
	if (fstat(fd, &st) < 0)
		return -errno;
	r = file_unlink(AT_FDCWD, dotlock);
	if (r == -ENOENT)
		return LEFTOVER_NONE;
	if (r < 0)
		return note.inode ? LEFTOVER_STAYS : LEFTOVER_NONE;
	if (note_applies(&note, &st) && ftruncate(fd, (off_t)note.old_size) < 0)
		return -errno;
	return LEFTOVER_SETTLED;
}
