/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_mbox_append.c - any mails appended to any mailbox, and read back as mail(1) reads it: each of them is
 * there, alone and as it came, and what was there before is unchanged
 *
 * Input: a byte (odd: mboxrd), the sender up to LF, then pieces with the byte 30 between them: what the
 * mailbox holds before, and each mail's content.
 */
#include "base/file.h"
#include "local/mailbox.h"
#include "mail/header.h"
#include "mailx/folder.h"
#include <fcntl.h>

#define BOX "box"
#define MAILS_MAX 8
#define BOX_MAX (16 << 20)
#define SEPARATOR 30

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct mbox_delivery delivery; /* what all have in common */
	struct slice before, contents[MAILS_MAX];
	struct mbox_text texts[MAILS_MAX];
	size_t n;
};

static char scratch_name[] = "/tmp/fuzz_mbox_append.XXXXXX";

static void remove_scratch(void)
{
	(void)rmdir(scratch_name);
}

static int scratch(void)
{
	static int dir = -1;

	if (dir < 0) {
		CHECK(mkdtemp(scratch_name) && atexit(remove_scratch) == 0);
		dir = open(scratch_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		CHECK(dir >= 0);
		dotlock_init();
	}
	return dir;
}

/* ---- writing ---- */

static bool build_texts(struct run *run)
{
	for (size_t i = 0; i < run->n; i++) {
		struct mbox_delivery d = run->delivery;
		d.content = run->contents[i];
		if (!mbox_text_build(&run->texts[i], &d))
			return false;
	}
	return true;
}

static void write_before(struct slice before)
{
	auto_close int fd = openat(scratch(), BOX, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && file_write_all(fd, before) == 0);
}

static void write_box(const struct run *run, struct buf *box)
{
	struct mailbox m;

	write_before(run->before);
	mailbox_init(&m, scratch(), BOX, 0);
	CHECK(mailbox_lock(&m, BOX_MAX) == MAILBOX_LOCKED);
	for (size_t i = 0; i < run->n; i++)
		CHECK(mailbox_append(&m, buf_slice(&run->texts[i].text)) == MAILBOX_APPENDED);
	mailbox_unlock(&m);
	CHECK(file_read_path(scratch(), BOX, box) == 0 && file_unlink(scratch(), BOX) == 0);
}

/* ---- reading back ---- */

/* The next line there is this one, quoted when it must be. */
static void take_line_back(struct slice *there, struct slice line, bool is_mboxrd)
{
	struct slice word = line;

	while (is_mboxrd && slice_skip(&word, '>'))
		;
	if (slice_starts(word, SLICE("From ")))
		CHECK(slice_skip(there, '>'));
	CHECK(slice_starts(*there, line));
	*there = slice_from(*there, line.len);
	CHECK(slice_skip(there, '\n'));
}

static bool take_line(struct slice *rest, struct slice *line_out)
{
	size_t n = slice_find(*rest, '\n');

	if (rest->len == 0)
		return false;
	*line_out = slice_first(*rest, n);
	*rest = slice_from(*rest, MIN(n + 1, rest->len));
	return true;
}

/* there: a message from behind its trace headers on. */
static void check_content(struct slice there, struct slice content, bool is_mboxrd)
{
	struct slice header = content, line;
	struct header_field field;
	bool has_skipped = header_find(&header, SLICE("Return-Path"), &field);

	while (content.len) {
		if (has_skipped && content.at == field.raw.at) { /* another host's is left out */
			content = slice_from(content, field.raw.len);
			has_skipped = header_find(&header, SLICE("Return-Path"), &field);
			continue;
		}
		CHECK(take_line(&content, &line));
		take_line_back(&there, line, is_mboxrd);
	}
	CHECK(slice_eq(there, SLICE("\n")));
}

static void check_box(const struct run *run, struct slice box)
{
	struct mbox_index index = { 0 };
	struct slice added = slice_from(box, run->before.len);

	CHECK(slice_eq(slice_first(box, run->before.len), run->before));
	for (int i = 0; i < 2 && added.len && added.at[0] == '\n'; i++)
		added = slice_from(added, 1); /* line ends that the mailbox lacked */
	CHECK(mbox_scan(added, 0, &index) == MBOX_OK && index.n == run->n);
	for (size_t i = 0; i < run->n; i++) {
		struct slice text = slice_first(slice_from(added, index.at[i].offset), index.at[i].size);
		CHECK(slice_eq(text, buf_slice(&run->texts[i].text)));
		check_content(slice_from(text, run->texts[i].content_at), run->contents[i],
			run->delivery.is_mboxrd);
	}
	mbox_index_free(&index);
}

/* ---- the input ---- */

static bool take_piece(struct slice *rest, struct slice *piece_out)
{
	if (rest->len == 0)
		return false;
	if (!slice_cut(rest, SEPARATOR, piece_out)) {
		*piece_out = *rest;
		*rest = SLICE_EMPTY;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = { (const char *)data, size }, sender;
	auto_buf struct buf box = BUF_INIT(BOX_MAX);
	struct run run = { .before = SLICE_EMPTY,
		.delivery = { .original_to = SLICE("o@h"),
			.forward_path = SLICE("p@h"),
			.queue_id = 42,
			.time_s = 1582107035 } };

	if (size == 0 || size > 100000)
		return 0;
	run.delivery.is_mboxrd = data[0] & 1;
	rest = slice_from(rest, 1);
	if (!take_line(&rest, &sender))
		return 0;
	run.delivery.sender = sender;
	(void)take_piece(&rest, &run.before);
	while (run.n < MAILS_MAX && take_piece(&rest, &run.contents[run.n]))
		run.n++;
	if (build_texts(&run)) {
		write_box(&run, &box);
		check_box(&run, buf_slice(&box));
	}
	for (size_t i = 0; i < run.n; i++)
		mbox_text_free(&run.texts[i]);
	return 0;
}
