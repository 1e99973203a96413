/* SPDX-License-Identifier: Apache-2.0 */
/* spool_judge.c - is everything there that was promised, whole, and nothing that was removed? see
 * spool_driver.h
 */
#include "spool_driver.h"

static struct kit after;
static char *verdict; /* where the complaint goes */

#define COMPLAIN(...)                                                                                        \
	do {                                                                                                 \
		(void)snprintf(verdict, VERDICT, __VA_ARGS__);                                               \
		return false;                                                                                \
	} while (0)

static bool content_is_right(uint64_t id, uint64_t bytes)
{
	static char want[65536];
	struct buf got = BUF_INIT(sizeof(want));
	bool is_right = true;

	for (uint64_t at = 0; is_right && at < bytes; at += got.len) {
		buf_clear(&got);
		is_right = spool_content_read(after.sp, &after.messages[id].entry, at, sizeof(want), &got) ==
				0 &&
			got.len > 0;
		if (!is_right)
			break;
		kit_fill(id, at, got.len, want);
		is_right = memcmp(got.at, want, got.len) == 0;
	}
	buf_free(&got);
	return is_right;
}

static bool message_is_right(uint64_t id)
{
	const struct promise *p = &book->promises[id];
	const struct kit_message *m = &after.messages[id];

	if (p->is_kept && !p->is_remove_asked && !m->is_live)
		COMPLAIN("message %" PRIu64 " was acknowledged and is gone", id);
	if (p->is_gone && m->is_live)
		COMPLAIN("message %" PRIu64 " was removed and is back", id);
	if (!m->is_live)
		return true;
	if (m->bytes != p->bytes || !content_is_right(id, p->bytes))
		COMPLAIN("message %" PRIu64 " is damaged", id);
	if (p->is_expanded && (m->n_rcpts != 5 || m->rcpts[0].progress.state != SPOOL_RCPT_EXPANDED))
		COMPLAIN("message %" PRIu64 ": its expansion was acknowledged and is gone", id);
	if (m->n_rcpts != 2 && m->n_rcpts != 5)
		COMPLAIN("message %" PRIu64 " has %zu recipients", id, m->n_rcpts);
	if (p->has_result && m->rcpts[1].progress.state != SPOOL_RCPT_DELIVERED)
		COMPLAIN("message %" PRIu64 ": its result was acknowledged and is gone", id);
	if (p->is_held && !(m->flags & SPOOL_FLAG_HELD))
		COMPLAIN("message %" PRIu64 ": it was held and is not", id);
	return true;
}

static bool results_are_right(void)
{
	for (unsigned i = 0; i < book->n_results; i++) {
		const struct result *r = &book->results[i];
		const struct kit_message *m = &after.messages[r->id];
		if (r->is_kept && m->is_live && m->rcpts[0].progress.attempts < r->attempts)
			COMPLAIN("message %" PRIu64 ": a result that others followed is gone", r->id);
	}
	return true;
}

static bool all_is_right(void)
{
	for (unsigned kind = 0; kit_n_problems(&after) && kind < ARRAY_LEN(after.problems); kind++)
		if (after.problems[kind] && kind != SPOOL_PROBLEM_TORN && kind != SPOOL_PROBLEM_ORPHAN)
			COMPLAIN("opening reports: %s", spool_problem_text((enum spool_problem_kind)kind));
	for (uint64_t id = 1; id < N_IDS; id++)
		if (!message_is_right(id))
			return false;
	if (spool_id_high_water(after.sp) < book->high_water)
		COMPLAIN("ids may be used a second time");
	return results_are_right();
}

/* What lives, and in which state, as one number. */
static uint64_t fingerprint(void)
{
	uint64_t h = 1;

	for (uint64_t id = 1; id < N_IDS; id++) {
		const struct kit_message *m = &after.messages[id];
		for (size_t i = 0; m->is_live && i < m->n_rcpts; i++)
			h = h * UINT64_C(0x9E3779B97F4A7C15) + id * 64 + m->rcpts[i].progress.state * 16 +
				m->rcpts[i].progress.attempts + m->flags;
	}
	return h;
}

static bool judge_open(void)
{
	uint64_t first;

	after.set = kit.set;
	if (kit_try_open(&after) < 0)
		COMPLAIN("it cannot be opened");
	kit_load(&after);
	if (!all_is_right())
		return false;
	first = fingerprint();
	kit_reopen(&after);
	if (fingerprint() != first)
		COMPLAIN("a second opening does not give the same");
	if (!all_is_right())
		return false;
	kit_commit(&after, N_IDS + 1, 3000, 1);
	kit_reopen(&after);
	if (!after.messages[N_IDS + 1].is_live || !all_is_right())
		COMPLAIN("it does not go on: %.300s", "a message taken after the fault is gone");
	kit_close(&after);
	return true;
}

bool judge_dir(const char *dir, char verdict_out[VERDICT])
{
	verdict = verdict_out;
	memset(&after, 0, sizeof(after));
	(void)snprintf(after.dir, sizeof(after.dir), "%s", dir);
	return judge_open();
}
