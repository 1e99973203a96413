/* SPDX-License-Identifier: Apache-2.0 */
/*
 * std.h - what every file of Postrider includes: the C library's basics, and the few macros for ownership
 *
 * Cleanup attributes release what a local owns on every way out; ownership leaves through take_fd() or
 * take_ptr() on one visible line. Layer: base.
 */
#pragma once
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
/* Enforced by clang, which lets a reasoned (void) pass; gcc does not, so the test suite's clang build is the
 * judge. */
#if defined(__clang__)
#define MUST_USE __attribute__((warn_unused_result))
#else
#define MUST_USE
#endif
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Our own bug: the process dies with a line that says where, the supervisor restarts it, the mail is on disk.
 * Stays in release builds. Never for what a peer or the machine can cause. */
#define CHECK(cond) ((cond) ? (void)0 : check_failed(#cond, __FILE__, __LINE__))
_Noreturn void check_failed(const char *cond, const char *file, int line);

/* Heap: memory at start-up and for small fixed objects; dies when there is none. Where a peer decides the
 * size use a buf with its ceiling, or an arena. */
void *mem_new(size_t size);		    /* zeroed */
void *mem_new_array(size_t n, size_t size); /* zeroed; dies on overflow */
char *mem_dup_str(const char *s);
void mem_free(void *p);

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* nothing can be done about a failing close of a descriptor we give up */
}
static inline void cleanup_free(void *p)
{
	mem_free(*(void **)p);
}
#define auto_close __attribute__((cleanup(cleanup_close)))
#define auto_free __attribute__((cleanup(cleanup_free)))

static inline int take_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}
#define take_ptr(p)                                                                                          \
	({                                                                                                   \
		__typeof__(*(p)) taken_ = *(p);                                                              \
		*(p) = NULL;                                                                                 \
		taken_;                                                                                      \
	})
