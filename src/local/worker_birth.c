/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_birth.c - a worker becomes its user: who that is, where his mailbox lies, root given up, the
 * sandbox
 * Tests: test_privileges.c, test_local.c, tests/system/test_privileges.py.
 */
#include "local/worker.h"
#include "base/log.h"
#include "ipc/jail.h"
#include "local/become.h"
#include "local/errand.h"
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#define NOBODY_ID 65534 /* group of a process that is an owner of a file, whatever his groups are */

/* ---- who it is ---- */

static enum user_outcome user_outcome(enum userdb_outcome found)
{
	switch (found) {
	case USERDB_FOUND: return USER_FOUND;
	case USERDB_UNKNOWN: return USER_UNKNOWN;
	case USERDB_ERROR: break;
	}
	return USER_UNAVAILABLE;
}

static bool is_sandbox_mode(const struct worker *w)
{
	return w->config->paths.sandbox[0] != '\0';
}

/* The mail group lets us create mailboxes and lock files, where the directory says so. */
static gid_t needed_group(const struct worker *w, gid_t mail_group)
{
	struct stat st;

	if (mail_group == (gid_t)-1 || w->mail_dir < 0 || fstat(w->mail_dir, &st) < 0)
		return (gid_t)-1;
	return st.st_gid == mail_group && st.st_mode & S_IWGRP && !(st.st_mode & S_IWOTH) ? mail_group
											  : (gid_t)-1;
}

/* In sandbox mode all users are the one who runs it. */
static void describe_user(struct worker *w)
{
	w->forward_user = (struct forward_user){ .name = slice_of(w->user.name),
		.home = w->user.home,
		.uid = is_sandbox_mode(w) ? geteuid() : w->user.uid,
		.private_gid = is_sandbox_mode(w)	    ? getegid()
			: userdb_group_is_private(&w->user) ? w->user.gid
							    : (gid_t)-1 };
}

/* Commands and files of aliases, and those of root's .forward, are this user's. */
static enum userdb_outcome find_command_user(struct worker *w)
{
	const char *name = w->config->local_command_user;
	enum userdb_outcome found = userdb_find(w->config->users_file, slice_of(name), &w->user);

	if (found == USERDB_UNKNOWN &&
		is_sandbox_mode(w)) { /* he is who runs it; his name need not be listed */
		w->user = (struct userdb_user){ .home = "/" };
		(void)snprintf(w->user.name, sizeof(w->user.name), "%s", name);
		return USERDB_FOUND;
	}
	if (found == USERDB_UNKNOWN) /* a mistake of the administrator bounces nothing */
		log_error(
			"there is no user %s (local.command_user): commands and files of aliases wait", name);
	return found == USERDB_FOUND ? USERDB_FOUND : USERDB_ERROR;
}

static enum userdb_outcome find_user(struct worker *w, const struct worker_birth *birth)
{
	enum userdb_outcome found;

	if (birth->branch == BRANCH_LIST) {
		describe_user(w);
		errand_before_drop(w, birth->user);
		return USERDB_FOUND;
	}
	if (birth->branch == BRANCH_ERRAND && birth->user.len == 0)
		found = find_command_user(w);
	else
		found = userdb_find(w->config->users_file, birth->user, &w->user);
	if (found == USERDB_FOUND)
		describe_user(w);
	if (found != USERDB_FOUND || birth->branch != BRANCH_ERRAND)
		return found;
	errand_before_drop(w, SLICE_EMPTY);
	return w->user.uid == 0 && !is_sandbox_mode(w) ? find_command_user(w) : found;
}

static int become_list_owner(struct worker *w)
{
	uid_t uid = NOBODY_ID;

	if (!errand_list_owner(&uid))
		log_debug("a list is not there; its mail waits");
	w->forward_user.uid = uid;
	return become_user(uid, NOBODY_ID, (gid_t)-1);
}

static int change_identity(struct worker *w, gid_t mail_group)
{
	if (is_sandbox_mode(w))
		return 0;
	switch (w->branch) {
	case BRANCH_ERRAND: return become_login(w->user.name, w->user.uid, w->user.gid, mail_group);
	case BRANCH_LIST: return become_list_owner(w);
	case BRANCH_MAILBOX: break;
	}
	return become_user(w->user.uid, w->user.gid, needed_group(w, mail_group));
}

