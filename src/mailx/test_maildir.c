/* SPDX-License-Identifier: Apache-2.0 */
/* test_maildir.c - names and flags of a Maildir, opening, reading, changing, adding */
#include "mailx/append.h"
#include "mailx/maildir.h"
#include "mailx/maildir_name.h"
#include "mailx/test_fixture.h"

static void reads_and_makes_names(void **state)
{
	static const struct {
		const char *file;
		unsigned flags, wanted;
		const char *renamed;
	} rows[] = {
		{ "new/1582107035.a.host", MESSAGE_NEW, 0, "cur/1582107035.a.host:2," },
		{ "new/1582107035.a.host", MESSAGE_NEW, MESSAGE_NEW, "new/1582107035.a.host" },
		{ "new/1582107035.a.host", MESSAGE_NEW, MESSAGE_READ | MESSAGE_NEW,
			"cur/1582107035.a.host:2,S" },
		{ "cur/1.a,S=3:2,RS", MESSAGE_READ | MESSAGE_ANSWERED, MESSAGE_READ, "cur/1.a,S=3:2,S" },
		{ "cur/1.a:2,S", MESSAGE_READ,
			MESSAGE_READ | MESSAGE_FLAGGED | MESSAGE_DRAFT | MESSAGE_ANSWERED, "cur/1.a:2,DFRS" },
		{ "cur/1.a:2,PSab", MESSAGE_READ, MESSAGE_FLAGGED, "cur/1.a:2,FPab" },
		{ "cur/1.a:2,PSab", MESSAGE_READ, MESSAGE_NEW, "cur/1.a:2,Pab" },
		{ "cur/1.a:2,ST", MESSAGE_READ | MESSAGE_DELETED, MESSAGE_READ, "cur/1.a:2,S" },
		{ "cur/1.a:1,x", 0, MESSAGE_READ, "cur/1.a:2,S" },
		{ "cur/1.a", 0, 0, "cur/1.a:2," },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf name = BUF_INIT(200);
		assert_int_equal(maildir_flags(rows[i].file), rows[i].flags);
		maildir_rename_for(rows[i].file, rows[i].wanted, &name);
		assert_string_equal(buf_cstr(&name), rows[i].renamed);
	}
	assert_int_equal(maildir_time_s("new/1582107035.a.host"), 1582107035);
	assert_int_equal(maildir_time_s("new/word.a"), 0);
	assert_true(maildir_compare("cur/9.z:2,", "new/10.a") < 0);
	assert_true(maildir_compare("cur/10.b:2,", "new/10.a") > 0);
	assert_int_equal(maildir_compare("cur/10.a:2,S", "new/10.a"), 0);
}

static void put_file(const struct fixture *f, const char *name, const char *text)
{
	auto_buf struct buf path = BUF_INIT(PATH_MAX);

	buf_printf(&path, "%s/box/%s", f->directory, name);
	fixture_write(buf_cstr(&path), slice_of(text));
}

static bool has_file(const struct fixture *f, const char *name)
{
	auto_buf struct buf path = BUF_INIT(PATH_MAX);

	buf_printf(&path, "%s/box/%s", f->directory, name);
	return access(buf_cstr(&path), F_OK) == 0;
}

#define RED "Return-Path: <red@example.org>\nSubject: red\n\nred text\nFrom here on\n"
#define BLUE "From: Blue <blue@example.org>\nSubject: blue\n\nblue text"
#define GREEN "Subject: green\n\n"

static void make_box(struct fixture *f)
{
	static const char *const directories[] = { "box", "box/cur", "box/new", "box/tmp" };

	fixture_init(f, NULL);
	for (size_t i = 0; i < ARRAY_LEN(directories); i++) {
		auto_buf struct buf path = BUF_INIT(PATH_MAX);
		buf_printf(&path, "%s/%s", f->directory, directories[i]);
		assert_int_equal(mkdir(buf_cstr(&path), 0700), 0);
	}
	put_file(f, "new/1582107036.b", BLUE);
	put_file(f, "cur/1582107035.a:2,S", RED);
	put_file(f, "cur/1582107037.c:2,FPT", GREEN);
	put_file(f, "tmp/1582107037.d", "no message yet");
	put_file(f, "cur/.hidden", "none either");
}

static void open_box(struct fixture *f)
{
	(void)snprintf(f->path, sizeof(f->path), "%s/box", f->directory);
	assert_int_equal(folder_open(&f->mx.folder, f->path, f->path, false), FOLDER_OPEN);
}

