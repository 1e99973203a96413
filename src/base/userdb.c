/* SPDX-License-Identifier: Apache-2.0 */
/*
 * userdb.c - see userdb.h
 *
 * getpwnam_r() returns 0 without a result only when every service asked said "not found". ENOENT and ESRCH,
 * which the manual page lists as "not found" too, are what glibc returns when a service was not available
 * (its socket does not exist), so they are errors here.
 */
#include "base/userdb.h"
#include "base/file.h"
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>

#define NSS_BUFFER_MAX (1024 * 1024) /* a group of many thousand members; no entry of a person is larger */
#define USERS_FILE_MAX (64 * 1024 * 1024) /* some 600,000 users */

static bool name_is_possible(struct slice name)
{
	if (name.len == 0 || name.len >= sizeof(((struct userdb_user *)0)->name))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (name.at[i] == ':' || name.at[i] == '/' || (unsigned char)name.at[i] < ' ' ||
			name.at[i] == 0x7f)
			return false;
	return true;
}

static bool copy_field(struct slice from, char *to, size_t size)
{
	if (from.len >= size || memchr(from.at, '\0', from.len))
		return false;
	memcpy(to, from.at, from.len);
	to[from.len] = '\0';
	return true;
}

static enum userdb_outcome fill(struct slice name, uid_t uid, gid_t gid, struct slice home,
	struct slice shell, struct userdb_user *out)
{
	if (uid == (uid_t)-1 || gid == (gid_t)-1 || home.len >= sizeof(out->home) ||
		shell.len >= sizeof(out->shell))
		return USERDB_ERROR;
	if (!copy_field(name, out->name, sizeof(out->name)) ||
		!copy_field(home, out->home, sizeof(out->home)) ||
		!copy_field(shell, out->shell, sizeof(out->shell)))
		return USERDB_ERROR;
	out->uid = uid;
	out->gid = gid;
	return USERDB_FOUND;
}

/* name:password:uid:gid:gecos:home:shell; the shell may be missing with its colon. */
static enum userdb_outcome parse_line(struct slice line, struct userdb_user *out)
{
	enum { NAME, PASSWORD, UID, GID, GECOS, HOME, SHELL, N_FIELDS };
	struct slice field[N_FIELDS];
	uint64_t uid, gid;

	for (size_t i = 0; i < N_FIELDS; i++) {
		if (slice_cut(&line, ':', &field[i]))
			continue;
		if (i < HOME)
			return USERDB_ERROR;
		field[i] = line;
		line = SLICE_EMPTY;
	}
	if (!slice_to_u64(field[UID], UINT32_MAX - 1, &uid) ||
		!slice_to_u64(field[GID], UINT32_MAX - 1, &gid))
		return USERDB_ERROR;
	return fill(field[NAME], (uid_t)uid, (gid_t)gid, field[HOME], field[SHELL], out);
}

static enum userdb_outcome find_in_file(const char *users_file, struct slice name, struct userdb_user *out)
{
	auto_buf struct buf text = BUF_INIT(USERS_FILE_MAX);
	struct slice rest, line;

	if (file_read_path(AT_FDCWD, users_file, &text) < 0)
		return USERDB_ERROR;
	rest = buf_slice(&text);
	while (slice_next_line(&rest, &line)) {
		struct slice after = line;
		struct slice key;
		if (line.len && line.at[0] != '#' && slice_cut(&after, ':', &key) && slice_eq(key, name))
			return parse_line(line, out);
	}
	return USERDB_UNKNOWN;
}

static enum userdb_outcome find_in_nss(struct slice name, struct userdb_user *out)
{
	auto_free char *key = slice_dup(name);

	for (size_t size = 4096; size <= NSS_BUFFER_MAX; size *= 4) {
		auto_free char *space = mem_new(size);
		struct passwd entry, *found = NULL;
		int r = getpwnam_r(key, &entry, space, size, &found);
		if (r == ERANGE)
			continue;
		if (r != 0)
			return USERDB_ERROR;
		if (!found)
			return USERDB_UNKNOWN;
		return fill(slice_of(found->pw_name), found->pw_uid, found->pw_gid, slice_of(found->pw_dir),
			slice_of(found->pw_shell), out);
	}
	return USERDB_ERROR;
}

enum userdb_outcome userdb_find(const char *users_file, struct slice name, struct userdb_user *user_out)
{
	if (!name_is_possible(name))
		return USERDB_UNKNOWN;
	if (users_file && users_file[0])
		return find_in_file(users_file, name, user_out);
	return find_in_nss(name, user_out);
}

enum userdb_outcome userdb_find_recipient(
	const char *users_file, struct slice name, struct userdb_user *user_out)
{
	char lower[sizeof(user_out->name)];
	struct slice folded = { lower, name.len };
	enum userdb_outcome outcome = userdb_find(users_file, name, user_out);

	if (outcome != USERDB_UNKNOWN || name.len > sizeof(lower))
		return outcome;
	for (size_t i = 0; i < name.len; i++)
		lower[i] = ascii_lower(name.at[i]);
	return slice_eq(folded, name) ? outcome : userdb_find(users_file, folded, user_out);
}

enum userdb_outcome userdb_find_group(const char *name, gid_t *gid_out)
{
	for (size_t size = 4096; size <= NSS_BUFFER_MAX; size *= 4) {
		auto_free char *space = mem_new(size);
		struct group entry, *found = NULL;
		int r = getgrnam_r(name, &entry, space, size, &found);
		if (r == ERANGE)
			continue;
		if (r != 0)
			return USERDB_ERROR;
		if (!found)
			return USERDB_UNKNOWN;
		*gid_out = found->gr_gid;
		return USERDB_FOUND;
	}
	return USERDB_ERROR;
}

bool userdb_group_is_private(const struct userdb_user *user)
{
	auto_free char *space = mem_new(4096); /* a private group's entry is short; no answer is a no */
	struct group entry, *found = NULL;

	if (getgrgid_r(user->gid, &entry, space, 4096, &found) != 0 || !found ||
		strcmp(found->gr_name, user->name) != 0)
		return false;
	for (char **member = found->gr_mem; *member; member++)
		if (strcmp(*member, user->name) != 0)
			return false;
	return true;
}