/* ---- where the mailbox is ---- */

static void place_mailbox(struct worker *w)
{
	const char *setting = w->config->local_home_mailbox, *slash = strrchr(setting, '/');
	int n;

	if (setting[0] == '\0') {
		n = snprintf(w->mailbox_dir, sizeof(w->mailbox_dir), "%s", w->config->local_mail_dir);
		w->mailbox_name = w->user.name;
	} else if (slash && slash[1] == '\0') {
		n = snprintf(w->maildir, sizeof(w->maildir), "%s/%s", w->user.home, setting);
		w->mailbox_name = setting;
	} else {
		n = snprintf(w->mailbox_dir, sizeof(w->mailbox_dir), "%s%s%.*s", w->user.home,
			slash ? "/" : "", slash ? (int)(slash - setting) : 0, setting);
		w->mailbox_name = slash ? slash + 1 : setting;
	}
	CHECK(n > 0 && n < PATH_MAX);
}

/* A mailbox delivery becomes the recipient "mailbox:USER", with a state of its own on disk. */
static void name_mailbox_command(struct worker *w)
{
	static struct forward_leaf leaf;
	static char origin[sizeof(w->user.name) + 16];
	int n = snprintf(origin, sizeof(origin), "mailbox:%s", w->user.name);

	leaf = (struct forward_leaf){ .kind = LEAF_COMMAND,
		.address = SLICE_EMPTY,
		.origin = { origin, (size_t)n },
		.item = RHS_COMMAND };
	w->mailbox_command = (struct forward){ .leaves = &leaf, .n_leaves = 1 };
}

static void open_mail_dir(struct worker *w)
{
	w->mail_dir = -1;
	if (w->branch != BRANCH_MAILBOX || w->maildir[0])
		return;
	w->mail_dir = open(w->mailbox_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->mail_dir < 0)
		w->mail_dir_error = errno;
}

/* ---- the sandbox ---- */

/* The home directory may be missing, or not be a directory: then there is nothing to read. */
static bool home_can_be_allowed(const char *home)
{
	struct stat st;

	return home[0] == '/' && home[1] != '\0' && stat(home, &st) == 0 && S_ISDIR(st.st_mode) &&
		access(home, X_OK) == 0;
}

static int enter_mailbox_jail(struct worker *w)
{
	static const struct jail jail = { .may_write_files = true };
	bool has_home = home_can_be_allowed(w->user.home);
	const char *home[] = { w->user.home, NULL };
	const char *writable[] = { w->config->local_mail_dir,
		has_home && w->config->local_home_mailbox[0] ? w->user.home : NULL, NULL };
	struct jail_request request = { .jail = &jail,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
		.read_below = has_home ? home : NULL,
		.write_below = writable,
		.filter = w->config->security_sandbox };
	int r = jail_enter(&request);

	return r < 0 ? r : jail_seal(&request);
}

static int enter_list_jail(struct worker *w)
{
	static const struct jail jail = { .may_write_files = true };
	const char *everything[] = { "/", NULL };
	struct jail_request request = { .jail = &jail,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
		.read_below = everything,
		.filter = w->config->security_sandbox };
	int r = jail_enter(&request);

	return r < 0 ? r : jail_seal(&request);
}

static int enter_jail(struct worker *w)
{
	struct rlimit no_core = { 0, 0 };

	if (w->branch == BRANCH_ERRAND)
		return 0; /* what its commands may do is their user's business */
	if (setrlimit(RLIMIT_CORE, &no_core) < 0)
		return -errno;
	return w->branch == BRANCH_LIST ? enter_list_jail(w) : enter_mailbox_jail(w);
}

int worker_be_born(struct worker *w, const struct worker_birth *birth)
{
	enum userdb_outcome found = find_user(w, birth);
	int r;

	if (found != USERDB_FOUND)
		return (int)user_outcome(found);
	dotlock_init();
	tzset();
	place_mailbox(w);
	name_mailbox_command(w);
	open_mail_dir(w);
	r = change_identity(w, birth->mail_group);
	if (r < 0) {
		log_error("user %s: cannot take on this identity: %s", w->user.name, strerror(-r));
		return r;
	}
	r = enter_jail(w);
	if (r < 0)
		log_error("user %s: cannot enter the sandbox: %s", w->user.name, strerror(-r));
	return r < 0 ? r : (int)USER_FOUND;
}
