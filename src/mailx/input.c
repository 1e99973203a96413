/* SPDX-License-Identifier: Apache-2.0 */
/* input.c - see input.h */
#include "mailx/input.h"
#include "base/file.h"
#include "mailx/ceilings.h"
#include <histedit.h>
#include <poll.h>
#include <signal.h>

struct input_editor {
	EditLine *edit;
	const struct input *input;
	History *history;
	const char *prompt;
};

static volatile sig_atomic_t was_interrupted, was_hung_up, was_resized;

static void on_interrupt(int signal_number)
{
	(void)signal_number;
	was_interrupted = 1;
}

static void on_hangup(int signal_number)
{
	(void)signal_number;
	was_hung_up = 1;
}

static void on_resize(int signal_number)
{
	(void)signal_number;
	was_resized = 1;
}

void input_catch_signals(bool is_ignoring)
{
	/* No SA_RESTART: a read must come back. */
	struct sigaction interrupt = { .sa_handler = is_ignoring ? SIG_IGN : on_interrupt };
	struct sigaction hangup = { .sa_handler = on_hangup }, before;
	struct sigaction resize = { .sa_handler = on_resize, .sa_flags = SA_RESTART };

	if (sigaction(SIGINT, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
		(void)sigaction(SIGINT, &interrupt, NULL); /* a valid signal: cannot fail */
	if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
		(void)sigaction(SIGHUP, &hangup, NULL);
	(void)sigaction(SIGTERM, &hangup, NULL);
	(void)sigaction(SIGWINCH, &resize, NULL);
}

bool input_take_interrupt(void)
{
	bool was = was_interrupted;

	was_interrupted = 0;
	return was;
}

bool input_has_hangup(void)
{
	return was_hung_up;
}

void input_init(struct input *in)
{
	const char *term = getenv("TERM");

	*in = (struct input){ .is_tty = isatty(STDIN_FILENO), .pending = BUF_INIT(MAILX_TEXT_MAX) };
	in->wants_editor = in->is_tty && isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

/* True when a read would not wait; false with EINTR when a signal came, also one that came just before. */
static bool wait_for_input(void)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	sigset_t caught, before;
	int ready = -1, error;

	(void)sigemptyset(&caught);
	(void)sigaddset(&caught, SIGINT);
	(void)sigaddset(&caught, SIGHUP);
	(void)sigaddset(&caught, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &caught, &before); /* valid signals: cannot fail */
	errno = EINTR;
	if (!was_interrupted && !was_hung_up)
		ready = ppoll(&input, 1, NULL, &before);
	error = errno;
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return ready > 0;
}

static char *editor_prompt(EditLine *edit)
{
	struct input_editor *editor = NULL;

	(void)el_get(edit, EL_CLIENTDATA, &editor);		  /* set right after it was made */
	return (char *)(uintptr_t)(editor ? editor->prompt : ""); /* libedit does not write there */
}

/* How many bytes all choices have in common; whole characters. */
static size_t common_length(const struct strlist *choices)
{
	size_t n = strlen(choices->at[0]);

	for (size_t i = 1; i < choices->n; i++)
		for (size_t k = 0; k < n; k++)
			if (choices->at[i][k] != choices->at[0][k])
				n = k;
	while (n && ((unsigned char)choices->at[0][n] & 0xc0) == 0x80)
		n--;
	return n;
}

static void show_choices(const struct strlist *choices)
{
	(void)putchar('\n');
	for (size_t i = 0; i < choices->n; i++)
		(void)printf("%s%s", choices->at[i], i + 1 < choices->n ? "  " : "\n");
	(void)fflush(stdout);
}

/* The Tab key: adds what is certain; when that is nothing, shows what is possible. No function of libedit's
 * table: it never frees those that are added. */
static void editor_tab(EditLine *edit)
{
	auto_strlist struct strlist choices = STRLIST_INIT;
	auto_buf struct buf more = BUF_INIT(PATH_MAX * 2);
	const LineInfo *line = el_line(edit);
	struct slice before = { line->buffer, (size_t)(line->cursor - line->buffer) }, word = SLICE_EMPTY;
	struct input_editor *editor = NULL;
	size_t n;

	(void)el_get(edit, EL_CLIENTDATA, &editor); /* set right after it was made */
	if (!editor || !editor->input->complete ||
		!editor->input->complete(editor->input->complete_user, before, &word, &choices)) {
		(void)el_insertstr(edit, "\t"); /* the line is full: then not */
		return;
	}
	if (choices.n == 0) {
		el_beep(edit);
		return;
	}
	n = common_length(&choices);
	buf_append(&more, slice_from(slice_first(slice_of(choices.at[0]), n), word.len));
	if (choices.n == 1 && n && choices.at[0][n - 1] != '/')
		buf_append_byte(&more, ' ');
	if (more.len && buf_cstr(&more))
		(void)el_insertstr(edit, buf_cstr(&more));
	else
		show_choices(&choices);
}

static void editor_resize(EditLine *edit)
{
	if (!was_resized)
		return;
	was_resized = 0;
	el_resize(edit);
}

/* libedit's own reader waits in read(), which a signal that came a moment earlier does not end. */
static int editor_char(EditLine *edit, wchar_t *c)
{
	int n;

	while (!wait_for_input()) {
		if (was_interrupted || was_hung_up || !was_resized)
			return -1;
		editor_resize(edit);
	}
	(void)el_set(edit, EL_GETCFN, EL_BUILTIN_GETCFN); /* cannot fail, as below */
	n = el_wgetc(edit, c);
	(void)el_set(edit, EL_GETCFN, editor_char);
	if (n == 1 && *c == L'\t')
		editor_tab(edit);
	return n;
}

static struct input_editor *editor_new(const struct input *in)
{
	struct input_editor *editor = mem_new(sizeof(*editor));
	HistEvent event;

	editor->input = in;
	editor->prompt = "";
	editor->edit = el_init("mail", stdin, stdout, stderr);
	editor->history = history_init();
	if (!editor->edit || !editor->history) {
		mem_free(editor);
		return NULL;
	}
	(void)history(editor->history, &event, H_SETSIZE, 500);
	(void)history(editor->history, &event, H_SETUNIQUE, 1);
	(void)el_set(editor->edit, EL_CLIENTDATA, editor);
	(void)el_set(editor->edit, EL_GETCFN, editor_char);
	(void)el_set(editor->edit, EL_EDITOR, "emacs");
	(void)el_set(editor->edit, EL_PROMPT, editor_prompt);
	(void)el_set(editor->edit, EL_HIST, history, editor->history);
	(void)el_set(
		editor->edit, EL_BIND, "^I", "ed-redisplay", NULL); /* editor_char() has changed the line */
	/* A ^D typed before we read reaches us as NUL: the terminal had taken it for an end of file. */
	(void)el_set(editor->edit, EL_BIND, "^@", "em-delete-or-list", NULL);
	(void)el_set(editor->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
	(void)el_source(editor->edit, NULL); /* ~/.editrc; most people have none */
	return editor;
}

void input_deinit(struct input *in)
{
	if (in->editor) {
		history_end(in->editor->history);
		el_end(in->editor->edit);
		mem_free(in->editor);
	}
	buf_free(&in->pending);
	*in = (struct input){ .is_at_end = true };
}

void input_remember(struct input *in, const char *line)
{
	HistEvent event;

	if (in->editor && *line)
		(void)history(in->editor->history, &event, H_ENTER, line);
}

static enum input_result editor_line(
	struct input *in, const char *prompt, const char *initial, struct buf *line_out)
{
	const char *line;
	int length = 0;

	if (input_take_interrupt())
		return INPUT_INTERRUPT; /* typed before we came here: no read would be ended by it */
	in->editor->prompt = prompt;
	editor_resize(in->editor->edit);
	if (initial && *initial)
		el_push(in->editor->edit, initial);
	line = el_gets(in->editor->edit, &length);
	if (!line || length <= 0)
		return was_hung_up ? INPUT_HANGUP : input_take_interrupt() ? INPUT_INTERRUPT : INPUT_END;
	if (line[length - 1] == '\n')
		length--;
	buf_append(line_out, (struct slice){ line, (size_t)length });
	return INPUT_LINE;
}

/* Hands out the first line of what is pending; at the end also one without LF. */
static bool take_pending(struct input *in, struct buf *line_out)
{
	struct slice all = buf_slice(&in->pending);
	size_t n = slice_find(all, '\n');

	if (n == all.len && !(in->is_at_end && n))
		return false;
	buf_append(line_out, slice_first(all, n));
	buf_drop_front(&in->pending, MIN(n + 1, all.len));
	return true;
}

static ssize_t read_interruptibly(char *to, size_t size)
{
	return wait_for_input() ? read(STDIN_FILENO, to, size) : -1;
}

static enum input_result plain_line(struct input *in, struct buf *line_out)
{
	while (!take_pending(in, line_out)) {
		char chunk[65536];
		ssize_t n;
		if (was_hung_up)
			return INPUT_HANGUP;
		if (in->is_at_end)
			return INPUT_END;
		n = read_interruptibly(chunk, in->is_tty ? 4096 : sizeof(chunk));
		if (n < 0 && errno == EINTR && was_hung_up)
			return INPUT_HANGUP;
		if (n < 0 && errno == EINTR && input_take_interrupt()) {
			buf_clear(&in->pending);
			return INPUT_INTERRUPT;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 && in->is_tty && in->pending.len == 0)
			return INPUT_END; /* ^D: the next read may find more */
		if (n <= 0)
			in->is_at_end = true;
		else
			buf_append(&in->pending, (struct slice){ chunk, (size_t)n });
		if (!buf_ok(&in->pending))
			return INPUT_END;
	}
	in->is_at_end = in->is_at_end && !in->is_tty; /* a terminal goes on after a ^D in a line */
	return INPUT_LINE;
}

enum input_result input_line(struct input *in, const char *prompt, const char *initial, struct buf *line_out)
{
	enum input_result r;

	buf_clear(line_out);
	if (in->wants_editor && !in->editor) {
		in->editor = editor_new(in);
		in->wants_editor = in->editor != NULL;
	}
	if (in->wants_editor) {
		r = editor_line(in, prompt, initial, line_out);
	} else {
		if (initial)
			buf_append_str(line_out, initial);
		if (in->is_tty)
			(void)printf("%s%s", prompt, initial ? initial : "");
		(void)fflush(stdout);
		r = plain_line(in, line_out);
	}
	if (r == INPUT_INTERRUPT || (r == INPUT_END && in->is_tty && *prompt))
		(void)fputs("\n", stdout); /* the cursor stands behind the prompt or ^C */
	return r;
}

int input_rest(struct input *in, struct buf *out)
{
	buf_append(out, buf_slice(&in->pending));
	buf_clear(&in->pending);
	if (in->is_at_end)
		return buf_ok(out) ? 0 : -EFBIG;
	in->is_at_end = true;
	return file_read_all(STDIN_FILENO, out);
}
