/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list_file.h - the members of an :include: list, read when mail comes, under the rights of the file's owner
 *
 * Members are addresses and \users; commands and files in a list are refused, because whoever may write the
 * list would run them. A list may include lists of the same owner or of root. Reads only; logs each refused
 * item. Layer: local. Tests: test_list_file.c.
 */
#pragma once
#include "local/forward.h"

enum list_outcome {
	LIST_MEMBERS = 1,
	LIST_EMPTY, /* nobody is to get the mail */
	LIST_DEFER, /* reason says why: missing, unsafe, or without one usable member */
};

/* private_gid: a group that may write the list besides its owner; (gid_t)-1: none. listener: of a dry run,
 * else NULL. forward_free() frees *out. */
enum list_outcome list_file_read(
	const char *path, gid_t private_gid, const struct forward_listener *listener, struct forward *out);
