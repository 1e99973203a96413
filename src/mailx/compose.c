/* SPDX-License-Identifier: Apache-2.0 */
/* compose.c - see compose.h; the escapes themselves are in escapes.c */
#include "mailx/compose.h"
#include "mailx/complete.h"
#include "mailx/deadletter.h"
#include "mailx/send.h"

/* The field's addresses as they stand, for a person to change. */
static void field_text(const struct draft *d, enum draft_field field, struct buf *out)
{
	for (size_t i = 0; i < d->recipients[field].n; i++)
		buf_printf(out, "%s%s", i ? ", " : "", d->recipients[field].at[i]);
}

static void take_answer(struct mailx *mx, struct draft *d, enum draft_field field, struct buf *answer)
{
	struct strlist before = d->recipients[field];

	d->recipients[field] = STRLIST_INIT;
	if (buf_cstr(answer) && draft_add_recipients(mx, d, field, buf_cstr(answer))) {
		strlist_free(&before);
		return;
	}
	strlist_free(&d->recipients[field]);
	d->recipients[field] = before; /* what was there was good */
}

enum input_result compose_ask(struct mailx *mx, struct draft *d, const char *name)
{
	auto_buf struct buf prompt = BUF_INIT(256), initial = BUF_INIT(MAILX_VALUE_MAX * 16),
			    answer = BUF_INIT(MAILX_LINE_MAX);
	size_t field = 0;
	enum input_result r;

	while (field < DRAFT_FIELD_COUNT && strcmp(draft_field_names[field], name) != 0)
		field++;
	if (field < DRAFT_FIELD_COUNT)
		field_text(d, (enum draft_field)field, &initial);
	else if (d->subject)
		buf_append_str(&initial, d->subject);
	buf_printf(&prompt, "%s: ", name);
	mx->input.complete = field < DRAFT_FIELD_COUNT ? complete_address : NULL;
	mx->input.complete_user = mx;
	r = input_line(&mx->input, buf_cstr(&prompt), initial.len ? buf_cstr(&initial) : NULL, &answer);
	if (r == INPUT_END)
		return INPUT_LINE; /* ^D: the value stays, the text may follow */
	if (r != INPUT_LINE)
		return r;
	if (field < DRAFT_FIELD_COUNT)
		take_answer(mx, d, (enum draft_field)field, &answer);
	else
		draft_set(&d->subject, buf_cstr(&answer));
	return r;
}

static enum input_result ask_copies(struct mailx *mx, struct draft *d)
{
	enum input_result r = INPUT_LINE;

	if (vars_on(&mx->vars, "askcc"))
		r = compose_ask(mx, d, "Cc");
	if (r == INPUT_LINE && vars_on(&mx->vars, "askbcc"))
		r = compose_ask(mx, d, "Bcc");
	return r;
}

static enum input_result ask_first(struct mailx *mx, struct draft *d)
{
	enum input_result r = INPUT_LINE;

	if (!mx->input.is_tty)
		return r;
	if (draft_count_recipients(d) == 0)
		r = compose_ask(mx, d, "To");
	if (r == INPUT_LINE && !d->subject && vars_on(&mx->vars, "asksub"))
		r = compose_ask(mx, d, "Subject");
	if (r == INPUT_LINE && !vars_on(&mx->vars, "askatend"))
		r = ask_copies(mx, d);
	return r;
}

/* File after file, until nothing is named. */
static enum input_result ask_attachments(struct mailx *mx, struct draft *d)
{
	for (;;) {
		auto_buf struct buf answer = BUF_INIT(MAILX_LINE_MAX), path = BUF_INIT(PATH_MAX);
		enum input_result r;
		mx->input.complete = complete_file;
		mx->input.complete_user = mx;
		r = input_line(&mx->input, "Attach: ", NULL, &answer);
		if (r == INPUT_END || (r == INPUT_LINE && slice_trim(buf_slice(&answer)).len == 0))
			return INPUT_LINE;
		if (r != INPUT_LINE)
			return r;
		if (!buf_cstr(&answer) || !mailx_file_name(mx, buf_cstr(&answer), &path) || !buf_cstr(&path))
			continue;
		strlist_add(&d->attachments, buf_cstr(&path));
		if (!send_check_attachments(mx, d)) /* it told */
			strlist_remove(&d->attachments, d->attachments.n - 1);
	}
}

