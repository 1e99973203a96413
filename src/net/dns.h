/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns.h - one question to the DNS, asynchronously, through libunbound
 *
 * The resolvers of resolv.conf are asked, the names of the hosts file are known. Everything that is read from
 * files is read by dns_open(), before the jail, which also finishes one query so that nothing is loaded
 * later; libunbound's thread starts with the first question. No DNSSEC validation: no trust anchor is loaded.
 * A question has no deadline of its own: whoever asks has one and cancels (hosts.c). Layer: net.
 * Tests: test_hosts.c.
 */
#pragma once
#include "base/slice.h"
#include <uv.h>

struct dns;

/* A missing resolv.conf, or one without a nameserver line, means the resolver on this host (resolv.conf(5));
 * a nameserver may be written ADDRESS@PORT. A missing hosts file is an empty one; lines that are no entries
 * are passed over. 0 or negative errno. Not in a process that has threads. */
MUST_USE int dns_open(const char *resolv_conf, const char *hosts_file, struct dns **out);
/* From now on the loop takes the answers. 0 or negative errno. */
MUST_USE int dns_start(struct dns *d, uv_loop_t *loop);
/* No question may be open. The loop must turn once more for the rest to be freed. */
void dns_close(struct dns **d);

enum dns_type { DNS_TYPE_A = 1, DNS_TYPE_MX = 15, DNS_TYPE_AAAA = 28 };

enum dns_outcome {
	DNS_FOUND = 0,
	DNS_NO_DATA,	 /* the name exists without such records */
	DNS_NO_NAME,	 /* NXDOMAIN */
	DNS_UNAVAILABLE, /* SERVFAIL, no resolver answers, out of memory: ask again later */
};

#define DNS_RECORDS_MAX 64 /* of one answer; the rest is left out */
struct dns_records {
	size_t n;
	struct slice data[DNS_RECORDS_MAX]; /* rdata in wire form, names uncompressed */
};

/* records lives until the function returns; n is 0 unless DNS_FOUND. */
typedef void (*dns_done)(void *user, enum dns_outcome outcome, const struct dns_records *records);

/* The asker's storage; must stay where it is while is_open. */
struct dns_question {
	struct dns *dns;
	dns_done done;
	void *user;
	int id;
	bool is_open;
};

/* done is called from the loop, never from inside. False: it could not be asked (DNS_UNAVAILABLE). */
MUST_USE bool dns_ask(struct dns_question *q, struct dns *d, const char *name, enum dns_type type,
	dns_done done, void *user);
/* done is not called any more; does nothing when it is not open. */
void dns_cancel(struct dns_question *q);

/* The next address of a resolv.conf's nameserver lines; false at its end. */
bool resolv_conf_next(struct slice *text, struct slice *server_out);
/* The next line of a hosts file that has an address and names; false at its end. */
bool hosts_file_next(struct slice *text, struct slice *address_out, struct slice *names_out);
