/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frozen.h - the packed bytes of a message: who writes and reads them; for message.c alone
 *
 * Envelope, then recipients. Numbers and strings as in base/fields.h; what is absent or as usual takes no
 * byte. Texts that many messages share (who handed it in; status, reason and remote host of the last attempt)
 * are interned, and the bytes hold a counted reference. Never on disk: the spool has its own format.
 * Layer: queue. Tests: test_frozen.c.
 */
#pragma once
#include "queue/message.h"

extern struct slabs message_slabs; /* messages and their packed bytes */
extern struct interner message_texts;

/* References are made by these, and owned by whoever keeps the bytes. */
MUST_USE bool frozen_put_envelope(struct buf *to, const struct spool_envelope *env);
void frozen_put_recipient(
	struct buf *to, uint64_t arrival_us, uint32_t number, const struct recipient_view *v);
/* Lets go of the reference in an envelope's bytes. */
void frozen_envelope_unref(const struct message *m);
void recipient_to_view(const struct recipient *r, struct recipient_view *out);
/* What all of the last attempt's texts are kept as; NULL when they are empty. False: no memory. */
MUST_USE bool outcome_new(
	struct slice status, struct slice reason, struct slice remote, struct interned **outcome_out);
void outcome_texts(
	const struct interned *o, struct slice *status, struct slice *reason, struct slice *remote);
