/* SPDX-License-Identifier: Apache-2.0 */
/*
 * become.c - see become.h
 *
 * Root's own mail is written by a process of uid 0, because its mailbox belongs to root; but uid 0 without
 * capabilities is an ordinary owner of files: it cannot read another user's, change ids or open devices that
 * root's file modes do not give. The bounding set and the securebits see to it that nothing brings them back.
 */
#include "local/become.h"
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* A second wall behind drop_capabilities(), and one that a container may not let us build: no result. */
static void drop_bounding_set(void)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	(void)prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, 0, 0, 0);
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

static int check_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, now) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_LEN(now); i++)
		if (now[i].effective || now[i].permitted || now[i].inheritable)
			return -EPERM;
	return 0;
}

static int check_ids(uid_t uid, gid_t gid, const gid_t *groups, int n_groups)
{
	uid_t u[3];
	gid_t g[3], list[2];

	if (getresuid(&u[0], &u[1], &u[2]) < 0 || getresgid(&g[0], &g[1], &g[2]) < 0)
		return -errno;
	for (size_t i = 0; i < 3; i++)
		if (u[i] != uid || g[i] != gid)
			return -EPERM;
	if (getgroups((int)ARRAY_LEN(list), list) != n_groups || (n_groups && list[0] != groups[0]))
		return -EPERM;
	/* Whoever can become root again has not given it up. */
	if (uid != 0 && (setuid(0) == 0 || seteuid(0) == 0))
		return -EPERM;
	return setgroups(0, NULL) == 0 ? -EPERM : 0;
}

int become_user(uid_t uid, gid_t gid, gid_t further)
{
	gid_t groups[] = { further };
	int n_groups = further != (gid_t)-1 && further != gid;
	int r;

	drop_bounding_set();
	if (setgroups((size_t)n_groups, groups) < 0 || setresgid(gid, gid, gid) < 0 ||
		setresuid(uid, uid, uid) < 0)
		return -errno;
	r = drop_capabilities();
	if (r == 0)
		r = check_capabilities();
	return r < 0 ? r : check_ids(uid, gid, groups, n_groups);
}

#define MANY_GROUPS 1024 /* of one user; who has more cannot run commands */

static int without(gid_t *groups, int n, gid_t never)
{
	int kept = 0;

	for (int i = 0; i < n; i++)
		if (groups[i] != 0 && groups[i] != never)
			groups[kept++] = groups[i];
	return kept;
}

int become_login(const char *name, uid_t uid, gid_t gid, gid_t never)
{
	gid_t groups[MANY_GROUPS];
	int n = MANY_GROUPS;
	uid_t real, effective, saved;

	if (uid == 0 || gid == 0 || gid == never)
		return -EPERM;
	if (getgrouplist(name, gid, groups, &n) < 0)
		return -E2BIG;
	n = without(groups, n, never);
	if (setgroups((size_t)n, groups) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	if (getresuid(&real, &effective, &saved) < 0 || real != uid || effective != uid || saved != uid)
		return -EPERM;
	return setuid(0) == 0 || seteuid(0) == 0 || setgroups(0, NULL) == 0 ? -EPERM : 0;
}
