/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_expand.c - first line: flags and a recipient, second: its trail, rest: an aliases file
 *
 * The file is compiled and asked as the daemon does it; the expansion must end, and every leaf must be one
 * that the queue can hold. What people are shown (table/alias_walk.h) must lead to the same places.
 */
#include "base/file.h"
#include "route/expand.h"
#include "route/rcpt_check.h"
#include "table/alias_build.h"
#include "table/alias_walk.h"
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct config config = {
	.main_origin = "here.test",
	.main_host_name = "here.test",
	.main_local_domains = "",
	.aliases_delimiter = "+-",
	.relay_host = "",
};

static void check_report(const struct alias_problem *p, void *user)
{
	(void)user;
	CHECK(p->text.len > 0 && slice_find(p->text, '\n') == p->text.len);
}

static void check_leaf(const struct expand_leaf *leaf)
{
	CHECK(leaf->address.len > 0 && leaf->address.len <= LIMIT_PATH);
	CHECK(slice_find(leaf->address, '\n') == leaf->address.len);
	CHECK((leaf->kind != LEAF_USER && leaf->kind != LEAF_REMOTE) || leaf->destination.len > 0);
	CHECK((leaf->kind != LEAF_FAIL && leaf->kind != LEAF_DEFER) ||
		(leaf->status.len > 0 && leaf->reason.len > 0));
	CHECK((leaf->kind != LEAF_FILE && leaf->kind != LEAF_COMMAND) || leaf->origin.len > 0);
}

/* Places of one kind that get a copy each. */
struct counts {
	size_t users, remote, files, commands;
	bool has_loop, has_nothing;
};

static void count_leaf(const struct expand_leaf *leaf, struct counts *counts)
{
	counts->users += leaf->kind == LEAF_USER;
	counts->remote += leaf->kind == LEAF_REMOTE;
	counts->files += leaf->kind == LEAF_FILE;
	counts->commands += leaf->kind == LEAF_COMMAND;
}

static bool count_step(const struct alias_step *step, void *user)
{
	struct counts *counts = user;

	CHECK(step->kind > 0 && step->kind < ALIAS_STEP_COUNT);
	counts->has_loop |= step->kind == ALIAS_STEP_LOOP || step->kind == ALIAS_STEP_DEEP;
	counts->has_nothing |= step->kind == ALIAS_STEP_NOTHING;
	if (step->is_duplicate)
		return true;
	counts->users += step->kind == ALIAS_STEP_USER || step->kind == ALIAS_STEP_MAILBOX;
	counts->remote += step->kind == ALIAS_STEP_REMOTE;
	counts->files += step->kind == ALIAS_STEP_FILE || step->kind == ALIAS_STEP_DIRECTORY ||
		step->kind == ALIAS_STEP_LIST;
	counts->commands += step->kind == ALIAS_STEP_COMMAND;
	return true;
}

static void compare(
	const struct expand *e, const struct counts *leaves, struct alias_files *files, struct slice address)
{
	struct counts steps = { 0 };
	const struct alias_walk_request request = {
		.config = &config, .files = files, .visit = count_step, .user = &steps
	};
	bool is_address = alias_walk(&request, address);

	if (e->outcome == JOB_DELIVERED)
		CHECK(is_address && !steps.has_loop && !steps.has_nothing && steps.users == leaves->users &&
			steps.remote == leaves->remote && steps.files == leaves->files &&
			steps.commands == leaves->commands);
	else if (slice_eq(e->status, SLICE("5.4.6")))
		CHECK(steps.has_loop);
	else if (e->outcome == JOB_DEFERRED)
		CHECK(steps.has_nothing);
}

/* As the user database: it has every name, in lower case. */
static void answer(struct expand *e, struct expand_leaf *leaf, enum user_outcome outcome)
{
	auto_free char *lower = slice_dup(leaf->destination);

	CHECK(leaf->destination.len > 0);
	for (size_t i = 0; i < leaf->destination.len; i++)
		lower[i] = ascii_lower(lower[i]);
	expand_answer(e, leaf, outcome, (struct slice){ lower, leaf->destination.len });
}

static void hear(void *user, const struct expand_step *step)
{
	(void)user;
	CHECK(step->text.len <= LIMIT_DRY_RUN_TEXT && explain_kind_name(step->kind));
}

static bool may_see(void *user, const char *file)
{
	(void)user, (void)file;
	return true;
}

/* Somebody listens to it: it comes to the same, but ends after some leaves. */
static const struct expand_listener listener = {
	.hear = hear, .max_leaves = 100, .may_see = may_see, .database = "users"
};

static void expand(const struct route_rules *rules, struct slice address, unsigned flags, struct slice trail,
	struct alias_files *files)
{
	bool is_plain = flags == 0 && trail.len == 0;
	struct counts leaves = { 0 };
	struct expand_leaf *leaf;
	struct expand e;
	unsigned n = 0;

	expand_init(&e);
	if (flags & RCPT_RECONCILE)
		e.listener = &listener;
	expand_start(&e, rules, address, flags, trail);
	while ((leaf = expand_next_question(&e)))
		answer(&e, leaf, is_plain ? USER_FOUND : USER_FOUND + n++ % 3);
	expand_finish(&e);
	CHECK(e.outcome == JOB_DELIVERED || (e.status.len && e.reason.len));
	if (e.outcome == JOB_DELIVERED)
		CHECK(expand_next_leaf(&e, NULL) != NULL);
	for (const struct expand_leaf *l = NULL;
		e.outcome == JOB_DELIVERED && (l = expand_next_leaf(&e, l));) {
		check_leaf(l);
		count_leaf(l, &leaves);
	}
	if (is_plain)
		compare(&e, &leaves, files, address);
	expand_deinit(&e);
}

static void check_recipient(const struct route_rules *rules, struct slice path)
{
	struct rcpt_check check;

	if (rcpt_check_start(&check, rules, path, false) == RCPT_STEP_ASK_USER) {
		CHECK(*check.user);
		rcpt_check_answer(&check, USER_UNKNOWN);
	}
	CHECK(check.code >= 200 && check.code < 600 && *check.status && *check.text);
}

static void ask(int fd, struct slice address, unsigned flags, struct slice trail)
{
	const struct alias_places places = { .source = "/nonexistent/aliases" };
	struct alias_files files = { .tables = { alias_table_new(&places) }, .n = 1 };
	struct route_source source = { .config = &config, .aliases = &files };
	struct route_rules rules;

	route_rules_init(&rules, &source);
	CHECK(alias_table_adopt(files.tables[0], fd) == ALIAS_TABLE_READY);
	expand(&rules, address, flags, trail, &files);
	check_recipient(&rules, address);
	alias_files_deinit(&files);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size }, first, trail;
	struct alias_summary summary;
	auto_close int fd = memfd_create("fuzz", MFD_CLOEXEC);

	CHECK(fd >= 0);
	if (!slice_next_line(&text, &first) || first.len < 2 || !slice_next_line(&text, &trail))
		return 0;
	const struct alias_build b = { .text = text, .config = &config, .report = check_report };
	int r = alias_build(&b, fd, &summary);
	CHECK(r == 0 || r == -ENODATA);
	if (r == 0)
		ask(fd, slice_from(first, 1), (unsigned char)first.at[0] & 7, trail);
	return 0;
}
