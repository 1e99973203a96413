/* SPDX-License-Identifier: Apache-2.0 */
/* vars.c - a sorted array of names and values: some dozens at most, so looking up is a binary search */
#include "mailx/vars.h"
#include "mailx/ceilings.h"

/* clang-format off */
const struct var_known vars_known[] = {
	{ "DEAD", NULL, "file for text that could not be sent (default ~/dead.letter)" },
	{ "EDITOR", NULL, "editor of `edit' and ~e (default ed)" },
	{ "LISTER", NULL, "command of `folders' (default ls)" },
	{ "MBOX", NULL, "file for messages that were read (default ~/mbox)" },
	{ "PAGER", NULL, "shows what is longer than crt lines (default more)" },
	{ "SHELL", NULL, "runs commands (default /bin/sh)" },
	{ "VISUAL", NULL, "editor of `visual' and ~v (default vi)" },
	{ "allnet", NULL, "addresses match by their local part alone" },
	{ "append", NULL, "mbox grows at its end, not at its start" },
	{ "ask", NULL, "= asksub" },
	{ "askatend", NULL, "ask for Cc and Bcc after the text" },
	{ "askbcc", NULL, "ask for blind copies" },
	{ "askattach", NULL, "ask for files to attach, behind the text" },
	{ "askcc", NULL, "ask for copies" },
	{ "asksub", "", "ask for the subject" },
	{ "attrlist", NULL, "characters of the marks in the summary, in the order NURO*PMFAT" },
	{ "autobcc", NULL, "addresses that get a blind copy of everything" },
	{ "autocc", NULL, "addresses that get a copy of everything" },
	{ "autoinc", NULL, "= newmail" },
	{ "autoprint", NULL, "show the next message after `delete'" },
	{ "bang", NULL, "! in a shell command stands for the last one" },
	{ "bsdcompat", NULL, "accepted: this layout is the built-in one" },
	{ "cmd", NULL, "command of a bare `pipe'" },
	{ "crt", NULL, "lines from which the pager is used (empty: the screen's)" },
	{ "datefield", NULL, "the summary has the date of Date:, not of arrival" },
	{ "debug", NULL, "show what would be sent, send nothing" },
	{ "dot", NULL, "a line with a single dot ends the text (from a terminal)" },
	{ "editheaders", NULL, "the editor gets the header fields too" },
	{ "emptybox", NULL, "= keep" },
	{ "emptystart", NULL, "start also when there is no mail" },
	{ "encoding", NULL, "8bit or quoted-printable for text that is not ASCII (default 8bit)" },
	{ "escape", "~", "first character of escapes; empty: none" },
	{ "expandaddr", NULL, "addressees may be files and commands: /file, ./file, +folder, |command" },
	{ "flipr", NULL, "exchange `reply' and `Reply'" },
	{ "folder", NULL, "directory of +file" },
	{ "forward-as-attachment", NULL, "`forward' sends messages whole, as attachments" },
	{ "from", NULL, "address of the author" },
	{ "fullnames", NULL, "keep names of addresses in replies" },
	{ "header", "", "show a summary at the start" },
	{ "headline", NULL, "layout of a row of the summary" },
	{ "hold", NULL, "messages that were read stay in the system mailbox" },
	{ "hostname", NULL, "domain of local addresses in headers" },
	{ "ignore", NULL, "interrupts print @ while a text is typed" },
	{ "ignoreeof", NULL, "end of file does not end the text" },
	{ "indentprefix", "\t", "put before quoted lines by ~m" },
	{ "keep", NULL, "an empty mailbox is truncated, not removed" },
	{ "keepsave", NULL, "saved messages stay in the mailbox" },
	{ "MAILX_HEAD", NULL, "text that begins each new message" },
	{ "MAILX_TAIL", NULL, "text that ends it" },
	{ "markanswered", NULL, "answered messages are marked" },
	{ "maximum-unencoded-line-length", NULL, "longer lines are sent in quoted-printable (at most 998)" },
	{ "metoo", NULL, "replies go to oneself too" },
	{ "mta", NULL, "= sendmail" },
	{ "newfolders", NULL, "maildir: `save' and `copy' make Maildirs, no files" },
	{ "newmail", NULL, "take in mail that arrives in a session" },
	{ "onehop", NULL, "accepted, no effect" },
	{ "ORGANIZATION", NULL, "Organization: field" },
	{ "outfolder", NULL, "record and Copy files lie in the folder directory" },
	{ "page", NULL, "a form feed after each piped message" },
	{ "print-alternatives", NULL, "show all parts of multipart/alternative" },
	{ "prompt", "& ", "what asks for a command; empty: nothing" },
	{ "quiet", NULL, "no banner" },
	{ "quote", NULL, "replies begin with the quoted message" },
	{ "record", NULL, "file that keeps what was sent" },
	{ "replyto", NULL, "Reply-To: field" },
	{ "Replyall", NULL, "= flipr" },
	{ "save", "", "interrupted text goes to DEAD" },
	{ "screen", NULL, "rows of a summary page" },
	{ "sendcharsets", "utf-8", "character sets tried in order for text that is not ASCII" },
	{ "sendmail", NULL, "the program that takes the message" },
	{ "sendwait", "", "wait for that program and report its result" },
	{ "showname", NULL, "names instead of addresses in the summary" },
	{ "showto", NULL, "`To x' in the summary for one's own messages" },
	{ "sign", NULL, "text of ~a" },
	{ "Sign", NULL, "text of ~A" },
	{ "signature", NULL, "file that ends each text" },
	{ "skipemptybody", NULL, "do not send an empty text" },
	{ "searchheaders", NULL, "/field:text searches that field" },
	{ "toplines", "5", "lines of `top'" },
	{ "ttycharset", NULL, "character set of the terminal (default: the locale's)" },
	{ "verbose", NULL, "tell what is done; sendmail gets -v" },
	{ "writebackedited", NULL, "`edit' and `visual' change messages, not copies" },
	{ NULL, NULL, NULL },
};
/* clang-format on */

