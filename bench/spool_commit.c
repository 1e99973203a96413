/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_commit.c - what a durable commit costs: WRITERS senders of 4 KB, each waits for its own before the
 * next
 *
 * spool_commit DIR [WRITERS [MESSAGES]]: prints messages per second and per fdatasync, and CPU per message of
 * the loop's thread and of the whole process. Messages are removed at once, so that segments are recycled.
 */
#include "base/clock.h"
#include "spool/spool.h"
#include <time.h>

struct writer {
	struct spool_entry entry;
};
static struct spool *sp;
static uint64_t n_left, next_id;
static char content[4096];

static void write_next(struct writer *w);

static void committed(void *user, int result)
{
	struct writer *w = user;

	CHECK(result == 0);
	spool_remove(sp, &w->entry, NULL, NULL);
	if (n_left > 0)
		write_next(w);
}

static void write_next(struct writer *w)
{
	struct spool_message *m;
	struct spool_recipient rcpt = { .forward_path = SLICE("someone@example.org"),
		.original = SLICE("someone@example.org") };
	struct spool_envelope env = {
		.id = next_id++,
		.arrival_us = clock_wall_us(),
		.reverse_path = SLICE("sender@example.org"),
		.client_address = SLICE("192.0.2.1"),
		.client_name = SLICE("client.example.org"),
		.client_helo = SLICE("client.example.org"),
		.protocol = SLICE("ESMTP"),
	};

	n_left--;
	CHECK(spool_message_new(sp, sizeof(content), &m) == 0);
	CHECK(spool_message_append(m, (struct slice){ content, sizeof(content) }) == 0);
	spool_message_commit(m, &w->entry, &env, &rcpt, 1, committed, w);
}

static struct spool_entry *recovered(
	void *user, const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts)
{
	return mem_new(sizeof(struct spool_entry)); /* left by a run that was stopped */
}

static void describe(void *user, struct spool_entry *entry, struct spool_envelope *env_out,
	const struct spool_recipient **rcpts_out, size_t *n_rcpts_out)
{
	*env_out = (struct spool_envelope){ .id = entry->id };
	*rcpts_out = NULL;
	*n_rcpts_out = 0;
}

static double cpu_s(clockid_t clock)
{
	struct timespec t;

	CHECK(clock_gettime(clock, &t) == 0);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void closed(void *user)
{
}

int main(int argc, char **argv)
{
	static const struct spool_hooks hooks = { recovered, describe, NULL };
	struct spool_settings settings = { .node = 1 };
	uint64_t n_writers = 50, n_messages = 50000;
	struct spool_statistics st;
	struct writer *writers;
	uv_loop_t *loop = uv_default_loop();

	if (argc < 2 || (argc > 2 && !slice_to_u64(slice_of(argv[2]), 100000, &n_writers)) ||
		(argc > 3 && !slice_to_u64(slice_of(argv[3]), UINT32_MAX, &n_messages))) {
		(void)fprintf(stderr, "usage: spool_commit DIR [WRITERS [MESSAGES]]\n");
		return 64;
	}
	memset(content, 'x', sizeof(content));
	CHECK(spool_open(argv[1], &settings, loop, &hooks, NULL, &sp) == 0);
	next_id = MAX(spool_id_high_water(sp), UINT64_C(1));
	writers = mem_new_array(n_writers, sizeof(*writers));
	n_left = n_messages;
	while (spool_statistics(sp, &st), st.n_prepared < 2)
		(void)uv_run(loop, UV_RUN_ONCE); /* preparing is not what is measured */
	uint64_t start = clock_mono_ns();
	double loop_cpu = cpu_s(CLOCK_THREAD_CPUTIME_ID), all_cpu = cpu_s(CLOCK_PROCESS_CPUTIME_ID);
	for (uint64_t i = 0; i < n_writers && n_left > 0; i++)
		write_next(&writers[i]);
	(void)uv_run(loop, UV_RUN_DEFAULT);
	double seconds = (double)(clock_mono_ns() - start) / 1e9, n = (double)n_messages;
	spool_statistics(sp, &st);
	(void)printf("%.0f messages/s, %.1f per sync, CPU per message: loop %.1f us, all threads %.1f us\n",
		n / seconds, n / (double)st.n_batches, (cpu_s(CLOCK_THREAD_CPUTIME_ID) - loop_cpu) * 1e6 / n,
		(cpu_s(CLOCK_PROCESS_CPUTIME_ID) - all_cpu) * 1e6 / n);
	spool_close(sp, closed, NULL);
	(void)uv_run(loop, UV_RUN_DEFAULT);
	mem_free(writers);
	return 0;
}
