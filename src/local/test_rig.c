/* SPDX-License-Identifier: Apache-2.0 */
/* test_rig.c - see test_rig.h */
#include "local/test_rig.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "local/local.h"
#include "mail/queue_id.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#define WAIT_MS 20000

/* ---- what the role says ---- */

static void on_nothing(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch, (void)m, (void)fd;
}

static void on_forward(struct channel *ch, const union msg_any *m, int *fd)
{
	struct rig *rig = ch->user;
	size_t n = strlen(rig->leaves);

	(void)fd;
	(void)snprintf(rig->leaves + n, sizeof(rig->leaves) - n, "%u:%u:%.*s ", m->JOB_FORWARD.kind,
		m->JOB_FORWARD.flags, SLICE_ARG(m->JOB_FORWARD.address));
	if (m->JOB_FORWARD.origin.len)
		(void)snprintf(rig->origin, sizeof(rig->origin), "%.*s", SLICE_ARG(m->JOB_FORWARD.origin));
}

static void on_step(struct channel *ch, const union msg_any *any, int *fd)
{
	const struct msg_EXPLAIN_STEP *m = &any->EXPLAIN_STEP;
	struct rig *rig = ch->user;
	size_t n = strlen(rig->steps);

	(void)fd;
	(void)snprintf(rig->steps + n, sizeof(rig->steps) - n, "%.*s", SLICE_ARG(m->text));
	n = strlen(rig->steps);
	if (m->line)
		(void)snprintf(
			rig->steps + n, sizeof(rig->steps) - n, " [%.*s:%u]", SLICE_ARG(m->file), m->line);
	n = strlen(rig->steps);
	(void)snprintf(rig->steps + n, sizeof(rig->steps) - n, "\n");
}

static void on_result(struct channel *ch, const union msg_any *m, int *fd)
{
	const struct msg_JOB_RESULT *r = &m->JOB_RESULT;
	struct rig *rig = ch->user;
	struct rig_answer *a;

	(void)fd;
	assert_true(rig->n_answers < rig->max_answers);
	a = &rig->answers[rig->n_answers++];
	a->job = r->job;
	a->rcpt = r->rcpt;
	a->outcome = r->outcome;
	(void)snprintf(a->status, sizeof(a->status), "%.*s", SLICE_ARG(r->status));
	(void)snprintf(a->reason, sizeof(a->reason), "%.*s", SLICE_ARG(r->reason));
	memcpy(a->leaves, rig->leaves, sizeof(a->leaves));
	memcpy(a->origin, rig->origin, sizeof(a->origin));
	rig->leaves[0] = rig->origin[0] = '\0';
}

static void on_done(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)m, (void)fd;
	((struct rig *)ch->user)->n_done++;
}

static void on_drain(struct channel *ch)
{
	struct rig *rig = ch->user;

	while (rig->n_questions && !rig->is_silent && !channel_congested(ch)) {
		const struct rig_question *q = &rig->questions[--rig->n_questions];
		SEND(ch, JOB_CONTENT, .job = q->job, .offset = q->offset,
			.chunk = slice_first(slice_from(rig->content, (size_t)q->offset), LIMIT_CHUNK));
	}
}

static void on_more(struct channel *ch, const union msg_any *m, int *fd)
{
	struct rig *rig = ch->user;

	(void)fd;
	assert_true(rig->n_questions < rig->max_answers);
	rig->questions[rig->n_questions++] =
		(struct rig_question){ .job = m->JOB_MORE.job, .offset = m->JOB_MORE.offset };
	on_drain(ch);
}

static const msg_handler handlers[MSG_TYPE_COUNT] = {
	[MSG_READY] = on_nothing,
	[MSG_CHANNEL_LOST] = on_nothing,
	[MSG_JOB_FORWARD] = on_forward,
	[MSG_EXPLAIN_STEP] = on_step,
	[MSG_JOB_RESULT] = on_result,
	[MSG_JOB_DONE] = on_done,
	[MSG_JOB_MORE] = on_more,
};

static void on_closed(struct channel *ch, const char *why)
{
	struct rig *rig = ch->user;

	(void)why;
	if (ch == rig->queue) {
		rig->queue_closed = true;
		channel_free(&rig->queue);
	} else {
		channel_free(&rig->control);
	}
}

static const struct channel_hooks hooks = {
	.handlers = handlers, .on_drain = on_drain, .on_closed = on_closed
};

/* ---- files ---- */

const char *rig_path(struct rig *rig, const char *path)
{
	static char buffers[4][300];
	static unsigned next;
	char *out = buffers[next++ % 4];

	(void)snprintf(out, 300, "%s/%s", rig->dir, path);
	return out;
}

