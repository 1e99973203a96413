/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_mailx_command.c - any bytes as a start-up file, as a command line and as a message list; nothing is
 * run */
#include "base/file.h"
#include "mailx/args.h"
#include "mailx/commands.h"
#include "mailx/rcfile.h"
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char folder[] =
	"From a@example.org  Wed Feb 19 05:10:35 2020\nSubject: one\nFrom: a@example.org\n\nx\n\n"
	"From b@example.org  Wed Feb 19 05:11:35 2020\nStatus: RO\nSubject: two\n\ny\n\n"
	"From c@example.org  Wed Feb 19 05:12:35 2020\nStatus: O\nX-Status: F\n\nz\n\n";

static struct mailx *session(void)
{
	static struct mailx mx;

	if (mx.has_folder)
		return &mx;
	vars_init(&mx.vars);
	vars_set(&mx.vars, "searchheaders", "");
	mx.folder = FOLDER_CLOSED;
	mx.folder.fd = memfd_create("folder", MFD_CLOEXEC);
	CHECK(mx.folder.fd >= 0 && file_write_all(mx.folder.fd, SLICE(folder)) == 0);
	CHECK(mbox_scan(SLICE(folder), 0, &mx.folder.messages) == MBOX_OK && mx.folder.messages.n == 3);
	mx.folder.messages.at[2].flags |= MESSAGE_DELETED;
	mx.has_folder = true;
	return &mx;
}

static void check_list(struct slice spec)
{
	struct mailx *mx = session();

	for (enum msglist_want want = MSGLIST_LIVE; want <= MSGLIST_EITHER; want++) {
		auto_buf struct buf problem = BUF_INIT(MAILX_TEXT_MAX);
		struct msglist list = { 0 };
		enum msglist_status r = msglist_parse(mx, spec, want, &list, &problem);
		CHECK((r == MSGLIST_OK) == (list.n > 0));
		CHECK((problem.len > 0) == (r > MSGLIST_EMPTY));
		for (size_t i = 0; i < list.n; i++)
			CHECK(list.at[i] < 3 && (i == 0 || list.at[i - 1] < list.at[i]));
		msglist_free(&list);
	}
}

static void check_line(struct slice line)
{
	auto_strlist struct strlist words = STRLIST_INIT;
	auto_buf struct buf last = BUF_INIT(MAILX_TEXT_MAX);
	struct slice rest = line, before = line, word = args_command(&rest);
	enum args_result r = args_split(line, &words);

	CHECK(word.len + rest.len <= line.len);
	(void)command_find(word);
	CHECK(args_last(&before, &last) == (r == ARGS_OK && words.n > 0));
	if (r == ARGS_OK && words.n)
		CHECK(strcmp(words.at[words.n - 1], buf_cstr(&last)) == 0);
	check_list(rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size };
	auto_buf struct buf line = BUF_INIT(MAILX_TEXT_MAX);
	unsigned n_lines, total = 0;

	while (rcfile_next_line(&text, &line, &n_lines)) {
		total += n_lines;
		check_line(buf_slice(&line));
	}
	CHECK(total <= size + 1 && text.len == 0);
	return 0;
}
