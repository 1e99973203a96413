/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host.h - the names of this host, found without the network and without ever sleeping (DESIGN section 3)
 *
 * There is always a name: what the machine says and /etc/hosts completes, or one made up. Each comes with
 * words for a person that say which rule chose it. Layer: config. Tests: test_host.c.
 */
#pragma once
#include "base/limits.h"
#include "base/slice.h"

#define HOST_RULE_MAX 400

struct host_name {
	char name[LIMIT_DOMAIN + 1];
	char rule[HOST_RULE_MAX]; /* where it comes from, and what to do when that is poor */
};

/* machine: what the kernel calls this machine; hosts: the text of hosts(5). */
void host_name_choose(struct slice machine, struct slice hosts, struct host_name *out);
/* The same for this machine. */
void host_name_find(struct host_name *out);
/* The first word of the mailname file. False when there is none that can be used; only out->rule is set then.
 */
MUST_USE bool host_mailname(const char *file, struct host_name *out);
