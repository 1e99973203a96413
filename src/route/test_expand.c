/* SPDX-License-Identifier: Apache-2.0 */
/* test_expand.c - where mail goes, as tables of aliases, recipient and result */
#include "mail/aliases_text.h"
#include "route/expand.h"
#include "support/test.h"

/* ---- a world of one aliases text and some users ---- */

struct world {
	struct slice aliases;
	bool is_broken;
	struct buf key, rhs;
};

static enum alias_status world_find(void *user, struct slice key, struct alias_value *out)
{
	struct world *w = user;
	struct aliases_text t;
	struct aliases_entry e;
	enum alias_status status = ALIAS_NONE;

	if (w->is_broken)
		return ALIAS_BROKEN;
	aliases_text_init(&t, w->aliases);
	while (status == ALIAS_NONE && aliases_text_next(&t, &e)) {
		if (e.error != ALIASES_OK || !slice_eq(e.key, key))
			continue;
		assert_true(e.rhs.at >= w->aliases.at); /* not copied, so it stays valid */
		*out = (struct alias_value){ .text = e.rhs, .line = e.line };
		status = ALIAS_FOUND;
	}
	aliases_text_deinit(&t);
	return status;
}

static bool world_is_local(void *user, struct slice domain)
{
	(void)user;
	return slice_eq_nocase(domain, SLICE("here.test")) || slice_eq_nocase(domain, SLICE("localhost")) ||
		slice_eq_nocase(domain, SLICE("localhost.localdomain"));
}

static const char *const users[] = { "root", "payam", "user1", "user2", "user3", "Bob", "a", "b" };

/* "slow" hangs; "x" in any case is x. */
static enum user_outcome world_user(struct slice name, struct slice *found_out)
{
	if (slice_eq(name, SLICE("slow")))
		return USER_UNAVAILABLE;
	for (size_t i = 0; i < ARRAY_LEN(users); i++) {
		if (slice_eq_nocase(name, slice_of(users[i]))) {
			*found_out = slice_of(users[i]);
			return USER_FOUND;
		}
	}
	return USER_UNKNOWN;
}

static const char *const kinds[] = { "?", "address", "user", "remote", "discard", "file", "command", "fail",
	"defer" };

static void print_leaf(const struct expand_leaf *leaf, struct buf *out)
{
	buf_printf(out, "%s%s:%.*s<%.*s>", out->len ? " " : "", kinds[leaf->kind],
		SLICE_ARG(slice_eq(leaf->destination, leaf->origin) ? SLICE_EMPTY : leaf->destination),
		SLICE_ARG(leaf->address));
	if (leaf->flags & RCPT_NO_ALIAS)
		buf_append_str(out, "!a");
	if (leaf->flags & RCPT_NO_FORWARD)
		buf_append_str(out, "!f");
	if (leaf->owner.len)
		buf_printf(out, " owner=%.*s", SLICE_ARG(leaf->owner));
	if (leaf->origin.len)
		buf_printf(
			out, " {%.*s}", SLICE_ARG(slice_first(leaf->origin, slice_rfind(leaf->origin, ':'))));
	if (leaf->status.len)
		buf_printf(out, " (%.*s %.*s)", SLICE_ARG(leaf->status), SLICE_ARG(leaf->reason));
}

static void print_all(const struct expand *e, struct buf *out)
{
	if (e->outcome != JOB_DELIVERED) {
		buf_printf(out, "%s %.*s %.*s", e->outcome == JOB_FAILED ? "FAIL" : "DEFER",
			SLICE_ARG(e->status), SLICE_ARG(e->reason));
		return;
	}
	for (const struct expand_leaf *l = expand_next_leaf(e, NULL); l; l = expand_next_leaf(e, l))
		print_leaf(l, out);
}

struct row {
	const char *aliases, *address;
	unsigned flags;
	const char *trail, *want;
};

static void world_explain(void *user, struct slice domain, struct buf *out)
{
	buf_printf(out, "%.*s is %s", SLICE_ARG(domain), world_is_local(user, domain) ? "here" : "elsewhere");
}

