/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity.h - which delivery a recipient is, once it is resolved: the same one is made once
 *
 * A user's mailbox is one delivery, by whatever addresses it was reached; elsewhere the address, the item and
 * the way there count. Only a live message with several recipients has a table of them. Layer: queue, for
 * message.c; others resolve by message.h. Tests: test_message.c, test_frozen.c.
 */
#pragma once
#include "queue/message.h"

/* r, whose leaf is set, is one of those that later ones are compared with. */
void identity_enter(struct live *live, struct recipient *r);
void identity_leave(struct live *live, struct recipient *r); /* does nothing when it is none */
