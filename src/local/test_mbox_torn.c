/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_mbox_torn.c - whatever sectors of an append a power cut leaves, the next attempts make whole mails of
 * it; and zeros that are not of such an append stay
 */
#include "support/test.h"
#include "base/file.h"
#include "local/mailbox.h"
#include <fcntl.h>

#define SECTOR 512
#define N_MAILS 4
#define N_CASES 3000
#define OTHER "From a@b  Wed Feb 19 10:10:35 2020\nReturn-Path: <a@b>\nSubject: other\n\nFirst\n\n"

static char dir_name[] = "/tmp/test_mbox_torn.XXXXXX";
static int dir = -1;
static unsigned random_state;

static unsigned dice(unsigned n)
{
	random_state = random_state * 1103515245 + 12345;
	return (random_state >> 16) % n;
}

static int make_dir(void **state)
{
	(void)state;
	dotlock_init();
	dir = mkdtemp(dir_name) ? open(dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	return dir < 0;
}

static int remove_dir(void **state)
{
	(void)state;
	(void)close(dir);
	return rmdir(dir_name);
}

/* Mail number i as it is at that time; its lines are its own. */
static struct mbox_text text_of(unsigned i, unsigned n_lines, int64_t time_s)
{
	auto_buf struct buf content = BUF_INIT(1 << 20);
	struct mbox_text t;

	buf_printf(&content, "Received: by h (Postrider, from userid 1)\n\tid 0100000000000%02X; date\n", i);
	buf_printf(&content, "Subject: %u\n\n", i);
	for (unsigned k = 0; k < n_lines; k++)
		buf_printf(&content, "line %u of mail %u\n", k, i);
	const struct mbox_delivery d = { .sender = SLICE("s@h"),
		.original_to = SLICE("o@h"),
		.forward_path = SLICE("p@h"),
		.content = buf_slice(&content),
		.queue_id = UINT64_C(0x10000000000000) + i,
		.time_s = time_s };
	assert_true(mbox_text_build(&t, &d));
	return t;
}

/* Any sector of what is behind from may be lost, and the last ones not even be part of the file. */
static void tear(struct buf *box, size_t from)
{
	for (size_t at = from; at < box->len; at += SECTOR - at % SECTOR)
		if (dice(3) == 0)
			memset(box->at + at, 0, MIN(SECTOR - at % SECTOR, box->len - at));
	if (dice(3) == 0) {
		size_t end = from + dice((unsigned)(box->len - from) + 1);
		box->len = MIN(box->len, (end + SECTOR - 1) / SECTOR * SECTOR);
	}
}

static void put(struct slice text)
{
	auto_close int fd = openat(dir, "u", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text), 0);
}

/* What the worker does with a batch of doubtful deliveries, in the order of turn. */
static void deliver_again(const struct mbox_text *texts, unsigned turn)
{
	struct mailbox m;
	size_t n_before;

	mailbox_init(&m, dir, "u", 0);
	assert_int_equal(mailbox_lock(&m, 1 << 20), MAILBOX_LOCKED);
	do {
		n_before = m.n_mended;
		for (unsigned i = 0; i < N_MAILS; i++)
			assert_true(mailbox_mend(&m, &texts[i]) >= 0);
	} while (m.n_mended > n_before);
	for (unsigned k = 0; k < N_MAILS; k++) {
		const struct mbox_text *t = &texts[(k * 3 + turn) % N_MAILS];
		int r = mailbox_reconcile(&m, t);
		if (r == MAILBOX_NOT_DELIVERED)
			r = mailbox_append(&m, buf_slice(&t->text));
		assert_true(r == MAILBOX_DELIVERED_BEFORE || r == MAILBOX_APPENDED);
	}
	mailbox_unlock(&m);
}

static unsigned n_copies(const struct buf *box, const struct mbox_text *t)
{
	/* Behind the date, which is that of either attempt. */
	struct slice want = slice_from(buf_slice(&t->text), t->date_at + MBOX_DATE_BYTES);
	struct slice rest = buf_slice(box);
	const char *hit;
	unsigned n = 0;

	while ((hit = memmem(rest.at, rest.len, want.at, want.len))) {
		rest = slice_from(rest, (size_t)(hit - rest.at) + want.len);
		n++;
	}
	return n;
}

/* Zeros between two mails, in bytes: of several that are lost altogether the lengths tell no order. */
static size_t n_left_over(struct slice box)
{
	const char *zero = memchr(box.at, '\0', box.len);
	size_t at = zero ? (size_t)(zero - box.at) : box.len, n = 0;

	while (at + n < box.len && box.at[at + n] == '\0')
		n++;
	if (n)
		assert_true(box.at[at - 1] == '\n' && slice_starts(slice_from(box, at + n), SLICE("From ")));
	return n;
}

