/* SPDX-License-Identifier: Apache-2.0 */
/* queue_id.c - see queue_id.h */
#include "mail/queue_id.h"
#include <assert.h>

#define NODE_DIGITS 2
#define NUMBER_DIGITS 13
static_assert(NODE_DIGITS + NUMBER_DIGITS == QUEUE_ID_LEN, "the text form is node, then number");
static_assert(QUEUE_ID_NUMBER_MAX >> (4 * NUMBER_DIGITS) == 0, "13 digits hold the number");

struct queue_id_text queue_id_format(uint64_t id)
{
	static const char digits[] = "0123456789ABCDEF";
	struct queue_id_text text;

	CHECK(id >> (4 * QUEUE_ID_LEN) == 0);
	for (size_t i = QUEUE_ID_LEN; i-- > 0; id >>= 4)
		text.at[i] = digits[id & 15];
	text.at[QUEUE_ID_LEN] = '\0';
	return text;
}

void queue_id_append(struct buf *out, uint64_t id)
{
	struct queue_id_text text = queue_id_format(id);

	buf_append(out, (struct slice){ text.at, QUEUE_ID_LEN });
}

bool queue_id_parse(struct slice text, uint64_t *id_out)
{
	uint64_t id = 0;

	if (text.len != QUEUE_ID_LEN)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = ascii_lower(text.at[i]);
		if (!ascii_is_digit(c) && (c < 'a' || c > 'f'))
			return false;
		id = id << 4 | (uint64_t)(ascii_is_digit(c) ? c - '0' : c - 'a' + 10);
	}
	*id_out = id;
	return true;
}
