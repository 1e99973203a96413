/* SPDX-License-Identifier: Apache-2.0 */
/* trail.c - see trail.h */
#include "local/trail.h"
#include "mail/header.h"

bool trail_next(struct slice *trail, struct slice *address_out)
{
	struct slice line;

	do {
		if (!slice_next_line(trail, &line))
			return false;
		line = slice_first(line, slice_find(line, '\t'));
	} while (line.len == 0);
	*address_out = line;
	return true;
}

struct slice trail_delivered_to(struct slice trail, struct slice forward_path)
{
	struct slice address;

	return trail_next(&trail, &address) ? address : forward_path;
}

size_t trail_length(struct slice trail)
{
	struct slice address;
	size_t n = 0;

	while (trail_next(&trail, &address))
		n++;
	return n;
}

static bool is_same_domain(const struct config *c, struct slice a, struct slice b)
{
	return slice_eq_nocase(a, b) || (config_is_local_domain(c, a) && config_is_local_domain(c, b));
}

static bool is_same_address(const struct config *c, struct slice a, struct slice b)
{
	size_t at_a = slice_rfind(a, '@'), at_b = slice_rfind(b, '@');

	if (!slice_eq_nocase(slice_first(a, at_a), slice_first(b, at_b)))
		return false;
	return is_same_domain(c, slice_from(a, at_a + 1), slice_from(b, at_b + 1));
}

bool trail_is_loop(const struct config *c, struct slice content, struct slice delivered_to)
{
	struct header_field field;

	while (header_find(&content, SLICE("Delivered-To"), &field))
		if (is_same_address(c, field.value, delivered_to))
			return true;
	return false;
}
