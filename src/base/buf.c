/* SPDX-License-Identifier: Apache-2.0 */
/* buf.c - bytes that grow up to a ceiling; see buf.h */
#include "base/buf.h"

void buf_free(struct buf *b)
{
	free(b->at);
	*b = BUF_INIT(b->max);
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

char *buf_reserve(struct buf *b, size_t n)
{
	size_t need, cap;
	char *grown;

	if (b->failed || __builtin_add_overflow(b->len, n, &need) || need > b->max) {
		b->failed = true;
		return NULL;
	}
	if (need <= b->cap && b->at)
		return b->at + b->len;
	cap = MAX(b->cap * 2, (size_t)64);
	cap = MIN(MAX(cap, need), MAX(b->max, (size_t)1));
	grown = realloc(b->at, cap);
	if (!grown) {
		b->failed = true;
		return NULL;
	}
	b->at = grown;
	b->cap = cap;
	return b->at + b->len;
}

void buf_grew(struct buf *b, size_t n)
{
	CHECK(n <= b->cap - b->len);
	b->len += n;
}

void buf_append(struct buf *b, struct slice s)
{
	char *room = buf_reserve(b, s.len);

	if (room && s.len) {
		memcpy(room, s.at, s.len);
		b->len += s.len;
	}
}

void buf_append_str(struct buf *b, const char *s)
{
	buf_append(b, slice_of(s));
}

void buf_append_byte(struct buf *b, char c)
{
	buf_append(b, (struct slice){ &c, 1 });
}

void buf_vprintf(struct buf *b, const char *fmt, va_list args)
{
	char small[512];
	va_list again;
	int n;

	va_copy(again, args);
	n = vsnprintf(small, sizeof(small), fmt, args);
	if (n < 0) {
		b->failed = true;
	} else if ((size_t)n < sizeof(small)) {
		buf_append(b, (struct slice){ small, (size_t)n });
	} else {
		auto_free char *large = mem_new((size_t)n + 1);
		(void)vsnprintf(large, (size_t)n + 1, fmt, again); /* same arguments, same length */
		buf_append(b, (struct slice){ large, (size_t)n });
	}
	va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	buf_vprintf(b, fmt, args);
	va_end(args);
}

void buf_drop_front(struct buf *b, size_t n)
{
	CHECK(n <= b->len);
	if (n == 0)
		return;
	b->len -= n;
	memmove(b->at, b->at + n, b->len);
}

const char *buf_cstr(struct buf *b)
{
	char *room = buf_reserve(b, 1);

	if (!room)
		return NULL;
	*room = '\0';
	return b->at;
}

struct buf buf_take(struct buf *b)
{
	struct buf taken = *b;

	*b = BUF_INIT(b->max);
	return taken;
}
