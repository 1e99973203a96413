/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setup_files.c - directories, first configuration, aliases file, log file, the setgid program; see setup.h
 *
 * What an administrator may have written is made when it is missing and never written to again.
 */
#include "base/file.h"
#include "base/userdb.h"
#include "config/directories.h"
#include "control/commands.h"
#include "control/setup.h"
#include "table/alias_files.h"
#include <fcntl.h>
#include <sys/stat.h>

/* ---- directories ---- */

static void on_directory(enum directory_event event, const char *path, const char *what, void *user)
{
	struct setup *s = user;

	switch (event) {
	case DIRECTORY_MADE: setup_changed(s, "made %s", path); break;
	case DIRECTORY_CORRECTED: setup_changed(s, "corrected owner and mode of %s", path); break;
	case DIRECTORY_NO_USER: complain("%s: the user or group %s does not exist", path, what); break;
	case DIRECTORY_FAILED: complain("%s: %s", path, what); break;
	}
}

static bool has_mail_dir(const struct setup *s)
{
	struct stat st;

	return stat(s->config->local_mail_dir, &st) == 0;
}

/* The mailboxes' directory is the host's: made as distributions ship it when there is none, else left alone.
 */
static bool make_mail_dir(struct setup *s)
{
	const char *path = s->config->local_mail_dir;
	int r = 0;
	gid_t gid;

	if (has_mail_dir(s))
		return true;
	if (userdb_find_group(s->config->security_mail_group, &gid) != USERDB_FOUND)
		r = -ENOENT;
	if (r == 0)
		r = file_make_dirs(path, 0755);
	if (r == 0 && (chown(path, 0, gid) < 0 || chmod(path, 02775) < 0))
		r = -errno;
	if (r < 0) {
		complain("%s: %s", path, strerror(-r));
		return false;
	}
	setup_changed(s, "made %s", path);
	return true;
}

bool setup_directories(struct setup *s)
{
	return directories_make(s->config, on_directory, s) && make_mail_dir(s);
}

/* ---- files that are made once ---- */

/* 1: made; 0: it was there, whoever wrote it, and is untouched; or negative errno. Appears whole or not at
 * all, also when two do this at once. */
static int make_file(const char *path, struct slice text)
{
	char aside[PATH_MAX];
	auto_close int fd = -1;
	struct stat st;
	int r;

	if (lstat(path, &st) == 0)
		return 0;
	if (snprintf(aside, sizeof(aside), "%s.new-%d", path, (int)getpid()) >= (int)sizeof(aside))
		return -ENAMETOOLONG;
	fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = file_write_all(fd, text);
	if (r == 0)
		r = file_sync(fd);
	if (r == 0)
		r = file_link(AT_FDCWD, aside, AT_FDCWD, path);
	(void)file_unlink(AT_FDCWD, aside); /* a leftover harms nobody */
	return r == -EEXIST ? 0 : r < 0 ? r : 1;
}

static bool make_file_told(struct setup *s, const char *path, struct slice text)
{
	int r = make_file(path, text);

	if (r < 0)
		complain("%s: %s", path, strerror(-r));
	else if (r == 1)
		setup_changed(s, "wrote %s", path);
	return r >= 0;
}

/* Every setting as a comment with its default: nothing is set, all can be seen. */
static void first_configuration(struct buf *text)
{
	const char *section = "";

	buf_append_str(text,
		"# The configuration of Postrider; see postrider.conf(5). Everything has a default that is\n"
		"# right for a host that delivers its own mail: a setting is needed only to differ from it.\n"
		"# `postrider config check` finds mistakes, `postrider reload` makes changes take effect.\n");
	for (size_t i = 0; i < n_settings; i++) {
		const struct setting *s = &settings[i];
		if (strcmp(section, s->section) != 0)
			buf_printf(text, "\n[%s]\n", s->section);
		section = s->section;
		buf_printf(text, "# %s%s\n#%s = %s\n", s->help, s->can_reload ? "" : " (needs a restart)",
			s->name, s->preset);
	}
}

