/* SPDX-License-Identifier: Apache-2.0 */
/* jail.c - the order matters; see jail.h */
#include "ipc/jail.h"
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sched.h>

#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED true /* the sanitizers' own calls are beyond any list */
#else
#define IS_SANITIZED false
#endif

/* ---- uid and root directory ---- */

/* Tries to get root back: a drop that can be undone is a bug of ours or of the kernel, never to be run with.
 */
static int check_dropped(uid_t uid, gid_t gid)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	if (getresuid(&r, &e, &s) < 0 || getresgid(&rg, &eg, &sg) < 0)
		return -errno;
	if (r != uid || e != uid || s != uid || rg != gid || eg != gid || sg != gid)
		return -EPERM;
	if (uid != 0 && setuid(0) == 0)
		return -EPERM;
	return 0;
}

static int drop_uid(const struct jail_request *request)
{
	if (request->jail->empty_root && request->empty_dir &&
		(chdir(request->empty_dir) < 0 || chroot(".") < 0))
		return -errno;
	if (chdir("/") < 0)
		return -errno;
	if (setgroups(0, NULL) < 0 || setresgid(request->gid, request->gid, request->gid) < 0 ||
		setresuid(request->uid, request->uid, request->uid) < 0)
		return -errno;
	return check_dropped(request->uid, request->gid);
}

/* ---- Landlock ---- */

#define READ_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_RIGHTS                                                                                         \
	(READ_RIGHTS | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |                         \
		LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                               \
		LANDLOCK_ACCESS_FS_REMOVE_DIR)
#define ALL_RIGHTS                                                                                           \
	(WRITE_RIGHTS | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                          \
		LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                                \
		LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

static int landlock_allow(int ruleset, const char *const *paths, uint64_t rights)
{
	for (; paths && *paths; paths++) {
		auto_close int dir = open(*paths, O_PATH | O_CLOEXEC);
		struct landlock_path_beneath_attr rule = { .allowed_access = rights, .parent_fd = dir };

		if (dir < 0 && errno == ENOENT)
			continue; /* what is not there needs no right */
		if (dir < 0 ||
			syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
			return -errno;
	}
	return 0;
}

/* The ABI in force, 0 where the kernel has none, or negative errno. */
static int landlock_enter(const struct jail_request *request)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = ALL_RIGHTS };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	auto_close int ruleset = -1;
	int r;

	if (abi < 1)
		return 0;
	/* From ABI 2 on, linking and renaming across directories needs a right of its own; the spool does it.
	 */
	uint64_t refer = abi >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0;
	attr.handled_access_fs |= refer;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return -errno;
	r = landlock_allow(ruleset, request->read_below, READ_RIGHTS);
	if (r == 0)
		r = landlock_allow(ruleset, request->write_below, WRITE_RIGHTS | refer);
	if (r < 0)
		return r;
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : (int)abi;
}

int jail_enter(const struct jail_request *request)
{
	const struct jail *jail = request->jail;

	if (!jail->keeps_root && request->uid != (uid_t)-1) {
		int r = drop_uid(request);
		if (r < 0)
			return r;
	}
	if (jail->keeps_root)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	return request->filter && !jail->no_filter && !IS_SANITIZED ? landlock_enter(request) : 0;
}

/* ---- system calls ---- */

/* What the C library, libuv, its threads and sockets that exist already need; docs/SECURITY.md says who uses
 * what. */
static const int calls_common[] = {
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(close),
	SCMP_SYS(fstat),
	SCMP_SYS(lseek),
	SCMP_SYS(fcntl),
	SCMP_SYS(dup),
	SCMP_SYS(dup2),
	SCMP_SYS(dup3),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendto),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(accept4),
	SCMP_SYS(listen),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(ioctl),
	SCMP_SYS(socketpair),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(select),
	SCMP_SYS(pselect6),
	SCMP_SYS(eventfd2),
	SCMP_SYS(pipe2),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(futex),
	SCMP_SYS(rseq),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(tgkill),
	SCMP_SYS(gettid),
	SCMP_SYS(getpid),
	SCMP_SYS(getppid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(getrandom),
	SCMP_SYS(getrusage),
	SCMP_SYS(prlimit64),
	SCMP_SYS(getrlimit),
	SCMP_SYS(uname),
	SCMP_SYS(sysinfo),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(prctl),
};

