/* SPDX-License-Identifier: Apache-2.0 */
/* reply.c - see reply.h */
#include "mailx/reply.h"
#include "mail/header.h"
#include "mailx/head.h"
#include "mailx/identity.h"
#include "mailx/mime_in.h"
#include "mailx/show.h"

void reply_subject(const char *prefix, const char *subject, struct buf *out)
{
	struct slice rest = slice_trim(slice_of(subject));
	bool is_there = slice_starts_nocase(rest, slice_first(slice_of(prefix), strlen(prefix) - 1));

	if (!is_there)
		buf_append_str(out, prefix);
	buf_append(out, rest);
}

/* Adds the addresses of a field; ours only with `metoo'. What is no address in a message is left out. */
static void add_from_field(struct mailx *mx, struct draft *d, enum draft_field to, struct slice header,
	const char *name, bool keep_own)
{
	auto_strlist struct strlist found = STRLIST_INIT;
	struct slice written;

	head_addresses(header, name, vars_on(&mx->vars, "fullnames"), &found);
	for (size_t i = 0; i < found.n; i++) {
		struct slice bare = draft_bare_address(found.at[i], &written);
		bool is_written_safely =
			bare.len && (slice_find(bare, '@') < bare.len || !strchr("/|+", bare.at[0]));
		if (!is_written_safely || (!keep_own && identity_is_own(mx, bare)))
			continue;
		/* Not through the user's aliases: a stranger wrote it. */
		if (strlist_find_nocase(&d->recipients[DRAFT_TO], found.at[i]) == d->recipients[DRAFT_TO].n &&
			strlist_find_nocase(&d->recipients[DRAFT_CC], found.at[i]) ==
				d->recipients[DRAFT_CC].n)
			strlist_add(&d->recipients[to], found.at[i]);
	}
}

static bool has_addresses(struct slice header, const char *name)
{
	auto_strlist struct strlist found = STRLIST_INIT;

	head_addresses(header, name, false, &found);
	return found.n > 0;
}

static void add_author(struct mailx *mx, struct draft *d, const struct message_parts *parts, bool keep_own)
{
	struct slice sender, date;

	if (has_addresses(parts->header, "Reply-To")) {
		add_from_field(mx, d, DRAFT_TO, parts->header, "Reply-To", keep_own);
	} else if (has_addresses(parts->header, "From")) {
		add_from_field(mx, d, DRAFT_TO, parts->header, "From", keep_own);
	} else {
		mbox_from_parts(parts->from_line, &sender, &date);
		auto_free char *text = slice_dup(sender);
		if (!draft_add_recipients(mx, d, DRAFT_TO, text))
			return; /* told; the caller sees that there is nobody */
	}
}

/* The thread: the message's References and its own id, the first and the newest ones when there are many. */
static void set_thread(struct draft *d, struct slice header)
{
	auto_buf struct buf id = BUF_INIT(MAILX_VALUE_MAX), before = BUF_INIT(MAILX_VALUE_MAX),
			    all = BUF_INIT(MAILX_VALUE_MAX);
	auto_strlist struct strlist ids = STRLIST_INIT;
	struct slice rest, word;

	if (!head_text(header, "Message-Id", &id) || !buf_cstr(&id))
		return;
	draft_set(&d->in_reply_to, buf_cstr(&id));
	if (!head_text(header, "References", &before))
		(void)head_text(header, "In-Reply-To", &before); /* often the only trace of the thread */
	rest = buf_slice(&before);
	while (slice_next_word(&rest, &word))
		if (word.at[0] == '<' && word.at[word.len - 1] == '>')
			strlist_add_slice(&ids, word);
	while (ids.n > MAILX_REFERENCES_MAX)
		strlist_remove(&ids, 1);
	for (size_t i = 0; i < ids.n; i++)
		buf_printf(&all, "%s ", ids.at[i]);
	buf_append(&all, buf_slice(&id));
	if (buf_cstr(&all))
		draft_set(&d->references, buf_cstr(&all));
}

static void quote_text(struct mailx *mx, size_t index, struct draft *d)
{
	static const struct show_options options = { .n_lines = 0 };
	auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX);
	const char *prefix = vars_get(&mx->vars, "indentprefix");
	struct slice rest, line;

	if (show_message(mx, index, &options, &text) < 0)
		return;
	rest = buf_slice(&text);
	while (slice_next_line(&rest, &line))
		buf_printf(&d->text, "%s%.*s\n", prefix ? prefix : "> ", SLICE_ARG(line));
}

static bool fill_draft(struct mailx *mx, const struct message_parts *parts, bool to_all, struct draft *d)
{
	auto_buf struct buf subject = BUF_INIT(MAILX_VALUE_MAX), answer = BUF_INIT(MAILX_VALUE_MAX);
	bool metoo = vars_on(&mx->vars, "metoo");

	add_author(mx, d, parts, metoo || !to_all);
	if (to_all) {
		add_from_field(mx, d, DRAFT_TO, parts->header, "To", metoo);
		add_from_field(mx, d, DRAFT_CC, parts->header, "Cc", metoo);
	}
	if (draft_count_recipients(d) == 0)
		add_author(mx, d, parts, true); /* a letter to oneself */
	if (head_text(parts->header, "Subject", &subject) && buf_cstr(&subject)) {
		reply_subject("Re: ", buf_cstr(&subject), &answer);
		draft_set(&d->subject, buf_cstr(&answer));
	}
	set_thread(d, parts->header);
	return draft_count_recipients(d) > 0;
}

bool reply_draft(struct mailx *mx, size_t index, bool to_all, struct draft *d)
{
	auto_buf struct buf head = BUF_INIT(MAILX_TEXT_MAX);
	struct message_parts parts;
	int r = folder_read_head(&mx->folder, index, &head);

	if (r < 0)
		return show_problem(mx, index, r) == 0;
	parts = message_split(buf_slice(&head), head.len);
	if (!fill_draft(mx, &parts, to_all, d)) {
		mailx_error(mx, "%zu: there is no address to answer to", index + 1);
		return false;
	}
	if (vars_on(&mx->vars, "quote"))
		quote_text(mx, index, d);
	return true;
}

void reply_file_name(struct slice address, struct buf *out)
{
	auto_buf struct buf safe = BUF_INIT(PATH_MAX);

	mime_safe_name(slice_first(address, slice_find(address, '@')), &safe);
	for (size_t i = 0; i < safe.len; i++)
		buf_append_byte(out, strchr(i ? "*?[" : "*?[~%#&+", safe.at[i]) ? '_' : safe.at[i]);
}

void reply_author_name(struct mailx *mx, size_t index, struct buf *out)
{
	auto_buf struct buf head = BUF_INIT(MAILX_TEXT_MAX), address = BUF_INIT(MAILX_VALUE_MAX),
			    name = BUF_INIT(MAILX_VALUE_MAX);
	struct message_parts parts;

	if (show_problem(mx, index, folder_read_head(&mx->folder, index, &head)) < 0)
		return;
	parts = message_split(buf_slice(&head), head.len);
	head_author(parts.from_line, parts.header, &address, &name);
	reply_file_name(buf_slice(&address), out);
}
