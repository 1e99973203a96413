/* SPDX-License-Identifier: Apache-2.0 */
/*
 * std.c - the last line of a process that found its own bug, and memory that is there or ends the process
 * No test of its own: memory that is there is in every test, and those that end a process end the test.
 */
#include "base/std.h"

void check_failed(const char *cond, const char *file, int line)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "postrider: bug: %s is false at %s:%d\n", cond, file, line);

	if (n > 0)
		(void)!write(STDERR_FILENO, text, MIN((size_t)n, sizeof(text) - 1));
	abort();
}

static void *mem_checked(void *p)
{
	if (!p) {
		static const char text[] = "postrider: out of memory\n";
		(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
		abort();
	}
	return p;
}

void *mem_new(size_t size)
{
	return mem_checked(calloc(1, size ? size : 1));
}

void *mem_new_array(size_t n, size_t size)
{
	return mem_checked(calloc(n ? n : 1, size ? size : 1));
}

char *mem_dup_str(const char *s)
{
	return mem_checked(strdup(s));
}

void mem_free(void *p)
{
	free(p);
}
