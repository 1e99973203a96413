/* SPDX-License-Identifier: Apache-2.0 */
/* fields.c - see fields.h */
#include "base/fields.h"

void fields_put_number(struct buf *to, uint64_t value)
{
	char bytes[10];
	size_t n = 0;

	while (value >= 0x80) {
		bytes[n++] = (char)(unsigned char)(value | 0x80);
		value >>= 7;
	}
	bytes[n++] = (char)value;
	buf_append(to, (struct slice){ bytes, n });
}

void fields_put_string(struct buf *to, struct slice s)
{
	fields_put_number(to, s.len);
	buf_append(to, s);
}

uint64_t fields_number(struct fields *f, uint64_t max)
{
	uint64_t value = 0;

	for (unsigned shift = 0; !f->failed && f->rest.len > 0 && shift < 64; shift += 7) {
		unsigned char byte = (unsigned char)*f->rest.at;
		uint64_t part = (uint64_t)(byte & 0x7f) << shift;

		f->rest = slice_from(f->rest, 1);
		if (part >> shift != (byte & 0x7fU))
			break; /* bits beyond the 64th */
		value |= part;
		if (byte & 0x80)
			continue;
		if (value > max || (byte == 0 && shift > 0))
			break; /* out of range, or longer than need be: no writer does that */
		return value;
	}
	f->failed = true;
	return 0;
}

struct slice fields_string(struct fields *f, size_t max)
{
	size_t n = (size_t)fields_number(f, max);
	struct slice s;

	if (f->failed || n > f->rest.len) {
		f->failed = true;
		return SLICE_EMPTY;
	}
	s = slice_first(f->rest, n);
	f->rest = slice_from(f->rest, n);
	return s;
}
