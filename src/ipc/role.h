/* SPDX-License-Identifier: Apache-2.0 */
/*
 * role.h - the skeleton of a role: everything it does before its first event, once for all roles
 *
 * A role names what runs when: before_jail opens what needs rights or files (OpenSSL contexts, libunbound
 * with one finished query, the spool); then the process drops to its own uid and enters the jail; after_jail
 * starts its handles; then the loop. Channels to peers arrive from the supervisor at any time, also again
 * after a peer died or its channel was lost. No getaddrinfo or getpwnam after the jail. Layer: ipc. Tests:
 * tests/system/test_roles.py.
 */
#pragma once
#include "base/log.h"
#include "config/config.h"
#include "ipc/channel.h"
#include "ipc/jail.h"

#define ROLE_FD_CONTROL 3 /* to the supervisor */
#define ROLE_FD_CONFIG 4  /* memory file with the effective configuration text */
#define ROLE_MAX_INSTANCES 64

struct role_process;

struct role_hooks {
	enum role role;
	const msg_handler *handlers; /* MSG_TYPE_COUNT entries; of all peers; role.c adds the supervisor's own
					messages */
	const struct jail *jail;
	bool ready_later; /* it calls role_ready(); the others are ready when after_jail returned */
	int (*before_jail)(struct role_process *rp); /* may be NULL; negative errno ends the process */
	int (*after_jail)(struct role_process *rp);  /* may be NULL */
	void (*on_peer)(
		struct role_process *rp, struct channel *ch); /* may be NULL: a new channel to ch->peer */
	/* may be NULL: the channel is gone (it is freed afterwards); jobs given to it have an unknown outcome
	 */
	void (*on_peer_gone)(struct role_process *rp, struct channel *ch);
	void (*on_drain)(struct role_process *rp, struct channel *ch);		     /* may be NULL */
	void (*on_listener)(struct role_process *rp, struct slice address, int *fd); /* take_fd(fd) */
	void (*on_reload)(struct role_process *rp); /* may be NULL: rp->config is the new one already */
	/* may be NULL: end at once. Else finish what must be finished, then call role_exit(rp). The
	 * supervisor kills the process after 10 s. */
	void (*on_stop)(struct role_process *rp);
};

struct role_process {
	const struct role_hooks *hooks;
	uv_loop_t *loop;
	const struct config
		*config; /* read-only; replaced on reload: keep no pointers into it across events */
	unsigned instance;
	void *state; /* the role's own */
	struct channel *control, *log;
	struct channel *peers[ROLE_COUNT][ROLE_MAX_INSTANCES]; /* NULL: not there at the moment */
	uint32_t serials[ROLE_COUNT][ROLE_MAX_INSTANCES]; /* of these channels, as the supervisor counts */
	uint32_t pid;					  /* asked once: each log line carries it */
	struct buf early_lines;				  /* said while there was no log */
	uint64_t log_dropped;
	int landlock_abi;
	bool is_stopping;
};

/* The main function of a role's process; argv as the supervisor wrote it. Returns the exit status. */
int role_main(const struct role_hooks *hooks, int argc, char **argv);
/* Tells the supervisor, once, that the role does its work; from the loop. */
void role_ready(struct role_process *rp);
/* The role is done: flushes its channels and ends the process. */
_Noreturn void role_exit(struct role_process *rp, int status);
/* The channel to a peer; NULL while it is not there. */
static inline struct channel *role_peer(const struct role_process *rp, enum role role, unsigned instance)
{
	return instance < ROLE_MAX_INSTANCES ? rp->peers[role][instance] : NULL;
}
static inline struct role_process *role_of(const struct channel *ch)
{
	return ch->user;
}
