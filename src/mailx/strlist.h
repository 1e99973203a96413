/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strlist.h - an ordered list of strings that it owns: words of a command, addressees, attachments
 *
 * Never holds NULL. Layer: mailx. Tests: test_vars.c.
 */
#pragma once
#include "base/slice.h"

struct strlist {
	char **at;
	size_t n, cap;
};

#define STRLIST_INIT ((struct strlist){ 0 })

void strlist_add(struct strlist *l, const char *s); /* copies */
void strlist_add_slice(struct strlist *l, struct slice s);
void strlist_insert(struct strlist *l, size_t index, const char *s);
void strlist_remove(struct strlist *l, size_t index);
/* Index of the first entry equal to s (ASCII case does not count), or l->n. */
size_t strlist_find_nocase(const struct strlist *l, const char *s);
void strlist_free(struct strlist *l);
#define auto_strlist __attribute__((cleanup(strlist_free)))
