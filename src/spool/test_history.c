/* SPDX-License-Identifier: Apache-2.0 */
/* The history of messages: lines, bounded files, damage, and finding. */
#include "spool/history.h"
#include "base/file.h"
#include "mail/queue_id.h"
#include "support/test.h"
#include <fcntl.h>
#include <sys/stat.h>

static char dir[] = "/tmp/test_history.XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	memcpy(strrchr(dir, '.') + 1, "XXXXXX", 6);
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char path[100];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(path, sizeof(path), "%s/history/%s", dir, i ? "old" : "new");
		(void)unlink(path);
	}
	(void)snprintf(path, sizeof(path), "%s/history", dir);
	(void)rmdir(path);
	return rmdir(dir);
}

static bool gather(void *user, struct slice line)
{
	buf_append(user, line);
	buf_append_byte(user, '\n');
	return true;
}

static struct buf found(const char *what)
{
	struct buf b = BUF_INIT(1 << 20);

	assert_int_equal(history_find(dir, slice_of(what), gather, &b), 0);
	return b;
}

static void lines_are_read_as_written(void **state)
{
	auto_buf struct buf b = BUF_INIT(1000), text = BUF_INIT(1000);
	struct slice line, rest, name, value;
	struct history_event e;

	(void)state;
	history_begin(&b, 123, queue_id_make(1, 5), "sent");
	history_text(&b, "to", SLICE("a=b\tc\\d\n\x7f"));
	history_text(&b, "nothing", SLICE_EMPTY);
	history_number(&b, "size", 9);
	history_end(&b);
	rest = buf_slice(&b);
	assert_true(slice_next_line(&rest, &line));
	assert_int_equal(rest.len, 0);
	assert_true(history_parse(line, &e));
	assert_int_equal(e.time_us, 123);
	assert_int_equal(e.id, queue_id_make(1, 5));
	assert_true(slice_eq(e.name, SLICE("sent")));
	assert_true(history_field_next(&e.fields, &name, &value));
	history_unescape(value, &text);
	assert_true(slice_eq(name, SLICE("to")) && slice_eq(buf_slice(&text), SLICE("a=b\tc\\d\n\x7f")));
	assert_true(history_field_next(&e.fields, &name, &value));
	assert_true(slice_eq(name, SLICE("size")) && slice_eq(value, SLICE("9")));
	assert_false(history_field_next(&e.fields, &name, &value));
}

static void what_is_no_line_is_passed_over(void **state)
{
	static const struct slice rows[] = { SLICE_CONST(""), SLICE_CONST("12"),
		SLICE_CONST("12\t001000000000005"), SLICE_CONST("12\t001000000000005\t"),
		SLICE_CONST("x\t001000000000005\tsent"), SLICE_CONST("12\t00100000000000\tsent"),
		SLICE_CONST("12\t001000000000005\tse\0nt"),
		SLICE_CONST("12\t001000000000005\tsent\tto=\x01") };
	struct history_event e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_false(history_parse(rows[i], &e));
	assert_true(history_parse(SLICE("12\t001000000000005\tsent"), &e));
}

static void add(struct history *h, uint64_t number, const char *event, const char *to)
{
	auto_buf struct buf b = BUF_INIT(2000);

	history_begin(&b, number, queue_id_make(1, number), event);
	history_text(&b, "to", slice_of(to));
	history_end(&b);
	assert_int_equal(history_write(h, buf_slice(&b)), 0);
}

static void mail_is_found_by_id_and_by_address(void **state)
{
	struct history *h = NULL;

	(void)state;
	assert_int_equal(history_find(dir, SLICE("x"), gather, NULL), -ENOENT);
	assert_int_equal(history_open(dir, 1 << 20, &h), 0);
	add(h, 1, "accepted", "a@one.example");
	add(h, 2, "accepted", "aa@one.example");
	add(h, 1, "sent", "b@two.example");
	history_close(&h);
	struct buf one = found(queue_id_format(queue_id_make(1, 1)).at);
	assert_string_equal(buf_cstr(&one),
		"1\t010000000000001\taccepted\tto=a@one.example\n1\t010000000000001\tsent\tto=b@two."
		"example\n");
	struct buf by_address = found("a@one.example"), second = found("b@two.example");
	assert_string_equal(buf_cstr(&by_address), buf_cstr(&one));
	assert_string_equal(buf_cstr(&second), buf_cstr(&one));
	assert_slice_equal(history_bare_id(SLICE("<a@one.example>")), SLICE("a@one.example"));
	assert_slice_equal(history_bare_id(SLICE("<>")), SLICE("<>"));
	assert_slice_equal(history_bare_id(SLICE("a>")), SLICE("a>"));
	struct buf in_brackets = found("<a@one.example>");
	assert_string_equal(buf_cstr(&in_brackets), buf_cstr(&one));
	buf_free(&in_brackets);
	struct buf none = found("one.example"), other = found("010000000000009");
	assert_int_equal(none.len + other.len, 0);
	buf_free(&one);
	buf_free(&by_address);
	buf_free(&second);
	buf_free(&none);
	buf_free(&other);
}

static off_t size_of(const char *name)
{
	char path[100];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/history/%s", dir, name);
	return stat(path, &st) == 0 ? st.st_size : -1;
}

static void files_stay_small_and_the_newest_is_kept(void **state)
{
	struct history *h = NULL;

	(void)state;
	assert_int_equal(history_open(dir, 10000, &h), 0);
	for (uint64_t i = 1; i <= 1000; i++)
		add(h, i, "accepted", "someone@somewhere.example");
	history_close(&h);
	assert_in_range(size_of("new"), 1, 5000);
	assert_in_range(size_of("old"), 4000, 5000);
	struct buf last = found(queue_id_format(queue_id_make(1, 1000)).at);
	struct buf first = found(queue_id_format(queue_id_make(1, 1)).at);
	assert_true(last.len > 0 && first.len == 0);
	struct buf all = found("someone@somewhere.example"); /* of the last ones only */
	assert_in_range(all.len, HISTORY_MAILS * (last.len - 3), HISTORY_MAILS * last.len);
	buf_free(&last);
	buf_free(&first);
	buf_free(&all);
}

static void damage_costs_the_damaged_lines(void **state)
{
	char path[100];
	struct history *h = NULL;

	(void)state;
	assert_int_equal(history_open(dir, 1 << 20, &h), 0);
	add(h, 1, "accepted", "a@one.example");
	history_close(&h);
	(void)snprintf(path, sizeof(path), "%s/history/new", dir);
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	static const char zeros[4096];
	assert_true(fd >= 0);
	assert_int_equal(write(fd, zeros, sizeof(zeros)), sizeof(zeros));
	assert_int_equal(write(fd, "12\t00100000", 11), 11); /* cut off */
	assert_int_equal(close(fd), 0);
	assert_int_equal(history_open(dir, 1 << 20, &h), 0);
	add(h, 1, "sent", "a@one.example");
	history_close(&h);
	struct buf one = found("010000000000001");
	assert_string_equal(buf_cstr(&one),
		"1\t010000000000001\taccepted\tto=a@one.example\n1\t010000000000001\tsent\tto=a@one."
		"example\n");
	buf_free(&one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_read_as_written),
		cmocka_unit_test(what_is_no_line_is_passed_over),
		cmocka_unit_test_setup_teardown(mail_is_found_by_id_and_by_address, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
			files_stay_small_and_the_newest_is_kept, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(damage_costs_the_damaged_lines, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
