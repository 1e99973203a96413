/* SPDX-License-Identifier: Apache-2.0 */
/* pieces.c - see pieces.h */
#include "mailx/pieces.h"
#include "base/crc32c.h"
#include "base/file.h"

#define COPY_CHUNK ((size_t)1 << 20) /* few system calls, little memory */

static struct piece *pieces_add(struct pieces *p)
{
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 64;
		struct piece *at = mem_new_array(cap, sizeof(*at));
		if (p->n)
			memcpy(at, p->at, p->n * sizeof(*at));
		mem_free(p->at);
		p->at = at;
		p->cap = cap;
	}
	return &p->at[p->n++];
}

void pieces_add_range(struct pieces *p, uint64_t offset, uint64_t size)
{
	struct piece *last = p->n ? &p->at[p->n - 1] : NULL;

	if (size == 0)
		return;
	if (last && !last->literal && last->offset + last->size == offset)
		last->size += size;
	else
		*pieces_add(p) = (struct piece){ .offset = offset, .size = size };
}

void pieces_add_literal(struct pieces *p, struct slice bytes)
{
	if (bytes.len)
		*pieces_add(p) = (struct piece){ .literal = slice_dup(bytes), .size = bytes.len };
}

uint64_t pieces_size(const struct pieces *p)
{
	uint64_t size = 0;

	for (size_t i = 0; i < p->n; i++)
		size += p->at[i].size;
	return size;
}

uint64_t pieces_trim_unchanged(struct pieces *p)
{
	uint64_t size;

	if (p->n == 0 || p->at[0].literal || p->at[0].offset != 0)
		return 0;
	size = p->at[0].size;
	p->n--;
	memmove(p->at, p->at + 1, p->n * sizeof(*p->at));
	return size;
}

struct piece_writer {
	int to;
	uint64_t offset;
	uint32_t crc;
};

static int piece_put(struct piece_writer *w, struct slice bytes)
{
	int r = file_pwrite_all(w->to, bytes, w->offset);

	w->offset += bytes.len;
	w->crc = crc32c(w->crc, bytes);
	return r;
}

static int piece_copy(struct piece_writer *w, const struct piece *piece, int from, char *chunk)
{
	for (uint64_t done = 0; done < piece->size;) {
		size_t n = (size_t)MIN((uint64_t)COPY_CHUNK, piece->size - done);
		int r = file_pread_all(from, chunk, n, piece->offset + done);
		if (r == 0)
			r = piece_put(w, (struct slice){ chunk, n });
		if (r < 0)
			return r;
		done += n;
	}
	return 0;
}

int pieces_write(const struct pieces *p, int from, int to, uint64_t offset, uint32_t *crc_out)
{
	auto_free char *chunk = mem_new(COPY_CHUNK);
	struct piece_writer w = { .to = to, .offset = offset };

	for (size_t i = 0; i < p->n; i++) {
		const struct piece *piece = &p->at[i];
		int r = piece->literal ? piece_put(&w, (struct slice){ piece->literal, piece->size })
				       : piece_copy(&w, piece, from, chunk);
		if (r < 0)
			return r;
	}
	*crc_out = w.crc;
	return 0;
}

void pieces_free(struct pieces *p)
{
	for (size_t i = 0; i < p->n; i++)
		mem_free(p->at[i].literal);
	mem_free(p->at);
	*p = PIECES_INIT;
}
