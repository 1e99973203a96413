/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leave.c - see leave.h
 *
 * First the messages for MBOX are written there and synced, then the folder is rewritten: whatever fails or
 * crashes between, a message may be in both places, never in none.
 */
#include "mailx/leave.h"
#include "mailx/append.h"
#include "mailx/keep.h"
#include "mailx/lock.h"
#include "mailx/rewrite.h"
#include "mailx/summary.h"

static bool goes_to_mbox(const struct mailx *mx, unsigned flags)
{
	if (flags & (MESSAGE_DELETED | MESSAGE_PRESERVED | MESSAGE_SAVED))
		return false;
	if (flags & MESSAGE_MBOXED)
		return true;
	return mx->folder.is_system && (flags & MESSAGE_TOUCHED) && (flags & MESSAGE_READ) &&
		!vars_on(&mx->vars, "hold");
}

static const char *write_problem(int r)
{
	switch (r) {
	case REWRITE_CHANGED: return "another program rewrote it meanwhile; open it again";
	case REWRITE_BUSY: return "another program keeps it locked; try again later";
	case REWRITE_UNFINISHED:
		return "a delivery to it was cut short and is still to be mended by the mail system; try "
		       "again later";
	case REWRITE_NO_PLACE:
		return "a compressed folder is changed only where it is one's own, in one's own directory";
	case -EBADMSG: return "it could not be compressed";
	case -EROFS: return "it is read-only";
	default: return strerror(-r);
	}
}

/* Appends (or prepends) to MBOX what goes there; *n_out says how many. */
static bool fill_mbox(struct mailx *mx, size_t *n_out)
{
	auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX), path = BUF_INIT(PATH_MAX);
	bool is_new;
	int r;

	*n_out = 0;
	for (size_t i = 0; i < mx->folder.messages.n; i++) {
		if (!goes_to_mbox(mx, mx->folder.messages.at[i].flags))
			continue;
		if (keep_message(mx, i, NULL, &text) < 0)
			return false;
		(*n_out)++;
	}
	if (*n_out == 0)
		return true;
	if (!mailx_file_name(mx, "&", &path) || !buf_cstr(&path))
		return false;
	if (folder_is_at(&mx->folder, buf_cstr(&path))) {
		*n_out = 0; /* MBOX itself is open: they are where they belong */
		return true;
	}
	r = vars_on(&mx->vars, "append")
		? append_to_file(buf_cstr(&path), APPEND_MESSAGES, buf_slice(&text), &is_new)
		: prepend_to_folder(buf_cstr(&path), buf_slice(&text));
	if (r == 0)
		return true;
	mailx_error(mx, "cannot write \"%s\": %s; nothing was changed in \"%s\"", buf_cstr(&path),
		append_problem(r), mx->folder.name);
	return false;
}

/* What the folder shall hold; the marks before are kept in case that writing fails. */
static void settle_flags(struct mailx *mx, bool has_mbox, uint16_t *before, size_t *n_kept_out)
{
	*n_kept_out = 0;
	for (size_t i = 0; i < mx->folder.messages.n; i++) {
		struct message *m = &mx->folder.messages.at[i];
		bool is_saved =
			mx->folder.is_system && (m->flags & MESSAGE_SAVED) && !vars_on(&mx->vars, "keepsave");
		before[i] = m->flags;
		if (is_saved || (has_mbox && goes_to_mbox(mx, m->flags)))
			m->flags |= MESSAGE_DELETED;
		if (!(m->flags & MESSAGE_STAYS_NEW))
			m->flags &= (uint16_t)~MESSAGE_NEW;
		*n_kept_out += !(m->flags & MESSAGE_DELETED);
	}
}

