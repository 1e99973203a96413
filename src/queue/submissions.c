/* SPDX-License-Identifier: Apache-2.0 */
/* submissions.c - see submissions.h; each id is an entry of a hash table and of one of two lists */
#include "queue/submissions.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/table.h"

#define KNOWN_MS (10 * 60 * 1000)
#define KNOWN_MAX 100000
#define ANY_UID ((uid_t)-1)

struct submission {
	struct table_node node;
	struct list in_list; /* forgettable: oldest first; or expected */
	uint64_t until_ms;
	uint64_t mail;
	uid_t uid;
	enum submission_state state;
	bool is_expected; /* not found in the spool yet; then nobody is told of it */
	struct slice id;
	char *text;
};

static struct table submissions;
static struct list forgettable = { &forgettable, &forgettable };
static struct list expected = { &expected, &expected };

static void submission_free(struct submission *s)
{
	table_remove(&submissions, &s->node);
	list_remove(&s->in_list);
	mem_free(s->text);
	mem_free(s);
}

static void forget_old(void)
{
	uint64_t now = clock_mono_ms();
	struct submission *s;

	while ((s = list_first(&forgettable, struct submission, in_list)))
		if (s->until_ms > now && submissions.n <= KNOWN_MAX)
			return;
		else
			submission_free(s);
}

static struct submission *submission_new(struct slice id, uid_t uid, struct list *in)
{
	struct submission *s = mem_new(sizeof(*s));

	s->text = slice_dup(id);
	s->id = (struct slice){ s->text, id.len };
	s->uid = uid;
	s->until_ms = clock_mono_ms() + KNOWN_MS;
	table_insert(&submissions, &s->node, table_hash_bytes(id));
	list_push_back(in, &s->in_list);
	return s;
}

static struct submission *find(struct slice id, uid_t uid, bool is_expected)
{
	uint64_t hash = table_hash_bytes(id);

	for (struct table_node *n = table_first(&submissions, hash); n; n = table_next(n, hash)) {
		struct submission *s = CONTAINER_OF(n, struct submission, node);
		if (slice_eq(s->id, id) && (s->uid == uid || s->uid == ANY_UID) &&
			s->is_expected == is_expected)
			return s;
	}
	return NULL;
}

enum submission_state submission_find(struct slice id, uid_t uid, uint64_t *mail_out)
{
	const struct submission *s = find(id, uid, false);

	if (!s)
		return SUBMISSION_NEW;
	*mail_out = s->mail;
	return s->state;
}

void submission_begin(struct slice id, uid_t uid, uint64_t mail)
{
	struct submission *s;

	if (id.len == 0)
		return;
	forget_old();
	s = submission_new(id, uid, &forgettable);
	s->mail = mail;
	s->state = SUBMISSION_COMMITTING;
}

void submission_end(struct slice id, uid_t uid, bool is_taken)
{
	struct submission *s = find(id, uid, false);

	if (s && is_taken)
		s->state = SUBMISSION_TAKEN;
	else if (s && s->state == SUBMISSION_COMMITTING)
		submission_free(s);
}

void submission_expect(struct slice id)
{
	if (id.len && !find(id, ANY_UID, true))
		submission_new(id, ANY_UID, &expected)->is_expected = true;
}

void submission_recovered(struct slice id, uint64_t mail)
{
	struct submission *s = find(id, ANY_UID, true);

	if (id.len == 0)
		return;
	forget_old();
	if (s) {
		s->is_expected = false;
		list_remove(&s->in_list); /* in no list: never forgotten */
	} else {
		s = submission_new(id, ANY_UID, &forgettable);
	}
	s->mail = mail;
	s->state = SUBMISSION_TAKEN;
}

void submission_expect_no_more(void)
{
	while (!list_empty(&expected))
		submission_free(list_first(&expected, struct submission, in_list));
}