static void resolve_heard(const struct row *row, const char *relay_host, bool is_broken,
	const struct expand_listener *listener, struct buf *out)
{
	struct world w = { .aliases = slice_of(row->aliases), .is_broken = is_broken };
	struct route_rules rules = { .origin = SLICE("here.test"),
		.names = { .delimiters = SLICE("+"),
			.is_local_domain = world_is_local,
			.find = world_find,
			.user = &w },
		.relay_host = slice_of(relay_host),
		.explain_domain = world_explain,
		.user = &w };
	struct expand_leaf *leaf;
	struct expand e;

	expand_init(&e);
	e.listener = listener;
	expand_start(&e, &rules, slice_of(row->address), row->flags, slice_of(row->trail));
	while ((leaf = expand_next_question(&e))) {
		struct slice name = SLICE_EMPTY;
		enum user_outcome o = world_user(leaf->destination, &name);
		expand_answer(&e, leaf, o, name);
	}
	expand_finish(&e);
	print_all(&e, out);
	expand_deinit(&e);
}

static void hear_nothing(void *user, const struct expand_step *step)
{
	assert_null(user);
	assert_true(step->text.len > 0 && step->text.len <= LIMIT_DRY_RUN_TEXT);
	assert_non_null(explain_kind_name(step->kind));
}

static bool see_all(void *user, const char *file)
{
	(void)user, (void)file;
	return true;
}

/* Whoever listens changes nothing. */
static void resolve(const struct row *row, const char *relay_host, bool is_broken, struct buf *out)
{
	static const struct expand_listener listener = {
		.hear = hear_nothing, .max_leaves = SIZE_MAX, .may_see = see_all, .database = "users"
	};
	auto_buf struct buf heard = BUF_INIT(16 * 1024 * 1024);

	resolve_heard(row, relay_host, is_broken, NULL, out);
	resolve_heard(row, relay_host, is_broken, &listener, &heard);
	assert_slice_equal(buf_slice(out), buf_slice(&heard));
}

static void check_rows(const struct row *rows, size_t n, const char *relay_host)
{
	for (size_t i = 0; i < n; i++) {
		auto_buf struct buf got = BUF_INIT(65536);
		resolve(&rows[i], relay_host, false, &got);
		if (!slice_eq(buf_slice(&got), slice_of(rows[i].want)))
			fail_msg("row %zu (%s): got\n%.*s\nwant\n%s", i, rows[i].address,
				SLICE_ARG(buf_slice(&got)), rows[i].want);
	}
}

/* ---- rows ---- */

static void names_and_users(void **state)
{
	static const struct row rows[] = {
		{ "", "payam", 0, "", "user:payam<payam@here.test>" },
		{ "", "payam@localhost", 0, "", "user:payam<payam@localhost.localdomain>" },
		{ "", "PAYAM@HERE.TEST", 0, "", "user:payam<PAYAM@here.test>" },
		{ "", "bob@here.test", 0, "", "user:Bob<bob@here.test>" },
		{ "", "payam@[127.0.0.1]", 0, "", "user:payam<payam@[127.0.0.1]>" },
		{ "", "payam+x@here.test", 0, "", "user:payam<payam+x@here.test>" },
		{ "", "nosuch@localhost", 0, "", "FAIL 5.1.1 unknown user: \"nosuch\"" },
		{ "", "user%far.test@here.test", 0, "", "FAIL 5.1.1 unknown user: \"user%far.test\"" },
		{ "", "far.test!user@here.test", 0, "", "FAIL 5.1.1 unknown user: \"far.test!user\"" },
		{ "", "\"user@far.test\"@here.test", 0, "", "FAIL 5.1.1 unknown user: \"user@far.test\"" },
		{ "", "slow@here.test", 0, "", "DEFER 4.3.0 user database unavailable, asked for: \"slow\"" },
		{ "", "u@FAR.test", 0, "", "remote:far.test<u@far.test>" },
		{ "", "u@[192.0.2.1]", 0, "", "remote:[192.0.2.1]<u@[192.0.2.1]>" },
		{ "payam: user1\n", "payam", RCPT_NO_ALIAS, "", "user:payam<payam@here.test>!a" },
		{ "payam: user1\n", "payam", RCPT_NO_ALIAS | RCPT_NO_FORWARD, "",
			"user:payam<payam@here.test>!a!f" },
	};
	(void)state;
	check_rows(rows, ARRAY_LEN(rows), "");
}

