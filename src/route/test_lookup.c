/* SPDX-License-Identifier: Apache-2.0 */
/* test_lookup.c - the role's core between real channels: a queue, an smtpd, and a users helper of the test's
 * own */
#include "base/file.h"
#include "route/lookup.h"
#include "route/user_answer.h"
#include "support/test.h"
#include "table/alias_install.h"
#include <fcntl.h>

static char dir[64], users_file[PATH_MAX], aliases_file[PATH_MAX];
static struct config *config;

/* One world at a time: every process's end of every channel, in one loop. */
static struct world {
	uv_loop_t *loop;
	struct lookup lookup;
	struct channel *to_queue, *to_smtpd, *to_users; /* lookup's ends */
	struct channel *queue, *smtpd, *users;		/* the others' */
	struct buf got, verdicts; /* by the queue, by smtpd: what comes first of the two is not said */
	size_t n_leaves, n_done, n_restarted, n_asked, n_logged;
} w;

/* ---- lookup's side ---- */

static void on_rcpt_check(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	lookup_rcpt_check(&w.lookup, ch, &m->RCPT_CHECK);
}

static void on_route_ask(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	lookup_route_ask(&w.lookup, ch, &m->ROUTE_ASK);
}

static void on_user_answer(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	user_pool_answer(&w.lookup.users, ch->instance, m->USER_ANSWER.request, m);
}

static const msg_handler lookup_handlers[MSG_TYPE_COUNT] = {
	[MSG_RCPT_CHECK] = on_rcpt_check,
	[MSG_ROUTE_ASK] = on_route_ask,
	[MSG_USER_ANSWER] = on_user_answer,
};

static void on_drain(struct channel *ch)
{
	lookup_channel_drained(&w.lookup, ch);
}

static void on_closed(struct channel *ch, const char *why)
{
	(void)ch;
	fail_msg("a channel closed: %s", why);
}

static const struct channel_hooks lookup_side = { lookup_handlers, on_drain, on_closed };

static void ask_helper(void *user, unsigned helper, uint64_t request, struct slice name)
{
	(void)user, (void)helper;
	SEND(w.to_users, USER_ASK, .request = request, .name = name);
}

static void restart_helper(void *user, unsigned helper)
{
	(void)user, (void)helper;
	w.n_restarted++;
}

static const struct user_pool_hooks helper_hooks = { ask_helper, restart_helper };

/* ---- the others ---- */

static void on_user_ask(struct channel *ch, const union msg_any *m, int *fd)
{
	struct userdb_user found;
	enum user_outcome o;

	(void)fd;
	w.n_asked++;
	if (slice_eq(m->USER_ASK.name, SLICE("hangs")))
		return;
	o = slice_eq(m->USER_ASK.name, SLICE("errs")) ? USER_UNAVAILABLE
						      : user_answer(users_file, m->USER_ASK.name, &found);
	SEND(ch, USER_ANSWER, .request = m->USER_ASK.request, .outcome = (uint8_t)o,
		.name = o == USER_FOUND ? slice_of(found.name) : SLICE_EMPTY);
}

static void on_verdict(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch, (void)fd;
	buf_printf(&w.verdicts, "%" PRIu64 ":%u %.*s %.*s\n", m->RCPT_VERDICT.request, m->RCPT_VERDICT.code,
		SLICE_ARG(m->RCPT_VERDICT.status), SLICE_ARG(m->RCPT_VERDICT.text));
	w.n_done++;
}

static void on_leaf(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch, (void)fd;
	if (w.n_leaves++ < 100)
		buf_printf(&w.got, "%" PRIu64 ":%u %.*s %.*s\n", m->ROUTE_LEAF.request, m->ROUTE_LEAF.kind,
			SLICE_ARG(m->ROUTE_LEAF.destination), SLICE_ARG(m->ROUTE_LEAF.address));
}

static void on_done(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch, (void)fd;
	buf_printf(&w.got, "%" PRIu64 ":done %u %.*s\n", m->ROUTE_DONE.request, m->ROUTE_DONE.outcome,
		SLICE_ARG(m->ROUTE_DONE.status));
	w.n_done++;
}

