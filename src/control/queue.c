/* SPDX-License-Identifier: Apache-2.0 */
/* queue.c - postrider queue: its verbs, options and ids; see queue_command.h */
#include "control/commands.h"
#include "control/queue_command.h"
#include "mail/date.h"
#include "mail/queue_filter.h"
#include "mail/queue_id.h"
#include <sysexits.h>
#include <time.h>

/* ---- words for people ---- */

const char *time_text(uint64_t s)
{
	static char texts[4][32];
	static unsigned next;
	char *text = texts[next++ % ARRAY_LEN(texts)];
	time_t t = (time_t)s;
	struct tm tm;

	if (!localtime_r(&t, &tm) || strftime(text, sizeof(texts[0]), "%F %T", &tm) == 0)
		return "?";
	return text;
}

const char *age_text(uint64_t seconds)
{
	static char texts[2][40];
	static unsigned next;
	char *text = texts[next++ % ARRAY_LEN(texts)];
	auto_buf struct buf b = BUF_INIT(sizeof(texts[0]));

	date_append_duration(&b, seconds);
	(void)snprintf(text, sizeof(texts[0]), "%s", buf_cstr(&b));
	return text;
}

const char *mail_state_text(uint8_t state)
{
	switch ((enum queue_mail_state)state) {
	case QUEUE_MAIL_ACTIVE: return "under way";
	case QUEUE_MAIL_HELD: return "held";
	case QUEUE_MAIL_WAITING: break;
	}
	return "waiting";
}

const char *rcpt_state_text(uint8_t state)
{
	static const char *const words[] = { [QUEUE_RCPT_WAITING] = "waiting",
		[QUEUE_RCPT_ACTIVE] = "active",
		[QUEUE_RCPT_DELIVERED] = "delivered",
		[QUEUE_RCPT_FAILED] = "failed",
		[QUEUE_RCPT_EXPANDED] = "expanded",
		[QUEUE_RCPT_DUPLICATE] = "duplicate",
		[QUEUE_RCPT_DELETED] = "deleted" };

	return state < ARRAY_LEN(words) && words[state] ? words[state] : "unknown";
}

/* ---- ids ---- */

static bool id_from_word(const char *word, uint64_t *id_out, int *status_out)
{
	if (queue_id_parse(slice_of(word), id_out))
		return true;
	complain("%s is no queue id; `mailq` shows them", word);
	*status_out = EX_DATAERR;
	return false;
}

bool queue_command_next_id(struct queue_command *q, uint64_t *id_out, int *status_out)
{
	char line[256];

	if (q->n_ids > 0) {
		q->n_ids--;
		return id_from_word(*q->ids++, id_out, status_out);
	}
	while (q->ids_from_input && fgets(line, sizeof(line), stdin)) {
		struct slice word = slice_trim(slice_of(line));
		if (word.len == 0)
			continue;
		line[word.at - line + (ptrdiff_t)word.len] = '\0';
		return id_from_word(word.at, id_out, status_out);
	}
	return false;
}

/* ---- the command line ---- */

enum { FILTERS = 1, GROUPS = 2, MOVES = 4, ALL = 8, IDS_NEEDED = 16, CONTENT = 32 };

static const struct verb {
	const char *name;
	int (*run)(struct queue_command *q);
	unsigned takes;
} verbs[] = {
	{ "list", queue_list, FILTERS | GROUPS },
	{ "show", queue_show, IDS_NEEDED },
	{ "why", queue_why, FILTERS },
	{ "cat", queue_cat, IDS_NEEDED | CONTENT },
	{ "retry", queue_act, FILTERS | ALL },
	{ "hold", queue_act, FILTERS | ALL },
	{ "release", queue_act, FILTERS | ALL },
	{ "expire", queue_act, FILTERS | ALL },
	{ "delete", queue_act, FILTERS | ALL },
	{ "move", queue_act, FILTERS | ALL | MOVES },
};

static bool set_by(struct queue_command *q, const char *value)
{
	static const struct {
		const char *word;
		enum queue_by by;
	} words[] = { { "reason", QUEUE_BY_REASON }, { "domain", QUEUE_BY_DOMAIN },
		{ "sender", QUEUE_BY_SENDER } };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(value, words[i].word) == 0)
			q->by = words[i].by;
	if (!q->by)
		complain("--by %s: must be reason, domain or sender", value);
	return q->by != 0;
}

static bool set_filter(struct queue_command *q, const char *name, const char *value)
{
	struct queue_filter f;
	const char *wrong = NULL;

	if (strchr(value, '\n')) {
		complain("--%s: a line end is in no address and no reason", name);
		return false;
	}
	buf_printf(&q->filter, "%s=%s\n", name, value);
	if (queue_filter_parse(buf_slice(&q->filter), &f, &wrong))
		return true;
	complain("--%s %s", name, wrong);
	return false;
}

static bool set_flag(struct queue_command *q, const struct verb *v, const char *name)
{
	const struct {
		const char *name;
		bool *flag;
		bool may;
	} flags[] = { { "json", &q->json, !(v->takes & CONTENT) }, { "all", &q->all, v->takes & ALL },
		{ "yes", &q->yes, v->takes & ALL } };

	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (flags[i].may && strcmp(name, flags[i].name) == 0)
			return *flags[i].flag = true;
	return false;
}