/* Whether nothing else is there. */
static bool assert_whole(struct slice before, const struct mbox_text *texts, unsigned number)
{
	auto_buf struct buf box = BUF_INIT(1 << 20);
	size_t n = before.len;

	assert_int_equal(file_read_path(dir, "u", &box), 0);
	assert_true(slice_starts(buf_slice(&box), before));
	for (unsigned i = 0; i < N_MAILS; i++) {
		n += texts[i].text.len;
		if (n_copies(&box, &texts[i]) != 1)
			fail_msg("case %u: mail %u is there %u times", number, i, n_copies(&box, &texts[i]));
	}
	if (n + n_left_over(buf_slice(&box)) != box.len)
		fail_msg("case %u: something is left over", number);
	return n == box.len;
}

static bool one_case(unsigned number)
{
	auto_buf struct buf box = BUF_INIT(1 << 20), before = BUF_INIT(1 << 16);
	struct mbox_text texts[N_MAILS];
	bool is_exact;

	random_state = number;
	for (unsigned n = dice(9); n; n--)
		buf_append_str(&before, OTHER);
	buf_append(&box, buf_slice(&before));
	for (unsigned i = 0; i < N_MAILS; i++) {
		unsigned n_lines = dice(2) ? dice(8) : dice(200);
		struct mbox_text then = text_of(i, n_lines, 1000);
		buf_append(&box, buf_slice(&then.text));
		mbox_text_free(&then);
		texts[i] = text_of(i, n_lines, 90000000);
	}
	tear(&box, before.len);
	put(buf_slice(&box));
	deliver_again(texts, dice(N_MAILS));
	is_exact = assert_whole(buf_slice(&before), texts, number);
	for (unsigned i = 0; i < N_MAILS; i++)
		mbox_text_free(&texts[i]);
	return is_exact;
}

static void makes_whole_mails_of_any_rest(void **state)
{
	unsigned n_exact = 0;

	(void)state;
	for (unsigned number = 1; number <= N_CASES; number++)
		n_exact += one_case(number);
	assert_true(n_exact > N_CASES / 100 * 99);
	assert_int_equal(file_unlink(dir, "u"), 0);
}

/* The window is a whole mailbox; in the pattern T stands for the text, 0 for that many zeros. */
static void takes_nothing_else_for_a_copy(void **state)
{
	static const struct {
		const char *what;
		size_t zeros_at, n_zeros; /* in the copy behind OTHER */
		char changed;		  /* instead of the copy's last line end */
	} rows[] = {
		{ "whole", 0, 0, '\n' },
		{ "a few zeros in it", 300, 10, '\n' },
		{ "a hole, and another byte", 0, SECTOR - sizeof(OTHER) + 1, 'x' },
		{ "nothing of it", 0, 10000, '\n' },
	};
	struct mbox_text t = text_of(1, 100, 1000);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf box = BUF_INIT(1 << 16);
		buf_append_str(&box, OTHER);
		buf_append(&box, buf_slice(&t.text));
		box.at[box.len - 1] = rows[i].changed;
		char *copy = box.at + sizeof(OTHER) - 1;
		memset(copy + rows[i].zeros_at, 0, MIN(rows[i].n_zeros, t.text.len - rows[i].zeros_at));
		const struct mbox_end end = { buf_slice(&box), 0, mbox_first_hole(buf_slice(&box)) };
		if (mbox_torn_find(&end, &t) != box.len)
			fail_msg("%s", rows[i].what);
	}
	mbox_text_free(&t);
}

static void finds_the_room_of_one_that_is_lost(void **state)
{
	struct mbox_text t = text_of(1, 100, 1000);

	(void)state;
	for (unsigned missing = 0; missing < 2; missing++) {
		auto_buf struct buf box = BUF_INIT(1 << 16);
		buf_append_str(&box, OTHER);
		for (size_t n = t.text.len - missing; n; n--)
			buf_append_byte(&box, '\0');
		buf_append_str(&box, OTHER);
		const struct mbox_end end = { buf_slice(&box), 0, mbox_first_hole(buf_slice(&box)) };
		assert_int_equal(mbox_gap_find(&end, &t), missing ? box.len : sizeof(OTHER) - 1);
	}
	mbox_text_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_whole_mails_of_any_rest),
		cmocka_unit_test(takes_nothing_else_for_a_copy),
		cmocka_unit_test(finds_the_room_of_one_that_is_lost),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