bool setup_configuration(struct setup *s)
{
	auto_buf struct buf text = BUF_INIT(64 * 1024);
	auto_free char *dir = mem_dup_str(s->paths->config_file);
	int r;

	*strrchr(dir, '/') = '\0';
	r = file_make_dirs(dir, 0755);
	if (r < 0) {
		complain("%s: %s", dir, strerror(-r));
		return false;
	}
	first_configuration(&text);
	CHECK(buf_ok(&text));
	return make_file_told(s, s->paths->config_file, buf_slice(&text));
}

/* ---- aliases ---- */

static const char first_aliases[] =
	"# /etc/aliases - mail to these names goes to the ones behind the colon; see aliases(5).\n"
	"# `newaliases` checks this file; an edit takes effect by itself after two seconds.\n"
	"\n"
	"mailer-daemon: postmaster\n"
	"postmaster: root\n"
	"abuse: root\n"
	"hostmaster: root\n"
	"webmaster: root\n"
	"security: root\n"
	"nobody: root\n"
	"daemon: root\n"
	"bin: root\n"
	"sys: root\n"
	"adm: root\n"
	"lp: root\n"
	"mail: root\n"
	"news: root\n"
	"uucp: root\n"
	"www: root\n"
	"ftp: root\n"
	"backup: root\n"
	"noc: root\n"
	"usenet: root\n"
	"www-data: root\n"
	"\n"
	"# Who reads root's mail?\n"
	"#root: somebody\n";

bool setup_aliases_file(struct setup *s)
{
	struct alias_places places;

	if (alias_files_places(s->config, 0, &places))
		return make_file_told(s, places.source, slice_of(first_aliases));
	complain("aliases.file: the name of the first file is too long");
	return false;
}

/* Built when it is missing or older than its source, and when it may be another mail system's. */
bool setup_alias_table(struct setup *s)
{
	static const char *const words[] = { PATH_LIBEXEC "/bin/newaliases", NULL };
	struct alias_places places;
	struct stat source, built;

	if (!alias_files_places(s->config, 0, &places))
		return false;
	if (!s->replaced && stat(places.beside, &built) == 0 && stat(places.source, &source) == 0 &&
		(built.st_mtim.tv_sec > source.st_mtim.tv_sec ||
			(built.st_mtim.tv_sec == source.st_mtim.tv_sec &&
				built.st_mtim.tv_nsec >= source.st_mtim.tv_nsec)))
		return true;
	if (!setup_tool(words))
		return false;
	setup_changed(s, "built the alias table of %s", places.source);
	return true;
}

/* ---- files with an owner ---- */

/* 1: owner or mode was changed, 0: they were right, or negative errno. */
static int own_file(int fd, uid_t uid, gid_t gid, mode_t mode)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_uid == uid && st.st_gid == gid && (st.st_mode & 07777) == mode)
		return 0;
	/* A change of owner clears setgid: the mode comes second. */
	return fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0 ? -errno : 1;
}

bool setup_log_file(struct setup *s)
{
	const char *path = s->paths->log_file;
	auto_close int fd =
		open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
	struct userdb_user user;
	gid_t gid;
	int r = fd < 0 ? -errno : 0;

	if (r == 0 && userdb_find(NULL, slice_of(s->config->security_log_user), &user) != USERDB_FOUND)
		r = -ENOENT;
	if (r == 0 && userdb_find_group("adm", &gid) != USERDB_FOUND)
		gid = user.gid;
	if (r == 0)
		r = own_file(fd, user.uid, gid, 0640);
	if (r < 0)
		complain("%s: %s", path, strerror(-r));
	else if (r == 1)
		setup_changed(s, "%s belongs to %s", path, user.name);
	return r >= 0;
}

bool setup_drop_program(struct setup *s)
{
	static const char path[] = PATH_SBIN "/postrider-drop";
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	gid_t gid;
	int r = fd < 0 ? -errno : 0;

	if (r == 0 && userdb_find_group(s->config->security_drop_group, &gid) != USERDB_FOUND)
		r = -ENOENT;
	if (r == 0)
		r = own_file(fd, 0, gid, 02755);
	if (r < 0)
		complain("%s: %s; `make install` puts it there", path, strerror(-r));
	else if (r == 1)
		setup_changed(s, "%s is setgid %s", path, s->config->security_drop_group);
	return r >= 0;
}
