/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format.h - the bytes of a segment: headers and record fields to and from structs (format version 1)
 *
 * Pure functions, no I/O. All integers are little-endian; fields of records are variable-length integers
 * (LEB128) and counted byte strings. Decoders take bytes from a disk that may have failed: they accept only
 * what the encoders write, use every byte, and never look past the end. docs/SPOOL.md has the tables that
 * these functions follow. Layer: spool, for this folder alone. Tests: test_format.c;
 * fuzz/fuzz_spool_format.c, fuzz_spool_segment.c, fuzz_spool_checkpoint.c.
 */
#pragma once
#include "spool/spool.h"

#define FORMAT_VERSION 1
#define FORMAT_BLOCK 4096 /* a batch begins at a multiple of it: full pages need no read before the write */
#define FORMAT_SEGMENT_HEADER 48 /* at offset 0, the rest of its block is zero */
#define FORMAT_BATCH_HEADER 96	 /* at the start of each batch */
#define FORMAT_RECORD_HEADER 56	 /* records follow each other, each padded to 8 bytes */
#define FORMAT_RECORD_ALIGN 8
#define FORMAT_CHECKPOINT_HEADER 64 /* at offset 0 of a checkpoint; slices follow it without gaps */
#define FORMAT_SLICE_HEADER 48
#define FORMAT_META_MAX                                                                                      \
	(64U * 1024 * 1024)		 /* fields of one record: more than LIMIT_EXPANSION recipients need */
#define FORMAT_STRING_MAX (1024U * 1024) /* one field; the longest is a command out of an alias entry */

enum format_type {
	FORMAT_MESSAGE = 1,    /* envelope and recipients with their state; also a copy made by compaction */
	FORMAT_EXPAND = 2,     /* one recipient is replaced by new ones */
	FORMAT_RESULT = 3,     /* progress of one recipient */
	FORMAT_FLAGS = 4,      /* flags of the message */
	FORMAT_REMOVE = 5,     /* the message is done */
	FORMAT_HIGH_WATER = 6, /* ids below it may be in use */
};
enum format_record_flag {
	FORMAT_BODY_FILE = 1, /* content is in bodies/ID.body, content_crc is its checksum */
	FORMAT_COPY = 2,      /* written by compaction: replaces what earlier records said of this message */
};

struct format_segment {
	uint8_t node;
	uint64_t generation;
	uint64_t nonce; /* random: content of mail cannot look like a header of this segment */
	uint64_t bytes; /* size the file was prepared with */
};
struct format_batch {
	uint8_t node;
	uint32_t n_records;
	uint64_t generation, nonce;
	uint64_t sequence;	      /* of batches confirmed so far, plus one */
	uint64_t first_lsn, last_lsn; /* of its records; last = first - 1 when it has none */
	uint64_t synced_lsn; /* every record up to it was on stable storage before this was written */
	uint64_t high_water; /* ids at or above it were never used */
	uint64_t bytes;	     /* header and records, without the padding to the next block */
};
struct format_record {
	uint64_t nonce, generation;
	uint64_t lsn, id;
	uint16_t type, flags;
	uint32_t meta_bytes;
	uint64_t content_bytes; /* in the segment, 0 with FORMAT_BODY_FILE */
	uint32_t content_crc;
};

struct format_checkpoint {
	uint8_t node;
	uint64_t number;
	uint64_t nonce;	     /* random: stands in every slice */
	uint64_t lsn;	     /* nothing at or below it needs to be read from the log */
	uint64_t high_water; /* as in format_batch */
};
enum format_slice_kind {
	FORMAT_SLICE_MESSAGES = 1,
	FORMAT_SLICE_END = 2, /* the last one: without it the checkpoint is not whole */
};
struct format_slice {
	enum format_slice_kind kind;
	uint32_t n_entries, bytes; /* bytes: of what follows its header */
	uint64_t nonce, number;	   /* the first slice is number 0 */
	uint64_t lsn;		   /* every record up to it is contained in the states of these messages */
};
/* A message in a checkpoint. */
struct format_entry {
	uint64_t id, generation;
	uint64_t content_at; /* in the segment: behind the fields of its record, also with a body file */
	uint64_t record_bytes;
	uint32_t content_crc;
	bool has_body_file;
	struct slice fields; /* as those of a MESSAGE record, in the state of the slice */
};

