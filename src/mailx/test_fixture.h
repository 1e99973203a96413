/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fixture.h - for unit tests of mailx only: a user with a folder in a directory that goes away again
 *
 * Layer: mailx.
 */
#pragma once
#include "base/file.h"
#include "mailx/mailx.h"
#include "support/test.h"
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#define FIRST_MESSAGE                                                                                        \
	"From user1@host.example.net  Wed Feb 19 05:10:35 2020\n"                                            \
	"Received: by host.example.net\n\tid 1\n"                                                            \
	"To: lpic1@localhost\nSubject: test lpic1\nMessage-Id: <1@host>\nFrom: User One "                    \
	"<user1@host.example.net>\n"                                                                         \
	"\nHi this is my first email.\n\n"
#define SECOND_MESSAGE                                                                                       \
	"From payam@example.org  Wed Feb 19 06:33:28 2020\n"                                                 \
	"Status: RO\nX-Status: F\nTo: me@host.example.net, other@example.org\nCc: third@example.org\n"       \
	"Subject: second\nFrom: payam@example.org\n\n\n"
#define THIRD_MESSAGE                                                                                        \
	"From third@example.org  Wed Feb 19 07:33:28 2020\nStatus: O\nSubject: Re: third\nTo: me\n\nx\n\n"

struct fixture {
	struct mailx mx;
	char directory[64];
	char path[96]; /* of the folder */
};

static inline void fixture_write(const char *path, struct slice text)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text), 0);
}

static inline void fixture_read(const char *path, struct buf *out)
{
	buf_clear(out);
	assert_int_equal(file_read_path(AT_FDCWD, path, out), 0);
}

/* me@host.example.net, home and folder in a fresh directory; folder NULL: none is open. */
static inline void fixture_init(struct fixture *f, const char *folder)
{
	memcpy(f->directory, "/tmp/mailx-test.XXXXXX", sizeof("/tmp/mailx-test.XXXXXX"));
	assert_non_null(mkdtemp(f->directory));
	(void)snprintf(f->path, sizeof(f->path), "%s/folder", f->directory);
	assert_int_equal(setenv("POSTRIDER_SANDBOX", f->directory, 1), 0);
	assert_int_equal(setenv("HOME", f->directory, 1), 0);
	assert_int_equal(setenv("LOGNAME", "me", 1), 0);
	assert_true(mailx_init(&f->mx));
	mem_free(f->mx.origin);
	f->mx.origin = mem_dup_str("host.example.net");
	f->mx.screen.charset = SCREEN_UTF8;
	f->mx.screen.columns = 80;
	if (!folder)
		return;
	fixture_write(f->path, slice_of(folder));
	assert_int_equal(folder_open(&f->mx.folder, f->path, f->path, false), FOLDER_OPEN);
	f->mx.has_folder = true;
}

static inline int fixture_remove(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st, (void)kind, (void)where;
	return remove(path);
}

static inline void fixture_deinit(struct fixture *f)
{
	mailx_deinit(&f->mx);
	assert_int_equal(nftw(f->directory, fixture_remove, 8, FTW_DEPTH | FTW_PHYS), 0);
}
