/* SPDX-License-Identifier: Apache-2.0 */
/* packed.c - see packed.h */
#include "mailx/packed.h"
#include "base/file.h"
#include "mailx/child.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct packer {
	const char *program; /* takes -c (to standard output), -d (unpack), -q */
	const char *suffix;
	struct slice magic;
};

static const struct packer packers[] = {
	{ "gzip", ".gz", SLICE_CONST("\x1f\x8b") },
	{ "bzip2", ".bz2", SLICE_CONST("BZh") },
	{ "xz", ".xz",
		SLICE_CONST("\xfd"
			    "7zXZ") },
	{ "zstd", ".zst", SLICE_CONST("\x28\xb5\x2f\xfd") },
};

const struct packer *packer_of(int fd, const char *path)
{
	char start[8];
	ssize_t n = pread(fd, start, sizeof(start), 0);

	for (size_t i = 0; i < ARRAY_LEN(packers); i++)
		if (n > 0 ? slice_starts((struct slice){ start, (size_t)n }, packers[i].magic)
			  : n == 0 && slice_ends_nocase(slice_of(path), slice_of(packers[i].suffix)))
			return &packers[i];
	return NULL;
}

const char *packer_name(const struct packer *p)
{
	return p->program;
}

int packed_temporary(void)
{
	const char *directory = getenv("TMPDIR");
	int fd = open(directory && *directory ? directory : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		fd = memfd_create("mail", MFD_CLOEXEC); /* some file systems have no files without names */
	return fd < 0 ? -errno : fd;
}

static int run(const struct packer *p, const char *flags, int in, int out)
{
	const char *const argv[] = { p->program, flags, NULL };
	int status, r;

	if (lseek(in, 0, SEEK_SET) < 0 || lseek(out, 0, SEEK_END) < 0)
		return -errno;
	r = child_run(&(struct child){ .argv = argv, .in = in, .out = out }, &status);
	return r < 0 ? r : status == 0 ? 0 : -EBADMSG;
}

int packed_unpack(const struct packer *p, int fd)
{
	auto_close int out = packed_temporary();
	struct stat st;
	int r;

	if (out < 0 || fstat(fd, &st) < 0)
		return out < 0 ? out : -errno;
	r = st.st_size == 0 ? 0 : run(p, "-cdq", fd, out);
	return r < 0 ? (r == -ENOENT ? -EBADMSG : r) : take_fd(&out);
}

int packed_pack(const struct packer *p, int from, int to)
{
	int r = run(p, "-cq", from, to);

	return r == -ENOENT ? -EBADMSG : r;
}
