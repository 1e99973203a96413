/* SPDX-License-Identifier: Apache-2.0 */
/* sort.c - see sort.h */
#include "mailx/sort.h"
#include "mailx/head.h"
#include "mailx/maildir_name.h"

/* What one message is compared by: the number first, then the text. */
struct sort_item {
	int64_t number;
	struct buf text;
	size_t index; /* before */
};

/* Fills in number or text; head is empty when it could not be read. */
typedef void (*sort_key)(
	struct mailx *mx, size_t index, const struct message_parts *head, struct sort_item *item);

static void lower_text(struct buf *text)
{
	for (size_t i = 0; i < text->len; i++)
		text->at[i] = ascii_lower(text->at[i]);
}

static void by_arrival(
	struct mailx *mx, size_t index, const struct message_parts *head, struct sort_item *item)
{
	if (mx->folder.kind == FOLDER_MAILDIR) {
		item->number = maildir_time_s(mx->folder.files.at[index]);
		buf_append(&item->text, maildir_unique(mx->folder.files.at[index]));
	} else {
		item->number = (int64_t)mx->folder.messages.at[index].offset;
	}
}

static void by_date(struct mailx *mx, size_t index, const struct message_parts *head, struct sort_item *item)
{
	if (!head_date(head->header, &item->number))
		item->number = 0; /* those without a date first */
}

static void by_author(
	struct mailx *mx, size_t index, const struct message_parts *head, struct sort_item *item)
{
	auto_buf struct buf name = BUF_INIT(MAILX_VALUE_MAX);

	head_author(head->from_line, head->header, &item->text, &name);
	lower_text(&item->text);
}

static void by_addressee(
	struct mailx *mx, size_t index, const struct message_parts *head, struct sort_item *item)
{
	auto_strlist struct strlist to = STRLIST_INIT;

	head_addresses(head->header, "To", false, &to);
	if (to.n)
		buf_append_str(&item->text, to.at[0]);
	lower_text(&item->text);
}

/* Without "Re: " and "Fwd: ", so that a talk stays together. */
static void by_subject(
	struct mailx *mx, size_t index, const struct message_parts *head, struct sort_item *item)
{
	auto_buf struct buf subject = BUF_INIT(MAILX_VALUE_MAX);
	struct slice text;

	(void)head_text(head->header, "Subject", &subject); /* none: the empty one */
	text = slice_trim(buf_slice(&subject));
	while (slice_skip_prefix_nocase(&text, SLICE("re:")) ||
		slice_skip_prefix_nocase(&text, SLICE("fwd:")) ||
		slice_skip_prefix_nocase(&text, SLICE("fw:")))
		text = slice_trim(text);
	buf_append(&item->text, text);
	lower_text(&item->text);
}

static void by_size(struct mailx *mx, size_t index, const struct message_parts *head, struct sort_item *item)
{
	item->number = (int64_t)mx->folder.messages.at[index].size;
}

/* New ones first, then those not read, then the others. */
static void by_status(
	struct mailx *mx, size_t index, const struct message_parts *head, struct sort_item *item)
{
	unsigned flags = mx->folder.messages.at[index].flags;

	item->number = flags & MESSAGE_READ ? 2 : flags & MESSAGE_NEW ? 0 : 1;
}

static const struct {
	const char *name;
	sort_key fill;
	bool needs_head;
} keys[] = {
	{ "arrival", by_arrival, false },
	{ "date", by_date, true },
	{ "from", by_author, true },
	{ "to", by_addressee, true },
	{ "subject", by_subject, true },
	{ "size", by_size, false },
	{ "status", by_status, false },
};

static int compare_items(const void *left, const void *right)
{
	const struct sort_item *a = left, *b = right;
	int r;

	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	r = slice_cmp(buf_slice(&a->text), buf_slice(&b->text));
	return r ? r : a->index < b->index ? -1 : 1;
}

static void renumber(struct folder *f, const struct sort_item *items)
{
	struct mbox_index messages = { .at = mem_new_array(f->messages.n, sizeof(*messages.at)),
		.n = f->messages.n,
		.cap = f->messages.n };
	struct strlist files = STRLIST_INIT;
	size_t dot = f->dot;

	for (size_t i = 0; i < f->messages.n; i++) {
		messages.at[i] = f->messages.at[items[i].index];
		if (f->kind == FOLDER_MAILDIR)
			strlist_add(&files, f->files.at[items[i].index]);
		if (items[i].index == f->dot)
			dot = i;
	}
	mem_free(f->messages.at);
	f->messages = messages;
	strlist_free(&f->files);
	f->files = files;
	f->dot = dot;
}

static void fill_item(struct mailx *mx, size_t index, size_t key, struct sort_item *item)
{
	auto_buf struct buf head = BUF_INIT(MAILX_TEXT_MAX);
	struct message_parts parts = { 0 };

	*item = (struct sort_item){ .index = index, .text = BUF_INIT(MAILX_VALUE_MAX) };
	if (keys[key].needs_head && folder_read_head(&mx->folder, index, &head) < 0)
		buf_clear(&head); /* showing the message will say what is wrong */
	parts = message_split(buf_slice(&head), head.len);
	keys[key].fill(mx, index, &parts, item);
}

bool sort_folder(struct mailx *mx, const char *key)
{
	size_t n = mx->folder.messages.n, k = 0;
	auto_free struct sort_item *items = mem_new_array(n + 1, sizeof(*items));

	while (k < ARRAY_LEN(keys) && strcmp(keys[k].name, key) != 0)
		k++;
	if (k == ARRAY_LEN(keys))
		return false;
	for (size_t i = 0; i < n; i++)
		fill_item(mx, i, k, &items[i]);
	qsort(items, n, sizeof(*items), compare_items);
	if (n)
		renumber(&mx->folder, items);
	for (size_t i = 0; i < n; i++)
		buf_free(&items[i].text);
	return true;
}

void sort_list_keys(struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		buf_printf(out, "%s%s", i ? ", " : "", keys[i].name);
}
