/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervisor.h - the process that starts the others, keeps their listening sockets and restarts what dies
 *
 * Runs as root and parses nothing from the network: configuration, and the few fixed messages of its roles.
 * Holds no mail. Layer: supervisor. Tests: tests/system/test_roles.py.
 */
#pragma once
#include "config/config.h"
#include "ipc/channel.h"
#include "ipc/role.h"
#include "supervisor/role_table.h"

struct child {
	const struct role_row *row; /* NULL: an unused place */
	unsigned instance;
	pid_t pid; /* 0: not running */
	struct channel *control;
	bool is_ready;
	uint32_t config_generation; /* of the text that it was given last */
	int landlock_abi;
	bool is_sandboxed;
	unsigned failures; /* in a row; decides the pause before the next start */
	uint64_t started_ms;
	uv_timer_t timer; /* the next start; while it runs: when its stop is overdue */
	struct supervisor *supervisor;
};

#define STOP_STAGE_MS 10000 /* who was told to stop is killed after that */
#define SUPERVISOR_MAX_CHILDREN 160
#define SUPERVISOR_MAX_LISTENERS 256

struct listener {
	char address[128]; /* as in smtpd.listen */
	int fd;
	unsigned instance; /* of smtpd */
};

struct supervisor {
	uv_loop_t *loop;
	struct paths paths;
	struct config *config;
	uint32_t config_generation;
	int config_fd; /* memory file that roles read */
	int binary_fd; /* what we were started from: an upgrade under us breaks nothing */
	int pid_fd;    /* locked while we run */
	int control_listener;
	struct child children[SUPERVISOR_MAX_CHILDREN];
	size_t n_children;
	struct listener listeners[SUPERVISOR_MAX_LISTENERS];
	size_t n_listeners;
	struct channel *log; /* control channel of the log role, when it is ready */
	bool is_stopping, said_ready;
	unsigned stop_stage;
	int exit_status;
	char alias_problem[512]; /* empty: the table is up to date */
	uv_signal_t signals[5];
	uv_timer_t stop_deadline;
	uv_timer_t watch; /* files that change under us */
};

/* Binds what smtpd.listen names, once per smtpd process, and the control socket. Errors are printed. */
MUST_USE bool listeners_open(struct supervisor *s);
void listeners_close(struct supervisor *s);

/* children.c: processes of roles */
void children_start_all(struct supervisor *s);
void children_stop_stage(struct supervisor *s, unsigned stage); /* asks; children_kill_stage() insists */
void children_kill_stage(struct supervisor *s, unsigned stage);
bool children_any_in_stage(const struct supervisor *s, unsigned stage);
void children_reap(struct supervisor *s);
void children_send_config(struct supervisor *s);
/* Stops the processes of one role in order, those that do not stop by force; they come back at once. */
void children_recycle(struct supervisor *s, enum role role);
void supervisor_report_state(struct supervisor *s); /* for `postrider status` */
void supervisor_give_up(struct supervisor *s);	    /* a first start that cannot succeed */

/* links.c: the channels between roles */
void links_init(struct supervisor *s);
/* Both are ready, and have no link. */
void links_make(struct child *a, struct child *b);
/* c says so. They are introduced again when both processes are still there, once however many say it. */
void links_lost(const struct child *c, const struct msg_CHANNEL_LOST *m);
/* That process is gone. */
void links_forget(const struct child *c);

/* mailbox_socket.c: a descriptor connected to the socket that local.mailbox_transport names, or negative
 * errno. */
MUST_USE int mailbox_socket_open(const struct config *c);

/* watch.c: /etc/aliases is rebuilt when it changed and was still for two seconds; resolv.conf and hosts renew
 * smtp */
void watch_start(struct supervisor *s);
/* The aliases are being built: at the first start mail waits for them, and so does readiness, within limits.
 */
bool watch_is_rebuilding(void);
/* A process that is no role has ended; true when it was the rebuilding one. */
bool watch_reaped(struct supervisor *s, pid_t pid, int status);

/* Runs until stopped; returns the exit status. */
int supervisor_run(const struct paths *paths, bool background);
