/* SPDX-License-Identifier: Apache-2.0 */
/* maildir.c - see maildir.h */
#include "local/maildir.h"
#include "base/file.h"
#include "mail/queue_id.h"
#include <fcntl.h>
#include <sys/stat.h>

static int open_dir(int at, const char *name, int *fd_out)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*fd_out = fd;
	return 0;
}

/* Makes what is missing of the Maildir and its three directories; *is_new_out: a name was added to root. */
static int open_parts(const char *path, int *root_out, int *tmp_out, int *new_out)
{
	static const char *const parts[] = { "tmp", "new", "cur" };
	auto_close int root = -1, tmp = -1, fresh = -1;
	bool is_new = false;
	int r = open_dir(AT_FDCWD, path, &root);

	if (r == -ENOENT) {
		r = file_make_dirs(path, 0700);
		if (r == 0)
			r = open_dir(AT_FDCWD, path, &root);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(parts); i++) {
		if (mkdirat(root, parts[i], 0700) == 0)
			is_new = true;
		else if (errno != EEXIST)
			r = -errno;
	}
	if (r == 0 && is_new)
		r = file_sync_dir(root);
	if (r == 0)
		r = open_dir(root, "tmp", &tmp);
	if (r == 0)
		r = open_dir(root, "new", &fresh);
	if (r < 0)
		return r;
	*root_out = take_fd(&root);
	*tmp_out = take_fd(&tmp);
	*new_out = take_fd(&fresh);
	return 0;
}

/* Whether a reader has moved it to cur/, with ":2,FLAGS" behind its name; that is synced then. */
static int is_in_cur(int root, const char *name, bool *found_out)
{
	size_t n = strlen(name);
	bool is_found = false;
	DIR *dir;
	int r = file_list(root, "cur", &dir);

	if (r < 0)
		return r;
	for (const struct dirent *e; !is_found && (e = readdir(dir));)
		is_found = strncmp(e->d_name, name, n) == 0 && (e->d_name[n] == ':' || e->d_name[n] == '\0');
	if (is_found)
		r = file_sync_dir(dirfd(dir));
	(void)closedir(dir);
	*found_out = is_found;
	return r;
}

/* The text under name in tmp/, synced. */
static int write_aside(int tmp, const char *name, struct slice text)
{
	auto_close int fd = -1;
	int r;

	(void)unlinkat(tmp, name, 0); /* of an attempt that was cut off */
	fd = openat(tmp, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = file_write_all(fd, text);
	if (r == 0)
		r = file_sync(fd);
	if (r < 0)
		(void)unlinkat(tmp, name, 0);
	return r;
}

/* What an earlier attempt left in new/ may not be durable yet either. A failed sync of the directory is
 * final: the name goes again, and the mail is not delivered. */
static int publish(int tmp, int fresh, const char *name)
{
	int r = file_link(tmp, name, fresh, name), synced;

	(void)unlinkat(tmp, name, 0);
	if (r < 0 && r != -EEXIST)
		return r;
	synced = file_sync_dir(fresh);
	if (synced < 0) {
		(void)unlinkat(fresh, name, 0);
		return synced;
	}
	return r == 0 ? MAILDIR_DELIVERED : MAILDIR_DELIVERED_BEFORE;
}

/* '/' and ':' in the host's name would mean something. */
static void make_name(const struct maildir_mail *mail, char out[NAME_MAX + 1])
{
	(void)snprintf(out, NAME_MAX + 1, "%" PRIu64 ".Q%sR%" PRIu32 ".%.100s",
		QUEUE_ID_EPOCH_S + queue_id_number(mail->queue_id) / 1000000,
		queue_id_format(mail->queue_id).at, mail->rcpt, mail->host);
	for (char *c = out; *c; c++)
		if (*c == '/' || *c == ':')
			*c = '_';
}

int maildir_deliver(const char *path, const struct maildir_mail *mail)
{
	auto_close int root = -1, tmp = -1, fresh = -1;
	char name[NAME_MAX + 1];
	bool is_read = false;
	int r = open_parts(path, &root, &tmp, &fresh);

	make_name(mail, name);
	if (r == 0 && mail->is_doubtful)
		r = is_in_cur(root, name, &is_read);
	if (r == 0 && is_read)
		return MAILDIR_DELIVERED_BEFORE;
	if (r == 0)
		r = write_aside(tmp, name, mail->text);
	return r < 0 ? r : publish(tmp, fresh, name);
}
