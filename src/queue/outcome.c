/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outcome.c - what became of a recipient: delivered, failed, to be tried again; counted, logged, recorded;
 * see core.h
 *
 * A result is not waited for: it rides with the next commit. What has to be told before it is recorded is at
 * STAGE_FAILED or STAGE_REPORTING until report.c has told it. Tests: test_role.c, test_reports.c.
 */
#include "base/clock.h"
#include "queue/core.h"

void recipient_record(struct message *m, struct recipient *r)
{
	struct spool_progress p;

	bool is_last = message_n_open(m) == 0;

	if ((is_last && !m->has_drop_file) || m->is_deleted || queue.is_stopping)
		return; /* the removal of the whole message says it */
	recipient_progress(r, &p);
	p.next_attempt_us = queue_wall_of(p.next_attempt_us);
	spool_record_result(queue.spool, &m->entry, (uint32_t)(r - m->rcpts), &p, NULL, NULL);
}

void recipient_finish(struct message *m, struct recipient *r, enum spool_rcpt_state state)
{
	r->state = state;
	recipient_stage(m, r, STAGE_DONE);
	recipient_record(m, r);
}

static void count_attempt(struct recipient *r)
{
	uint64_t now = clock_wall_us();

	r->attempts++;
	r->last_attempt_us = now;
	if (!r->first_attempt_us)
		r->first_attempt_us = now;
}

void recipient_delivered(struct message *m, struct recipient *r, enum job_outcome how)
{
	count_attempt(r);
	queue.n_delivered++;
	report_log(m, r, "sent", NULL);
	if (!report_success(m, r, how))
		recipient_finish(m, r, SPOOL_RCPT_DELIVERED);
}

void recipient_failed(struct message *m, struct recipient *r)
{
	count_attempt(r);
	queue.n_bounced++;
	report_log(m, r, "bounced", NULL);
	recipient_stage(m, r, STAGE_FAILED);
}

void recipient_postponed(struct message *m, struct recipient *r)
{
	r->next_attempt_us = queue_now_us() + age_retry_delay_us(m, r);
	r->waits_for = 0;
	recipient_stage(m, r, STAGE_WAITING);
	recipient_record(m, r);
}

static void deferred(struct message *m, struct recipient *r, enum lifetime which)
{
	uint64_t before_us = r->last_attempt_us;

	count_attempt(r);
	queue.n_deferred++;
	report_log(m, r, "deferred", NULL);
	if (!m->is_deleted && age_expire(m, r, before_us, which))
		return;
	recipient_postponed(m, r);
}

void recipient_deferred(struct message *m, struct recipient *r)
{
	deferred(m, r, LIFETIME_ORDINARY);
}

void recipient_misconfigured(struct message *m, struct recipient *r)
{
	deferred(m, r, LIFETIME_MISCONFIGURED);
}
