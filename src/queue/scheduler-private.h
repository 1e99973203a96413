/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scheduler-private.h - between scheduler.c, which says what goes next, and job.c, which carries it out
 *
 * Layer: queue, for these two alone.
 */
#pragma once
#include "queue/destination.h"

/* Gives v to the process behind ch. Takes v. */
void job_start(struct channel *ch, struct delivery *v, enum message_priority level);
/* A job of d has ended: another may go. */
void scheduler_job_ended(struct destination *d);
/* r, whose attempt was counted, waits until a host of d answers. */
void scheduler_wait_for(struct message *m, struct recipient *r, struct destination *d);
/* d has shown that it lives. */
void scheduler_is_alive(struct destination *d);