/* Asks at the end, or says that the text is complete. */
static enum input_result ask_last(struct mailx *mx, struct draft *d)
{
	bool wants_copies = vars_on(&mx->vars, "askatend") &&
		(vars_on(&mx->vars, "askcc") || vars_on(&mx->vars, "askbcc"));
	bool wants_files = vars_on(&mx->vars, "askattach");
	enum input_result r = INPUT_LINE;

	if (!mx->input.is_tty)
		return r;
	if (!wants_copies && !wants_files)
		(void)puts("EOT");
	if (wants_copies)
		r = ask_copies(mx, d);
	return r == INPUT_LINE && wants_files ? ask_attachments(mx, d) : r;
}

/* An interrupt: true when it is the second one in a row. */
static bool second_interrupt(struct mailx *mx, unsigned *n_interrupts)
{
	if (vars_on(&mx->vars, "ignore")) {
		(void)puts("@");
		return false;
	}
	if (++*n_interrupts >= 2)
		return true;
	(void)puts("(Interrupt -- one more to kill letter)");
	return false;
}

/* What a line of text means: it is added, or an escape is run. */
static enum escape_result take_line(struct mailx *mx, struct compose *c, struct slice line)
{
	const char *escape = vars_get(&mx->vars, "escape");
	struct buf *text = &c->draft->text;

	if (mx->input.is_tty && vars_on(&mx->vars, "dot") && slice_eq(line, SLICE(".")))
		return ESCAPE_END;
	if (mx->has_escapes && escape && *escape && line.len && line.at[0] == *escape)
		return escape_run(mx, c, slice_from(line, 1));
	buf_append(text, line);
	buf_append_byte(text, '\n');
	if (buf_ok(text))
		return ESCAPE_GO_ON;
	mailx_error(mx, "the text is too long");
	return ESCAPE_QUIT;
}

static enum compose_result give_up(struct mailx *mx, struct compose *c, bool is_hangup)
{
	deadletter_save(mx, c->draft, NULL);
	return is_hangup ? COMPOSE_HANGUP : COMPOSE_ABORTED;
}

static enum compose_result read_text(struct mailx *mx, struct compose *c)
{
	auto_buf struct buf line = BUF_INIT(MAILX_TEXT_MAX);
	unsigned n_interrupts = 0;

	for (;;) {
		enum input_result r;
		enum escape_result e;
		mx->input.complete = complete_text;
		mx->input.complete_user = mx;
		r = input_line(&mx->input, "", NULL, &line);
		if (r == INPUT_HANGUP)
			return give_up(mx, c, true);
		if (r == INPUT_INTERRUPT && second_interrupt(mx, &n_interrupts))
			return give_up(mx, c, false);
		if (r == INPUT_END && mx->input.is_tty && vars_on(&mx->vars, "ignoreeof")) {
			(void)puts("Use \".\" to terminate letter"); /* the words of BSD and Heirloom */
			continue;
		}
		if (r == INPUT_END)
			return COMPOSE_DONE;
		if (r == INPUT_INTERRUPT)
			continue;
		n_interrupts = 0;
		e = take_line(mx, c, buf_slice(&line));
		if (e == ESCAPE_END)
			return COMPOSE_DONE;
		if (e == ESCAPE_QUIT)
			return give_up(mx, c, false);
		if (e == ESCAPE_DISCARD)
			return COMPOSE_ABORTED;
	}
}

void compose_head(struct mailx *mx, struct draft *d)
{
	auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX);

	if (!draft_variable_text(mx, "MAILX_HEAD", &text))
		return;
	buf_append(&text, buf_slice(&d->text));
	buf_free(&d->text);
	d->text = buf_take(&text);
}

void compose_tail(struct mailx *mx, struct draft *d)
{
	if (d->text.len && d->text.at[d->text.len - 1] != '\n' && vars_on(&mx->vars, "MAILX_TAIL"))
		buf_append_byte(&d->text, '\n');
	(void)draft_variable_text(mx, "MAILX_TAIL", &d->text); /* unset by most */
}

enum compose_result compose_draft(struct mailx *mx, struct compose *c)
{
	enum input_result asked = ask_first(mx, c->draft);
	enum compose_result r;

	compose_head(mx, c->draft);
	if (asked == INPUT_HANGUP || asked == INPUT_INTERRUPT)
		return give_up(mx, c, asked == INPUT_HANGUP);
	r = read_text(mx, c);
	if (r != COMPOSE_DONE)
		return r;
	asked = ask_last(mx, c->draft);
	if (asked == INPUT_HANGUP || asked == INPUT_INTERRUPT)
		return give_up(mx, c, asked == INPUT_HANGUP);
	compose_tail(mx, c->draft);
	return COMPOSE_DONE;
}
