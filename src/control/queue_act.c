/* SPDX-License-Identifier: Apache-2.0 */
/* queue_act.c - postrider queue retry, hold, release, expire, delete, move; see queue_command.h */
#include "base/limits.h"
#include "control/commands.h"
#include "control/queue_command.h"
#include "ipc/queue_orders.h"
#include "mail/json.h"
#include "mail/queue_id.h"
#include <sysexits.h>

#define EX_SOME 1 /* some of the messages */

static const struct act {
	const char *verb, *done;
	enum queue_action action;
} acts[] = {
	{ "retry", "tried now", QUEUE_ACT_FLUSH },
	{ "hold", "held", QUEUE_ACT_HOLD },
	{ "release", "released", QUEUE_ACT_RELEASE },
	{ "expire", "to be returned if the next attempt fails", QUEUE_ACT_EXPIRE },
	{ "delete", "deleted", QUEUE_ACT_DELETE },
	{ "move", "moved", QUEUE_ACT_MOVE_HOST },
};

struct acting {
	struct queue_command *q;
	const struct act *act;
	size_t n_done, n_failed;
	int status; /* of those that failed; EX_SOME when they differ */
	int id_status;
};

static void tell_json(const struct acting *a, uint64_t id, int exit_code, struct slice text)
{
	auto_buf struct buf line = BUF_INIT(16 * LIMIT_REASON);
	struct json j = JSON_INIT(&line);

	json_put_object(&j, NULL);
	json_put_text(&j, "queue_id", slice_of(queue_id_format(id).at));
	json_put_text(&j, "action", slice_of(a->act->verb));
	json_put_bool(&j, "done", exit_code == EX_OK);
	if (exit_code != EX_OK) {
		json_put_number(&j, "exit_code", (uint64_t)exit_code);
		json_put_text(&j, "text", text);
	}
	json_put_object_end(&j);
	(void)puts(buf_cstr(&line));
}

static void told(void *user, uint64_t id, int exit_code, struct slice text)
{
	struct acting *a = user;
	struct queue_id_text name = queue_id_format(id);

	if (exit_code == EX_OK) {
		a->n_done++;
	} else {
		a->status = a->n_failed && a->status != exit_code ? EX_SOME : exit_code;
		a->n_failed++;
	}
	if (a->q->json)
		tell_json(a, id, exit_code, text);
	else if (exit_code != EX_OK && slice_starts(text, slice_of(name.at)))
		complain("%.*s", SLICE_ARG(text));
	else if (exit_code != EX_OK)
		complain("%s: %.*s", name.at, SLICE_ARG(text));
}

static bool next(void *user, uint64_t *id_out)
{
	struct acting *a = user;

	while (!queue_command_next_id(a->q, id_out, &a->id_status)) {
		if (a->id_status == EX_OK)
			return false;
		a->n_failed++; /* was told; the others are done */
		a->status = a->n_failed > 1 && a->status != a->id_status ? EX_SOME : a->id_status;
		a->id_status = EX_OK;
	}
	return true;
}

/* What was not named one by one is asked about. True: go on. */
static bool confirm(struct queue_command *q, const struct act *act, int *status_out)
{
	char answer[16];
	uint64_t n;

	if (q->yes || act->action == QUEUE_ACT_FLUSH)
		return true;
	if (!isatty(STDIN_FILENO)) {
		complain("%s of many messages needs --yes when nobody can be asked; `postrider queue list` "
			 "takes the same filters and shows which",
			q->verb);
		*status_out = EX_USAGE;
		return false;
	}
	*status_out = queue_count(q, &n);
	if (*status_out != EX_OK)
		return false;
	(void)fprintf(stderr, "%s %" PRIu64 " message%s? [y/N] ", q->verb, n, n == 1 ? "" : "s");
	if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
		return true;
	complain("nothing was done");
	*status_out = EX_OK;
	return false;
}

static int result(const struct acting *a)
{
	if (!a->q->json && !a->n_failed)
		(void)printf("%zu message%s %s\n", a->n_done, a->n_done == 1 ? "" : "s", a->act->done);
	else if (!a->q->json && a->n_done)
		(void)printf("%zu of %zu messages %s\n", a->n_done, a->n_done + a->n_failed, a->act->done);
	return a->n_failed == 0 ? EX_OK : a->n_done ? EX_SOME : a->status;
}

/* A request as a whole was refused: the same for all of them. */
static int many(struct acting *a, struct queue_order *o)
{
	auto_buf struct buf text = BUF_INIT(4096);
	int status = EX_OK, r;

	if (!confirm(a->q, a->act, &status))
		return status;
	r = queue_order_all(&a->q->client, o, &status, &text);
	if (r < 0)
		return daemon_silent(r);
	if (status != EX_OK && text.len) {
		complain("%.*s", SLICE_ARG(buf_slice(&text)));
		return status;
	}
	return result(a);
}

int queue_act(struct queue_command *q)
{
	struct acting a = { .q = q, .status = EX_OK, .id_status = EX_OK };
	struct queue_order o = { .filter = buf_slice(&q->filter), .told = told, .next = next, .user = &a };
	int r;

	for (size_t i = 0; i < ARRAY_LEN(acts); i++)
		if (strcmp(q->verb, acts[i].verb) == 0)
			a.act = &acts[i];
	o.action = q->to_address ? QUEUE_ACT_MOVE_ADDRESS : a.act->action;
	o.argument = slice_of(q->to_address ? q->to_address : q->to_host);
	if (q->to_host && strcmp(q->to_host, "default") == 0)
		o.argument = SLICE_EMPTY;
	if (queue_command_is_open(q))
		return many(&a, &o);
	r = queue_order_named(&q->client, &o);
	return r < 0 ? daemon_silent(r) : result(&a);
}