static void malformed(void **state)
{
	static const char *const rows[] = { "", "a b@far.test", "@far.test", "user1@", "user1@far..test",
		"<user1>" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf got = BUF_INIT(65536);
		struct row row = { "", rows[i], 0, "", NULL };
		resolve(&row, "", false, &got);
		assert_true(slice_starts(buf_slice(&got), SLICE("FAIL 5.1.3 malformed address: ")));
	}
}

static void chains_and_lists(void **state)
{
	static const struct row rows[] = {
		{ "lpic1: root\nroot: payam\n", "lpic1@localhost", 0, "", "user:payam<payam@here.test>" },
		{ "payam: user1\n", "payam", 0, "", "user:user1<user1@here.test>" }, /* wins over the user */
		{ "LIST: user1, User2@localhost,\n\tu@far.test\n", "list", 0, "",
			"user:user1<user1@here.test> user:user2<User2@localhost.localdomain> "
			"remote:far.test<u@far.test>" },
		/* once per mailbox, whatever the name of this host */
		{ "l: user1, user1@localhost, USER1, \"user1\"@here.test, m\nm: user1, user2\n", "l", 0, "",
			"user:user1<user1@here.test> user:user2<user2@here.test>" },
		{ "l: u@far.test, u@FAR.TEST, U@far.test\n", "l", 0, "",
			"remote:far.test<u@far.test> remote:far.test<U@far.test>" },
		{ "l: user1, nosuch, slow, user2\n", "l", 0, "",
			"user:user1<user1@here.test> fail:nosuch<nosuch@here.test> (5.1.1 unknown user: "
			"\"nosuch\") defer:slow<slow@here.test> (4.3.0 user database unavailable, asked for: "
			"\"slow\") user:user2<user2@here.test>" },
		{ "l: nosuch\n", "l", 0, "",
			"fail:nosuch<nosuch@here.test> (5.1.1 unknown user: \"nosuch\")" },
		{ "l: \"bad, user1\n", "l", 0, "", "user:user1<user1@here.test>" }, /* the rest is used */
		{ "l: a b c\n", "l", 0, "",
			"DEFER 4.3.5 the alias \"l\" (aliases line 1) has no usable recipient; run "
			"newaliases" },
	};
	(void)state;
	check_rows(rows, ARRAY_LEN(rows), "");
}

static void own_name_and_loops(void **state)
{
	static const struct row rows[] = {
		{ "a: a, user1\n", "a", 0, "", "user:a<a@here.test>!a user:user1<user1@here.test>" },
		{ "a: a@localhost\n", "A@here.test", 0, "", "user:a<a@localhost.localdomain>!a" },
		{ "a: \\a, user1\n", "a", 0, "", "user:a<a@here.test>!a!f user:user1<user1@here.test>" },
		{ "a: \\b\nb: user1\n", "a", 0, "", "user:b<b@here.test>!a!f" },
		{ "a: b\nb: a\n", "a", 0, "", "FAIL 5.4.6 alias loop: a -> b -> a" },
		{ "x: a\na: b\nb: user1, c\nc: a\n", "x", 0, "", "FAIL 5.4.6 alias loop: a -> b -> c -> a" },
		/* two who forward to each other and keep copies get one each */
		{ "a: a, b\nb: b, a\n", "a", 0, "", "user:a<a@here.test>!a user:b<b@here.test>!a" },
		{ "a: \\a, b\nb: \\b, a\n", "b", 0, "", "user:b<b@here.test>!a!f user:a<a@here.test>!a!f" },
		{ "a: b, a\nb: c\nc: a, user1\n", "a", 0, "",
			"user:user1<user1@here.test> user:a<a@here.test>!a" },
		/* a+z is another alias, not a's own name */
		{ "a: a+z, b\na+z: user1\nb: a\n", "a", 0, "", "FAIL 5.4.6 alias loop: a -> b -> a" },
		{ "a: nosuch\nnosuch: nosuch\n", "a", 0, "",
			"fail:nosuch<nosuch@here.test>!a (5.1.1 unknown user: \"nosuch\")" },
	};
	(void)state;
	check_rows(rows, ARRAY_LEN(rows), "");
}

