/* SPDX-License-Identifier: Apache-2.0 */
/* format.c - headers of segments, batches, records and checkpoints; see format.h, fields are in
 * format_fields.c */
#include "spool/format.h"
#include "base/crc32c.h"

static const char segment_magic[8] = { 'P', 'R', 'S', 'P', 'L', 'S', 'E', 'G' };
static const char checkpoint_magic[8] = { 'P', 'R', 'S', 'P', 'L', 'C', 'K', 'P' };
static const char slice_magic[8] = { 'P', 'R', 'S', 'P', 'L', 'S', 'L', 'I' };
static const char batch_magic[8] = { 'P', 'R', 'S', 'P', 'L', 'B', 'A', 'T' };

static void put(char *to, uint64_t value, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i++)
		to[i] = (char)(unsigned char)(value >> (8 * i));
}

static uint64_t get(const char *from, size_t n_bytes)
{
	uint64_t value = 0;

	for (size_t i = n_bytes; i-- > 0;)
		value = value << 8 | (unsigned char)from[i];
	return value;
}

/* Magic, checksum of everything behind the checksum, version: how segment, batch and checkpoint headers
 * begin. */
static void seal(char *header, size_t n, const char magic[8])
{
	memcpy(header, magic, 8);
	put(header + 12, FORMAT_VERSION, 2);
	put(header + 8, crc32c(0, (struct slice){ header + 12, n - 12 }), 4);
}

static enum format_outcome unseal(const char *header, size_t n, const char magic[8])
{
	if (memcmp(header, magic, 8) != 0)
		return FORMAT_BAD;
	if (get(header + 8, 4) != crc32c(0, (struct slice){ header + 12, n - 12 }))
		return FORMAT_BAD;
	return get(header + 12, 2) == FORMAT_VERSION ? FORMAT_OK : FORMAT_NEWER;
}

/* Bytes that this version does not use: a header in which they are not zero is not of it. */
static bool is_zero(const char *at, size_t n)
{
	return get(at, n) == 0;
}

void format_segment_encode(const struct format_segment *s, char to[FORMAT_SEGMENT_HEADER])
{
	memset(to, 0, FORMAT_SEGMENT_HEADER);
	to[14] = (char)s->node;
	put(to + 16, s->generation, 8);
	put(to + 24, s->nonce, 8);
	put(to + 32, s->bytes, 8);
	seal(to, FORMAT_SEGMENT_HEADER, segment_magic);
}

enum format_outcome format_segment_decode(
	const char from[FORMAT_SEGMENT_HEADER], struct format_segment *segment_out)
{
	enum format_outcome outcome = unseal(from, FORMAT_SEGMENT_HEADER, segment_magic);

	if (outcome != FORMAT_OK)
		return outcome;
	if (!is_zero(from + 15, 1) || !is_zero(from + 40, 8))
		return FORMAT_BAD;
	*segment_out = (struct format_segment){
		.node = (uint8_t)from[14],
		.generation = get(from + 16, 8),
		.nonce = get(from + 24, 8),
		.bytes = get(from + 32, 8),
	};
	return FORMAT_OK;
}

void format_batch_encode(const struct format_batch *b, char to[FORMAT_BATCH_HEADER])
{
	memset(to, 0, FORMAT_BATCH_HEADER);
	to[14] = (char)b->node;
	put(to + 16, b->n_records, 4);
	put(to + 24, b->generation, 8);
	put(to + 32, b->nonce, 8);
	put(to + 40, b->sequence, 8);
	put(to + 48, b->first_lsn, 8);
	put(to + 56, b->last_lsn, 8);
	put(to + 64, b->synced_lsn, 8);
	put(to + 72, b->high_water, 8);
	put(to + 80, b->bytes, 8);
	seal(to, FORMAT_BATCH_HEADER, batch_magic);
}

/* What no writer ever states, whatever the checksum says. */
static bool batch_is_possible(const struct format_batch *b)
{
	return b->first_lsn > 0 && b->last_lsn == b->first_lsn + b->n_records - 1 &&
		b->synced_lsn < b->first_lsn && b->bytes >= FORMAT_BATCH_HEADER &&
		b->bytes <= (uint64_t)INT64_MAX - FORMAT_BLOCK &&
		(b->bytes - FORMAT_BATCH_HEADER) / FORMAT_RECORD_HEADER >= b->n_records;
}

enum format_outcome format_batch_decode(const char from[FORMAT_BATCH_HEADER], struct format_batch *batch_out)
{
	enum format_outcome outcome = unseal(from, FORMAT_BATCH_HEADER, batch_magic);
	struct format_batch b = {
		.node = (uint8_t)from[14],
		.n_records = (uint32_t)get(from + 16, 4),
		.generation = get(from + 24, 8),
		.nonce = get(from + 32, 8),
		.sequence = get(from + 40, 8),
		.first_lsn = get(from + 48, 8),
		.last_lsn = get(from + 56, 8),
		.synced_lsn = get(from + 64, 8),
		.high_water = get(from + 72, 8),
		.bytes = get(from + 80, 8),
	};

	if (outcome != FORMAT_OK)
		return outcome;
	if (!is_zero(from + 15, 1) || !is_zero(from + 20, 4) || !is_zero(from + 88, 8) ||
		!batch_is_possible(&b))
		return FORMAT_BAD;
	*batch_out = b;
	return FORMAT_OK;
}