static void opens_and_reads(void **state)
{
	static const struct {
		unsigned flags;
		const char *text;
		size_t body;
	} rows[] = {
		{ MESSAGE_READ, "From red@example.org  Wed Feb 19 10:10:35 2020\n" RED "\n", 1 },
		{ MESSAGE_NEW, "From blue@example.org  Wed Feb 19 10:10:36 2020\n" BLUE "\n\n", 2 },
		{ MESSAGE_FLAGGED | MESSAGE_DELETED,
			"From MAILER-DAEMON  Wed Feb 19 10:10:37 2020\n" GREEN "\n", 3 },
	};
	struct fixture f;

	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	make_box(&f);
	open_box(&f);
	assert_int_equal(f.mx.folder.messages.n, ARRAY_LEN(rows));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf text = BUF_INIT(1000), head = BUF_INIT(1000);
		assert_int_equal(f.mx.folder.messages.at[i].flags, rows[i].flags);
		assert_int_equal(folder_read(&f.mx.folder, i, &text), 0);
		assert_slice_equal(buf_slice(&text), slice_of(rows[i].text));
		assert_int_equal(folder_read_head(&f.mx.folder, i, &head), 0);
		assert_int_equal(head.len, f.mx.folder.messages.at[i].head_size);
		assert_slice_equal(buf_slice(&head), slice_first(buf_slice(&text), head.len));
		assert_true(slice_starts(slice_from(buf_slice(&text), head.len), SLICE("\n")));
	}
	fixture_deinit(&f);
}

static void writes_flags_into_names(void **state)
{
	struct rewrite_outcome outcome;
	struct fixture f;

	make_box(&f);
	open_box(&f);
	f.mx.folder.messages.at[0].flags |= MESSAGE_DELETED;
	f.mx.folder.messages.at[1].flags = MESSAGE_READ | MESSAGE_ANSWERED;
	f.mx.folder.messages.at[2].flags &= (uint16_t)~MESSAGE_DELETED;
	put_file(&f, "new/1582107040.e", GREEN);
	assert_int_equal(rewrite_folder(&f.mx.folder, true, &outcome), REWRITE_DONE);
	assert_true(outcome.has_new_mail);
	assert_false(outcome.was_removed);
	assert_false(has_file(&f, "cur/1582107035.a:2,S"));
	assert_true(has_file(&f, "cur/1582107036.b:2,RS"));
	assert_true(has_file(&f, "cur/1582107037.c:2,FP"));
	assert_true(has_file(&f, "new/1582107040.e"));
	assert_true(has_file(&f, "tmp/1582107037.d"));
	fixture_deinit(&f);
}

/* Another reader at the same time: renamed, removed, added. */
static void gets_along_with_other_readers(void **state)
{
	auto_buf struct buf text = BUF_INIT(1000);
	struct rewrite_outcome outcome;
	struct fixture f;
	size_t n_new;

	make_box(&f);
	open_box(&f);
	assert_int_equal(
		renameat(f.mx.folder.fd, "new/1582107036.b", f.mx.folder.fd, "cur/1582107036.b:2,F"), 0);
	assert_int_equal(unlinkat(f.mx.folder.fd, "cur/1582107035.a:2,S", 0), 0);
	assert_int_equal(folder_read(&f.mx.folder, 1, &text), 0);
	assert_int_equal(folder_read(&f.mx.folder, 0, &text), -ESTALE);
	put_file(&f, "new/1582107041.f", GREEN);
	assert_true(folder_has_grown(&f.mx.folder));
	assert_int_equal(folder_extend(&f.mx.folder, &n_new), FOLDER_OPEN);
	assert_int_equal(n_new, 1);
	assert_int_equal(f.mx.folder.messages.n, 4);
	assert_int_equal(
		renameat(f.mx.folder.fd, "cur/1582107036.b:2,F", f.mx.folder.fd, "cur/1582107036.b:2,FP"), 0);
	f.mx.folder.messages.at[0].flags |= MESSAGE_DELETED;
	f.mx.folder.messages.at[1].flags = MESSAGE_READ;
	assert_int_equal(rewrite_folder(&f.mx.folder, false, &outcome), REWRITE_DONE);
	assert_true(has_file(&f, "cur/1582107036.b:2,FPS")); /* the flag of the other reader stays */
	fixture_deinit(&f);
}

/* What another reader said of messages that are not changed here stays; what is changed here is all that is.
 */
