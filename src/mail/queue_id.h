/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_id.h - queue ids: 8-bit node and 52-bit number in one integer, 15 upper-case hexadecimal digits as
 * text
 *
 * Never reused; 0 is no id. Layer: mail. Tests: test_queue_id.c.
 */
#pragma once
#include "base/buf.h"

#define QUEUE_ID_LEN 15
#define QUEUE_ID_EPOCH_S                                                                                     \
	UINT64_C(1577836800) /* 2020-01-01: numbers follow the clock in microseconds from here */
#define QUEUE_ID_NUMBER_MAX ((UINT64_C(1) << 52) - 1)

static inline uint64_t queue_id_make(uint8_t node, uint64_t number)
{
	return (uint64_t)node << 52 | (number & QUEUE_ID_NUMBER_MAX);
}
static inline uint8_t queue_id_node(uint64_t id)
{
	return (uint8_t)(id >> 52);
}
static inline uint64_t queue_id_number(uint64_t id)
{
	return id & QUEUE_ID_NUMBER_MAX;
}
struct queue_id_text {
	char at[QUEUE_ID_LEN + 1];
};
struct queue_id_text queue_id_format(uint64_t id); /* .at ends with NUL, for printf */
void queue_id_append(struct buf *out, uint64_t id);
/* Exactly 15 hexadecimal digits, either case. */
MUST_USE bool queue_id_parse(struct slice text, uint64_t *id_out);
