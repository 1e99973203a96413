/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setup_commands.c - the names that every program knows, pointed at ours; see setup.h
 *
 * Each is a link to a program below PATH_LIBEXEC/bin. What another mail system has there is kept beside it
 * under ASIDE, with dpkg-divert where there is dpkg, so that its package can be upgraded meanwhile; undo
 * brings it back. mail and mailx are shared by several packages through the alternatives: there ours joins
 * them, and is chosen when nobody else is there, or with --replace.
 */
#include "base/file.h"
#include "control/commands.h"
#include "control/program.h"
#include "control/setup.h"
#include <fcntl.h>
#include <sys/stat.h>

#define ASIDE ".before-postrider"
#define MAILX PATH_LIBEXEC "/bin/mailx"
#define MAIL PATH_LIBEXEC "/bin/mail"
#define MAILX_PRIORITY "20" /* below those of the distribution's packages */

static const struct place {
	const char *path, *ours, *aside;
	bool is_shared; /* through the alternatives, where the host has them */
} places[] = {
	{ "/usr/sbin/sendmail", PATH_LIBEXEC "/bin/sendmail", "/usr/sbin/sendmail" ASIDE, false },
	{ "/usr/lib/sendmail", PATH_LIBEXEC "/bin/sendmail", "/usr/lib/sendmail" ASIDE, false },
	{ "/usr/bin/mailq", PATH_LIBEXEC "/bin/mailq", "/usr/bin/mailq" ASIDE, false },
	{ "/usr/bin/newaliases", PATH_LIBEXEC "/bin/newaliases", "/usr/bin/newaliases" ASIDE, false },
	{ "/usr/sbin/postalias", PATH_LIBEXEC "/bin/postalias", "/usr/sbin/postalias" ASIDE, false },
	{ "/usr/sbin/postqueue", PATH_LIBEXEC "/bin/postqueue", "/usr/sbin/postqueue" ASIDE, false },
	{ "/usr/sbin/postsuper", PATH_LIBEXEC "/bin/postsuper", "/usr/sbin/postsuper" ASIDE, false },
	{ "/usr/sbin/praliases", PATH_LIBEXEC "/bin/praliases", "/usr/sbin/praliases" ASIDE, false },
	{ "/usr/bin/mailx", MAILX, "/usr/bin/mailx" ASIDE, true },
	{ "/usr/bin/mail", MAIL, "/usr/bin/mail" ASIDE, true },
};

/* ---- what stands there ---- */

enum place_state {
	PLACE_FREE = 1,
	PLACE_OURS,
	PLACE_FOREIGN, /* a file or link of somebody else's */
};

static enum place_state place_state(const struct place *p)
{
	char target[PATH_MAX];
	ssize_t n = readlink(p->path, target, sizeof(target));
	struct stat st;

	if (n < 0)
		return lstat(p->path, &st) < 0 && errno == ENOENT ? PLACE_FREE : PLACE_FOREIGN;
	return slice_eq((struct slice){ target, (size_t)n }, slice_of(p->ours)) ? PLACE_OURS : PLACE_FOREIGN;
}

/* The package that owns path, or "" when none does or there is no dpkg. Lines about diversions name the path
 * too. */
static void package_of(const char *path, char *name_out, size_t size)
{
	const char *const words[] = { "dpkg", "-S", path, NULL };
	auto_buf struct buf output = BUF_INIT(4096);
	struct slice rest, line, owner;

	*name_out = '\0';
	if (program_run(words, &output) != 0)
		return;
	rest = buf_slice(&output);
	while (slice_next_line(&rest, &line))
		if (slice_find(line, ' ') > slice_find(line, ':') && slice_cut(&line, ':', &owner) &&
			slice_eq(slice_trim(line), slice_of(path))) {
			(void)snprintf(name_out, size, "%.*s", SLICE_ARG(owner));
			return;
		}
}

static bool has_program(const char *name, const char *option)
{
	const char *const words[] = { name, option, NULL };
	auto_buf struct buf output = BUF_INIT(1);

	return program_run(words, &output) == 0;
}

static bool has_alternatives(void)
{
	return has_program("update-alternatives", "--version");
}

/* ---- may we? ---- */

static bool programs_are_there(void)
{
	bool all = true;

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (access(places[i].ours, X_OK) == 0)
			continue;
		complain("%s: %s; `make install` puts it there", places[i].ours, strerror(errno));
		all = false;
	}
	return all;
}

bool setup_commands_free(struct setup *s)
{
	bool is_free = true;

	if (!programs_are_there())
		return false;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		const struct place *p = &places[i];
		char package[128];
		if (p->is_shared || place_state(p) != PLACE_FOREIGN)
			continue;
		package_of(p->path, package, sizeof(package));
		if (*package && !*s->other)
			(void)snprintf(s->other, sizeof(s->other), "%s", package);
		if (s->replace)
			continue;
		is_free = false;
		if (*package)
			complain("%s belongs to the package %s", p->path, package);
		else
			complain("%s is there already and not Postrider's", p->path);
	}
	if (!is_free)
		complain("nothing was changed. `postrider setup --replace` keeps other programs beside ours "
			 "as NAME" ASIDE "; `postrider setup --undo` brings them back");
	return is_free;
}

