/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jail.h - giving up power: uid, root directory, new privileges, Landlock, system calls; in this order
 *
 * The separation holds by uid and file modes alone; Landlock and the system call filter are the second wall.
 * Landlock covers the calling thread and later ones: jail_enter() comes before the first thread, jail_seal()
 * (seccomp with TSYNC) last. A refused open answers EACCES, another unexpected call kills the role. In
 * sandbox mode there is no uid to change and no chroot. Layer: ipc. Tests: tests/system/test_privileges.py.
 */
#pragma once
#include "base/std.h"
#include <sys/types.h>

struct jail {
	bool keeps_root;      /* supervisor-like: no uid change at all (local's parent) */
	bool empty_root;      /* chroot to the empty directory */
	bool may_connect;     /* TCP and UDP sockets of its own */
	bool may_write_files; /* opens files after the jail (below write_below) */
	bool no_filter; /* runs foreign code (NSS modules): no seccomp, no Landlock; uid and no_new_privs only
			 */
};

struct jail_request {
	const struct jail *jail;
	uid_t uid; /* (uid_t)-1: stay who we are (sandbox mode) */
	gid_t gid;
	const char *empty_dir;		/* for the chroot; NULL: none */
	const char *const *read_below;	/* NULL-ended; Landlock lets these trees be read; may be NULL */
	const char *const *write_below; /* NULL-ended; and these written */
	bool filter;			/* the setting security.sandbox */
};

/* Drops rights for good and checks that they are gone; returns the Landlock ABI in force (0: none) or
 * negative errno. */
MUST_USE int jail_enter(const struct jail_request *request);
/* Installs the system call filter for all threads. 0, or negative errno (ENOSYS where the kernel has none).
 */
MUST_USE int jail_seal(const struct jail_request *request);