static uint32_t record_crc(const char *header, struct slice meta)
{
	uint32_t crc = crc32c(0, (struct slice){ header, 8 });

	crc = crc32c(crc, (struct slice){ header + 12, FORMAT_RECORD_HEADER - 12 });
	return crc32c(crc, meta);
}

void format_record_encode(const struct format_record *r, struct slice meta, char to[FORMAT_RECORD_HEADER])
{
	CHECK(meta.len == r->meta_bytes);
	put(to, r->nonce, 8);
	put(to + 12, r->content_crc, 4);
	put(to + 16, r->lsn, 8);
	put(to + 24, r->id, 8);
	put(to + 32, r->generation, 8);
	put(to + 40, r->type, 2);
	put(to + 42, r->flags, 2);
	put(to + 44, r->meta_bytes, 4);
	put(to + 48, r->content_bytes, 8);
	put(to + 8, record_crc(to, meta), 4);
}

void format_record_decode(const char from[FORMAT_RECORD_HEADER], struct format_record *record_out)
{
	*record_out = (struct format_record){
		.nonce = get(from, 8),
		.content_crc = (uint32_t)get(from + 12, 4),
		.lsn = get(from + 16, 8),
		.id = get(from + 24, 8),
		.generation = get(from + 32, 8),
		.type = (uint16_t)get(from + 40, 2),
		.flags = (uint16_t)get(from + 42, 2),
		.meta_bytes = (uint32_t)get(from + 44, 4),
		.content_bytes = get(from + 48, 8),
	};
}

bool format_record_check(const char header[FORMAT_RECORD_HEADER], struct slice meta)
{
	return get(header + 8, 4) == record_crc(header, meta);
}

/* ---- checkpoints ---- */

void format_checkpoint_encode(const struct format_checkpoint *c, char to[FORMAT_CHECKPOINT_HEADER])
{
	memset(to, 0, FORMAT_CHECKPOINT_HEADER);
	to[14] = (char)c->node;
	put(to + 16, c->number, 8);
	put(to + 24, c->nonce, 8);
	put(to + 32, c->lsn, 8);
	put(to + 40, c->high_water, 8);
	seal(to, FORMAT_CHECKPOINT_HEADER, checkpoint_magic);
}

enum format_outcome format_checkpoint_decode(
	const char from[FORMAT_CHECKPOINT_HEADER], struct format_checkpoint *checkpoint_out)
{
	enum format_outcome outcome = unseal(from, FORMAT_CHECKPOINT_HEADER, checkpoint_magic);

	if (outcome != FORMAT_OK)
		return outcome;
	if (!is_zero(from + 15, 1) || !is_zero(from + 48, 8) || !is_zero(from + 56, 8))
		return FORMAT_BAD;
	*checkpoint_out = (struct format_checkpoint){
		.node = (uint8_t)from[14],
		.number = get(from + 16, 8),
		.nonce = get(from + 24, 8),
		.lsn = get(from + 32, 8),
		.high_water = get(from + 40, 8),
	};
	return FORMAT_OK;
}

static uint32_t slice_crc(const char *header, struct slice payload)
{
	return crc32c(crc32c(0, (struct slice){ header + 12, FORMAT_SLICE_HEADER - 12 }), payload);
}

void format_slice_encode(const struct format_slice *s, struct slice payload, char to[FORMAT_SLICE_HEADER])
{
	CHECK(payload.len == s->bytes);
	memcpy(to, slice_magic, 8);
	put(to + 12, FORMAT_VERSION, 2);
	put(to + 14, s->kind, 2);
	put(to + 16, s->n_entries, 4);
	put(to + 20, s->bytes, 4);
	put(to + 24, s->nonce, 8);
	put(to + 32, s->number, 8);
	put(to + 40, s->lsn, 8);
	put(to + 8, slice_crc(to, payload), 4);
}

enum format_outcome format_slice_decode(const char from[FORMAT_SLICE_HEADER], struct format_slice *slice_out)
{
	uint64_t kind = get(from + 14, 2);

	if (memcmp(from, slice_magic, 8) != 0 || get(from + 12, 2) != FORMAT_VERSION ||
		(kind != FORMAT_SLICE_MESSAGES && kind != FORMAT_SLICE_END))
		return FORMAT_BAD; /* a later version says so in the header of the checkpoint */
	*slice_out = (struct format_slice){
		.kind = (enum format_slice_kind)kind,
		.n_entries = (uint32_t)get(from + 16, 4),
		.bytes = (uint32_t)get(from + 20, 4),
		.nonce = get(from + 24, 8),
		.number = get(from + 32, 8),
		.lsn = get(from + 40, 8),
	};
	return FORMAT_OK;
}

bool format_slice_check(const char header[FORMAT_SLICE_HEADER], struct slice payload)
{
	return get(header + 8, 4) == slice_crc(header, payload);
}

uint64_t format_record_bytes(const struct format_record *r)
{
	return format_pad(
		FORMAT_RECORD_HEADER + (uint64_t)r->meta_bytes + r->content_bytes, FORMAT_RECORD_ALIGN);
}
