/* SPDX-License-Identifier: Apache-2.0 */
/* trail.c - see trail.h */
#include "mail/trail.h"

bool trail_next(struct slice *trail, struct trail_step *step_out)
{
	struct trail_step step;
	struct slice line;

	do {
		if (!slice_next_line(trail, &line))
			return false;
		step = (struct trail_step){ .user = line };
		if (!slice_cut(&step.user, '\t', &step.address))
			step = (struct trail_step){ .address = line, .user = SLICE_EMPTY };
	} while (step.address.len == 0);
	*step_out = step;
	return true;
}

struct slice trail_delivered_to(struct slice trail, struct slice forward_path)
{
	struct trail_step first;

	return trail_next(&trail, &first) ? first.address : forward_path;
}

size_t trail_length(struct slice trail)
{
	struct trail_step step;
	size_t n = 0;

	while (trail_next(&trail, &step))
		n++;
	return n;
}

bool trail_has_user(struct slice trail, struct slice user)
{
	struct trail_step step;

	while (trail_next(&trail, &step))
		if (step.user.len && slice_eq(step.user, user))
			return true;
	return false;
}

static void append_step(struct slice address, struct slice user, struct buf *out)
{
	buf_append(out, address);
	if (user.len) {
		buf_append_byte(out, '\t');
		buf_append(out, user);
	}
}

void trail_append_forward(struct slice trail, struct slice user, struct slice address, struct buf *out)
{
	struct trail_step step;
	bool is_first = true;

	buf_append(out, address);
	while (trail_next(&trail, &step)) {
		if (!is_first || address.len)
			buf_append_byte(out, '\n');
		append_step(step.address, is_first ? user : step.user, out);
		is_first = false;
	}
}
