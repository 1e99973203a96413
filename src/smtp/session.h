/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.h - carries jobs to one destination: finds its hosts, connects to them in turn, speaks SMTP
 *
 * A session outlives a connection: when a host is not to be had and has accepted nothing, it goes on to the
 * next. One job at a time; between jobs it is idle. Layer: role smtp. Tests: test_relay*.c,
 * test_lmtp.c.
 */
#pragma once
#include "smtp/lane.h"

struct session;

/* Starts with a first job. */
struct session *session_new(struct lane *lane, struct job *job);
/* The session is idle. */
void session_give_job(struct session *s, struct job *job);
/* The chunk that was asked for is in the job. */
void session_content_came(struct session *s);
/* The server may have taken responsibility by now: the answer must be waited for. */
bool session_is_committed(const struct session *s);
/* It has carried smtp.messages_per_connection. */
bool session_is_used_up(const struct session *s);
/* A connection to the socket of local.mailbox_transport, which it waits for under that number. */
bool session_wants_socket(const struct session *s, uint64_t number);
void session_socket_came(struct session *s, int fd); /* takes fd; or negative errno */
/* The settings are new: a connection to the LMTP server is not used again. */
void session_reload(struct session *s);
/* Ends at once; its job, if any, is taken from it without results and left to the caller. */
void session_abort(struct session *s);

/* For the lane: idle sessions are in two lists. */
struct session *session_of_lane_node(struct list *node);
struct session *session_of_idle_node(struct list *node);
struct session *session_of_node(struct list *node);
struct job *session_job(const struct session *s);
void session_set_idle(struct session *s); /* into both lists, with a deadline */
void session_quit(struct session *s);	  /* says QUIT and ends when that is answered */