static void names_that_always_exist(void **state)
{
	static const struct row rows[] = {
		{ "", "postmaster", 0, "", "user:root<root@here.test>" },
		{ "", "PostMaster@localhost", 0, "", "user:root<root@here.test>" },
		{ "root: payam\n", "MAILER-DAEMON", 0, "", "user:payam<payam@here.test>" },
		{ "root: payam\n", "abuse+x", 0, "", "user:payam<payam+x@here.test>" },
		{ "postmaster: user1\n", "abuse", 0, "", "user:user1<user1@here.test>" },
		{ "root: postmaster\n", "root", 0, "", "user:root<root@here.test>!a" }, /* never a loop */
		{ "root: postmaster\n", "postmaster", 0, "", "user:root<root@here.test>!a" },
	};
	(void)state;
	check_rows(rows, ARRAY_LEN(rows), "");
}

static void extensions(void **state)
{
	static const struct row rows[] = {
		{ "l+x: user1\nl: user2\n", "l+x", 0, "", "user:user1<user1@here.test>" },
		{ "l+x: user1\nl: user2\n", "l+y", 0, "", "user:user2<user2+y@here.test>" },
		{ "l: user1+z, u@far.test\n", "l+y", 0, "",
			"user:user1<user1+z@here.test> remote:far.test<u@far.test>" },
		{ "l: m\nm+y: user3\n", "l+y", 0, "", "user:user3<user3@here.test>" },
		{ "a: a+list, user1\n", "a", 0, "",
			"user:a<a+list@here.test>!a user:user1<user1@here.test>" },
		{ "l: \\user1\n", "l+y", 0, "", "user:user1<user1@here.test>!a!f" },
	};
	(void)state;
	check_rows(rows, ARRAY_LEN(rows), "");
}

static void owners(void **state)
{
	static const struct row rows[] = {
		{ "l: user1, u@far.test\nowner-l: payam\n", "l", 0, "",
			"user:user1<user1@here.test> owner=owner-l@here.test remote:far.test<u@far.test> "
			"owner=owner-l@here.test" },
		{ "l: m, user1\nowner-l: payam\nm: user2\n", "l", 0, "",
			"user:user2<user2@here.test> owner=owner-l@here.test user:user1<user1@here.test> "
			"owner=owner-l@here.test" },
		{ "l: m, user1\nowner-l: payam\nm: user2\nowner-m: b\n", "l", 0, "",
			"user:user2<user2@here.test> owner=owner-m@here.test user:user1<user1@here.test> "
			"owner=owner-l@here.test" },
		{ "owner-l: payam\nowner-owner-l: b\n", "owner-l", 0, "", "user:payam<payam@here.test>" },
	};
	(void)state;
	check_rows(rows, ARRAY_LEN(rows), "");
}

