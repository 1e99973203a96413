/* SPDX-License-Identifier: Apache-2.0 */
/* maildir.c - see maildir.h; what changes a Maildir is in maildir_write.c */
#include "mailx/maildir-private.h"
#include "base/clock.h"
#include "base/file.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mailx/ceilings.h"
#include "mailx/head.h"
#include "mailx/maildir_name.h"
#include <fcntl.h>
#include <sys/stat.h>

static const char *const parts[] = { "new", "cur" };

bool maildir_is(const char *path)
{
	auto_close int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && file_is_directory(fd, "cur") && file_is_directory(fd, "new");
}

/* When new/ and cur/ changed last; 0 when that is so fresh that a change in the same tick of the clock could
 * hide behind it. */
static void look_at_times(const struct folder *f, int64_t seen_ns[2])
{
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct stat st;
		seen_ns[i] = fstatat(f->fd, parts[i], &st, 0) < 0 || st.st_mtime + 1 >= clock_wall_s()
			? 0
			: (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	}
}

static int compare_files(const void *a, const void *b)
{
	return maildir_compare(*(char *const *)a, *(char *const *)b);
}

static int compare_unique(const void *a, const void *b)
{
	return slice_cmp(maildir_unique(*(char *const *)a), maildir_unique(*(char *const *)b));
}

/* All files of the part, by the names that struct folder keeps. */
static int list_part(const struct folder *f, const char *part, struct strlist *out)
{
	auto_buf struct buf name = BUF_INIT(PATH_MAX);
	DIR *dir;
	int r = file_list(f->fd, part, &dir);

	if (r < 0)
		return r;
	for (const struct dirent *e; (e = readdir(dir));) {
		buf_clear(&name);
		buf_printf(&name, "%s/%s", part, e->d_name);
		if (e->d_name[0] != '.' && buf_cstr(&name))
			strlist_add(out, buf_cstr(&name));
	}
	(void)closedir(dir); /* was only read */
	return 0;
}

static void add_message(struct folder *f, const char *file)
{
	unsigned flags = maildir_flags(file);
	struct stat st;

	if (fstatat(f->fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return; /* gone meanwhile, or no message */
	strlist_add(&f->files, file);
	*mbox_index_add(&f->messages) = (struct message){ .size = (uint64_t)st.st_size,
		.flags = (uint16_t)flags,
		.stored = (uint16_t)(flags & MESSAGE_IN_NAME) };
}

/* Takes in what is there and not known yet, in the order of arrival. */
static int maildir_scan(struct folder *f)
{
	auto_strlist struct strlist found = STRLIST_INIT;
	size_t n_known = f->files.n;
	auto_free char **known = mem_new_array(n_known + 1, sizeof(*known));

	look_at_times(f, f->seen_ns);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		int r = list_part(f, parts[i], &found);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < n_known; i++)
		known[i] = f->files.at[i];
	if (n_known)
		qsort(known, n_known, sizeof(*known), compare_unique);
	if (found.n)
		qsort(found.at, found.n, sizeof(*found.at), compare_files);
	for (size_t i = 0; i < found.n; i++)
		if (!bsearch(&found.at[i], known, n_known, sizeof(*known), compare_unique))
			add_message(f, found.at[i]);
	return FOLDER_OPEN;
}

int maildir_open(struct folder *f)
{
	f->kind = FOLDER_MAILDIR;
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->fd < 0)
		return -errno;
	if (faccessat(f->fd, "cur", W_OK, AT_EACCESS) < 0)
		f->is_read_only = true;
	return maildir_scan(f);
}

bool maildir_has_grown(const struct folder *f)
{
	int64_t now_ns[2];

	look_at_times(f, now_ns);
	return memcmp(now_ns, f->seen_ns, sizeof(now_ns)) != 0 || now_ns[0] == 0 || now_ns[1] == 0;
}

int maildir_extend(struct folder *f)
{
	return maildir_scan(f);
}

bool maildir_find_again(struct folder *f, size_t index)
{
	auto_strlist struct strlist found = STRLIST_INIT;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (list_part(f, parts[i], &found) < 0)
			return false;
	for (size_t i = 0; i < found.n; i++)
		if (slice_eq(maildir_unique(found.at[i]), maildir_unique(f->files.at[index]))) {
			strlist_remove(&f->files, index);
			strlist_insert(&f->files, index, found.at[i]);
			return true;
		}
	return false;
}

static int open_message(struct folder *f, size_t index)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, fd;
	struct stat st;

	fd = openat(f->fd, f->files.at[index], flags);
	if (fd < 0 && errno == ENOENT && maildir_find_again(f, index))
		fd = openat(f->fd, f->files.at[index], flags);
	if (fd < 0)
		return errno == ENOENT ? -ESTALE : -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		cleanup_close(&fd);
		return -ESTALE; /* it was a file when it was listed */
	}
	return fd;
}

/* Up to the empty line behind the header, or all there is. */
static int read_head(int fd, struct buf *out)
{
	for (;;) {
		char *room = buf_reserve(out, 16384);
		ssize_t n = room ? read(fd, room, 16384) : 0;
		size_t from = out->len > 3 ? out->len - 3 : 0;
		if (!room)
			return -EFBIG;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		buf_grew(out, (size_t)n);
		if (memmem(out->at + from, out->len - from, "\n\n", 2) ||
			memmem(out->at + from, out->len - from, "\n\r\n", 3))
			return 0;
	}
}

/* "From sender  date"; the sender is one word, as in an mbox. */
static void put_from_line(const char *file, int fd, struct slice content, struct buf *out)
{
	auto_buf struct buf sender = BUF_INIT(MAILX_VALUE_MAX), name = BUF_INIT(MAILX_VALUE_MAX);
	struct slice rest = slice_first(content, header_length(content)), header = rest, word;
	int64_t time_s = maildir_time_s(file);
	struct header_field path;
	struct stat st;

	if (header_find(&rest, SLICE("Return-Path"), &path)) {
		struct slice value = path.value;
		(void)slice_skip(&value, '<'); /* some write it without */
		buf_append(&sender, slice_first(value, slice_find(value, '>')));
	} else {
		head_author(SLICE_EMPTY, header, &sender, &name);
	}
	if (time_s == 0 && fstat(fd, &st) == 0)
		time_s = st.st_mtime;
	rest = buf_slice(&sender);
	if (!slice_next_word(&rest, &word))
		word = SLICE("MAILER-DAEMON");
	buf_printf(out, "From %.*s  ", SLICE_ARG(word));
	date_append_from_line(out, time_s);
	buf_append_byte(out, '\n');
}

int maildir_read(struct folder *f, size_t index, bool head_only, struct buf *out)
{
	auto_buf struct buf content = BUF_INIT(MAILX_TEXT_MAX);
	struct message *m = &f->messages.at[index], scanned = { 0 };
	auto_close int fd = open_message(f, index);
	size_t start = out->len;
	int r;

	if (fd < 0)
		return fd;
	r = head_only ? read_head(fd, &content) : file_read_all(fd, &content);
	if (r < 0)
		return r;
	put_from_line(f->files.at[index], fd, buf_slice(&content), out);
	buf_append(out, buf_slice(&content));
	if (content.len == 0 || content.at[content.len - 1] != '\n')
		buf_append_byte(out, '\n');
	if (!buf_ok(out))
		return -EFBIG;
	mbox_scan_head(slice_from(buf_slice(out), start), &scanned);
	m->head_size = scanned.head_size;
	if (head_only)
		out->len = start + m->head_size;
	else
		buf_append_byte(out, '\n');
	return buf_ok(out) ? 0 : -EFBIG;
}
