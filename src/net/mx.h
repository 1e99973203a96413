/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mx.h - a domain's MX records: read, put in the order to be tried, cut at this host (RFC 5321 5.1)
 *
 * Pure functions on the bytes of records; chance comes from the caller. Layer: net. Tests: test_mx.c,
 * fuzz_mx.c.
 */
#pragma once
#include "base/limits.h"
#include "base/slice.h"

#define MX_HOSTS_MAX 16 /* best ones that are kept; a domain with more gains nothing for its sender */

struct mx_host {
	uint16_t preference;
	char name[LIMIT_DOMAIN + 1]; /* lower case, no dot at the end */
};
struct mx_list {
	size_t n;
	struct mx_host hosts[MX_HOSTS_MAX];
};

enum mx_status {
	MX_OK = 0,
	MX_NULL,      /* the domain takes no mail (RFC 7505) */
	MX_NONE,      /* no record names a host */
	MX_LOOPS_BACK /* this host is the best one left: mail would come back */
};

/* Reads n records' rdata: what is no MX record is passed over, of too many the best are kept. Sorted by
 * preference; equal ones in the order of chance(user, n), which gives a number below n; own_name and what is
 * not better than it are cut off. MX_OK fills *out, with at least one host. */
MUST_USE enum mx_status mx_order(const struct slice *rdata, size_t n, const char *own_name,
	size_t (*chance)(void *user, size_t n), void *user, struct mx_list *out);
