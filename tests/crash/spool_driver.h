/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_driver.h - what the parts of the crash driver of src/spool share: what was promised by a workload,
 * and the judge of what a fault leaves of it
 *
 * The workload runs in a process of its own, which the fault may end; the book is in memory that both share.
 * Layer: tests.
 */
#pragma once
#include "spool/test_kit.h"

#define N_IDS 400
#define N_RESULTS 256
#define VERDICT 400

enum op { OP_NONE, OP_COMMIT, OP_EXPAND, OP_RESULT, OP_HOLD, OP_REMOVE };
struct promise {
	uint64_t bytes;
	enum op op; /* under way */
	unsigned op_number;
	bool is_kept, is_expanded, has_result, is_held, is_remove_asked, is_gone;
};
struct result { /* of a recipient, nobody waits for it */
	uint64_t id;
	unsigned number;
	uint32_t attempts;
	bool is_kept;
};
struct book {
	struct promise promises[N_IDS];
	struct result results[N_RESULTS];
	unsigned n_results, n_ops;
	uint64_t high_water;
	unsigned n_refused;
};
extern struct book *book;
extern struct kit kit; /* the workload's */

/* ---- spool_workload.c ---- */
/* Three phases (shim->phase), each of which does everything that a spool does. */
void workload(void);

/* ---- spool_judge.c ---- */
/* Opens the spool in dir, twice, and has it take mail. False: verdict says what was promised and is not
 * there. */
bool judge_dir(const char *dir, char verdict[VERDICT]);
