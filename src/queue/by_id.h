/* SPDX-License-Identifier: Apache-2.0 */
/*
 * by_id.h - the messages of the queue by their ids: one pointer in each message
 *
 * What base/table does for any object, for those of which there are a million: no hash is kept beside the
 * pointer, the id is hashed again. Layer: queue. Tests: test_by_id.c.
 */
#pragma once
#include "queue/message.h"

struct by_id {
	struct message **buckets;
	size_t n_buckets; /* a power of two, or 0 before the first */
	size_t n;
};

void by_id_add(struct by_id *all, struct message *m);
void by_id_remove(struct by_id *all, struct message *m); /* it is there */
struct message *by_id_find(const struct by_id *all, uint64_t id);
