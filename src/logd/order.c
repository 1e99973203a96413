/* SPDX-License-Identifier: Apache-2.0 */
/* order.c - see order.h */
#include "logd/order.h"

/* Lines of one microsecond stay in the order of their coming, unless this number ends between them. */
#define SAME_TIME 1024

static size_t bytes_of(const struct order_line *line)
{
	return sizeof(*line) + line->text.len;
}

bool order_put(struct order *o, const struct order_line *line, uint64_t now_us)
{
	struct order_line *kept;
	char *text;

	if (bytes_of(line) > o->max_bytes - MIN(o->bytes, o->max_bytes))
		return false;
	kept = mem_new(bytes_of(line));
	text = (char *)(kept + 1);
	*kept = *line;
	kept->node = (struct heap_node){ 0 };
	if (line->text.len)
		memcpy(text, line->text.at, line->text.len);
	kept->text.at = text;
	o->bytes += bytes_of(kept);
	heap_insert(&o->lines, &kept->node, MIN(line->wall_us, now_us) * SAME_TIME + o->n_put++ % SAME_TIME);
	return true;
}

struct order_line *order_take(struct order *o, uint64_t until_us)
{
	struct heap_node *first = heap_min(&o->lines);
	struct order_line *line;

	if (!first || first->key / SAME_TIME > until_us)
		return NULL;
	heap_remove(&o->lines, first);
	line = CONTAINER_OF(first, struct order_line, node);
	o->bytes -= bytes_of(line);
	return line;
}