static void on_step(struct channel *ch, const union msg_any *any, int *fd)
{
	const struct msg_EXPLAIN_STEP *m = &any->EXPLAIN_STEP;

	(void)ch, (void)fd;
	buf_printf(
		&w.got, "%u>%u %s %.*s", m->node, m->child, explain_kind_name(m->kind), SLICE_ARG(m->text));
	if (m->line)
		buf_printf(&w.got, " %s:%u",
			slice_eq(m->file, slice_of(aliases_file)) ? "aliases" : "another file", m->line);
	buf_append_byte(&w.got, '\n');
}

static const msg_handler other_handlers[MSG_TYPE_COUNT] = {
	[MSG_USER_ASK] = on_user_ask,
	[MSG_RCPT_VERDICT] = on_verdict,
	[MSG_ROUTE_LEAF] = on_leaf,
	[MSG_ROUTE_DONE] = on_done,
	[MSG_EXPLAIN_STEP] = on_step,
};
static const struct channel_hooks other_side = { other_handlers, NULL, on_closed };

/* ---- world ---- */

static void connect_pair(struct channel **lookup_end, struct channel **other_end, enum role other)
{
	int fds[2];

	assert_int_equal(channel_pair(fds), 0);
	*lookup_end = channel_new(w.loop, fds[0], ROLE_LOOKUP, other, 0, &lookup_side, NULL);
	*other_end = channel_new(w.loop, fds[1], other, ROLE_LOOKUP, 0, &other_side, NULL);
	assert_true(*lookup_end && *other_end);
}

static void write_file(const char *name, const char *text)
{
	auto_close int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, slice_of(text)), 0);
}

static void install_aliases(struct slice text)
{
	struct alias_install in = { 0 };
	struct alias_install_result r;

	assert_true(alias_places_init(&in.places, aliases_file, NULL));
	write_file(aliases_file, "");
	{
		auto_close int fd = open(aliases_file, O_WRONLY | O_TRUNC | O_CLOEXEC);
		assert_int_equal(file_write_all(fd, text), 0);
	}
	assert_int_equal(alias_install(&in, &r), ALIAS_INSTALL_DONE);
}

static void report(unsigned line, const char *message, void *user)
{
	(void)user;
	fail_msg("configuration line %u: %s", line, message);
}

static void count_line(enum log_level level, const char *program, struct slice line, void *user)
{
	(void)program;
	(void)level, (void)line, (void)user;
	w.n_logged++;
}

static int setup(void **state)
{
	auto_buf struct buf text = BUF_INIT(65536);

	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/test_lookup.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(users_file, sizeof(users_file), "%s/users", dir);
	(void)snprintf(aliases_file, sizeof(aliases_file), "%s/aliases", dir);
	write_file(users_file, "root:x:0:0::/root:\npayam:x:1:1::/h:\nuser1:x:2:2::/h:\n");
	buf_printf(&text,
		"[main]\nhost_name = here.test\norigin = here.test\n[aliases]\nfile = %s\n[users]\ntimeout = "
		"1s\n",
		aliases_file);
	config = config_parse(buf_slice(&text), report, NULL);
	w = (struct world){ .loop = uv_default_loop(), .got = BUF_INIT(65536), .verdicts = BUF_INIT(65536) };
	channel_loop_init(w.loop);
	log_set_sink(count_line, NULL);
	if (!config || !lookup_init(&w.lookup, w.loop, config, &helper_hooks, NULL))
		return -1;
	connect_pair(&w.to_queue, &w.queue, ROLE_QUEUE);
	connect_pair(&w.to_smtpd, &w.smtpd, ROLE_SMTPD);
	connect_pair(&w.to_users, &w.users, ROLE_USERS);
	user_pool_helper_up(&w.lookup.users, 0);
	return 0;
}

static int teardown(void **state)
{
	static const char *const files[] = { "users", "aliases", "aliases.db" };
	char name[PATH_MAX];

	(void)state;
	log_set_sink(NULL, NULL);
	lookup_deinit(&w.lookup);
	channel_free(&w.to_queue);
	channel_free(&w.to_smtpd);
	channel_free(&w.to_users);
	channel_free(&w.queue);
	channel_free(&w.smtpd);
	channel_free(&w.users);
	(void)uv_run(w.loop, UV_RUN_NOWAIT);
	(void)uv_run(w.loop, UV_RUN_NOWAIT);
	buf_free(&w.got);
	buf_free(&w.verdicts);
	config_free(&config);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		(void)snprintf(name, sizeof(name), "%s/%s", dir, files[i]);
		(void)unlink(name);
	}
	return rmdir(dir);
}

