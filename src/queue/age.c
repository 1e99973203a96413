/* SPDX-License-Identifier: Apache-2.0 */
/*
 * age.c - how old is too old, when the next attempt comes, and what a clock that jumps may do to either; see
 * core.h
 *
 * Ages are counted on the monotonic clock. Times of the next attempt are those of a clock that goes on evenly
 * from the process's start: a jump of the wall clock moves it away from them, and they are told to people and
 * to the disk with that jump added. Of mail of an earlier process only the wall clock knows the age: it
 * returns nothing before two attempts, some time apart, have failed in this process too.
 * Tests: test_clock.c, test_reports.c.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "mail/date.h"
#include "queue/core.h"
#include <sys/random.h>

#define MIN_ATTEMPTS_TO_EXPIRE 3 /* age alone returns nothing: a host that slept has tried nothing */
#define JUMP_US 10000000	 /* less is a clock that is set right little by little */
#define RECHECK_S 60

static struct {
	uint64_t started_ms, started_wall_us; /* the same moment */
	int64_t jumped_us;		      /* of the wall clock since */
} clocks;

/* ---- clocks ---- */

void age_init(void)
{
	clocks.started_ms = clock_mono_ms();
	clocks.started_wall_us = clock_wall_us();
}

uint64_t queue_now_us(void)
{
	return clocks.started_wall_us + (clock_mono_ms() - clocks.started_ms) * 1000;
}

uint64_t queue_wall_of(uint64_t us)
{
	return us + (uint64_t)clocks.jumped_us;
}

void age_check_clock(void)
{
	auto_buf struct buf text = BUF_INIT(100);
	int64_t jumped_us = (int64_t)(clock_wall_us() - queue_wall_of(queue_now_us()));

	if (jumped_us <= JUMP_US && jumped_us >= -JUMP_US) {
		clocks.started_wall_us += (uint64_t)jumped_us;
		return;
	}
	clocks.jumped_us += jumped_us;
	date_append_duration(&text, ((uint64_t)llabs(jumped_us) + 500000) / 1000000);
	log_info("the clock jumped %s by %s; times of retries move with it",
		jumped_us > 0 ? "forward" : "back", buf_cstr(&text));
}

/* ---- retries ---- */

uint32_t queue_dice(void)
{
	uint32_t dice = 0;

	(void)!getrandom(&dice, sizeof(dice), GRND_NONBLOCK); /* without randomness there is no jitter */
	return dice;
}

static uint64_t lifetime_s(const struct message *m)
{
	const struct config *c = queue.rp->config;

	return message_reverse_path(m).len ? c->queue_lifetime : c->queue_bounce_lifetime;
}

static uint64_t shorter_lifetime_s(const struct message *m, enum lifetime which)
{
	uint64_t misconfigured_s = queue.rp->config->queue_misconfigured_lifetime;

	return which == LIFETIME_MISCONFIGURED ? MIN(misconfigured_s, lifetime_s(m)) : lifetime_s(m);
}

/* Exponential, with a tenth of jitter so that what failed together does not come back together; never longer
 * than the mail would wait by itself at its age, so that attempts asked for by hand put nothing off. What
 * seems too old is soon tried again, to be sure. */
uint64_t age_retry_delay_us(const struct message *m, const struct recipient *r)
{
	const struct config *c = queue.rp->config;
	uint64_t delay_s = c->queue_retry_min;
	uint32_t attempts = message_age_s(m) > lifetime_s(m) ? 1 : r->attempts;

	for (uint32_t i = 1; i < attempts && delay_s < c->queue_retry_max; i++)
		delay_s *= 2;
	delay_s = MIN(delay_s, MIN(c->queue_retry_max, c->queue_retry_min + message_age_s(m)));
	return delay_s * 1000000 - delay_s * (queue_dice() % 100000);
}

/* ---- the end ---- */

/* Attempts of its destination count: that nobody answers there is no attempt of this mail alone. */
static uint32_t attempts_of(const struct recipient *r)
{
	return r->attempts + (r->waits_for ? destination_probes(r->waits_for) : 0);
}

static bool is_age_sure(const struct message *m, const struct recipient *r, uint64_t before_us)
{
	uint64_t up_s = (clock_mono_ms() - clocks.started_ms) / 1000;
	bool was_tried_here = before_us >= queue_wall_of(clocks.started_wall_us) ||
		(r->waits_for && destination_probes(r->waits_for) > 1);

	return !m->was_recovered || (was_tried_here && up_s >= 2 * queue.rp->config->queue_retry_min);
}

static void end(struct message *m, struct recipient *r, const char *status, struct slice reason)
{
	recipient_set_outcome(r, slice_of(status), reason, r->remote);
	queue.n_bounced++;
	report_log(m, r, "expired", "returned to sender");
	r->waits_for = 0;
	recipient_stage(m, r, STAGE_FAILED);
}

static void expire(struct message *m, struct recipient *r, const char *status)
{
	auto_buf struct buf reason = BUF_INIT(2 * LIMIT_REASON);
	uint32_t attempts = attempts_of(r);

	buf_printf(&reason, "gave up after %u attempt%s in ", attempts, attempts == 1 ? "" : "s");
	date_append_duration(&reason, message_age_s(m));
	buf_printf(&reason, ": %.*s", SLICE_ARG(r->reason));
	end(m, r, status, buf_slice(&reason));
}

void age_give_up(struct message *m, struct recipient *r)
{
	auto_buf struct buf reason = BUF_INIT(2 * LIMIT_REASON);

	buf_printf(&reason, "returned by the administrator%s%.*s",
		r->reason.len ? "; the last attempt: " : "", SLICE_ARG(r->reason));
	end(m, r, "5.0.0", buf_slice(&reason));
}

bool age_expire(struct message *m, struct recipient *r, uint64_t before_us, enum lifetime which)
{
	bool is_too_old = attempts_of(r) >= MIN_ATTEMPTS_TO_EXPIRE &&
		message_age_s(m) > shorter_lifetime_s(m, which) && is_age_sure(m, r, before_us);

	if (!is_too_old && !(m->flags & MESSAGE_EXPIRE))
		return false;
	expire(m, r, which == LIFETIME_MISCONFIGURED ? "5.3.5" : "5.4.7");
	return true;
}

/* ---- the delay warning ---- */

static uint64_t warning_s(uint32_t progress_flags)
{
	uint64_t delay_s = queue.rp->config->queue_delay_warning;

	return delay_s && !(progress_flags & PROGRESS_DELAY_TOLD) ? delay_s : UINT64_MAX;
}

uint64_t age_next_event_us(const struct message *m, const struct recipient_view *v)
{
	uint64_t age_s = message_age_s(m);
	uint64_t at_s = MIN(warning_s(v->spool.progress.flags), lifetime_s(m)) + 1;

	return (at_s > age_s ? at_s - age_s : RECHECK_S) * 1000000;
}