static bool takes_value(const struct verb *v, const char *name)
{
	return (v->takes & FILTERS && queue_filter_has(slice_of(name))) ||
		(v->takes & GROUPS && strcmp(name, "by") == 0) ||
		(v->takes & MOVES && (strcmp(name, "to-host") == 0 || strcmp(name, "to-address") == 0));
}

static int no_such_option(const struct verb *v, const char *option)
{
	static const struct {
		unsigned takes;
		const char *options;
	} rows[] = { { FILTERS, " --from --to --domain --reason --status --older" }, { GROUPS, " --by" },
		{ MOVES, " --to-host --to-address" }, { ALL, " --all --yes" } };
	auto_buf struct buf options = BUF_INIT(256);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (v->takes & rows[i].takes)
			buf_append(&options, slice_of(rows[i].options));
	if (!(v->takes & CONTENT))
		buf_append(&options, SLICE(" --json"));
	complain("%s: no such option; queue %s takes ids%s%.*s", option, v->name, options.len ? " and" : "",
		SLICE_ARG(buf_slice(&options)));
	return EX_USAGE;
}

/* Of an option that takes one. EX_OK, or EX_DATAERR after a complaint. */
static int set_value(struct queue_command *q, const char *name, const char *value)
{
	if (queue_filter_has(slice_of(name)))
		return set_filter(q, name, value) ? EX_OK : EX_DATAERR;
	if (strcmp(name, "by") == 0)
		return set_by(q, value) ? EX_OK : EX_DATAERR;
	*(strcmp(name, "to-host") == 0 ? &q->to_host : &q->to_address) = value;
	return EX_OK;
}

/* One option at words[*at], with its value in the same word or the next. */
static int take_option(struct queue_command *q, const struct verb *v, int n, char **words, int *at)
{
	char *name = words[*at] + 2, *equals = strchr(name, '=');

	if (set_flag(q, v, name))
		return EX_OK;
	if (equals)
		*equals = '\0';
	if (!takes_value(v, name))
		return no_such_option(v, words[*at]);
	if (equals)
		return set_value(q, name, equals + 1);
	if (*at + 1 < n)
		return set_value(q, name, words[++*at]);
	complain("--%s needs a value", name);
	return EX_USAGE;
}

/* Options may stand anywhere; ids are moved to the front of words. */
static int take_words(struct queue_command *q, const struct verb *v, int n, char **words)
{
	int status = EX_OK;

	q->ids = words;
	for (int i = 0; status == EX_OK && i < n; i++) {
		if (strcmp(words[i], "-") == 0)
			q->ids_from_input = true;
		else if (strncmp(words[i], "--", 2) == 0)
			status = take_option(q, v, n, words, &i);
		else if (words[i][0] == '-')
			status = no_such_option(v, words[i]);
		else
			q->ids[q->n_ids++] = words[i];
	}
	return status;
}

/* Which mail is meant must be plain. NULL: it is. */
static const char *wrong_choice(const struct queue_command *q, const struct verb *v)
{
	bool is_open = queue_command_is_open(q);

	if (v->takes & IDS_NEEDED && is_open)
		return "needs queue ids; `mailq` shows them";
	if (v->takes & MOVES && !q->to_host == !q->to_address)
		return "needs one of --to-host and --to-address";
	if (q->all && !is_open)
		return "takes --all or single messages, not both";
	if (q->by && !is_open)
		return "counts with --by what filters let through, not single messages";
	/* Another attempt for all harms nobody. */
	if (v->takes & ALL && is_open && !q->filter.len && !q->all && strcmp(v->name, "retry") != 0)
		return "needs queue ids, a filter such as --from, or --all";
	return NULL;
}

static int check(const struct queue_command *q, const struct verb *v)
{
	uint64_t id;

	for (int i = 0; i < q->n_ids; i++) {
		int status = EX_OK;
		if (!id_from_word(q->ids[i], &id, &status))
			return status;
	}
	const char *wrong = wrong_choice(q, v);
	if (!wrong)
		return EX_OK;
	complain("queue %s %s", v->name, wrong);
	return EX_USAGE;
}

int command_queue(const struct paths *paths, int n_words, char **words)
{
	struct queue_command q = { .paths = paths, .filter = BUF_INIT(64 * 1024), .client = CLIENT_INIT };
	const struct verb *v = NULL;
	int status = EX_USAGE;

	for (size_t i = 0; n_words > 0 && i < ARRAY_LEN(verbs); i++)
		if (strcmp(words[0], verbs[i].name) == 0)
			v = &verbs[i];
	if (!v && n_words > 0)
		complain("queue %s: no such command", words[0]);
	if (v) {
		q.verb = v->name;
		status = take_words(&q, v, n_words - 1, words + 1);
		if (status == EX_OK)
			status = check(&q, v);
		if (status == EX_OK)
			status = daemon_open(&q.client, paths);
		if (status == EX_OK)
			status = v->run(&q);
		client_close(&q.client);
	}
	buf_free(&q.filter);
	return status;
}
