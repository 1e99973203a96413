/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c - reads the log front to back and decides, batch by batch, what is valid
 *
 * A batch is confirmed when something behind it says so: the next batch of its segment, or the first batch of
 * the next segment in use, was written only after it was synced. Confirmed and unreadable is corruption:
 * reported, and records in the damaged region that still stand by themselves are taken. The one batch that
 * nothing confirms is taken only when every byte of it is right, else it was torn by a crash and is cut. What
 * a segment holds beyond the number that its successor confirms was refused when it was written (a failed
 * sync) and is void.
 *
 * Bytes of mail cannot pose as headers: each segment's headers carry its random nonce. Read errors count as
 * damage.
 * Tests: test_recovery.c, test_damage.c, fuzz/fuzz_spool_segment.c.
 */
#include "spool/spool-private.h"
#include "base/file.h"
#include <fcntl.h>
#include <sys/stat.h>

#define WINDOW_BYTES ((size_t)64 * 1024)
#define UNSEALED UINT64_MAX

/* ---- bytes ---- */

/* Blocks that cannot be read become zeros. */
static void window_fill(struct replay_segment *s, char *to, size_t n, uint64_t offset)
{
	if (file_pread_all(s->fd, to, n, offset) == 0)
		return;
	s->is_unreadable = true;
	for (size_t at = 0; at < n; at += FORMAT_BLOCK) {
		size_t part = MIN((size_t)FORMAT_BLOCK, n - at);
		if (file_pread_all(s->fd, to + at, part, offset + at) < 0)
			memset(to + at, 0, part);
	}
}

/* n bytes of s at offset, valid until the next call; NULL behind the end of the file or without memory. */
static const char *replay_peek(struct replay *r, struct replay_segment *s, uint64_t offset, size_t n)
{
	size_t load;
	char *room;

	if (offset > s->file_bytes || n > s->file_bytes - offset)
		return NULL;
	if (r->in_window == s && offset >= r->window_at && offset - r->window_at <= r->window.len &&
		n <= r->window.len - (offset - r->window_at))
		return r->window.at + (offset - r->window_at);
	load = (size_t)MIN((uint64_t)MAX(n, WINDOW_BYTES), s->file_bytes - offset);
	buf_clear(&r->window);
	room = buf_reserve(&r->window, load);
	if (!room)
		return NULL;
	window_fill(s, room, load, offset);
	buf_grew(&r->window, load);
	r->in_window = s;
	r->window_at = offset;
	return room;
}

/* A batch of this segment that is newer than what was read so far starts at offset. */
static bool replay_batch_at(
	struct replay *r, struct replay_segment *s, uint64_t offset, struct format_batch *batch_out)
{
	const char *at = replay_peek(r, s, offset, FORMAT_BATCH_HEADER);
	struct format_batch b;

	if (!at || format_batch_decode(at, &b) != FORMAT_OK)
		return false;
	if (b.generation != s->generation || b.bytes > s->file_bytes - offset || b.first_lsn <= r->last_lsn)
		return false;
	if (s->has_header || s->is_used ? b.nonce != s->header.nonce : false)
		return false;
	*batch_out = b;
	return true;
}

static bool replay_find_batch(struct replay *r, struct replay_segment *s, uint64_t from, uint64_t *offset_out,
	struct format_batch *batch_out)
{
	for (; from < s->file_bytes; from += FORMAT_BLOCK) {
		if (replay_batch_at(r, s, from, batch_out)) {
			*offset_out = from;
			return true;
		}
	}
	return false;
}

/* A record of this segment stands whole between offset and end (its content is not looked at). */
static bool replay_record_at(struct replay *r, struct replay_segment *s, uint64_t offset, uint64_t end,
	struct replay_record *record_out)
{
	const char *at =
		end - offset < FORMAT_RECORD_HEADER ? NULL : replay_peek(r, s, offset, FORMAT_RECORD_HEADER);
	struct format_record head;

	if (!at)
		return false;
	format_record_decode(at, &head);
	if (head.nonce != s->header.nonce || head.generation != s->generation)
		return false;
	if (head.meta_bytes > FORMAT_META_MAX || head.content_bytes > s->file_bytes ||
		format_record_bytes(&head) > end - offset)
		return false;
	at = replay_peek(r, s, offset, FORMAT_RECORD_HEADER + (size_t)head.meta_bytes);
	if (!at || !format_record_check(at, (struct slice){ at + FORMAT_RECORD_HEADER, head.meta_bytes }))
		return false;
	*record_out = (struct replay_record){
		.segment = s,
		.offset = offset,
		.head = head,
		.meta = { at + FORMAT_RECORD_HEADER, head.meta_bytes },
	};
	return true;
}

