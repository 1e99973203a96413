/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fields.h - which header fields are shown: `ignore' and `retain'
 *
 * Layer: mailx. Tests: test_vars.c.
 */
#pragma once
#include "mailx/strlist.h"

struct fields {
	struct strlist ignored;
	struct strlist retained; /* when not empty, only these are shown */
};

/* ASCII case does not count; "*" in ignored stands for every field. */
bool fields_show(const struct fields *f, struct slice name);
void fields_deinit(struct fields *f);