static void keeps_flags_of_other_readers(void **state)
{
	static const struct {
		const char *theirs;
		unsigned set, cleared; /* here */
		const char *wanted;
	} rows[] = {
		{ "cur/1582107036.b:2,RS", 0, MESSAGE_NEW, "cur/1582107036.b:2,RS" },
		{ "cur/1582107036.b:2,T", MESSAGE_READ, MESSAGE_NEW, "cur/1582107036.b:2,ST" },
		{ "cur/1582107036.b:2,S", MESSAGE_FLAGGED, 0, "cur/1582107036.b:2,FS" },
		{ "cur/1582107036.b:2,F", MESSAGE_FLAGGED, MESSAGE_NEW, "cur/1582107036.b:2,F" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rewrite_outcome outcome;
		struct fixture f;
		make_box(&f);
		open_box(&f);
		assert_int_equal(
			renameat(f.mx.folder.fd, "new/1582107036.b", f.mx.folder.fd, rows[i].theirs), 0);
		f.mx.folder.messages.at[1].flags |= (uint16_t)rows[i].set;
		f.mx.folder.messages.at[1].flags &= (uint16_t)~rows[i].cleared;
		assert_int_equal(rewrite_folder(&f.mx.folder, false, &outcome), REWRITE_DONE);
		assert_true(has_file(&f, rows[i].wanted));
		fixture_deinit(&f);
	}
}

static void takes_back_what_was_trashed(void **state)
{
	struct rewrite_outcome outcome;
	struct fixture f;

	make_box(&f);
	open_box(&f);
	f.mx.folder.messages.at[2].flags &= (uint16_t)~MESSAGE_DELETED; /* and nothing else */
	assert_int_equal(rewrite_folder(&f.mx.folder, false, &outcome), REWRITE_DONE);
	assert_true(has_file(&f, "cur/1582107037.c:2,FP"));
	fixture_deinit(&f);
}

/* Two messages that claim to be the same one, and a file that becomes something else. */
static void loses_nothing_in_a_muddle(void **state)
{
	auto_buf struct buf text = BUF_INIT(1000);
	struct rewrite_outcome outcome;
	struct fixture f;

	make_box(&f);
	put_file(&f, "cur/1582107036.b:2,S", GREEN);
	open_box(&f);
	assert_int_equal(f.mx.folder.messages.n, 4);
	for (size_t i = 0; i < f.mx.folder.messages.n; i++)
		f.mx.folder.messages.at[i].flags = MESSAGE_READ;
	assert_int_equal(rewrite_folder(&f.mx.folder, false, &outcome), REWRITE_DONE);
	assert_true(has_file(&f, "new/1582107036.b") && has_file(&f, "cur/1582107036.b:2,S"));
	assert_int_equal(unlinkat(f.mx.folder.fd, "cur/1582107035.a:2,S", 0), 0);
	assert_int_equal(mkfifoat(f.mx.folder.fd, "cur/1582107035.a:2,S", 0600), 0);
	assert_int_equal(folder_read(&f.mx.folder, 0, &text), -ESTALE);
	fixture_deinit(&f);
}

static void adds_messages(void **state)
{
	static const char text[] = FIRST_MESSAGE "From b@c  Wed Feb 19 05:10:35 2020\nStatus: RO\nX-Status: "
						 "F\nA: b\n\n>From x\n>>From y\n> z\n\n";
	auto_buf struct buf path = BUF_INIT(PATH_MAX), out = BUF_INIT(1000);
	struct fixture f;
	bool is_new;

	fixture_init(&f, NULL);
	buf_printf(&path, "%s/made/", f.directory);
	assert_int_equal(append_to_file(buf_cstr(&path), APPEND_MESSAGES, slice_of(text), &is_new), 0);
	assert_true(is_new);
	assert_int_equal(folder_open(&f.mx.folder, buf_cstr(&path), "x", false), FOLDER_OPEN);
	assert_int_equal(f.mx.folder.messages.n, 2);
	assert_int_equal(f.mx.folder.messages.at[0].flags, MESSAGE_NEW);
	assert_int_equal(f.mx.folder.messages.at[1].flags, MESSAGE_READ | MESSAGE_FLAGGED);
	assert_int_equal(folder_read(&f.mx.folder, 1, &out), 0);
	assert_slice_equal(slice_from(buf_slice(&out), slice_find(buf_slice(&out), '\n') + 1),
		SLICE("A: b\n\nFrom x\n>From y\n> z\n\n"));
	assert_int_equal(append_to_file(buf_cstr(&path), APPEND_MESSAGES, SLICE(FIRST_MESSAGE), &is_new), 0);
	assert_false(is_new);
	assert_int_equal(
		append_to_file(f.directory, APPEND_MESSAGES, SLICE(FIRST_MESSAGE), &is_new), -EISDIR);
	buf_append_str(&path, "../no/deeper/");
	assert_int_equal(
		append_to_file(buf_cstr(&path), APPEND_MESSAGES, SLICE(FIRST_MESSAGE), &is_new), -ENOENT);
	fixture_deinit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_makes_names),
		cmocka_unit_test(opens_and_reads),
		cmocka_unit_test(writes_flags_into_names),
		cmocka_unit_test(gets_along_with_other_readers),
		cmocka_unit_test(keeps_flags_of_other_readers),
		cmocka_unit_test(takes_back_what_was_trashed),
		cmocka_unit_test(loses_nothing_in_a_muddle),
		cmocka_unit_test(adds_messages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
