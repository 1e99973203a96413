/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drop_stuck.c - drop files that cannot be removed although their mail was taken in; see core.h
 *
 * Their mail goes its way: a directory may stay as it is for days. But its record stays in the spool, also
 * when the mail is finished, until the file is gone: the submission id in it tells every later start that
 * this file was taken in. In this process a file is known by its inode.
 * Tests: tests/system/test_drop.py.
 */
#include "base/file.h"
#include "mail/queue_id.h"
#include "queue/core.h"
#include "spool/drop.h"

struct stuck {
	struct table_node node;
	struct list in_order;
	struct drop_file file;
	uint64_t mail;
	struct message *finished; /* has left the queue; ours */
	bool is_unlinked;	  /* the directory is to be synced yet */
	bool was_said;
};

static struct table by_inode;
static struct list in_order = { &in_order, &in_order };

static struct stuck *stuck_of_mail(uint64_t mail)
{
	list_for_each (node, &in_order) {
		struct stuck *s = CONTAINER_OF(node, struct stuck, in_order);
		if (s->mail == mail)
			return s;
	}
	return NULL;
}

bool drop_stuck_has(const struct drop_file *file)
{
	uint64_t hash = table_hash_u64(file->inode);

	for (struct table_node *n = table_first(&by_inode, hash); n; n = table_next(n, hash))
		if (drop_file_is_same(&CONTAINER_OF(n, struct stuck, node)->file, file))
			return true;
	return false;
}

static struct stuck *stuck_new(const struct drop_file *file, struct message *m)
{
	struct stuck *s = mem_new(sizeof(*s));

	s->file = *file;
	s->mail = m->entry.id;
	m->has_drop_file = true;
	table_insert(&by_inode, &s->node, table_hash_u64(file->inode));
	list_push_back(&in_order, &s->in_order);
	return s;
}

static void say(struct stuck *s, int error)
{
	if (!s->was_said)
		log_error("drop file %s: its mail %s was taken in, but it cannot be removed: %s; it is tried "
			  "again, and "
			  "until then the spool keeps the mail, so that it is not sent twice",
			s->file.name, queue_id_format(s->mail).at, strerror(-error));
	s->was_said = true;
}

void drop_stuck_add(const struct drop_file *file, struct message *m)
{
	(void)stuck_new(file, m);
}

void drop_stuck_remove(int dir, const struct drop_file *file, struct message *m)
{
	int r = drop_remove(dir, file, true);

	if (r < 0)
		say(stuck_new(file, m), r);
}

/* Its file is gone. Another file of the same mail may still be there. */
static void let_go(struct stuck *s)
{
	struct message *m = take_ptr(&s->finished);
	struct stuck *other;

	table_remove(&by_inode, &s->node);
	list_remove(&s->in_order);
	if (s->was_said)
		log_info("drop file %s: is gone now", s->file.name);
	other = stuck_of_mail(s->mail);
	if (other) {
		other->finished = m ? m : other->finished;
	} else if (m || (m = queue_find(s->mail))) {
		m->has_drop_file = false;
		if (!queue_find(s->mail))
			queue_forget(m);
	}
	mem_free(s);
}

void drop_stuck_retry(int dir)
{
	bool any = false;
	int r;

	list_for_each (node, &in_order) {
		struct stuck *s = CONTAINER_OF(node, struct stuck, in_order);
		r = drop_remove(dir, &s->file, false);
		s->is_unlinked = r == 0;
		any |= s->is_unlinked;
		if (r < 0)
			say(s, r);
	}
	r = any ? file_sync_dir(dir) : 0;
	list_for_each_safe (node, &in_order) {
		struct stuck *s = CONTAINER_OF(node, struct stuck, in_order);
		if (s->is_unlinked && r < 0)
			say(s, r);
		else if (s->is_unlinked)
			let_go(s);
	}
}

void drop_stuck_finished(struct message *m)
{
	struct stuck *s = stuck_of_mail(m->entry.id);

	CHECK(s && !s->finished);
	s->finished = m;
}