enum format_outcome {
	FORMAT_OK = 0,
	FORMAT_BAD = 1,	  /* not such a header, or damaged */
	FORMAT_NEWER = 2, /* whole, but of a version this program does not know */
};

void format_segment_encode(const struct format_segment *s, char to[FORMAT_SEGMENT_HEADER]);
enum format_outcome format_segment_decode(
	const char from[FORMAT_SEGMENT_HEADER], struct format_segment *segment_out);
void format_batch_encode(const struct format_batch *b, char to[FORMAT_BATCH_HEADER]);
enum format_outcome format_batch_decode(const char from[FORMAT_BATCH_HEADER], struct format_batch *batch_out);
void format_checkpoint_encode(const struct format_checkpoint *c, char to[FORMAT_CHECKPOINT_HEADER]);
enum format_outcome format_checkpoint_decode(
	const char from[FORMAT_CHECKPOINT_HEADER], struct format_checkpoint *checkpoint_out);
/* payload is what will follow the header: both stand under one checksum. */
void format_slice_encode(const struct format_slice *s, struct slice payload, char to[FORMAT_SLICE_HEADER]);
/* The header's fields only; format_slice_check then verifies header and payload together. */
enum format_outcome format_slice_decode(const char from[FORMAT_SLICE_HEADER], struct format_slice *slice_out);
bool format_slice_check(const char header[FORMAT_SLICE_HEADER], struct slice payload);
/* meta is what will follow the header: both stand under one checksum. */
void format_record_encode(const struct format_record *r, struct slice meta, char to[FORMAT_RECORD_HEADER]);
/* The fields only; format_record_check then verifies header and meta together. */
void format_record_decode(const char from[FORMAT_RECORD_HEADER], struct format_record *record_out);
bool format_record_check(const char header[FORMAT_RECORD_HEADER], struct slice meta);
/* Bytes the record takes in the log: header, meta, content, padding to 8. */
uint64_t format_record_bytes(const struct format_record *r);

static inline uint64_t format_pad(uint64_t n, uint64_t align)
{
	return (n + align - 1) / align * align;
}

/* Recipients of one message, in order of their numbers. */
struct format_rcpts {
	struct spool_recipient *at;
	size_t n, cap;
};
void format_rcpts_free(struct format_rcpts *rcpts);

/* Encoders append to *to; a string or the whole too long leaves buf_ok(to) false. */
void format_put_message(struct buf *to, const struct spool_envelope *env, const struct spool_recipient *rcpts,
	size_t n_rcpts);
void format_put_expand(struct buf *to, uint32_t rcpt_no, const struct spool_recipient *rcpts, size_t n_rcpts);
void format_put_result(struct buf *to, uint32_t rcpt_no, const struct spool_progress *progress);
void format_put_number(struct buf *to, uint64_t value); /* FLAGS, HIGH_WATER */

/* Decoders; slices point into meta. False when the bytes are not exactly one such record; then the outputs
 * are undefined, but rcpts can be freed. env->id is not part of it: the record header has it. */
MUST_USE bool format_get_message(
	struct slice meta, struct spool_envelope *env_out, struct format_rcpts *rcpts_out);
/* Appends to *rcpts. Fails unless rcpt_no is one of those that were there before. */
MUST_USE bool format_get_expand(struct slice meta, struct format_rcpts *rcpts);
MUST_USE bool format_get_result(struct slice meta, struct format_rcpts *rcpts);
MUST_USE bool format_get_number(struct slice meta, uint64_t max, uint64_t *value_out);

void format_put_entry(struct buf *to, const struct format_entry *e);
/* Moves *rest past one entry; false: it is not one. */
MUST_USE bool format_get_entry(struct slice *rest, struct format_entry *entry_out);
/* What a checkpoint says at its end of a segment that it refers to. */
struct format_reference {
	uint64_t generation, nonce;
};
MUST_USE bool format_get_references(struct slice payload, uint64_t *n_messages_out,
	struct format_reference **at_out, size_t *n_out); /* at is the caller's to mem_free */
void format_put_references(struct buf *to, uint64_t n_messages, const struct format_reference *at, size_t n);
