/* SPDX-License-Identifier: Apache-2.0 */
/* dry_run.c - see dry_run.h */
#include "smtp/dry_run.h"
#include "net/hosts.h"

/* A question under way. */
struct host_question {
	struct list in_all;
	struct channel *queue;
	uint64_t request;
	struct hosts_search *search;
};
static struct list all = { &all, &all };

static void done(struct channel *queue, uint64_t request, enum job_outcome outcome, const char *status,
	const char *reason)
{
	SEND(queue, EXPLAIN_HOSTS_DONE, .request = request, .outcome = (uint8_t)outcome,
		.status = slice_of(status), .reason = slice_of(reason));
}

static void PRINTF_LIKE(3, 4) tell(struct channel *queue, uint64_t request, const char *fmt, ...)
{
	char words[LIMIT_DRY_RUN_TEXT];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(words, sizeof(words), fmt, args); /* cut when too long: it is for reading */
	va_end(args);
	SEND(queue, EXPLAIN_STEP, .request = request, .kind = EXPLAIN_HOST, .text = slice_of(words),
		.file = SLICE_EMPTY);
}

static void forget(struct host_question *d)
{
	list_remove(&d->in_all);
	mem_free(d);
}

static void on_found(void *user, struct hosts_answer *answer)
{
	struct host_question *d = user;

	for (size_t i = 0; answer->outcome == HOSTS_FOUND && i < answer->n; i++) {
		auto_buf struct buf host = BUF_INIT(LIMIT_DRY_RUN_TEXT);
		endpoint_append_port(&answer->endpoints[i], &host);
		tell(d->queue, d->request, "%s %.*s",
			i ? "then" : "to be tried:", SLICE_ARG(buf_slice(&host)));
	}
	switch (answer->outcome) {
	case HOSTS_FOUND: done(d->queue, d->request, JOB_RELAYED, "", ""); break;
	case HOSTS_NEVER: done(d->queue, d->request, JOB_FAILED, answer->status, answer->reason); break;
	case HOSTS_LATER: done(d->queue, d->request, JOB_DEFERRED, answer->status, answer->reason); break;
	}
	mem_free(answer);
	forget(d);
}

/* What the form of the next hop means. */
static void tell_kind(struct channel *queue, uint64_t request, const struct destination *to)
{
	switch (to->kind) {
	case DESTINATION_MX: tell(queue, request, "the MX hosts of %s, port %u", to->name, to->port); break;
	case DESTINATION_HOST:
		tell(queue, request, "the host %s itself, as it is in brackets, port %u", to->name, to->port);
		break;
	case DESTINATION_ADDRESS: tell(queue, request, "the address %s, port %u", to->name, to->port); break;
	}
}

void dry_run_hosts(struct relay *relay, struct channel *queue, const struct msg_EXPLAIN_HOSTS *m)
{
	const struct hosts_finder finder = { .loop = relay->loop,
		.dns = relay->dns,
		.own_name = relay->config->main_host_name,
		.deadline_ms = HOSTS_DEADLINE_MS };
	struct destination to;
	enum destination_status status =
		destination_parse(m->destination, (uint16_t)relay->config->smtp_port, &to);
	struct host_question *d;

	if (status != DESTINATION_OK) {
		done(queue, m->request, JOB_DEFERRED, "4.3.5", destination_status_text(status));
		return;
	}
	tell_kind(queue, m->request, &to);
	d = mem_new(sizeof(*d));
	d->queue = queue;
	d->request = m->request;
	list_push_back(&all, &d->in_all);
	d->search = hosts_find(&finder, &to, on_found, d);
}

void dry_run_drop_all(void)
{
	list_for_each_safe (node, &all) {
		struct host_question *d = CONTAINER_OF(node, struct host_question, in_all);
		hosts_cancel(&d->search);
		forget(d);
	}
}
