/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.h - the sockets of the SMTP server: listeners, connections, and the way from sessions to other roles
 *
 * A thin shell: it carries bytes between a socket and its session, and messages between sessions and the
 * channels; what they mean is session.h's. One read per flight of commands and one write per flight of
 * replies, at the end of the loop's turn. Layer: role (smtpd). Tests: tests/dialogues, tests/system.
 */
#pragma once
#include "ipc/pending.h"
#include "ipc/role.h"
#include "smtpd/clients.h"
#include "smtpd/id_pool.h"
#include "smtpd/session.h"

struct server;

/* One per process, lives as long as it. */
struct server *server_new(struct role_process *rp);
/* Takes the listening socket. */
void server_listen(struct server *sv, struct slice address, int *fd);
void server_reload(struct server *sv);
/* No new connections; calls role_exit() when the mails under way have had their reply, or after some seconds.
 */
void server_stop(struct server *sv);

void server_peer_came(struct server *sv, enum role peer);
void server_peer_gone(struct server *sv, enum role peer);
void server_queue_drained(struct server *sv);
void server_take_lease(struct server *sv, const struct msg_ID_LEASE *m);
void server_take_verdict(struct server *sv, const union msg_any *m);
void server_take_result(struct server *sv, const struct msg_MAIL_RESULT *m);