/* ---- links ---- */

static bool put_aside(struct setup *s, const struct place *p)
{
	const char *const divert[] = { "dpkg-divert", "--local", "--rename", "--divert", p->aside, "--add",
		p->path, NULL };
	struct stat st;
	int r;

	if (lstat(p->aside, &st) == 0) {
		complain("%s is there from an earlier time; look at it, and remove what is not needed",
			p->aside);
		return false;
	}
	if (has_program("dpkg-divert", "--version")) {
		if (!setup_tool(divert))
			return false;
	} else if ((r = file_rename(AT_FDCWD, p->path, AT_FDCWD, p->aside)) < 0) {
		complain("%s: %s", p->path, strerror(-r));
		return false;
	}
	s->replaced |= !p->is_shared;
	setup_changed(s, "put %s aside as %s", p->path, p->aside);
	return true;
}

static bool make_link(struct setup *s, const struct place *p)
{
	switch (place_state(p)) {
	case PLACE_OURS: return true;
	case PLACE_FOREIGN:
		if (!s->replace) { /* only a shared name gets this far */
			(void)printf("%s stays as it is; ours is %s\n", p->path, p->ours);
			return true;
		}
		if (!put_aside(s, p))
			return false;
		break;
	case PLACE_FREE: break;
	}
	if (symlink(p->ours, p->path) < 0) {
		complain("%s: %s", p->path, strerror(errno));
		return false;
	}
	setup_changed(s, "%s is %s", p->path, p->ours);
	return true;
}

/* ---- mail and mailx, where the host has alternatives ---- */

static bool alternatives_say(struct slice wanted)
{
	static const char *const words[] = { "update-alternatives", "--query", "mailx", NULL };
	auto_buf struct buf output = BUF_INIT(64 * 1024);
	struct slice rest, line;

	if (program_run(words, &output) != 0)
		return false;
	rest = buf_slice(&output);
	while (slice_next_line(&rest, &line))
		if (slice_eq(line, wanted))
			return true;
	return false;
}

static bool join_alternatives(struct setup *s)
{
	static const char *const install[] = { "update-alternatives", "--install", "/usr/bin/mailx", "mailx",
		MAILX, MAILX_PRIORITY, "--slave", "/usr/bin/mail", "mail", MAIL, NULL };
	static const char *const choose[] = { "update-alternatives", "--set", "mailx", MAILX, NULL };

	if (!alternatives_say(SLICE("Alternative: " MAILX))) {
		if (!setup_tool(install))
			return false;
		setup_changed(s, "%s is one of the alternatives for mail and mailx", MAILX);
	}
	if (alternatives_say(SLICE("Value: " MAILX)))
		return true;
	if (!s->replace) {
		(void)puts("mail and mailx are another package's; `update-alternatives --config mailx` or "
			   "setup --replace chooses ours");
		return true;
	}
	if (!setup_tool(choose))
		return false;
	setup_changed(s, "mail and mailx are %s", MAILX);
	return true;
}

bool setup_commands(struct setup *s)
{
	bool by_alternatives = has_alternatives();

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (!(places[i].is_shared && by_alternatives) && !make_link(s, &places[i]))
			return false;
	return !by_alternatives || join_alternatives(s);
}

/* ---- taking it back ---- */

/* True when a diversion of ours leads from path to its aside. */
static bool is_diverted(const struct place *p)
{
	const char *const words[] = { "dpkg-divert", "--truename", p->path, NULL };
	auto_buf struct buf output = BUF_INIT(PATH_MAX);

	return program_run(words, &output) == 0 &&
		slice_eq(slice_trim(buf_slice(&output)), slice_of(p->aside));
}

static bool bring_back(struct setup *s, const struct place *p)
{
	const char *const words[] = { "dpkg-divert", "--local", "--rename", "--remove", p->path, NULL };
	struct stat st;
	int r;

	if (is_diverted(p)) {
		if (!setup_tool(words))
			return false;
	} else if (lstat(p->aside, &st) < 0 || place_state(p) != PLACE_FREE) {
		return true;
	} else if ((r = file_rename(AT_FDCWD, p->aside, AT_FDCWD, p->path)) < 0) {
		complain("%s: %s", p->path, strerror(-r));
		return false;
	}
	setup_changed(s, "%s is the former one again", p->path);
	return true;
}

bool setup_commands_undo(struct setup *s)
{
	static const char *const leave[] = { "update-alternatives", "--remove", "mailx", MAILX, NULL };

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		const struct place *p = &places[i];
		if (place_state(p) == PLACE_OURS) {
			if (unlink(p->path) < 0) {
				complain("%s: %s", p->path, strerror(errno));
				return false;
			}
			setup_changed(s, "removed %s", p->path);
		}
		if (!bring_back(s, p))
			return false;
	}
	if (!has_alternatives() || !alternatives_say(SLICE("Alternative: " MAILX)))
		return true;
	if (!setup_tool(leave))
		return false;
	setup_changed(s, "%s is no alternative for mail and mailx any more", MAILX);
	return true;
}