static void items(void **state)
{
	static const struct row rows[] = {
		{ "l: /var/f, |\"cmd x\", /var/f, user1\n", "l", 0, "",
			"file:<l@here.test> {aliases:l:1} command:<l@here.test> {aliases:l:2} "
			"user:user1<user1@here.test>" },
		{ "\"a:b\": user1, /d/\n", "\"a:b\"@localhost", 0, "",
			"user:user1<user1@here.test> file:<\"a:b\"@here.test> {aliases:a:b:2}" },
		{ "n: /dev/null\n", "n", 0, "",
			"discard:<n@here.test> {aliases:n:1} (2.0.0 discarded by alias)" },
		{ "n: :fail: gone, for good\n", "n", 0, "",
			"fail:<n@here.test> {aliases:n:1} (5.1.1 gone, for good)" },
		{ "n: :fail: 5.7.1 not you\n", "n", 0, "",
			"fail:<n@here.test> {aliases:n:1} (5.7.1 not you)" },
		{ "n: :fail: 5.7 not you\n", "n", 0, "",
			"fail:<n@here.test> {aliases:n:1} (5.1.1 5.7 not you)" },
		{ "n: error:450 later\n", "n", 0, "", "defer:<n@here.test> {aliases:n:1} (4.2.1 later)" },
		{ "n: :defer:\n", "n", 0, "",
			"defer:<n@here.test> {aliases:n:1} (4.2.1 mail to this address is not accepted "
			"now)" },
		{ "n: :include:/x\n", "n", 0, "", "file:<n@here.test> {list:n:1}" },
	};
	(void)state;
	check_rows(rows, ARRAY_LEN(rows), "");
}

#define TEN_STEPS "a\na\na\na\na\na\na\na\na\na\n"

static void trails(void **state)
{
	static const struct row rows[] = {
		/* user1's .forward led here, to user1 again: the mailbox */
		{ "", "user1", 0, "user1@here.test\tuser1", "user:user1<user1@here.test>!f" },
		{ "", "user2", 0, "user2@here.test\nuser1@localhost.localdomain\tuser1",
			"user:user2<user2@here.test>" },
		{ "l: user1, user2\n", "l", 0, "l@here.test\nx@here.test\tuser2\ny@here.test\tuser3",
			"user:user1<user1@here.test> user:user2<user2@here.test>!f" },
		{ "", "user1", 0, TEN_STEPS TEN_STEPS TEN_STEPS TEN_STEPS TEN_STEPS "a",
			"FAIL 5.4.6 mail loop: forwarded more than 50 times" },
	};
	(void)state;
	check_rows(rows, ARRAY_LEN(rows), "");
}

static void relay_host(void **state)
{
	static const struct row rows[] = {
		{ "", "u@far.test", 0, "", "remote:[hub.test]:2525<u@far.test>" },
		{ "", "payam", 0, "", "user:payam<payam@here.test>" },
	};
	(void)state;
	check_rows(rows, ARRAY_LEN(rows), "[hub.test]:2525");
}

