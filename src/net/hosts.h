/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts.h - from a destination to the addresses to connect to, in order, or the reason why there are none
 *
 * MX look-up, its fall-back to the domain's own address, address look-ups, one deadline for everything
 * (RFC 5321 5.1). Layer: net. Tests: test_hosts.c.
 */
#pragma once
#include "net/destination.h"
#include "net/dns.h"

#define HOSTS_ENDPOINTS_MAX 16	/* with a connect_timeout each, more would keep a message for very long */
#define HOSTS_PER_FAMILY_MAX 4	/* addresses of one host in one family */
#define HOSTS_DEADLINE_MS 10000 /* a resolver that needs longer is one that does not answer */

enum hosts_outcome {
	HOSTS_FOUND = 0,
	HOSTS_NEVER, /* a definite answer: no such domain, no mail there; status is 5.x.x */
	HOSTS_LATER, /* no answer: status is 4.x.x */
};

struct hosts_answer {
	enum hosts_outcome outcome;
	bool by_mx;	    /* the hosts come from MX records or stand for them */
	const char *status; /* enhanced status, unless HOSTS_FOUND */
	char reason[512];
	size_t n; /* at least 1 with HOSTS_FOUND */
	struct endpoint endpoints[HOSTS_ENDPOINTS_MAX];
};

/* answer is the receiver's to mem_free. */
typedef void (*hosts_done)(void *user, struct hosts_answer *answer);

struct hosts_finder {
	uv_loop_t *loop;
	struct dns *dns;
	const char *own_name; /* cuts MX lists; read only while hosts_find() runs */
	unsigned deadline_ms; /* for the whole search; HOSTS_DEADLINE_MS */
};

struct hosts_search;
/* done is called once, from the loop, never from inside. */
struct hosts_search *hosts_find(const struct hosts_finder *finder, const struct destination *destination,
	hosts_done done, void *user);
/* done is not called any more; not after it was called. */
void hosts_cancel(struct hosts_search **search);
