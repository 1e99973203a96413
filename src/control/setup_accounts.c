/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setup_accounts.c - one user with a group of its own for each role, and the groups of drop directory and
 * mailboxes; see setup.h
 *
 * Roles are kept apart by their uids: two roles with one user would share their files, so that is refused.
 */
#include "base/userdb.h"
#include "control/commands.h"
#include "control/setup.h"

static bool has_user(const char *name, uid_t *uid_out)
{
	struct userdb_user user;

	if (userdb_find(NULL, slice_of(name), &user) != USERDB_FOUND)
		return false;
	*uid_out = user.uid;
	return true;
}

static bool make_group(struct setup *s, const char *name)
{
	const char *const words[] = { "groupadd", "--system", name, NULL };
	gid_t gid;

	if (userdb_find_group(name, &gid) == USERDB_FOUND)
		return true;
	if (!setup_tool(words))
		return false;
	setup_changed(s, "made the group %s", name);
	return true;
}

static bool make_user(struct setup *s, const char *name, uid_t *uid_out)
{
	const char *const words[] = { "useradd", "--system", "--gid", name, "--home-dir", "/nonexistent",
		"--no-create-home", "--shell", "/usr/sbin/nologin", "--comment", "Postrider", name, NULL };

	if (has_user(name, uid_out))
		return true;
	if (!make_group(s, name) || !setup_tool(words))
		return false;
	if (!has_user(name, uid_out)) {
		complain("useradd made the user %s, but the user database does not show it", name);
		return false;
	}
	setup_changed(s, "made the user %s", name);
	return true;
}

/* Letters, digits, hyphens and underscores: what every tool accepts, and never an option. */
static bool name_is_plain(const char *name)
{
	if (!ascii_is_alnum(name[0]) && name[0] != '_')
		return false;
	for (const char *c = name; *c; c++)
		if (!ascii_is_alnum(*c) && *c != '-' && *c != '_')
			return false;
	return true;
}

bool setup_accounts(struct setup *s)
{
	const struct config *c = s->config;
	const struct {
		const char *setting, *name;
	} users[] = {
		{ "security.queue_user", c->security_queue_user },
		{ "security.smtpd_user", c->security_smtpd_user },
		{ "security.lookup_user", c->security_lookup_user },
		{ "security.smtp_user", c->security_smtp_user },
		{ "security.log_user", c->security_log_user },
	};
	uid_t uids[ARRAY_LEN(users)];

	if (!name_is_plain(c->security_drop_group) || !name_is_plain(c->security_mail_group)) {
		complain("security.drop_group and security.mail_group must be plain names");
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(users); i++) {
		if (!name_is_plain(users[i].name)) {
			complain("%s: \"%s\" cannot be a user's name", users[i].setting, users[i].name);
			return false;
		}
		if (!make_user(s, users[i].name, &uids[i]))
			return false;
		if (uids[i] == 0) {
			complain("%s: %s is root; name a user without rights", users[i].setting,
				users[i].name);
			return false;
		}
		for (size_t j = 0; j < i; j++) {
			if (uids[j] != uids[i])
				continue;
			complain("%s and %s are the same user; roles must not share one", users[j].setting,
				users[i].setting);
			return false;
		}
	}
	return make_group(s, c->security_drop_group) && make_group(s, c->security_mail_group);
}
