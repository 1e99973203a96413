/* SPDX-License-Identifier: Apache-2.0 */
/*
 * root_forward.h - what root's ~/.forward and ~/.forward+ext name, read while the process is still root
 *
 * Their commands run as local.command_user, who could not read them. Read once in a process, which therefore
 * is not kept when it has nothing to do. Layer: local. Tests: test_privileges.c.
 */
#pragma once
#include "local/forward.h"
#include "mail/origin.h"

/* As root. root: whose home it is; borrowed until the process ends. */
void root_forward_read(const struct config *c, struct forward_user *root);
bool root_forward_is_read(void);
enum root_forward_outcome {
	ROOT_FORWARD_FOUND = 1,
	ROOT_FORWARD_NONE,	/* it is not written there */
	ROOT_FORWARD_UNREADABLE /* nobody knows */
};
/* *leaf_out lives as long as the process. */
enum root_forward_outcome root_forward_find(const struct origin *o, const struct forward_leaf **leaf_out);
