/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_jailed.c - see alias_jailed.h
 *
 * What the child says, one line each: "P KIND LINE TEXT" per problem, "Q KIND LINE KEY-LENGTH KEY TEXT" per
 * question, then "S RESULT ENTRIES SKIPPED PROBLEMS
 * LONGEST TOTAL" (RESULT: 0 or a positive errno).
 */
#include "table/alias_jailed.h"
#include "base/file.h"
#include <fcntl.h>
#include <sys/wait.h>

#define TALK_MAX (8 * 1024 * 1024)

/* ---- the child ---- */

struct talk {
	struct buf out;
	size_t n_problems;
};

static void say_question(const struct alias_question *q, void *user)
{
	struct talk *t = user;

	buf_printf(&t->out, "Q %d %zu %zu %.*s %.*s\n", (int)q->kind, q->line, q->key.len, SLICE_ARG(q->key),
		SLICE_ARG(q->text));
}

static void say_problem(const struct alias_problem *p, void *user)
{
	struct talk *t = user;

	if (t->n_problems++ < ALIAS_JAILED_PROBLEMS)
		buf_printf(&t->out, "P %d %zu %.*s\n", (int)p->kind, p->line, SLICE_ARG(p->text));
}

_Noreturn static void run_child(
	const struct alias_build *b, const struct jail_request *jail, int fd, int talk_fd)
{
	struct talk t = { .out = BUF_INIT(TALK_MAX) };
	struct alias_build build = *b;
	struct alias_summary s = { 0 };
	int r = jail_enter(jail);

	build.report = say_problem;
	build.ask = b->ask ? say_question : NULL;
	build.max_questions = MIN(b->max_questions, (size_t)ALIAS_JAILED_QUESTIONS);
	build.user = &t;
	if (r >= 0)
		r = jail_seal(jail);
	if (r == 0)
		r = alias_build(&build, fd, &s);
	buf_printf(&t.out, "S %d %zu %zu %zu %zu %zu\n", -r, s.n_entries, s.n_skipped, s.n_problems,
		s.longest, s.total);
	_exit(buf_ok(&t.out) && file_write_all(talk_fd, buf_slice(&t.out)) == 0 ? 0 : 1);
}

/* ---- the parent ---- */

static bool take_number(struct slice *line, uint64_t *out)
{
	struct slice word;

	return slice_next_word(line, &word) && slice_to_u64(word, UINT32_MAX, out);
}

static bool hear_problem(struct slice line, const struct alias_build *b)
{
	struct alias_problem p = { 0 };
	uint64_t kind, number;

	if (!take_number(&line, &kind) || kind < ALIAS_PROBLEM_ENTRY || kind >= ALIAS_PROBLEM_COUNT ||
		!take_number(&line, &number))
		return false;
	p.kind = (enum alias_problem_kind)kind;
	p.line = (size_t)number;
	p.text = slice_trim(line);
	if (b->report)
		b->report(&p, b->user);
	return true;
}

static bool hear_question(struct slice line, const struct alias_build *b)
{
	struct alias_question q = { 0 };
	uint64_t kind, number, key_len;

	if (!take_number(&line, &kind) || kind < ALIAS_ASK_USER || kind > ALIAS_ASK_INCLUDE ||
		!take_number(&line, &number) || !take_number(&line, &key_len) || !slice_skip(&line, ' ') ||
		key_len >= line.len || line.at[key_len] != ' ')
		return false;
	q.kind = (enum alias_question_kind)kind;
	q.line = (size_t)number;
	q.key = slice_first(line, (size_t)key_len);
	q.text = slice_from(line, (size_t)key_len + 1);
	if (b->ask)
		b->ask(&q, b->user);
	return true;
}

static bool hear_summary(struct slice line, int *result_out, struct alias_summary *summary_out)
{
	uint64_t n[6];

	for (size_t i = 0; i < ARRAY_LEN(n); i++)
		if (!take_number(&line, &n[i]))
			return false;
	*result_out = -(int)MIN(n[0], (uint64_t)4095);
	*summary_out = (struct alias_summary){
		.n_entries = n[1], .n_skipped = n[2], .n_problems = n[3], .longest = n[4], .total = n[5]
	};
	return true;
}

static int hear(struct slice talk, const struct alias_build *b, struct alias_summary *summary_out)
{
	struct slice line;
	int result = -ECHILD;

	while (slice_next_line(&talk, &line)) {
		bool is_good = false;
		if (slice_skip_prefix_nocase(&line, SLICE("P ")))
			is_good = hear_problem(line, b);
		else if (slice_skip_prefix_nocase(&line, SLICE("Q ")))
			is_good = hear_question(line, b);
		else if (slice_skip_prefix_nocase(&line, SLICE("S ")))
			is_good = hear_summary(line, &result, summary_out);
		if (!is_good)
			return -ECHILD;
	}
	return result;
}

int alias_build_jailed(const struct alias_build *b, const struct jail_request *jail, int fd,
	struct alias_summary *summary_out)
{
	auto_buf struct buf talk = BUF_INIT(TALK_MAX);
	int ends[2], status, r;
	pid_t child;

	*summary_out = (struct alias_summary){ 0 };
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	auto_close int read_end = ends[0];
	auto_close int write_end = ends[1];
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0)
		run_child(b, jail, fd, write_end);
	cleanup_close(&write_end);
	write_end = -1;
	r = file_read_all(read_end, &talk);
	cleanup_close(&read_end); /* a child that has more to say dies of it */
	read_end = -1;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (r < 0)
		return r;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? hear(buf_slice(&talk), b, summary_out)
							     : -ECHILD;
}