static void tell_outcome(struct mailx *mx, const struct rewrite_outcome *outcome, size_t n_kept,
	size_t n_mbox, bool was_written)
{
	if (outcome->has_new_mail)
		(void)puts("New mail has arrived.");
	if (n_mbox)
		(void)printf("Saved %zu message%s in mbox\n", n_mbox, n_mbox == 1 ? "" : "s");
	if (mx->folder.is_system && n_kept)
		mailx_tell(mx, "Held %zu message%s in %s", n_kept, n_kept == 1 ? "" : "s", mx->folder.name);
	if (!mx->folder.is_system && was_written)
		mailx_tell(mx, "\"%s\" %s", mx->folder.name, outcome->was_removed ? "removed" : "complete");
}

static bool has_deletions(const struct mailx *mx)
{
	for (size_t i = 0; i < mx->folder.messages.n; i++)
		if (mx->folder.messages.at[i].flags & MESSAGE_DELETED)
			return true;
	return false;
}

static bool has_changes(const struct mailx *mx)
{
	for (size_t i = 0; i < mx->folder.messages.n; i++)
		if ((mx->folder.messages.at[i].flags & MESSAGE_STORED) != mx->folder.messages.at[i].stored ||
			mx->folder.messages.at[i].edited)
			return true;
	return has_deletions(mx);
}

void leave_unchanged(struct mailx *mx)
{
	if (!mx->has_folder)
		return;
	mem_free(mx->previous_folder);
	mx->previous_folder = mem_dup_str(mx->folder.path);
	folder_close(&mx->folder);
	mx->has_folder = false;
}

static bool rewrite_settled(struct mailx *mx, size_t n_kept, size_t n_mbox, const uint16_t *before)
{
	struct rewrite_outcome outcome = { 0 };
	bool was_changed = has_changes(mx);
	int r = rewrite_folder(&mx->folder, !vars_on(&mx->vars, "keep"), &outcome);

	if (r == REWRITE_DONE) {
		tell_outcome(mx, &outcome, n_kept, n_mbox, was_changed);
		return true;
	}
	if (r == -EROFS && !has_deletions(mx))
		return true; /* only Status: lines, which nobody can write here */
	for (size_t i = 0; i < mx->folder.messages.n; i++)
		mx->folder.messages.at[i].flags = before[i];
	mailx_error(mx, "\"%s\" was not changed: %s%s", mx->folder.name, write_problem(r),
		n_mbox ? " (messages that were copied to mbox are there and here)" : "");
	return false;
}

bool leave_with_changes(struct mailx *mx)
{
	auto_free uint16_t *before = mem_new_array(mx->folder.messages.n, sizeof(*before));
	size_t n_mbox = 0, n_kept;

	if (!mx->has_folder)
		return true;
	if (!mx->folder.is_read_only && !fill_mbox(mx, &n_mbox))
		return false;
	settle_flags(mx, n_mbox > 0, before, &n_kept);
	if (!rewrite_settled(mx, n_kept, n_mbox, before))
		return false;
	leave_unchanged(mx);
	return true;
}

static size_t first_with(const struct folder *f, unsigned has, unsigned lacks)
{
	size_t i = 0;

	while (i < f->messages.n &&
		((f->messages.at[i].flags & has) != has || (f->messages.at[i].flags & lacks)))
		i++;
	return i;
}

static void choose_dot(struct mailx *mx)
{
	size_t n = mx->folder.messages.n, dot = first_with(&mx->folder, MESSAGE_NEW, MESSAGE_READ);

	if (dot == n)
		dot = first_with(&mx->folder, 0, MESSAGE_READ);
	mx->folder.dot = dot < n ? dot : 0;
	mx->dot_was_shown = false;
	mx->page = 0;
}

/* No mail, and yet a session: the folder is open, and empty until mail comes. */
static void start_empty(struct mailx *mx, const char *path)
{
	if (folder_open(&mx->folder, path, path, mx->is_read_only) != FOLDER_OPEN) {
		mx->folder = FOLDER_CLOSED;
		mx->folder.path = mem_dup_str(path);
		mx->folder.name = mem_dup_str(path);
	}
	mx->folder.is_system = true;
	mx->has_folder = true;
	choose_dot(mx);
}

