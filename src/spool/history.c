/* SPDX-License-Identifier: Apache-2.0 */
/* history.c - see history.h; a search reads both files once or twice from their start, in large pieces */
#include "spool/history.h"
#include "base/file.h"
#include "mail/queue_id.h"
#include <fcntl.h>
#include <sys/stat.h>

#define NEW "new"
#define OLD "old"
#define PIECE_BYTES (1024 * 1024) /* read at a time */

/* ---- lines ---- */

static bool needs_escape(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f || c == '\\';
}

static void append_escaped(struct buf *out, struct slice s)
{
	while (s.len) {
		size_t n = 0;
		while (n < s.len && !needs_escape(s.at[n]))
			n++;
		buf_append(out, slice_first(s, n));
		if (n < s.len)
			buf_printf(out, "\\x%02x", (unsigned char)s.at[n]);
		s = slice_from(s, MIN(n + 1, s.len));
	}
}

static int hex_value(char c)
{
	c = ascii_lower(c);
	return ascii_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void history_unescape(struct slice value, struct buf *out)
{
	for (size_t i = 0; i < value.len; i++) {
		int high = -1, low = -1;
		if (value.at[i] == '\\' && i + 3 < value.len && value.at[i + 1] == 'x') {
			high = hex_value(value.at[i + 2]);
			low = hex_value(value.at[i + 3]);
		}
		if (high < 0 || low < 0) {
			buf_append_byte(out, value.at[i]);
			continue;
		}
		buf_append_byte(out, (char)(high << 4 | low));
		i += 3;
	}
}

bool history_parse(struct slice line, struct history_event *out)
{
	struct slice time, id, name;
	struct history_event e = { 0 };

	for (size_t i = 0; i < line.len; i++)
		if (((unsigned char)line.at[i] < ' ' && line.at[i] != '\t') || line.at[i] == 0x7f)
			return false;
	if (line.len > HISTORY_LINE || !slice_cut(&line, '\t', &time) || !slice_cut(&line, '\t', &id) ||
		!slice_to_u64(time, UINT64_MAX, &e.time_us) || !queue_id_parse(id, &e.id))
		return false;
	if (!slice_cut(&line, '\t', &name)) {
		name = line;
		line = SLICE_EMPTY;
	}
	if (name.len == 0)
		return false;
	e.name = name;
	e.fields = line;
	*out = e;
	return true;
}

bool history_field_next(struct slice *fields, struct slice *name_out, struct slice *value_out)
{
	struct slice field, name;

	while (fields->len) {
		if (!slice_cut(fields, '\t', &field)) {
			field = *fields;
			*fields = SLICE_EMPTY;
		}
		if (!slice_cut(&field, '=', &name) || name.len == 0)
			continue;
		*name_out = name;
		*value_out = field;
		return true;
	}
	return false;
}

void history_begin(struct buf *out, uint64_t time_us, uint64_t id, const char *event)
{
	buf_printf(out, "%" PRIu64 "\t", time_us);
	queue_id_append(out, id);
	buf_append_byte(out, '\t');
	buf_append_str(out, event);
}

static void append_name(struct buf *out, const char *name)
{
	buf_append_byte(out, '\t');
	buf_append_str(out, name);
	buf_append_byte(out, '=');
}

void history_text(struct buf *out, const char *name, struct slice value)
{
	if (value.len == 0)
		return;
	append_name(out, name);
	append_escaped(out, value);
}

struct slice history_bare_id(struct slice message_id)
{
	bool has_brackets =
		message_id.len > 2 && message_id.at[0] == '<' && message_id.at[message_id.len - 1] == '>';

	return has_brackets ? (struct slice){ message_id.at + 1, message_id.len - 2 } : message_id;
}

void history_number(struct buf *out, const char *name, uint64_t value)
{
	append_name(out, name);
	buf_printf(out, "%" PRIu64, value);
}

void history_end(struct buf *out)
{
	buf_append_byte(out, '\n');
}

/* ---- writing ---- */

struct history {
	int dir, fd;
	uint64_t bytes, max_bytes; /* of one file */
};

static int open_below(const char *spool_dir, bool make, int *dir_out)
{
	auto_close int spool = open(spool_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int dir;

	if (spool < 0)
		return -errno;
	if (make && mkdirat(spool, "history", 0700) < 0 && errno != EEXIST)
		return -errno;
	dir = openat(spool, "history", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	*dir_out = dir;
	return 0;
}

/* What was cut off by a crash ends here, so that the next line is one. */
static int open_new(struct history *h)
{
	struct stat st;

	h->fd = openat(
		h->dir, NEW, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (h->fd < 0 || fstat(h->fd, &st) < 0)
		return -errno;
	h->bytes = (uint64_t)st.st_size;
	return h->bytes ? file_write_all(h->fd, SLICE("\n")) : 0;
}

int history_open(const char *spool_dir, uint64_t max_bytes, struct history **out)
{
	struct history *h = mem_new(sizeof(*h));
	int r;

	*h = (struct history){ .dir = -1, .fd = -1, .max_bytes = max_bytes / 2 };
	r = open_below(spool_dir, true, &h->dir);
	if (r == 0)
		r = open_new(h);
	if (r < 0) {
		history_close(&h);
		return r;
	}
	*out = h;
	return 0;
}

void history_close(struct history **hp)
{
	struct history *h = take_ptr(hp);

	if (!h)
		return;
	cleanup_close(&h->fd);
	cleanup_close(&h->dir);
	mem_free(h);
}

int history_write(struct history *h, struct slice lines)
{
	int r;

	if (h->fd >= 0 && h->bytes && h->bytes + lines.len > h->max_bytes) {
		(void)close(take_fd(&h->fd));
		r = file_rename(h->dir, NEW, h->dir, OLD);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	if (h->fd < 0) {
		r = open_new(h);
		if (r < 0)
			return r;
	}
	r = file_write_all(h->fd, lines);
	if (r == 0)
		h->bytes += lines.len;
	return r;
}

/* ---- finding ---- */

struct search {
	struct slice needle;
	/* Of an address: the mails whose lines have it, the latest; else none. */
	uint64_t ids[HISTORY_MAILS];
	size_t n_ids; /* that were found in all */
	history_visit visit;
	void *user;
	bool is_over;
};
typedef void (*line_taker)(struct search *s, struct slice line);

/* Every line of piece that has the needle. */
static void take_matching(struct search *s, struct slice piece, line_taker take)
{
	const char *at;

	while (!s->is_over && piece.len &&
		(at = memmem(piece.at, piece.len, s->needle.at, s->needle.len)) != NULL) {
		struct slice before = slice_first(piece, (size_t)(at - piece.at));
		size_t start = slice_rfind(before, '\n');
		start = start == before.len ? 0 : start + 1;
		struct slice line = slice_from(piece, start);
		size_t end = slice_find(line, '\n');
		take(s, slice_first(line, end));
		piece = slice_from(line, end + 1);
	}
}

static void take_all(struct search *s, struct slice piece, line_taker take)
{
	struct slice line;

	while (!s->is_over && slice_next_line(&piece, &line))
		take(s, line);
}

/* The whole lines of a file, piece by piece. What is longer than a piece without a line end is no line. */
static int scan_file(int dir, const char *name, struct search *s, line_taker take,
	void (*cut)(struct search *s, struct slice piece, line_taker take))
{
	auto_close int fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	auto_buf struct buf b = BUF_INIT(2 * PIECE_BYTES);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	while (!s->is_over) {
		char *room = buf_reserve(&b, PIECE_BYTES);
		ssize_t n = room ? read(fd, room, PIECE_BYTES) : -1;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		buf_grew(&b, (size_t)n);
		size_t end = slice_rfind(buf_slice(&b), '\n');
		if (end < b.len) {
			cut(s, slice_first(buf_slice(&b), end + 1), take);
			buf_drop_front(&b, end + 1);
		} else if (b.len >= PIECE_BYTES) {
			buf_clear(&b);
		}
	}
	return 0;
}

static int scan(int dir, struct search *s, line_taker take,
	void (*cut)(struct search *s, struct slice piece, line_taker take))
{
	int r = scan_file(dir, OLD, s, take, cut);

	return r < 0 ? r : scan_file(dir, NEW, s, take, cut);
}

static bool has_id(const struct search *s, uint64_t id)
{
	for (size_t i = 0; i < MIN(s->n_ids, (size_t)HISTORY_MAILS); i++)
		if (s->ids[i] == id)
			return true;
	return false;
}

static void tell(struct search *s, struct slice line)
{
	struct history_event e;

	if (history_parse(line, &e) && (s->n_ids == 0 || has_id(s, e.id)))
		s->is_over = !s->visit(s->user, line);
}

/* The needle is a whole value of some field. */
static void note_id(struct search *s, struct slice line)
{
	struct slice name, value, wanted = slice_from(s->needle, 1);
	struct history_event e;

	if (!history_parse(line, &e) || has_id(s, e.id))
		return;
	while (history_field_next(&e.fields, &name, &value)) {
		if (!slice_eq(value, wanted))
			continue;
		s->ids[s->n_ids++ % HISTORY_MAILS] = e.id;
		return;
	}
}

int history_find(const char *spool_dir, struct slice what, history_visit visit, void *user)
{
	auto_buf struct buf needle = BUF_INIT(2 * HISTORY_LINE);
	struct search s = { .visit = visit, .user = user };
	auto_close int dir = -1;
	uint64_t id;
	int r = open_below(spool_dir, false, &dir);

	if (r < 0)
		return r;
	if (queue_id_parse(what, &id)) {
		buf_append_byte(&needle, '\t');
		queue_id_append(&needle, id);
		buf_append_byte(&needle, '\t');
		s.needle = buf_slice(&needle);
		return scan(dir, &s, tell, take_matching);
	}
	buf_append_byte(&needle, '=');
	append_escaped(&needle, history_bare_id(what));
	if (what.len == 0 || !buf_ok(&needle))
		return 0;
	s.needle = buf_slice(&needle);
	r = scan(dir, &s, note_id, take_matching);
	return r < 0 || s.n_ids == 0 ? r : scan(dir, &s, tell, take_all);
}