static void broken_table_defers(void **state)
{
	static const struct row rows[] = {
		{ "", "payam", 0, "", "DEFER 4.3.0 the alias table cannot be used; run newaliases" },
		{ "", "u@far.test", 0, "", "remote:far.test<u@far.test>" },
		{ "", "payam", RCPT_NO_ALIAS, "", "user:payam<payam@here.test>!a" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf got = BUF_INIT(65536);
		resolve(&rows[i], "", true, &got);
		assert_slice_equal(buf_slice(&got), slice_of(rows[i].want));
	}
}

static void chain_of(size_t n, struct buf *aliases)
{
	for (size_t i = 1; i < n; i++)
		buf_printf(aliases, "c%zu: c%zu\n", i, i + 1);
	buf_printf(aliases, "c%zu: payam\n", n);
}

static void depth(void **state)
{
	static const struct {
		size_t n;
		const char *want;
	} rows[] = {
		{ 10, "user:payam<payam@here.test>" },
		{ 100, "user:payam<payam@here.test>" },
		{ 101, "FAIL 5.4.6 more than 100 aliases lead to each other, the last one is \"c101\"" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf aliases = BUF_INIT(65536), got = BUF_INIT(65536);
		chain_of(rows[i].n, &aliases);
		struct row row = { buf_cstr(&aliases), "c1", 0, "", NULL };
		resolve(&row, "", false, &got);
		assert_slice_equal(buf_slice(&got), slice_of(rows[i].want));
	}
}

/* Each list names the next one twice: 2^40 ways, 40 aliases. */
static void shared_lists_cost_their_size(void **state)
{
	auto_buf struct buf aliases = BUF_INIT(65536), got = BUF_INIT(65536);

	(void)state;
	for (size_t i = 0; i < 40; i++)
		buf_printf(&aliases, "s%zu: s%zu, s%zu@localhost\n", i, i + 1, i + 1);
	buf_append_str(&aliases, "s40: payam\n");
	struct row row = { buf_cstr(&aliases), "s0", 0, "", NULL };
	resolve(&row, "", false, &got);
	assert_slice_equal(buf_slice(&got), SLICE("user:payam<payam@here.test>"));
}

static void list_limit(void **state)
{
	auto_buf struct buf aliases = BUF_INIT(LIMIT_ALIAS_LINE * 8), got = BUF_INIT(65536);

	(void)state;
	for (size_t list = 0; list < 10; list++) {
		buf_printf(&aliases, "l%zu: l%zu", list, list + 1);
		for (size_t i = 0; i < LIMIT_EXPANSION / 10; i++)
			buf_printf(&aliases, ",r%zu.%zu@far.test", list, i);
		buf_append_byte(&aliases, '\n');
	}
	buf_append_str(&aliases, "l10: one@far.test\n");
	struct row row = { buf_cstr(&aliases), "l0", 0, "", NULL };
	resolve(&row, "", false, &got);
	assert_slice_equal(buf_slice(&got), SLICE("FAIL 5.5.3 expands to more than 100000 recipients"));
}

/* ---- dry runs ---- */

static void write_step(void *user, const struct expand_step *step)
{
	struct buf *b = user;

	buf_printf(b, "%*s%s %.*s", 2 * (int)step->depth, "", explain_kind_name(step->kind),
		SLICE_ARG(step->text));
	if (step->place.line)
		buf_printf(b, " @%zu", step->place.line);
	if (step->leaf)
		buf_printf(b, " #%u", step->leaf);
	if (step->begins)
		buf_printf(b, " =%u", step->begins);
	buf_append_byte(b, '\n');
}

static bool see_none(void *user, const char *file)
{
	(void)user, (void)file;
	return false;
}

static void a_dry_run_tells_each_decision(void **state)
{
	static const struct row rows[] = {
		{ "", "payam", 0, "",
			"domain no domain, so the origin is added: here.test is here\n"
			"address canonical form: payam@here.test\n"
			"alias no alias \"payam\"\n"
			"leaf payam@here.test =1\n"
			"user user payam is in users #1\n" },
		{ "team: user1,\n \"|/bin/x\",\n user1@localhost, u@far.test\nowner-team: payam\n",
			"team+x@HERE.test", 0, "",
			"domain HERE.test is here\n"
			"address canonical form: team+x@here.test\n"
			"alias alias \"team\" @1\n"
			"extension the extension +x is handed on to results that have none\n"
			"owner bounces of its members go to owner-team@here.test @4\n"
			"  item user1 @1\n"
			"    extension with the extension that was handed on: user1+x\n"
			"    alias no alias \"user1+x\" or \"user1\"\n"
			"    leaf user1+x@here.test =1\n"
			"  item command /bin/x @2\n"
			"    leaf /bin/x =2\n"
			"  item user1@localhost @3\n"
			"    domain localhost is here\n"
			"    extension with the extension that was handed on: user1+x\n"
			"    alias no alias \"user1+x\" or \"user1\"\n"
			"    duplicate user1+x@localhost.localdomain: left out, it is there already\n"
			"  item u@far.test @3\n"
			"    domain far.test is elsewhere\n"
			"    leaf u@far.test =3\n"
			"next_hop next hop far.test: the domain itself, as relay.host is empty #3\n"
			"user user user1 is in users #1\n" },
		{ "a: b\nb: a\n", "a@localhost", 0, "",
			"domain localhost is here\naddress canonical form: a@localhost.localdomain\n"
			"alias alias \"a\" @1\n"
			"  item b @1\n"
			"    alias alias \"b\" @2\n"
			"      item a @2\n" },
		{ "b: b, bad@@x\n", "b@localhost", 0, "b@localhost\tb",
			"domain localhost is here\naddress canonical form: b@localhost.localdomain\n"
			"alias alias \"b\" @1\n"
			"  item b @1\n"
			"    alias the alias names itself: the user of that name is meant\n"
			"    leaf b@here.test =1\n"
			"  item not understood, left out: bad@@x @1\n"
			"user user b is in users #1\n"
			"forward it went through this user's .forward before: now it goes to the mailbox "
			"#1\n" },
		{ "", "abuse@localhost", 0, "",
			"domain localhost is here\naddress canonical form: abuse@localhost.localdomain\n"
			"alias no alias \"abuse\": mail to this name must reach somebody, so it stands for "
			"postmaster\n"
			"  item postmaster\n"
			"    alias no alias \"postmaster\": mail to this name must reach somebody, so it "
			"stands for root\n"
			"      item root\n"
			"        alias no alias \"root\"\n"
			"        leaf root@here.test =1\n"
			"user user root is in users #1\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf steps = BUF_INIT(65536), got = BUF_INIT(65536);
		const struct expand_listener listener = { .hear = write_step,
			.user = &steps,
			.max_leaves = 100,
			.may_see = see_all,
			.database = "users" };
		resolve_heard(&rows[i], "", false, &listener, &got);
		if (!slice_eq(buf_slice(&steps), slice_of(rows[i].want)))
			fail_msg("row %zu (%s): heard\n%.*s\nwant\n%s", i, rows[i].address,
				SLICE_ARG(buf_slice(&steps)), rows[i].want);
	}
}

static void a_dry_run_is_bounded_and_keeps_secrets(void **state)
{
	const struct row many = { "many: user1, user2, user3, payam, a, b\n", "many", 0, "", NULL };
	const struct row ours = { "", "abuse", 0, "", NULL };
	auto_buf struct buf steps = BUF_INIT(65536), got = BUF_INIT(65536);
	struct expand_listener listener = {
		.hear = write_step, .user = &steps, .max_leaves = 2, .may_see = see_all, .database = "users"
	};

	(void)state;
	resolve_heard(&many, "", false, &listener, &got);
	assert_slice_equal(buf_slice(&got), SLICE("user:user1<user1@here.test> user:user2<user2@here.test>"));
	buf_clear(&got);
	buf_clear(&steps);
	listener.may_see = see_none;
	resolve_heard(&many, "", false, &listener, &got);
	assert_true(
		slice_starts(buf_slice(&got), SLICE("DEFER 4.7.0 what the alias stands for is not shown: ")));
	assert_null(strstr(buf_cstr(&steps), "user1"));
	buf_clear(&got);
	listener.may_see =
		see_all; /* what stands in no file is no secret, and asked for as one without a name */
	resolve_heard(&ours, "", false, &listener, &got);
	assert_slice_equal(buf_slice(&got), SLICE("user:root<root@here.test>"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dry_run_tells_each_decision),
		cmocka_unit_test(a_dry_run_is_bounded_and_keeps_secrets),
		cmocka_unit_test(names_and_users),
		cmocka_unit_test(malformed),
		cmocka_unit_test(chains_and_lists),
		cmocka_unit_test(own_name_and_loops),
		cmocka_unit_test(names_that_always_exist),
		cmocka_unit_test(extensions),
		cmocka_unit_test(owners),
		cmocka_unit_test(items),
		cmocka_unit_test(trails),
		cmocka_unit_test(relay_host),
		cmocka_unit_test(broken_table_defers),
		cmocka_unit_test(depth),
		cmocka_unit_test(shared_lists_cost_their_size),
		cmocka_unit_test(list_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
