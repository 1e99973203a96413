/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clients.h - how many sessions each client address has at the moment
 *
 * Of an IPv6 address the first 64 bits count: whoever has one address there has all of them. Holds one small
 * object per address with a session. Layer: role (smtpd). Tests: test_networks.c.
 */
#pragma once
#include "base/table.h"
#include "smtpd/networks.h"

struct client_sessions;
struct clients {
	struct table by_address;
};
#define CLIENTS_INIT ((struct clients){ TABLE_INIT })

/* One session more of this address, or NULL when it has max already. Give the result back with
 * clients_leave(). */
MUST_USE struct client_sessions *clients_enter(
	struct clients *cs, const struct client_address *a, uint64_t max);
void clients_leave(struct clients *cs, struct client_sessions **c); /* NULL is accepted */
