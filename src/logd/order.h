/* SPDX-License-Identifier: Apache-2.0 */
/*
 * order.h - lines of several processes in the order in which things happened
 *
 * Each process sends its lines together, up to LATER_MS late (ipc/channel.c): what smtpd said of a mail may
 * come after what queue said of it, and log analysers want it before. So every line waits for ORDER_US and is
 * then taken by its time. Pure: knows no clock. Layer: role (logd). Tests: test_order.c.
 */
#pragma once
#include "base/heap.h"
#include "base/slice.h"

#define ORDER_US 25000

struct order_line {
	struct heap_node node;
	uint64_t wall_us;
	uint8_t level;	 /* enum log_level; of whom we do not trust */
	const char *tag; /* lives on */
	uint32_t pid;
	struct slice text;
};
struct order {
	struct heap lines;
	size_t bytes, max_bytes;
	uint64_t n_put;
};

/* Copies line. now_us: times to come are taken for it. False: there is no room. */
MUST_USE bool order_put(struct order *o, const struct order_line *line, uint64_t now_us);
/* The oldest line when it is that old; the caller's to mem_free. NULL: there is none. */
struct order_line *order_take(struct order *o, uint64_t until_us);
