/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim.h - stands in for the system calls that change files: counts, records, fails, tears or stops at them
 *
 * Linked into a unit test, its functions replace the C library's in that program. As a preloaded library
 * (tests/crash) they do so in every process of a mail system: all share one block of memory, the file that
 * the environment's POSTRIDER_SHIM names. What is recorded is what a power cut must be worked out from
 * (disk.h): an event stands in the order in which calls were complete; a sync also has an event for its
 * beginning.
 *
 * A site is a place that changes files: who calls (the stack, or the process's role), which call, what kind
 * of file. A fault strikes at the n-th call that matches. Never: decide what is right after a fault.
 * Layer: tests.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <semaphore.h>

enum shim_call {
	SHIM_CREATE, /* open with O_CREAT */
	SHIM_WRITE,
	SHIM_SYNC_BEGIN,
	SHIM_SYNC, /* fsync, fdatasync; file 0: syncfs */
	SHIM_RENAME,
	SHIM_LINK,
	SHIM_UNLINK,
	SHIM_TRUNCATE,
	SHIM_ALLOCATE,
	SHIM_CALLS,
};
const char *shim_call_name(enum shim_call call);

enum shim_act {
	SHIM_ERROR,	   /* the call is not made, and gives the error */
	SHIM_ERROR_PARTLY, /* a write has written a part before it gives the error */
	SHIM_SHORT,	   /* a write writes a part, and says so */
	SHIM_STOP,	   /* nothing changes any file from here on */
	SHIM_TEAR,	   /* a write writes a part, then SHIM_STOP */
	SHIM_KILL,	   /* this process dies, the others live on */
	SHIM_TEAR_KILL,	   /* a write writes a part, then SHIM_KILL */
};

struct shim_fault {
	bool is_armed;	 /* calls that match are counted, and the at-th is struck */
	unsigned calls;	 /* bits 1 << enum shim_call; 0: all that can fail */
	uint64_t site;	 /* its key; 0: any */
	unsigned at, n;	 /* from the at-th on (0: none), how many are struck */
	bool then_stops; /* the call behind the last one that was struck is SHIM_STOP */
	enum shim_act act;
	int error;     /* errno */
	unsigned seed; /* which part of a write */
};

#define SHIM_NAME 96
#define SHIM_PHASES 3
#define SHIM_FRAMES 11
#define SHIM_SITES 1024
#define SHIM_EVENTS (1u << 17)
#define SHIM_BYTES ((size_t)3 << 29) /* address space; what is not touched takes no memory */

struct shim_site {
	_Atomic uint64_t key; /* 0: free */
	atomic_bool is_filled;
	enum shim_call call;
	char who[32], file[SHIM_NAME];
	void *frames[SHIM_FRAMES]; /* innermost first; linked form only */
	atomic_uint hits[SHIM_PHASES];
};

struct shim_event {
	atomic_bool is_complete;
	bool is_failed; /* SHIM_SYNC: what was not yet written is lost for good */
	enum shim_call call;
	uint64_t file; /* inode */
	uint64_t dir;  /* inode of the directory of name */
	uint64_t to_dir;
	uint64_t offset; /* SHIM_TRUNCATE: the new size; SHIM_CREATE: the file's mode */
	size_t n_bytes, bytes_at;
	size_t begin; /* SHIM_SYNC: index of its SHIM_SYNC_BEGIN */
	char name[SHIM_NAME], to[SHIM_NAME];
};

struct shim {
	/* What the test sets: */
	bool records;
	bool names_sites;
	bool skips_syncs; /* claims success; quick, where the test itself says what a sync covers */
	unsigned phase;
	struct shim_fault fault;
	sem_t *hold_sync; /* each fdatasync waits here before it is made; linked form only */
	char root[256];	  /* preloaded form: only files below it count, and not its log/ and run/ */
	char boot[256];	  /* preloaded form: the file that says which boot of the machine this is */
	/* What is found: */
	atomic_uint n_matched; /* calls that the fault's conditions name */
	atomic_uint n_struck;
	atomic_uint n_syncs_begun, n_syncs_done;
	atomic_bool is_stopped;
	atomic_size_t stopped_at; /* events before it happened */
	atomic_size_t n_events, bytes_used;
	struct shim_site sites[SHIM_SITES];
	struct shim_event events[SHIM_EVENTS];
	char bytes[SHIM_BYTES];
};
extern struct shim *shim; /* always there in the linked form */

void shim_reset(void); /* all of it, in the linked form */
void shim_clear(struct shim *s);
size_t shim_n_events(void);
/* A block of its own, shared with the children of this process. */
struct shim *shim_new_block(void);
/* The block of a file that is made when it is not there; NULL with errno. */
struct shim *shim_map_file(const char *path);
