/* SPDX-License-Identifier: Apache-2.0 */
/* directories.c - one table of directories; see directories.h */
#include "config/directories.h"
#include "base/file.h"
#include "base/userdb.h"
#include <fcntl.h>
#include <sys/stat.h>

struct directory {
	const char *path;
	mode_t mode;
	const char *user, *group; /* NULL: root's; a group alone cannot be */
};

#define MAX_DIRECTORIES 12
struct directory_list {
	struct directory rows[MAX_DIRECTORIES];
	size_t n;
	char texts[4][PATH_MAX]; /* paths that are put together */
};

static void add(struct directory_list *l, const char *path, mode_t mode, const char *user, const char *group)
{
	CHECK(l->n < MAX_DIRECTORIES);
	l->rows[l->n++] = (struct directory){ path, mode, user, group };
}

static void list_fill(struct directory_list *l, const struct config *c)
{
	static const char *const sandbox_names[] = { "etc", "mail", "log" };
	const struct paths *p = &c->paths;

	*l = (struct directory_list){ .n = 0 };
	(void)snprintf(l->texts[3], PATH_MAX, "%.4000s/empty", p->run_dir);
	add(l, p->run_dir, 0755, NULL, NULL);
	add(l, l->texts[3], 0755, NULL, NULL);
	add(l, p->state_dir, 0755, NULL, NULL);
	add(l, p->spool_dir, 0711, c->security_queue_user, NULL);
	/* The setgid program opens the directory to sync it, so its group may read: nobody else has that
	 * group. */
	add(l, p->drop_dir, 01770, c->security_queue_user, c->security_drop_group);
	if (!*p->sandbox)
		return;
	for (size_t i = 0; i < ARRAY_LEN(sandbox_names); i++) {
		(void)snprintf(l->texts[i], PATH_MAX, "%s/%s", p->sandbox, sandbox_names[i]);
		add(l, l->texts[i], 0755, NULL, NULL);
	}
}

/* False: *missing_out is the name that does not exist. */
static bool find_owner(const struct directory *d, uid_t *uid_out, gid_t *gid_out, const char **missing_out)
{
	struct userdb_user user = { .uid = 0, .gid = 0 };
	gid_t gid;

	*missing_out = d->user;
	if (d->user && userdb_find(NULL, slice_of(d->user), &user) != USERDB_FOUND)
		return false;
	gid = user.gid;
	*missing_out = d->group;
	if (d->group && userdb_find_group(d->group, &gid) != USERDB_FOUND)
		return false;
	*uid_out = user.uid;
	*gid_out = gid;
	return true;
}

/* Works on the opened directory, so that nobody can put a link in its place meanwhile. 1: corrected, 0: as it
 * must be, or negative errno. */
static int own(const struct directory *d, uid_t uid, gid_t gid)
{
	auto_close int fd = open(d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid == uid && st.st_gid == gid && (st.st_mode & 07777) == d->mode)
		return 0;
	/* A change of owner clears mode bits: the mode comes second. */
	if (fchown(fd, uid, gid) < 0 || fchmod(fd, d->mode) < 0)
		return -errno;
	return 1;
}

static bool make_one(const struct directory *d, bool has_owner, directory_report report, void *user)
{
	const char *missing;
	struct stat st;
	uid_t uid = 0;
	gid_t gid = 0;
	bool is_new = lstat(d->path, &st) < 0;
	int r;

	if (has_owner && !find_owner(d, &uid, &gid, &missing)) {
		report(DIRECTORY_NO_USER, d->path, missing, user);
		return false;
	}
	r = file_make_dirs(d->path, 0755);
	if (r == 0 && has_owner)
		r = own(d, uid, gid);
	if (r < 0) {
		report(DIRECTORY_FAILED, d->path, strerror(-r), user);
		return false;
	}
	if (is_new || r == 1)
		report(is_new ? DIRECTORY_MADE : DIRECTORY_CORRECTED, d->path, "", user);
	return true;
}

bool directories_make(const struct config *c, directory_report report, void *user)
{
	struct directory_list list;

	list_fill(&list, c);
	for (size_t i = 0; i < list.n; i++)
		if (!make_one(&list.rows[i], !*c->paths.sandbox, report, user))
			return false;
	return true;
}
