/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_expand.c - first line: flags and a recipient, second: its trail, rest: an aliases file
 *
 * The file is compiled and asked as the daemon does it; the expansion must end, and every leaf must be one
 * that the queue can hold.
 */
#include "base/file.h"
#include "route/expand.h"
#include "route/rcpt_check.h"
#include "table/alias_build.h"
#include <cdb.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_local(void *user, struct slice domain)
{
	(void)user;
	return slice_eq_nocase(domain, SLICE("here.test")) || slice_eq_nocase(domain, SLICE("localhost"));
}

static enum alias_status find(void *user, struct slice key, struct alias_value *out)
{
	struct cdb *cdb = user;

	if (cdb_find(cdb, key.at, (unsigned)key.len) <= 0)
		return ALIAS_NONE;
	*out = (struct alias_value){ .text = { cdb_getdata(cdb), cdb_datalen(cdb) } };
	CHECK(out->text.len > ALIAS_LINE_BYTES);
	out->text = slice_from(out->text, ALIAS_LINE_BYTES);
	return ALIAS_FOUND;
}

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

static void expand(const struct route_rules *rules, struct slice address, unsigned flags, struct slice trail)
{
	struct expand_leaf *leaf;
	struct expand e;
	unsigned n = 0;

	expand_init(&e);
	expand_start(&e, rules, address, flags, trail);
	while ((leaf = expand_next_question(&e))) {
		CHECK(leaf->destination.len > 0);
		expand_answer(&e, leaf, USER_FOUND + n++ % 3, leaf->destination);
	}
	expand_finish(&e);
	CHECK(e.outcome == JOB_DELIVERED || (e.status.len && e.reason.len));
	if (e.outcome == JOB_DELIVERED) {
		CHECK(expand_next_leaf(&e, NULL) != NULL);
		for (const struct expand_leaf *l = NULL; (l = expand_next_leaf(&e, l));)
			check_leaf(l);
	}
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size }, first, trail;
	struct alias_summary summary;
	struct cdb cdb;
	struct route_rules rules = { .origin = SLICE("here.test"),
		.delimiters = SLICE("+-"),
		.is_local_domain = is_local,
		.find_alias = find,
		.user = &cdb };
	auto_close int fd = memfd_create("fuzz", MFD_CLOEXEC);

	CHECK(fd >= 0);
	if (!slice_next_line(&text, &first) || first.len < 2 || !slice_next_line(&text, &trail))
		return 0;
	const struct alias_build b = { .text = text, .report = check_report };
	int r = alias_build(&b, fd, &summary);
	CHECK(r == 0 || r == -ENODATA);
	if (r < 0)
		return 0;
	CHECK(cdb_init(&cdb, fd) == 0);
	expand(&rules, slice_from(first, 1), (unsigned char)first.at[0] & 3, trail);
	check_recipient(&rules, slice_from(first, 1));
	cdb_free(&cdb);
	return 0;
}