/* Only for roles that open files: the queue's spool, lookup's tables, the log. */
static const int calls_files[] = {
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(getdents64),
	SCMP_SYS(getcwd),
	SCMP_SYS(inotify_init1),
	SCMP_SYS(inotify_add_watch),
	SCMP_SYS(inotify_rm_watch),
	SCMP_SYS(fstatfs),
	SCMP_SYS(statfs),
};

static const int calls_file_writes[] = {
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(syncfs),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fallocate),
	SCMP_SYS(pwritev),
	SCMP_SYS(pwritev2),
	SCMP_SYS(preadv),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(link),
	SCMP_SYS(linkat),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat),
	SCMP_SYS(fchmod),
	SCMP_SYS(fadvise64),
	SCMP_SYS(sync_file_range),
	SCMP_SYS(flock),
};

static const int calls_network[] = { SCMP_SYS(bind), SCMP_SYS(connect) };

/* Libraries probe files; a refusal they understand beats a dead role. */
static const int calls_refused[] = {
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(getcwd),
	SCMP_SYS(statfs),
	SCMP_SYS(socket),
	SCMP_SYS(connect),
	SCMP_SYS(bind),
};

static int allow(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = seccomp_rule_add(filter, action, calls[i], 0);
		if (r < 0 && r != -EACCES) /* -EACCES: the action is the default's already */
			return r;
	}
	return 0;
}
#define ALLOW(list) allow(filter, SCMP_ACT_ALLOW, (list), ARRAY_LEN(list))

/* Calls whose arguments matter: no executable memory, threads but no processes, sockets of the internet only.
 */
static int allow_by_argument(scmp_filter_ctx filter, const struct jail *jail)
{
	const struct scmp_arg_cmp not_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	const struct scmp_arg_cmp thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
	int r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &not_exec);

	if (r == 0)
		r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &not_exec);
	if (r == 0)
		r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &thread);
	if (r == 0) /* its arguments lie in memory: the C library falls back to clone */
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (r == 0 && jail->may_connect) {
		static const unsigned families[] = { AF_INET, AF_INET6 };
		for (size_t i = 0; r == 0 && i < ARRAY_LEN(families); i++) {
			const struct scmp_arg_cmp family = SCMP_A0(SCMP_CMP_EQ, families[i]);
			r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, &family);
		}
	}
	return r;
}

static int fill_filter(scmp_filter_ctx filter, const struct jail_request *request)
{
	const struct jail *jail = request->jail;
	bool reads = jail->may_write_files || request->read_below;
	int r = ALLOW(calls_common);

	if (r == 0)
		r = allow_by_argument(filter, jail);
	if (r == 0 && reads)
		r = ALLOW(calls_files);
	if (r == 0 && jail->may_write_files)
		r = ALLOW(calls_file_writes);
	if (r == 0 && jail->may_connect)
		r = ALLOW(calls_network);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(calls_refused); i++) {
		bool is_network = calls_refused[i] == SCMP_SYS(socket) ||
			calls_refused[i] == SCMP_SYS(connect) || calls_refused[i] == SCMP_SYS(bind);
		if (is_network ? !jail->may_connect : !reads)
			r = allow(filter, SCMP_ACT_ERRNO(EACCES), &calls_refused[i], 1);
	}
	return r;
}

int jail_seal(const struct jail_request *request)
{
	scmp_filter_ctx filter;
	int r;

	if (!request->filter || request->jail->no_filter || request->jail->keeps_root || IS_SANITIZED)
		return 0;
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		return -ENOMEM;
	r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0)
		r = fill_filter(filter, request);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}
