/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon.h - the running daemon: asking it over the control socket, finding and signalling its process
 *
 * Every failure is told on standard error. Layer: program. Tests: tests/system/test_system_control.py.
 */
#pragma once
#include "config/paths.h"
#include "ipc/client.h"

/* EX_OK and an open conversation, or the exit status: EX_UNAVAILABLE when no daemon runs. */
MUST_USE int daemon_open(struct client *c, const struct paths *paths);
/* The next message to request 1; EX_OK, or the exit status when none came. */
MUST_USE int daemon_receive(struct client *c, enum msg_type *type_out, union msg_any *m_out);
/* The conversation broke with that error: complains, and gives the exit status. */
int daemon_silent(int error);
/* Prints the final answer, to standard error when it is a refusal; returns its exit status. */
int daemon_answer(const struct msg_REQUEST_DONE *done);

/* A pidfd of the supervisor, the caller's to close; or -1 and *status_out: EX_UNAVAILABLE when none runs. */
MUST_USE int daemon_process(const struct paths *paths, int *status_out);