static const char *const imported[] = {
	"DEAD", "EDITOR", "LISTER", "MBOX", "PAGER", "SHELL",
	"VISUAL", /* POSIX, mailx, ENVIRONMENT VARIABLES */
};

static const struct var_known *vars_row(const char *name)
{
	for (const struct var_known *row = vars_known; row->name; row++)
		if (strcmp(row->name, name) == 0)
			return row;
	return NULL;
}

/* The name that stands for all synonyms. */
static const char *vars_canonical(const char *name)
{
	const struct var_known *row = vars_row(name);

	return row && strncmp(row->help, "= ", 2) == 0 ? row->help + 2 : name;
}

/* True when it is there; *index_out is its place, or where it belongs. */
static bool vars_find(const struct vars *v, const char *name, size_t *index_out)
{
	size_t low = 0, high = v->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(v->at[middle].name, name);
		if (order == 0) {
			*index_out = middle;
			return true;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*index_out = low;
	return false;
}

void vars_init(struct vars *v)
{
	*v = (struct vars){ 0 };
	for (const struct var_known *row = vars_known; row->name; row++)
		if (row->initial)
			vars_set(v, row->name, row->initial);
	if (getenv("POSIXLY_CORRECT"))
		vars_set(v, "prompt", "? ");
}

void vars_import(struct vars *v, char *const *environment)
{
	for (; *environment; environment++) {
		struct slice value = slice_of(*environment), name;
		if (!slice_cut(&value, '=', &name))
			continue;
		for (size_t i = 0; i < ARRAY_LEN(imported); i++)
			if (slice_eq(name, slice_of(imported[i])))
				vars_set(v, imported[i], value.at);
	}
}

void vars_deinit(struct vars *v)
{
	for (size_t i = 0; i < v->n; i++) {
		mem_free(v->at[i].name);
		mem_free(v->at[i].value);
	}
	mem_free(v->at);
	strlist_free(&v->pinned);
	*v = (struct vars){ 0 };
}

const char *vars_get(const struct vars *v, const char *name)
{
	size_t i;

	return vars_find(v, vars_canonical(name), &i) ? v->at[i].value : NULL;
}

unsigned vars_number(const struct vars *v, const char *name, unsigned fallback)
{
	const char *value = vars_get(v, name);
	uint64_t number;

	return value && slice_to_u64(slice_of(value), INT_MAX, &number) ? (unsigned)number : fallback;
}

static void vars_insert(struct vars *v, size_t i, const char *name)
{
	if (v->n == v->cap) {
		size_t cap = v->cap ? v->cap * 2 : 64;
		struct var *at = mem_new_array(cap, sizeof(*at));
		if (v->n)
			memcpy(at, v->at, v->n * sizeof(*at));
		mem_free(v->at);
		v->at = at;
		v->cap = cap;
	}
	memmove(v->at + i + 1, v->at + i, (v->n - i) * sizeof(*v->at));
	v->at[i] = (struct var){ .name = mem_dup_str(name) };
	v->n++;
}

static bool is_pinned(const struct vars *v, const char *name)
{
	for (size_t i = 0; i < v->pinned.n && v->pins_hold; i++)
		if (strcmp(v->pinned.at[i], name) == 0)
			return true;
	return false;
}

void vars_set(struct vars *v, const char *name, const char *value)
{
	char *copy;
	size_t i;

	name = vars_canonical(name);
	if (is_pinned(v, name))
		return;
	copy = mem_dup_str(value); /* it may be the old value itself */
	if (!vars_find(v, name, &i))
		vars_insert(v, i, name);
	mem_free(v->at[i].value);
	v->at[i].value = copy;
}

void vars_unset(struct vars *v, const char *name)
{
	size_t i;

	name = vars_canonical(name);
	if (is_pinned(v, name) || !vars_find(v, name, &i))
		return;
	mem_free(v->at[i].name);
	mem_free(v->at[i].value);
	v->n--;
	memmove(v->at + i, v->at + i + 1, (v->n - i) * sizeof(*v->at));
}

/* Splits "name", "name=value" or "noname"; *value_out is NULL when the variable is to be unset. The name is
 * the caller's to mem_free; NULL: there is none. */
static char *assignment_split(const char *assignment, const char **value_out)
{
	struct slice value = slice_of(assignment), name;
	bool has_value = slice_cut(&value, '=', &name);

	if (!has_value)
		name = value;
	*value_out = has_value ? value.at : "";
	if (name.len == 0)
		return NULL;
	auto_free char *word = slice_dup(name);
	if (has_value || strncmp(word, "no", 2) != 0 || word[2] == '\0' || vars_row(word))
		return take_ptr(&word);
	*value_out = NULL;
	return mem_dup_str(word + 2);
}

bool vars_assign(struct vars *v, const char *assignment)
{
	const char *value;
	auto_free char *name = assignment_split(assignment, &value);

	if (!name)
		return false;
	if (value)
		vars_set(v, name, value);
	else
		vars_unset(v, name);
	return true;
}

bool vars_assign_pinned(struct vars *v, const char *assignment)
{
	const char *value;
	auto_free char *name = assignment_split(assignment, &value);

	if (!vars_assign(v, assignment))
		return false;
	strlist_add(&v->pinned, vars_canonical(name));
	return true;
}

void vars_list(const struct vars *v, struct buf *out)
{
	for (size_t i = 0; i < v->n; i++) {
		if (*v->at[i].value)
			buf_printf(out, "%s=\"%s\"\n", v->at[i].name, v->at[i].value);
		else
			buf_printf(out, "%s\n", v->at[i].name);
	}
}