/* ---- opening ---- */

/* Errors that say that this file is broken, or is none: the others can be read nevertheless. */
static bool replay_is_broken(int error)
{
	static const int broken[] = { EIO, EUCLEAN, EISDIR, ELOOP, ENXIO };

	for (size_t i = 0; i < ARRAY_LEN(broken); i++)
		if (error == broken[i])
			return true;
	return false;
}

static int replay_add(struct replay *r, int log_fd, const char *name, uint64_t generation, int open_flags)
{
	struct replay_segment s = { .generation = generation };
	auto_close int fd = openat(log_fd, name, open_flags | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	struct stat st = { 0 };

	if (fd < 0 ? !replay_is_broken(errno) : fstat(fd, &st) < 0)
		return -errno;
	if (fd >= 0 && !S_ISREG(st.st_mode))
		cleanup_close(&fd);
	s.is_unreadable = fd < 0;
	if (r->n_segments == r->cap) {
		size_t cap = MAX(r->cap * 2, (size_t)16);
		struct replay_segment *grown = mem_new_array(cap, sizeof(*grown));
		if (r->n_segments)
			memcpy(grown, r->segments, r->n_segments * sizeof(*grown));
		mem_free(r->segments);
		r->segments = grown;
		r->cap = cap;
	}
	s.file_bytes = (uint64_t)st.st_size;
	s.fd = take_fd(&fd);
	r->segments[r->n_segments++] = s;
	return 0;
}

static int replay_by_generation(const void *a, const void *b)
{
	const struct replay_segment *x = a, *y = b;

	return (x->generation > y->generation) - (x->generation < y->generation);
}

static int replay_read_header(struct replay *r, struct replay_segment *s)
{
	const char *at = replay_peek(r, s, 0, FORMAT_SEGMENT_HEADER);
	struct format_segment header;
	enum format_outcome outcome = at ? format_segment_decode(at, &header) : FORMAT_BAD;

	if (outcome == FORMAT_NEWER)
		return -EPROTONOSUPPORT;
	s->has_header = outcome == FORMAT_OK && header.generation == s->generation;
	if (s->has_header)
		s->header = header;
	s->is_short = s->has_header && s->file_bytes < header.bytes;
	return 0;
}

/* Its file is not what it was, whatever the records in it say. */
static bool replay_is_harmed(const struct replay_segment *s)
{
	return !s->has_header || s->is_short || s->is_unreadable;
}

/* Whether the segment has a batch. One that was never written has zeros in the place of the first; only when
 * a younger one is in use is it worth looking through all of it. One that is harmed may have had any. */
static int replay_look_for_use(struct replay *r, struct replay_segment *s, bool is_younger_used)
{
	static const char zeros[FORMAT_BATCH_HEADER];
	const char *at = replay_peek(r, s, FORMAT_BLOCK, FORMAT_BATCH_HEADER);
	struct format_batch first;
	uint64_t offset;

	if (at && format_batch_decode(at, &first) == FORMAT_NEWER)
		return -EPROTONOSUPPORT;
	if (!replay_is_harmed(s) && !is_younger_used && (!at || memcmp(at, zeros, sizeof(zeros)) == 0))
		return 0;
	if (!replay_find_batch(r, s, FORMAT_BLOCK, &offset, &first)) {
		s->is_used = replay_is_harmed(s);
		s->first_at = UINT64_MAX;
		return 0;
	}
	if (!s->has_header)
		s->header.nonce = first.nonce;
	s->is_used = true;
	s->first = first;
	s->first_at = offset;
	return 0;
}

static int replay_list(struct replay *r, int log_fd, int open_flags)
{
	struct dirent *e;
	DIR *dir;
	int result = file_list(log_fd, ".", &dir);

	if (result < 0)
		return result;
	while (result == 0 && (e = readdir(dir)) != NULL) {
		uint64_t generation;
		if (segment_name_parse(e->d_name, ".seg", &generation))
			result = replay_add(r, log_fd, e->d_name, generation, open_flags);
	}
	(void)closedir(dir); /* was only read */
	return result;
}

int replay_open(struct replay *r, int log_fd, int open_flags)
{
	bool is_younger_used = false;
	int result;

	r->window = BUF_INIT((size_t)FORMAT_META_MAX + WINDOW_BYTES);
	result = replay_list(r, log_fd, open_flags);
	if (r->n_segments)
		qsort(r->segments, r->n_segments, sizeof(*r->segments), replay_by_generation);
	for (size_t i = r->n_segments; result == 0 && i-- > 0;) {
		struct replay_segment *s = &r->segments[i];
		result = replay_read_header(r, s);
		if (result == 0)
			result = replay_look_for_use(r, s, is_younger_used);
		if (s->is_used && !is_younger_used)
			r->tail = s;
		is_younger_used |= s->is_used;
	}
	return result;
}

void replay_close(struct replay *r)
{
	for (size_t i = 0; i < r->n_segments; i++)
		if (!r->segments[i].place)
			cleanup_close(&r->segments[i].fd);
	mem_free(r->segments);
	buf_free(&r->window);
	r->segments = NULL;
	r->n_segments = 0;
}

/* ---- damage ---- */

/* Takes the records between from and end that stand by themselves, of numbers above last_lsn up to limit. */
static size_t replay_salvage(
	struct replay *r, struct replay_segment *s, uint64_t from, uint64_t end, uint64_t limit)
{
	uint64_t last = r->last_lsn;
	size_t n = 0;

	end = MIN(end, s->file_bytes);
	while (from < end) {
		struct replay_record record;
		if (!replay_record_at(r, s, from, end, &record) || record.head.lsn <= last ||
			record.head.lsn > limit) {
			from += FORMAT_RECORD_ALIGN;
			continue;
		}
		last = record.head.lsn;
		from += format_record_bytes(&record.head);
		r->on_record(r->user, &record);
		n++;
	}
	return n;
}

/* What is between from and end cannot be read, and the records up to limit are not there. When nothing of it
 * can be saved they may have stood in a file that is missing: gone is its generation, 0 when there is none.
 */
static void replay_damaged(struct replay *r, struct replay_segment *s, uint64_t from, uint64_t end,
	uint64_t limit, uint64_t gone)
{
	struct spool_problem problem = {
		.kind = SPOOL_PROBLEM_CORRUPT,
		.generation = s->generation,
		.offset = from,
		.bytes = end - from,
		.first_lsn = r->last_lsn + 1,
		.last_lsn = limit,
	};

	r->is_damaged = true;
	problem.n_salvaged = replay_salvage(r, s, from, end, limit);
	r->last_lsn = limit;
	if (gone && problem.n_salvaged == 0 && !replay_is_harmed(s)) {
		problem.kind = SPOOL_PROBLEM_SEGMENT_GONE;
		problem.generation = gone;
		problem.offset = problem.bytes = 0;
	} else {
		s->is_damaged = true;
	}
	r->on_problem(r->user, &problem);
}

/* ---- batches ---- */

/* Every record is there and right to its last byte. */
static bool replay_batch_is_whole(
	struct replay *r, struct replay_segment *s, uint64_t offset, const struct format_batch *b)
{
	uint64_t at = offset + FORMAT_BATCH_HEADER, end = offset + b->bytes;

	for (uint32_t i = 0; i < b->n_records; i++) {
		struct replay_record record;
		uint32_t crc;
		if (!replay_record_at(r, s, at, end, &record) || record.head.lsn != b->first_lsn + i)
			return false;
		uint64_t content_at = at + FORMAT_RECORD_HEADER + record.head.meta_bytes;
		if (record.head.content_bytes &&
			(content_crc(s->fd, content_at, record.head.content_bytes, &crc) < 0 ||
				crc != record.head.content_crc))
			return false;
		at += format_record_bytes(&record.head);
	}
	return at == end;
}

static void replay_take_batch(
	struct replay *r, struct replay_segment *s, uint64_t offset, const struct format_batch *b)
{
	uint64_t at = offset + FORMAT_BATCH_HEADER, end = offset + b->bytes;
	bool is_wanted = b->last_lsn > r->skip_lsn;

	for (uint32_t i = 0; i < b->n_records && is_wanted; i++) {
		struct replay_record record;
		if (!replay_record_at(r, s, at, end, &record) || record.head.lsn != b->first_lsn + i) {
			replay_damaged(r, s, at, end, b->last_lsn, 0);
			break;
		}
		at += format_record_bytes(&record.head);
		r->last_lsn = record.head.lsn;
		r->on_record(r->user, &record);
	}
	r->last_lsn = MAX(r->last_lsn, b->last_lsn);
	r->bytes_taken += is_wanted ? format_pad(b->bytes, FORMAT_BLOCK) : 0;
	r->sequence = MAX(r->sequence, b->sequence);
	r->high_water = MAX(r->high_water, b->high_water);
}

static const struct replay_segment *replay_next_used(const struct replay *r, const struct replay_segment *s)
{
	for (const struct replay_segment *next = s + 1; next < r->segments + r->n_segments; next++)
		if (next->is_used)
			return next;
	return NULL;
}

/* The generation behind s when no file has it though there are younger ones, else 0. */
static uint64_t replay_gap_behind(const struct replay *r, const struct replay_segment *s)
{
	bool is_last = s + 1 == r->segments + r->n_segments;

	return is_last || s[1].generation == s->generation + 1 ? 0 : s->generation + 1;
}

/* The number up to which the segment behind s confirms; UNSEALED when none is in use, or its first batch is
 * lost: then nothing says what is void. */
static uint64_t replay_seal(const struct replay *r, const struct replay_segment *s)
{
	const struct replay_segment *next = replay_next_used(r, s);

	return next && next->first_at == FORMAT_BLOCK ? next->first.synced_lsn : UNSEALED;
}

/* Something that was written after the batch at offset says that it was synced. */
static bool replay_is_confirmed(struct replay *r, struct replay_segment *s, uint64_t offset,
	const struct format_batch *b, uint64_t seal)
{
	uint64_t behind = offset + format_pad(b->bytes, FORMAT_BLOCK);
	struct format_batch next;

	if (seal != UNSEALED && b->last_lsn <= seal)
		return true;
	return replay_batch_at(r, s, behind, &next) && next.synced_lsn >= b->last_lsn;
}

/* No batch at offset, or a broken one: where to go on; false when the segment ends here. */
static bool replay_skip_damage(struct replay *r, struct replay_segment *s, uint64_t *offset, uint64_t seal)
{
	struct format_batch next;
	uint64_t found = MAX(MAX(s->file_bytes, s->header.bytes), *offset + FORMAT_BLOCK);
	bool is_found;

	if (seal != UNSEALED && r->last_lsn >= seal)
		return false;
	is_found = replay_find_batch(r, s, *offset + FORMAT_BLOCK, &found, &next);
	if (is_found && next.synced_lsn > r->last_lsn)
		replay_damaged(r, s, *offset, found, next.synced_lsn, 0);
	else if (!is_found && seal != UNSEALED)
		replay_damaged(r, s, *offset, found, seal, replay_gap_behind(r, s));
	*offset = found;
	return is_found;
}

/* The batch that nothing directly behind it confirms. False: the segment ends before it. */
static bool replay_take_last(
	struct replay *r, struct replay_segment *s, uint64_t *offset, const struct format_batch *b)
{
	struct format_batch later;
	uint64_t at;

	if (replay_batch_is_whole(r, s, *offset, b)) {
		replay_take_batch(r, s, *offset, b);
		r->last_batch_in = s;
		r->last_batch = *offset;
		r->last_batch_bytes = format_pad(b->bytes, FORMAT_BLOCK);
		*offset += r->last_batch_bytes;
		return true;
	}
	if (replay_find_batch(r, s, *offset + FORMAT_BLOCK, &at, &later))
		return replay_skip_damage(r, s, offset, UNSEALED);
	r->on_problem(r->user,
		&(struct spool_problem){
			.kind = SPOOL_PROBLEM_TORN,
			.generation = s->generation,
			.offset = *offset,
			.bytes = format_pad(b->bytes, FORMAT_BLOCK),
			.first_lsn = b->first_lsn,
			.last_lsn = b->last_lsn,
		});
	return false;
}

/* Nothing shows that a record is missing, but some may. */
static void replay_check_file(struct replay *r, struct replay_segment *s)
{
	uint64_t from = s->has_header ? s->end : 0, end = MAX(MAX(s->file_bytes, s->header.bytes), from);

	if (s->is_damaged || !replay_is_harmed(s))
		return;
	s->is_damaged = r->is_damaged = true;
	r->on_problem(r->user,
		&(struct spool_problem){
			.kind = SPOOL_PROBLEM_CORRUPT,
			.generation = s->generation,
			.offset = from,
			.bytes = end - from,
			.error = s->is_unreadable ? -EIO : 0,
		});
}

static bool replay_is_cancelled(struct replay *r)
{
	return r->is_cancelled && atomic_load(r->is_cancelled);
}

static void replay_read_batches(struct replay *r, struct replay_segment *s, uint64_t seal)
{
	uint64_t offset = FORMAT_BLOCK;
	bool goes_on = true;

	if (!s->has_header && s->header.nonce)
		replay_damaged(r, s, 0, FORMAT_BLOCK, r->last_lsn, 0);
	while (goes_on && !replay_is_cancelled(r)) {
		struct format_batch b;
		s->end = offset;
		if (!replay_batch_at(r, s, offset, &b)) {
			goes_on = replay_skip_damage(r, s, &offset, seal);
			continue;
		}
		if (seal != UNSEALED && b.first_lsn > seal)
			return; /* void */
		if (b.synced_lsn > r->last_lsn)
			replay_damaged(r, s, offset, offset, b.synced_lsn, s->generation - 1);
		r->last_batch_bytes = 0;
		if (replay_is_confirmed(r, s, offset, &b, seal)) {
			replay_take_batch(r, s, offset, &b);
			offset += format_pad(b.bytes, FORMAT_BLOCK);
		} else {
			goes_on = replay_take_last(r, s, &offset, &b);
		}
	}
}

/* When all that it holds is skipped its batches are not looked at. */
static void replay_segment_run(struct replay *r, struct replay_segment *s)
{
	uint64_t seal = replay_seal(r, s);

	if (seal != UNSEALED && seal <= r->skip_lsn)
		r->last_lsn = MAX(r->last_lsn, seal);
	else
		replay_read_batches(r, s, seal);
	replay_check_file(r, s);
}

/* What stood before s was freed, or is not looked at. */
static void replay_start_at(struct replay *r, const struct replay_segment *s)
{
	if (s->first_at != FORMAT_BLOCK)
		return;
	r->last_lsn = s->first.synced_lsn;
	r->high_water = MAX(r->high_water, s->first.high_water);
	r->sequence = MAX(r->sequence, MAX(s->first.sequence, UINT64_C(1)) - 1);
}

static void replay_from(struct replay *r, size_t i)
{
	bool is_first = true;

	for (; i < r->n_segments && !replay_is_cancelled(r); i++) {
		struct replay_segment *s = &r->segments[i];
		if (!s->is_used)
			continue;
		if (is_first)
			replay_start_at(r, s);
		is_first = false;
		replay_segment_run(r, s);
	}
}

void replay_run(struct replay *r)
{
	replay_from(r, 0);
}

/* The youngest segment whose beginning says where its numbers begin, and what is behind it. */
void replay_survey(struct replay *r)
{
	size_t start = r->n_segments;

	while (start-- > 0) {
		const struct replay_segment *s = &r->segments[start];
		if (s->is_used && s->has_header && s->first_at == FORMAT_BLOCK)
			break;
	}
	replay_from(r, start == SIZE_MAX ? 0 : start);
}

void replay_rewind(struct replay *r)
{
	if (r->tail)
		r->tail->file_bytes = MIN(r->tail->file_bytes, r->tail->end);
	for (size_t i = 0; i < r->n_segments; i++)
		r->segments[i].is_damaged = false;
	buf_clear(&r->window);
	r->in_window = NULL;
	r->last_lsn = r->bytes_taken = 0;
	r->is_damaged = false;
}

int replay_settle(struct replay *r)
{
	const char *at;
	int result;

	if (r->last_batch_bytes == 0)
		return 0;
	buf_clear(&r->window);
	r->window.max = MAX(r->window.max, (size_t)r->last_batch_bytes);
	r->in_window = NULL;
	at = replay_peek(r, r->last_batch_in, r->last_batch, (size_t)r->last_batch_bytes);
	if (!at)
		return -ENOMEM;
	result = file_pwrite_all(
		r->last_batch_in->fd, (struct slice){ at, (size_t)r->last_batch_bytes }, r->last_batch);
	return result < 0 ? result : file_sync_data(r->last_batch_in->fd);
}
