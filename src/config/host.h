/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host.h - the names of this host, found without the network and without ever sleeping (DESIGN section 3)
 *
 * Layer: config. Tests: test_config.c.
 */
#pragma once
#include "base/std.h"

/* The host's name if it has a dot, else its full name in /etc/hosts, else NAME.localdomain. */
void host_fqdn(char *name_out, size_t size);
/* The first word of the mailname file; false when there is none that can be used. */
MUST_USE bool host_mailname(const char *file, char *name_out, size_t size);
