/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_show.c - commands that show messages and summaries, or give them to a program
 * Tests: tests/system/test_mail_read.py.
 */
#include "mailx/child.h"
#include "mailx/commands.h"
#include "mailx/show.h"
#include "mailx/sort.h"
#include "mailx/summary.h"

static enum command_result show_list(
	struct mailx *mx, const struct msglist *list, const struct show_options *options)
{
	for (size_t i = 0; i < list->n; i++) {
		if (input_take_interrupt())
			return COMMAND_FAILED;
		mx->folder.dot = list->at[i];
		if (show_on_terminal(mx, list->at[i], options) < 0)
			return COMMAND_FAILED;
		mx->dot_was_shown = true;
	}
	return COMMAND_OK;
}

enum command_result cmd_print(struct mailx *mx, struct command_args *args)
{
	const struct show_options options = {
		.fields = &mx->fields, .has_from_line = true, .has_header = true, .has_status = true
	};

	return show_list(mx, &args->list, &options);
}

enum command_result cmd_print_all(struct mailx *mx, struct command_args *args)
{
	static const struct show_options options = {
		.has_from_line = true, .has_header = true, .has_status = true
	};

	return show_list(mx, &args->list, &options);
}

enum command_result cmd_show_raw(struct mailx *mx, struct command_args *args)
{
	static const struct show_options options = {
		.has_from_line = true, .has_header = true, .is_raw = true
	};

	return show_list(mx, &args->list, &options);
}

enum command_result cmd_top(struct mailx *mx, struct command_args *args)
{
	const struct show_options options = { .fields = &mx->fields,
		.has_from_line = true,
		.has_header = true,
		.has_status = true,
		.n_lines = MAX(vars_number(&mx->vars, "toplines", 5), 1U) };

	return show_list(mx, &args->list, &options);
}

static bool is_deleted(const struct mailx *mx, size_t index)
{
	return mx->folder.messages.at[index].flags & MESSAGE_DELETED;
}

enum command_result cmd_next(struct mailx *mx, struct command_args *args)
{
	size_t n = mx->folder.messages.n, i = mx->folder.dot;

	if (args->list.n) {
		args->list.n = 1;
		return cmd_print(mx, args);
	}
	if (n && mx->dot_was_shown)
		i++;
	while (i < n && is_deleted(mx, i))
		i++;
	if (i >= n) {
		(void)fputs(n ? "At EOF\n" : "No messages\n", stdout);
		return COMMAND_OK;
	}
	args->list = (struct msglist){ .at = mem_new_array(1, sizeof(size_t)), .n = 1 };
	args->list.at[0] = i;
	return cmd_print(mx, args);
}

static enum command_result pipe_message(struct mailx *mx, size_t index, struct buf *out)
{
	const struct show_options options = {
		.fields = &mx->fields, .has_header = true, .has_status = true, .has_from_line = true
	};

	if (show_message(mx, index, &options, out) < 0)
		return COMMAND_FAILED;
	buf_append_byte(out, '\n');
	if (vars_on(&mx->vars, "page"))
		buf_append_byte(out, '\f');
	mx->folder.messages.at[index].flags |= MESSAGE_READ | MESSAGE_TOUCHED;
	mx->folder.dot = index;
	mx->dot_was_shown = true;
	return COMMAND_OK;
}

enum command_result cmd_pipe(struct mailx *mx, struct command_args *args)
{
	const char *command = args->words.n ? args->words.at[0] : vars_get(&mx->vars, "cmd");
	auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX);
	auto_close int in = -1;
	int status, r;

	if (!command || !*command) {
		mailx_error(mx, "Say which command: pipe [messages] command, or set the variable `cmd'");
		return COMMAND_FAILED;
	}
	for (size_t i = 0; i < args->list.n; i++)
		if (pipe_message(mx, args->list.at[i], &text) != COMMAND_OK)
			return COMMAND_FAILED;
	in = child_input(buf_slice(&text));
	r = in < 0 ? in : child_shell(mailx_shell(mx), command, in, -1, &status);
	if (r < 0) {
		mailx_error(mx, "cannot run \"%s\": %s", command, strerror(-r));
		return COMMAND_FAILED;
	}
	return COMMAND_OK;
}

/* The rows of the page that begins at first. */
static void show_page(struct mailx *mx, size_t first)
{
	auto_buf struct buf out = BUF_INIT(MAILX_TEXT_MAX);
	size_t left = summary_page_size(mx), i = first;

	mx->page = first;
	for (; i < mx->folder.messages.n && left; i++) {
		if (is_deleted(mx, i))
			continue;
		summary_row(mx, i, &out);
		left--;
	}
	if (out.len)
		(void)fwrite(out.at, 1, out.len, stdout);
	else
		(void)fputs("No applicable messages\n", stdout);
}