static void run_until(size_t n_done)
{
	while (w.n_done < n_done)
		(void)uv_run(w.loop, UV_RUN_ONCE);
}

static void assert_text(struct buf *got, const char *want)
{
	assert_slice_equal(buf_slice(got), slice_of(want));
	buf_clear(got);
}

static void check(uint64_t request, const char *path)
{
	SEND(w.smtpd, RCPT_CHECK, .request = request, .reverse_path = SLICE_EMPTY,
		.forward_path = slice_of(path));
}

static void route(uint64_t request, const char *address)
{
	SEND(w.queue, ROUTE_ASK, .request = request, .address = slice_of(address), .trail = SLICE_EMPTY);
}

/* ---- tests ---- */

static void dry(uint64_t request, const char *address, enum dry_run dry_run)
{
	SEND(w.queue, ROUTE_ASK, .request = request, .address = slice_of(address), .trail = SLICE_EMPTY,
		.dry_run = (uint8_t)dry_run);
}

static void a_dry_run_sends_its_steps_before_the_leaves(void **state)
{
	static const char alias[] = "0>0 domain localhost is this host: whatever the settings say\n"
				    "0>0 address canonical form: team@localhost.localdomain\n"
				    "0>0 alias alias \"team\" aliases:2\n";
	auto_buf struct buf want = BUF_INIT(4096);

	(void)state;
	install_aliases(SLICE("\nteam: payam,\n \"|/bin/x\"\n"));
	dry(1, "team@localhost", DRY_RUN_ALL);
	run_until(1);
	buf_printf(&want,
		"%s0>0 item payam aliases:2\n0>0 alias no alias \"payam\"\n0>1 leaf payam@here.test\n"
		"0>0 item command /bin/x aliases:3\n0>2 leaf /bin/x\n"
		"1>0 user user payam is in the user database (NSS)\n"
		"1:2 payam payam@here.test\n",
		alias);
	if (!slice_starts(buf_slice(&w.got), buf_slice(&want)))
		fail_msg("got\n%s\nand not\n%s", buf_cstr(&w.got), buf_cstr(&want));
	buf_clear(&w.got);
	/* What the file's mode hides, other users are not told. */
	assert_int_equal(chmod(aliases_file, 0640), 0);
	dry(2, "team@localhost", DRY_RUN_OWN);
	run_until(2);
	buf_clear(&want);
	buf_printf(&want, "%s2:done %d 4.7.0\n", alias, JOB_DEFERRED);
	assert_slice_equal(buf_slice(&w.got), buf_slice(&want));
	buf_clear(&w.got);
}

static void recipients(void **state)
{
	(void)state;
	install_aliases(SLICE("lpic1: root\n"));
	check(1, "lpic1@localhost");
	check(2, "user@far.test");
	run_until(2);
	check(3, "Payam@here.test");
	run_until(3);
	check(4, "nosuch@here.test");
	run_until(4);
	check(5, "errs@here.test");
	run_until(5);
	assert_text(&w.verdicts,
		"1:250 2.1.5 Ok\n"
		"2:554 5.7.1 <user@far.test>: Relay access denied\n"
		"3:250 2.1.5 Ok\n"
		"4:550 5.1.1 <nosuch@here.test>: Recipient address rejected: User unknown in local "
		"recipient table\n"
		"5:451 4.3.0 <errs@here.test>: Recipient address rejected: the user database does not "
		"answer, try again later\n");
	assert_int_equal(w.n_asked, 3);
}

static void routes(void **state)
{
	(void)state;
	install_aliases(
		SLICE("lpic1: root\nroot: payam\nlist: payam, user1, nosuch, u@far.test\na: b\nb: a\n"));
	route(1, "lpic1@localhost");
	run_until(1);
	route(2, "list");
	run_until(2);
	route(3, "a");
	run_until(3);
	route(4, "nosuch");
	run_until(4);
	assert_text(&w.got,
		"1:2 payam payam@here.test\n1:done 1 \n"
		"2:2 payam payam@here.test\n2:2 user1 user1@here.test\n2:7 nosuch nosuch@here.test\n"
		"2:3 far.test u@far.test\n2:done 1 \n"
		"3:done 4 5.4.6\n"
		"4:done 4 5.1.1\n");
	assert_int_equal(w.n_asked, 4); /* payam was remembered, nosuch was not */
	assert_int_equal(w.n_logged, 0);
}