static enum leave_open open_problem(struct mailx *mx, int r, const char *path, bool is_system)
{
	if (is_system && r == FOLDER_MISSING) {
		(void)printf("No mail for %s\n", mx->mailbox_user);
		return LEAVE_NO_MAIL;
	}
	switch (r) {
	case FOLDER_MISSING: mailx_error(mx, "\"%s\": there is no such file", path); break;
	case FOLDER_NOT_FILE: mailx_error(mx, "\"%s\" is neither a mailbox file nor a Maildir", path); break;
	case FOLDER_NOT_UNPACKED:
		mailx_error(mx,
			"\"%s\" could not be unpacked: is the program for it installed, and the file whole?",
			path);
		break;
	case FOLDER_NOT_MBOX:
		mailx_error(mx, "\"%s\" is no mailbox: it does not begin with a From line", path);
		break;
	case FOLDER_BUSY:
		mailx_error(mx, "\"%s\": another program keeps it locked; try again later", path);
		break;
	default: mailx_error(mx, "cannot open \"%s\": %s", path, strerror(-r)); break;
	}
	return LEAVE_FAILED;
}

enum leave_open leave_open_folder(struct mailx *mx, const char *written)
{
	auto_buf struct buf path = BUF_INIT(PATH_MAX), system = BUF_INIT(PATH_MAX);
	bool is_system;
	int r;

	if (!mailx_file_name(mx, written, &path))
		return LEAVE_FAILED;
	mailx_mailbox(mx, mx->mailbox_user, &system);
	if (!buf_cstr(&path) || !buf_cstr(&system))
		return LEAVE_FAILED;
	is_system = written[0] == '%' || strcmp(buf_cstr(&path), buf_cstr(&system)) == 0;
	r = folder_open(&mx->folder, buf_cstr(&path), buf_cstr(&path), mx->is_read_only);
	if (r == FOLDER_OPEN && is_system && mx->folder.messages.n == 0) {
		folder_close(&mx->folder);
		r = FOLDER_MISSING; /* an empty system mailbox is none */
	}
	if (r != FOLDER_OPEN) {
		enum leave_open told = open_problem(mx, r, buf_cstr(&path), is_system);
		if (told == LEAVE_NO_MAIL && vars_on(&mx->vars, "emptystart"))
			start_empty(mx, buf_cstr(&path));
		return told;
	}
	mx->folder.is_system = is_system;
	mx->has_folder = true;
	choose_dot(mx);
	return LEAVE_OPENED;
}

/* The mailbox was not there at the start (`emptystart'): it may be now. */
static void open_late(struct mailx *mx)
{
	struct folder late;

	if (mx->folder.fd >= 0 ||
		folder_open(&late, mx->folder.path, mx->folder.name, mx->is_read_only) != FOLDER_OPEN)
		return;
	late.is_system = mx->folder.is_system;
	late.size = 0; /* all of it is new to us */
	mbox_index_free(&late.messages);
	strlist_free(&late.files);
	folder_close(&mx->folder);
	mx->folder = late;
}

bool leave_take_new_mail(struct mailx *mx)
{
	auto_buf struct buf out = BUF_INIT(MAILX_TEXT_MAX);
	size_t n_new, first = mx->folder.messages.n;
	int r;

	if (mx->has_folder)
		open_late(mx);
	if (!mx->has_folder || !folder_has_grown(&mx->folder))
		return false;
	r = folder_extend(&mx->folder, &n_new);
	if (r == FOLDER_NOT_MBOX) {
		mailx_error(mx, "\"%s\": another program changed it; leave with `x' and open it again",
			mx->folder.name);
		return false;
	}
	if (r != FOLDER_OPEN || n_new == 0)
		return false; /* it will be looked at again before the next command */
	(void)printf("New mail has arrived.\nLoaded %zu new message%s\n", n_new, n_new == 1 ? "" : "s");
	for (size_t i = first; i < mx->folder.messages.n; i++)
		summary_row(mx, i, &out);
	(void)fwrite(out.at, 1, out.len, stdout);
	return true;
}
