/* SPDX-License-Identifier: Apache-2.0 */
/* spool_workload.c - everything that a spool does, three times over, and what it promised; see spool_driver.h
 */
#include "spool_driver.h"
#include "support/shim.h"

#define PER_PHASE 130

struct kit kit;

static void begin_op(uint64_t id, enum op op)
{
	book->promises[id].op = op;
	book->promises[id].op_number = ++book->n_ops;
}

/* Records reach the disk in the order of the calls: what came before an acknowledged one is there. */
static void keep_results_before(unsigned number)
{
	for (unsigned i = 0; i < book->n_results; i++)
		if (book->results[i].number < number)
			book->results[i].is_kept = true;
}

static void keep(struct promise *p)
{
	switch (p->op) {
	case OP_COMMIT: p->is_kept = true; break;
	case OP_EXPAND: p->is_expanded = true; break;
	case OP_RESULT: p->has_result = true; break;
	case OP_HOLD: p->is_held = true; break;
	case OP_REMOVE: p->is_gone = true; break;
	case OP_NONE: break;
	}
	keep_results_before(p->op_number);
}

static void note_answers(void)
{
	for (uint64_t id = 1; id < N_IDS; id++) {
		struct promise *p = &book->promises[id];
		if (p->op == OP_NONE || kit.messages[id].result == KIT_WAITING)
			continue;
		if (kit.messages[id].result == 0)
			keep(p);
		else
			book->n_refused++;
		p->op = OP_NONE;
	}
}

static void run(void)
{
	while (uv_run(&kit.loop, UV_RUN_ONCE))
		note_answers();
	note_answers();
}

static void accept_mail(uint64_t first, uint64_t n, uint64_t bytes)
{
	for (uint64_t id = first; id < first + n; id++) {
		book->promises[id].bytes = bytes + id;
		begin_op(id, OP_COMMIT);
		if (kit_begin(&kit, id, bytes + id, 2) < 0) {
			book->promises[id].op = OP_NONE;
			book->n_refused++;
		}
	}
	run();
}

static bool is_there(uint64_t id)
{
	return kit.messages[id].is_live;
}

static void expand(uint64_t id)
{
	if (!is_there(id))
		return;
	begin_op(id, OP_EXPAND);
	kit_expand(&kit, id, 0, 3);
	run();
}

static void result_that_waits(uint64_t id)
{
	if (!is_there(id))
		return;
	begin_op(id, OP_RESULT);
	kit_result(&kit, id, 1, SPOOL_RCPT_DELIVERED, true);
	run();
}

static void result_that_nobody_awaits(uint64_t id)
{
	struct result *r = &book->results[book->n_results];

	if (!is_there(id) || book->n_results == N_RESULTS)
		return;
	kit_result(&kit, id, 0, SPOOL_RCPT_PENDING, false);
	*r = (struct result){ id, ++book->n_ops, kit.messages[id].rcpts[0].progress.attempts, false };
	book->n_results++;
}

static void changed(void *user, int result)
{
	struct kit_message *m = user;

	m->result = result;
	if (result == 0)
		m->flags = SPOOL_FLAG_HELD;
}

static void hold(uint64_t id)
{
	struct kit_message *m = &kit.messages[id];

	if (!is_there(id))
		return;
	begin_op(id, OP_HOLD);
	m->result = KIT_WAITING;
	spool_set_flags(kit.sp, &m->entry, SPOOL_FLAG_HELD, changed, m);
	run();
}

static void raised(void *user, int result)
{
	if (result == 0)
		book->high_water = *(uint64_t *)user;
	else
		book->n_refused++;
}

static void raise_high_water(uint64_t to)
{
	static uint64_t value;

	value = to;
	spool_update_id_high_water(kit.sp, value, raised, &value);
	run();
}

static void remove_mail(uint64_t id)
{
	if (!is_there(id))
		return;
	book->promises[id].is_remove_asked = true;
	begin_op(id, OP_REMOVE);
	kit_remove(&kit, id);
	run();
}

static void idle(int times)
{
	for (; times; times--)
		kit_run_idle(&kit);
	note_answers();
}

/* A disk that fails for a while: opening is tried until it works. */
static void open_spool(void)
{
	for (int tries = 0; kit_try_open(&kit) < 0; tries++) {
		book->n_refused++;
		assert_true(tries < 100);
		kit_forget(&kit);
	}
	kit_load(&kit);
}

/* Everything that a spool does, with new ids from first on. */
static void one_phase(uint64_t first)
{
	open_spool();
	accept_mail(first, 4, 500);
	accept_mail(first + 4, 2, 40000); /* body files */
	expand(first);
	result_that_nobody_awaits(first + 1);
	result_that_waits(first + 2);
	hold(first + 3);
	raise_high_water(10000 + first);
	accept_mail(first + 6, 6, 9000); /* more than one segment */
	result_that_nobody_awaits(first + 2);
	remove_mail(first + 4);
	for (uint64_t id = first + 6; id < first + 12; id++)
		remove_mail(id);
	for (uint64_t id = first + 12; id < first + 61; id += 7) { /* until the oldest is emptied */
		accept_mail(id, 7, 8000);
		result_that_nobody_awaits(first + 1);
		for (uint64_t gone = id; gone < id + 6; gone++)
			remove_mail(gone);
		idle(1);
	}
	accept_mail(first + 70, 50, 9000); /* many segments, all free at once: more than are kept for use */
	for (uint64_t id = first + 70; id < first + 120; id++)
		remove_mail(id);
	idle(12);
	kit_close(&kit);
	kit_forget(&kit);
	open_spool(); /* and what an opening does to a log that is there */
	kit_close(&kit);
	kit_forget(&kit);
}

void workload(void)
{
	for (unsigned phase = 0; phase < SHIM_PHASES; phase++) {
		shim->phase = phase;
		one_phase(1 + (uint64_t)phase * PER_PHASE);
	}
}