static void an_edit_takes_effect(void **state)
{
	(void)state;
	route(1, "team");
	run_until(1);
	assert_text(&w.got, "1:done 4 5.1.1\n"); /* no aliases file, no alias */
	write_file(aliases_file, "team: payam\n");
	uv_update_time(w.loop);
	for (uint64_t now = uv_now(w.loop); uv_now(w.loop) == now;)
		uv_update_time(w.loop);
	route(2, "team");
	run_until(2);
	assert_text(&w.got, "2:done 3 4.3.0\n"); /* not built yet: wait, do not refuse */
	install_aliases(SLICE("team: payam\n"));
	for (uint64_t now = uv_now(w.loop); uv_now(w.loop) == now;)
		uv_update_time(w.loop);
	route(3, "team");
	run_until(3);
	assert_text(&w.got, "3:2 payam payam@here.test\n3:done 1 \n");
	assert_int_equal(w.n_logged, 3); /* each state once */
}

/* A database that hangs costs those who ask for that name, not the others. */
static void hanging_database(void **state)
{
	(void)state;
	install_aliases(SLICE("list: hangs, u@far.test\n"));
	user_pool_helper_up(&w.lookup.users, 0);
	check(1, "hangs@here.test");
	route(2, "list");
	check(3, "u@far.test");
	route(4, "v@far.test");
	run_until(2);
	assert_int_equal(w.n_restarted, 0); /* the two that need no user are answered already */
	run_until(4);
	assert_int_equal(w.n_restarted, 1);
	assert_text(&w.verdicts,
		"3:554 5.7.1 <u@far.test>: Relay access denied\n"
		"1:451 4.3.0 <hangs@here.test>: Recipient address rejected: the user database does not "
		"answer, try again later\n");
	assert_text(&w.got,
		"4:3 far.test v@far.test\n4:done 1 \n"
		"2:8 hangs hangs@here.test\n2:3 far.test u@far.test\n2:done 1 \n");
}

/* More than a channel holds: lookup waits for the reader and forgets nothing. */
static void big_list_to_a_slow_reader(void **state)
{
	auto_buf struct buf text = BUF_INIT(1 << 24);

	(void)state;
	for (size_t list = 0; list < 10; list++) {
		buf_printf(&text, "%sbig%zu: big%zu", list ? "\n" : "", list, list + 1);
		for (size_t i = 0; i < 9999; i++)
			buf_printf(
				&text, ",member.with.a.long.name.%zu.%zu@host%zu.far.test", list, i, i % 100);
	}
	buf_append_str(&text, "\nbig10: last@far.test\n");
	install_aliases(buf_slice(&text));
	channel_pause(w.queue, true);
	route(1, "big0");
	for (size_t i = 0; i < 50; i++)
		(void)uv_run(w.loop, UV_RUN_NOWAIT);
	assert_true(channel_congested(w.to_queue));
	assert_int_equal(w.n_done, 0);
	channel_pause(w.queue, false);
	run_until(1);
	assert_int_equal(w.n_leaves, 99991);
}

static void asker_that_goes_away(void **state)
{
	(void)state;
	install_aliases(SLICE("list: hangs, payam\n"));
	route(1, "list");
	check(2, "hangs@here.test");
	while (w.lookup.n_jobs < 2)
		(void)uv_run(w.loop, UV_RUN_ONCE);
	lookup_channel_gone(&w.lookup, w.to_queue);
	assert_int_equal(w.lookup.n_jobs, 1);
	lookup_channel_gone(&w.lookup, w.to_smtpd);
	assert_int_equal(w.lookup.n_jobs, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(recipients, setup, teardown),
		cmocka_unit_test_setup_teardown(routes, setup, teardown),
		cmocka_unit_test_setup_teardown(an_edit_takes_effect, setup, teardown),
		cmocka_unit_test_setup_teardown(hanging_database, setup, teardown),
		cmocka_unit_test_setup_teardown(big_list_to_a_slow_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(asker_that_goes_away, setup, teardown),
		cmocka_unit_test_setup_teardown(a_dry_run_sends_its_steps_before_the_leaves, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
