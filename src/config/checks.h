/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checks.h - what a text setting must look like beyond its type: names, networks, next hops, words
 *
 * A wrong value is told with its line when the file is read, not by the program that would use it. Never asks
 * the machine or the network. Layer: config. Tests: test_config.c.
 */
#pragma once
#include "base/slice.h"

struct setting;
/* False: why is a sentence without the setting's name. */
MUST_USE bool setting_check(const struct setting *s, struct slice value, char *why, size_t why_size);
/* A name that may stand in greetings and header fields, as main.host_name. */
bool setting_is_own_domain(struct slice name);
