/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim-private.h - what the parts of the shim share: shim.c (the block, faults, the record), shim_site.c
 * (which place is it), shim_calls.c (the stand-ins)
 *
 * Processes die anywhere, so nothing here is locked: places in the block are taken with atomic additions.
 * Layer: tests.
 */
#pragma once
#include "support/shim.h"
#include <limits.h>
#include <sys/types.h>
#include <sys/uio.h>

#if defined(SHIM_PRELOADED)
#define IS_PRELOADED true
#else
#define IS_PRELOADED false
#endif

/* ---- shim.c ---- */
enum verdict { GO_ON, FAIL, PART }; /* PART: a part of the write is to be made */
/* Before a call. *watched_out: it counts, and what it did is to be kept. to: with a second name, in to_dir.
 */
enum verdict shim_enter(
	enum shim_call call, int fd, const char *name, int to_dir, const char *to, bool *watched_out);
enum verdict shim_enter_one(enum shim_call call, int fd, const char *name, bool *watched_out);
/* Its index; 0 when nothing is recorded. bytes of iov are kept as what->n_bytes says. */
size_t shim_keep_names(const struct shim_event *what, const char *name, const char *to);
size_t shim_keep(const struct shim_event *what, const struct iovec *iov, int n_iov);
_Noreturn void shim_stop(void); /* nothing changes any file from here on */
_Noreturn void shim_die(void);	/* this process */
/* What makes the loader load this library in a program that is executed. */
extern const char *const shim_environment[2];

/* ---- shim_site.c ---- */
struct call {
	enum shim_call call;
	bool is_watched;
	bool is_dir;
	char path[PATH_MAX], to_path[PATH_MAX];
};
void shim_describe(struct call *c, enum shim_call call, int fd, const char *name, int to_dir, const char *to);
uint64_t shim_site_of(const struct call *c); /* counts the hit */
void shim_site_role(const char *program);    /* this process's */
uint64_t shim_inode(int fd);