/* Where the page begins that holds index: pages are counted in messages that are not deleted. */
static size_t page_start(struct mailx *mx, size_t index)
{
	size_t size = summary_page_size(mx), n_live = 0, start = 0;

	for (size_t i = 0; i < mx->folder.messages.n && i <= index; i++) {
		if (is_deleted(mx, i))
			continue;
		if (n_live % size == 0)
			start = i;
		n_live++;
	}
	return start;
}

enum command_result cmd_headers(struct mailx *mx, struct command_args *args)
{
	size_t index = args->list.n ? args->list.at[0] : mx->folder.dot;

	if (args->list.n && mx->folder.dot != index) {
		mx->folder.dot = index;
		mx->dot_was_shown = false;
	}
	show_page(mx, page_start(mx, index));
	return COMMAND_OK;
}

/* The first live message that is `steps' live ones away from `from'; false when there are not so many. */
static bool walk_live(const struct mailx *mx, size_t from, long steps, size_t *index_out)
{
	size_t i = from;

	while (steps) {
		if (steps > 0 ? i + 1 >= mx->folder.messages.n : i == 0)
			return false;
		i += steps > 0 ? 1 : (size_t)-1;
		if (!is_deleted(mx, i))
			steps += steps > 0 ? -1 : 1;
	}
	*index_out = i;
	return true;
}

static size_t last_live(const struct mailx *mx)
{
	size_t i = mx->folder.messages.n;

	while (i > 0 && is_deleted(mx, i - 1))
		i--;
	return i ? i - 1 : 0;
}

enum command_result cmd_scroll(struct mailx *mx, struct command_args *args)
{
	struct slice where = slice_trim(args->text);
	long size = (long)summary_page_size(mx);
	size_t start = mx->page;

	if (mx->folder.messages.n == 0) {
		mailx_error(mx, "No applicable messages");
		return COMMAND_FAILED;
	}
	if (where.len == 0 || slice_eq(where, SLICE("+"))) {
		if (!walk_live(mx, mx->page, size, &start)) {
			(void)fputs("On last screenful of messages\n", stdout);
			return COMMAND_OK;
		}
	} else if (slice_eq(where, SLICE("-"))) {
		if (mx->page == page_start(mx, 0)) {
			(void)fputs("On first screenful of messages\n", stdout);
			return COMMAND_OK;
		}
		if (!walk_live(mx, mx->page, -size, &start))
			start = page_start(mx, 0);
	} else if (slice_eq(where, SLICE("$"))) {
		start = page_start(mx, last_live(mx));
	} else if (slice_eq(where, SLICE("^"))) {
		start = page_start(mx, 0);
	} else {
		mailx_error(mx, "Behind `z' stands one of + - $ ^");
		return COMMAND_FAILED;
	}
	mx->folder.dot = start;
	mx->dot_was_shown = false;
	show_page(mx, start);
	return COMMAND_OK;
}

enum command_result cmd_from(struct mailx *mx, struct command_args *args)
{
	auto_buf struct buf out = BUF_INIT(MAILX_TEXT_MAX);

	mx->folder.dot = args->list.at[args->list.n - 1];
	for (size_t i = 0; i < args->list.n; i++)
		summary_row(mx, args->list.at[i], &out);
	mailx_show(mx, buf_slice(&out));
	return COMMAND_OK;
}

enum command_result cmd_size(struct mailx *mx, struct command_args *args)
{
	for (size_t i = 0; i < args->list.n; i++) {
		size_t index = args->list.at[i];
		(void)printf("%zu: %u/%" PRIu64 "\n", index + 1, folder_count_lines(&mx->folder, index),
			mx->folder.messages.at[index].size);
	}
	return COMMAND_OK;
}

enum command_result cmd_sort(struct mailx *mx, struct command_args *args)
{
	auto_buf struct buf known = BUF_INIT(MAILX_VALUE_MAX);
	const char *key = args->words.n ? args->words.at[0] : "arrival";

	if (!sort_folder(mx, key)) {
		sort_list_keys(&known);
		mailx_error(mx, "\"%s\" is nothing to sort by; there are %s", key, buf_cstr(&known));
		return COMMAND_FAILED;
	}
	return vars_on(&mx->vars, "header") && mx->folder.messages.n
		? command_run(mx, SLICE("headers"), false)
		: COMMAND_OK;
}

enum command_result cmd_number(struct mailx *mx, struct command_args *args)
{
	size_t index = args->list.n ? args->list.at[0] : mx->folder.dot;

	(void)printf("%zu\n", mx->folder.messages.n ? index + 1 : 0);
	return COMMAND_OK;
}
