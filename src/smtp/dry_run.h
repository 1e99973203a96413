/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dry_run.h - which hosts would be tried for a destination, in order; connects to none
 *
 * Asks what a session asks (hosts_find). Layer: role (smtp). Tests: tests/system/test_explain.py.
 */
#pragma once
#include "smtp/relay.h"

void dry_run_hosts(struct relay *relay, struct channel *queue, const struct msg_EXPLAIN_HOSTS *m);
/* Nobody waits for the answers any more. */
void dry_run_drop_all(void);
