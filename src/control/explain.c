/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain.c - postrider explain: where mail to an address would go, and which file and line says so; see
 * commands.h
 *
 * The running daemon walks its own routing for it; no mail is made.
 */
#include "base/limits.h"
#include "base/userdb.h"
#include "control/commands.h"
#include "control/daemon.h"
#include "ipc/explanation.h"
#include <pwd.h>
#include <sysexits.h>

#define OUTPUT_MAX ((size_t)64 * 1024 * 1024)

struct explain_words {
	const char *address, *reverse_path; /* NULL: not given */
	bool as_json;
};

static bool parse_words(int n_words, char **words, struct explain_words *out)
{
	*out = (struct explain_words){ 0 };
	for (int i = 0; i < n_words; i++) {
		if (strcmp(words[i], "--json") == 0)
			out->as_json = true;
		else if (strcmp(words[i], "--from") == 0 && i + 1 < n_words && !out->reverse_path)
			out->reverse_path = words[++i];
		else if (words[i][0] != '-' && !out->address)
			out->address = words[i];
		else
			return false;
	}
	return out->address && *out->address;
}

/* "<>" is the null reverse-path. */
static struct slice bare(const char *path)
{
	struct slice s = slice_of(path);

	if (s.len >= 2 && s.at[0] == '<' && s.at[s.len - 1] == '>')
		return slice_first(slice_from(s, 1), s.len - 2);
	return s;
}

static int print(const struct explanation *x, bool as_json)
{
	auto_buf struct buf out = BUF_INIT(OUTPUT_MAX);

	if (!x->nodes[0] || (!x->first && x->exit_code != EX_OK && x->words.len)) {
		complain("%.*s", SLICE_ARG(x->words)); /* it was not explained at all */
		return x->exit_code;
	}
	(as_json ? explanation_format_json : explanation_format)(x, &out);
	if (!buf_ok(&out)) {
		complain("no memory for the answer");
		return EX_OSERR;
	}
	(void)fwrite(out.at, 1, out.len, stdout); /* run() looks for errors */
	return x->exit_code;
}

int command_explain(const struct paths *paths, int n_words, char **words)
{
	const struct passwd *pw = getpwuid(getuid());
	struct explain_words w;
	struct explanation x;
	struct client c;
	int r;

	if (!parse_words(n_words, words, &w))
		return EX_USAGE;
	r = daemon_open(&c, paths);
	if (r != EX_OK)
		return r;
	explanation_init(&x, bare(w.address));
	r = explanation_ask(&x, &c, bare(w.address), bare(w.reverse_path), pw ? pw->pw_name : "");
	r = r < 0 ? daemon_silent(r) : print(&x, w.as_json);
	explanation_free(&x);
	client_close(&c);
	return r;
}