void rig_write(struct rig *rig, const char *path, struct slice text)
{
	auto_close int fd = open(rig_path(rig, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text), 0);
}

struct buf rig_read(struct rig *rig, const char *path)
{
	struct buf out = BUF_INIT(64 << 20);
	int r = file_read_path(AT_FDCWD, rig_path(rig, path), &out);

	assert_true(r == 0 || r == -ENOENT);
	return out;
}

/* ---- life ---- */

void rig_init(struct rig *rig, size_t n_users, uid_t first_uid, bool is_sandbox, const char *more_settings)
{
	auto_buf struct buf users = BUF_INIT(1 << 20);

	memset(rig, 0, sizeof(*rig));
	rig->is_sandbox = is_sandbox;
	rig->max_answers = 20000;
	rig->answers = mem_new_array(rig->max_answers, sizeof(*rig->answers));
	rig->questions = mem_new_array(rig->max_answers, sizeof(*rig->questions));
	(void)snprintf(rig->settings, sizeof(rig->settings), "%s", more_settings);
	(void)snprintf(rig->dir, sizeof(rig->dir), "/tmp/test_local.XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	assert_int_equal(setenv("TEST_DISK", rig->dir, 1), 0);
	assert_int_equal(chmod(rig->dir, 0755), 0);
	assert_int_equal(mkdir(rig_path(rig, "etc"), 0755), 0);
	assert_int_equal(mkdir(rig_path(rig, "mail"), 0755), 0);
	assert_int_equal(mkdir(rig_path(rig, "home"), 0755), 0);
	for (size_t i = 0; i < n_users; i++) {
		char home[64];
		uid_t uid = first_uid + (uid_t)i;
		(void)snprintf(home, sizeof(home), "home/u%zu", i);
		buf_printf(&users, "u%zu:x:%u:%u::%s/%s:/bin/sh\n", i, uid, uid, rig->dir, home);
		assert_int_equal(mkdir(rig_path(rig, home), 0700), 0);
		if (!is_sandbox)
			assert_int_equal(chown(rig_path(rig, home), uid, uid), 0);
	}
	rig_write(rig, "etc/users", buf_slice(&users));
	rig->loop = uv_default_loop(); /* channels know one loop per process */
}

void rig_deinit(struct rig *rig)
{
	if (rig->pid)
		rig_kill(rig);
	role_process_remove(rig->dir);
	mem_free(rig->answers);
	mem_free(rig->questions);
}

static int make_config(struct rig *rig)
{
	auto_buf struct buf text = BUF_INIT(10000);

	buf_printf(&text,
		"[main]\nhost_name = host.example\norigin = example\n[users]\nfile = %s/etc/users\n"
		"[local]\nmail_dir = %s/mail\n%s",
		rig->dir, rig->dir, rig->settings);
	return role_process_config(buf_slice(&text));
}

static const struct role_program program = { .name = "postriderd: local", .main = local_main };

int rig_main(int argc, char **argv)
{
	return role_process_main(&program, argc, argv);
}

void rig_start(struct rig *rig)
{
	int config = make_config(rig), control[2], queue[2];

	assert_int_equal(channel_pair(control), 0);
	assert_int_equal(channel_pair(queue), 0);
	rig->pid = role_process_start(&program, rig->is_sandbox ? rig->dir : "", control[1], config);
	(void)close(control[1]);
	(void)close(config);
	rig->control = channel_new(rig->loop, control[0], ROLE_SUPERVISOR, ROLE_LOCAL, 0, &hooks, rig);
	rig->queue = channel_new(rig->loop, queue[0], ROLE_QUEUE, ROLE_LOCAL, 0, &hooks, rig);
	rig->queue_closed = false;
	rig->n_questions = 0;
	channel_send_fd(rig->control, MSG_CHANNEL, &(struct msg_CHANNEL){ .peer = ROLE_QUEUE, .instance = 0 },
		queue[1]);
}

void rig_reload(struct rig *rig, const char *more_settings)
{
	(void)snprintf(rig->settings, sizeof(rig->settings), "%s", more_settings);
	channel_send_fd(rig->control, MSG_CONFIG, &(struct msg_CONFIG){ .generation = 2 }, make_config(rig));
}

void rig_turn(struct rig *rig)
{
	role_process_turn(rig->loop);
}

static int reap(struct rig *rig)
{
	int status;

	channel_free(&rig->control);
	channel_free(&rig->queue);
	status = role_process_wait(rig->pid);
	rig->pid = 0;
	rig_turn(rig);
	return status;
}

void rig_kill(struct rig *rig)
{
	assert_int_equal(kill(rig->pid, SIGKILL), 0);
	(void)reap(rig);
}

int rig_stop(struct rig *rig)
{
	uint64_t start = clock_mono_ms();

	SEND(rig->control, STOP, .unused = 0);
	while (!rig->queue_closed && clock_mono_ms() - start < WAIT_MS)
		rig_turn(rig);
	return reap(rig);
}

void rig_begin(struct rig *rig, const char *more_settings)
{
	rig_init(rig, 2, geteuid(), true, more_settings);
	rig_start(rig);
}

void rig_end(struct rig *rig)
{
	assert_int_equal(rig_stop(rig), 0);
	rig_deinit(rig);
}

/* ---- mail ---- */

struct buf rig_content(uint64_t queue_id, const char *more_fields, struct slice body)
{
	struct buf out = BUF_INIT(64 << 20);

	buf_append_str(&out, "Received: by host.example (Postrider, from userid 1000)\n\tid ");
	queue_id_append(&out, queue_id);
	buf_append_str(&out, "; Wed, 19 Feb 2020 05:10:35 -0500 (EST)\n");
	buf_append_str(&out, more_fields);
	buf_append_str(&out, "Subject: test\n\n");
	buf_append(&out, body);
	return out;
}

void rig_give(struct rig *rig, const struct rig_mail *mail)
{
	uint32_t n = 0;

	while (n < ARRAY_LEN(mail->users) && mail->users[n])
		n++;
	while (rig->queue && channel_congested(rig->queue))
		rig_turn(rig);
	assert_non_null(rig->queue);
	SEND(rig->queue, JOB_BEGIN, .job = mail->job, .queue_id = mail->queue_id,
		.reverse_path = SLICE("sender@example"), .envid = SLICE("E1"), .size = mail->content.len,
		.n_rcpts = n, .client_address = SLICE("192.0.2.1"), .helo = SLICE("client.example"),
		.protocol = SLICE("ESMTP"), .login = SLICE("someone"), .dry_run = (uint8_t)mail->dry_run,
		.asker = mail->asker);
	for (uint32_t i = 0; i < n; i++) {
		char address[100], trail[100];
		const char *delimiter = mail->extension ? "+" : "";
		const char *extension = mail->extension ? mail->extension : "";
		(void)snprintf(
			address, sizeof(address), "%s%s%s@localhost", mail->users[i], delimiter, extension);
		(void)snprintf(trail, sizeof(trail), "%s%s%s@localhost.localdomain", mail->users[i],
			delimiter, extension);
		SEND(rig->queue, JOB_RCPT, .job = mail->job, .rcpt = i,
			.kind = mail->kind ? mail->kind : LEAF_USER, .flags = (uint8_t)mail->flags,
			.forward_path = slice_of(trail), .user = slice_of(mail->users[i]),
			.original = slice_of(address), .trail = slice_of(trail),
			.origin = slice_of(mail->origin ? mail->origin : ""));
	}
	rig->content = mail->content;
	SEND(rig->queue, JOB_CONTENT, .job = mail->job, .chunk = slice_first(mail->content, LIMIT_CHUNK));
}

void rig_speak(struct rig *rig)
{
	rig->is_silent = false;
	on_drain(rig->queue);
}

void rig_wait_done(struct rig *rig, size_t n_done)
{
	uint64_t start = clock_mono_ms();

	while (rig->n_done < n_done && !rig->queue_closed && clock_mono_ms() - start < WAIT_MS)
		rig_turn(rig);
	assert_int_equal(rig->n_done, n_done);
}

const struct rig_answer *rig_answer(struct rig *rig, uint64_t job, uint32_t rcpt)
{
	for (size_t i = 0; i < rig->n_answers; i++)
		if (rig->answers[i].job == job && rig->answers[i].rcpt == rcpt)
			return &rig->answers[i];
	fail_msg("no answer for recipient %u of job %" PRIu64, rcpt, job);
	return NULL;
}

static size_t count(struct slice text, const char *what)
{
	size_t n = 0, len = strlen(what);
	const char *hit;

	while ((hit = memmem(text.at, text.len, what, len))) {
		n++;
		text = slice_from(text, (size_t)(hit - text.at) + len);
	}
	return n;
}

size_t rig_size(struct rig *rig, const char *path)
{
	auto_buf struct buf text = rig_read(rig, path);

	return text.len;
}

size_t rig_count(struct rig *rig, const char *path, const char *what)
{
	auto_buf struct buf text = rig_read(rig, path);

	return count(buf_slice(&text), what);
}

void rig_give_simple(struct rig *rig, uint64_t job, const char *user, unsigned flags)
{
	auto_buf struct buf content = rig_content(job, "", RIG_BODY);

	rig_give(rig,
		&(struct rig_mail){ .job = job,
			.queue_id = job,
			.users = { user },
			.flags = flags,
			.content = buf_slice(&content) });
}

void rig_assert_answer(struct rig *rig, uint64_t job, uint32_t rcpt, enum job_outcome outcome,
	const char *status, const char *words)
{
	const struct rig_answer *a = rig_answer(rig, job, rcpt);

	if (a->outcome != outcome || strcmp(a->status, status) != 0 || !strstr(a->reason, words))
		fail_msg("job %" PRIu64 ": got %u %s \"%s\", want %u %s \"%s\"", job, a->outcome, a->status,
			a->reason, outcome, status, words);
}

void rig_turn_for(struct rig *rig, uint64_t ms)
{
	uint64_t end = clock_mono_ms() + ms;

	while (clock_mono_ms() < end)
		rig_turn(rig);
}

const char *rig_user(size_t i)
{
	static char names[200][24];

	(void)snprintf(names[i], sizeof(names[i]), "u%zu", i);
	return names[i];
}

void rig_deliver_many(struct rig *rig, size_t n_mails, size_t n_users)
{
	for (size_t i = 0; i < n_mails; i++)
		rig_give_simple(rig, i + 1, rig_user(i % n_users), 0);
	rig_wait_done(rig, n_mails);
	for (size_t i = 0; i < n_mails; i++)
		rig_assert_answer(rig, i + 1, 0, JOB_DELIVERED, "2.0.0", "");
	for (size_t i = 0; i < n_users; i++) {
		char path[32];
		(void)snprintf(path, sizeof(path), "mail/u%zu", i);
		assert_int_equal(rig_count(rig, path, "\n>From the body\n\n"), n_mails / n_users);
		assert_int_equal(rig_count(rig, path, "From sender@example  "), n_mails / n_users);
	}
}

void rig_give_item(
	struct rig *rig, uint64_t job, const char *user, uint8_t kind, const char *origin, unsigned flags)
{
	auto_buf struct buf content = rig_content(1000 + job, "Message-ID: <m@x>\n", RIG_BODY);

	rig_give(rig,
		&(struct rig_mail){ .job = job,
			.queue_id = 1000 + job,
			.users = { user },
			.kind = kind,
			.origin = origin,
			.flags = flags,
			.content = buf_slice(&content) });
}

const struct rig_answer *rig_deliver_item(struct rig *rig, uint64_t job, const char *text)
{
	const struct rig_answer *a;
	uint8_t kind;

	rig_write(rig, "home/u0/.forward", slice_of(text));
	rig_give_item(rig, job, "u0", 0, NULL, 0);
	rig_wait_done(rig, rig->n_done + 1);
	a = rig_answer(rig, job, 0);
	assert_int_equal(a->outcome, JOB_FORWARDED);
	assert_non_null(strchr("56", a->leaves[0]));
	kind = (uint8_t)(a->leaves[0] - '0');
	{
		char origin[200];
		(void)snprintf(origin, sizeof(origin), "%s", a->origin);
		rig_give_item(rig, job + 1, "u0", kind, origin, 0);
	}
	rig_wait_done(rig, rig->n_done + 1);
	return rig_answer(rig, job + 1, 0);
}

void rig_assert_has(struct rig *rig, const char *path, const char *words)
{
	auto_buf struct buf text = rig_read(rig, path);

	if (!text.len || !memmem(text.at, text.len, words, strlen(words)))
		fail_msg("\"%s\" is not in %s:\n%.*s", words, path, SLICE_ARG(buf_slice(&text)));
}

/* Children of a process, from /proc. */
static size_t children_of(pid_t parent, pid_t *pids, size_t max)
{
	char path[100];
	auto_buf struct buf text = BUF_INIT(100000);
	struct slice rest, word;
	size_t n = 0;
	uint64_t pid;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
	if (file_read_path(AT_FDCWD, path, &text) < 0)
		return 0;
	rest = buf_slice(&text);
	while (n < max && slice_next_word(&rest, &word) && slice_to_u64(word, INT_MAX, &pid))
		pids[n++] = (pid_t)pid;
	return n;
}

size_t rig_workers(struct rig *rig, pid_t *pids, size_t max)
{
	pid_t nursery;

	return children_of(rig->pid, &nursery, 1) ? children_of(nursery, pids, max) : 0;
}
