/* SPDX-License-Identifier: Apache-2.0 */
/* explanation.c - see explanation.h */
#include "ipc/explanation.h"
#include "base/limits.h"
#include "mail/header.h"
#include "mail/json.h"
#include <sysexits.h>

#define ARENA_MAX ((size_t)64 * 1024 * 1024) /* far above what the daemon tells */
#define NODES_MAX 100000
#define DEPTH_MAX 60 /* of indentation: more cannot be read */

/* A line below a node: a step, a node of its own, or a leaf; in the order of the daemon's work. */
struct entry {
	struct entry *next;
	enum explain_kind kind;
	unsigned depth;
	struct slice text, file;
	uint32_t line;
	struct explanation_node *child;	     /* NULL: it is none */
	const struct explanation_leaf *leaf; /* likewise */
};
struct explanation_node {
	struct entry *first, **last;
};

/* ---- taking ---- */

static struct slice keep(struct explanation *x, struct slice s)
{
	struct slice copy;

	return arena_copy(&x->arena, s, &copy) ? copy : SLICE_EMPTY;
}

static struct explanation_node *node_new(struct explanation *x, uint32_t number)
{
	struct explanation_node *node;

	if (number > NODES_MAX)
		return NULL;
	if (number >= x->n_nodes) {
		size_t n = MAX((size_t)number + 1, 2 * x->n_nodes);
		struct explanation_node **grown = mem_new_array(n, sizeof(struct explanation_node *));
		if (x->n_nodes)
			memcpy(grown, x->nodes, x->n_nodes * sizeof(struct explanation_node *));
		mem_free(x->nodes);
		x->nodes = grown;
		x->n_nodes = n;
	}
	node = x->nodes[number] ? NULL : arena_alloc(&x->arena, sizeof(*node));
	if (!node)
		return NULL;
	*node = (struct explanation_node){ 0 };
	node->last = &node->first;
	x->nodes[number] = node;
	return node;
}

void explanation_init(struct explanation *x, struct slice address)
{
	*x = (struct explanation){ .arena = ARENA_INIT(ARENA_MAX),
		.address = SLICE_EMPTY,
		.rcpt = SLICE_EMPTY,
		.words = SLICE_EMPTY,
		.exit_code = EX_PROTOCOL };
	x->last = &x->first;
	x->address = keep(x, address);
	(void)node_new(x, 0);
}

void explanation_free(struct explanation *x)
{
	arena_reset(&x->arena);
	mem_free(x->nodes);
	*x = (struct explanation){ 0 };
}

/* What belongs to no node that is known belongs to the whole. */
static struct entry *entry_add(struct explanation *x, uint32_t number)
{
	struct explanation_node *node =
		number < x->n_nodes && x->nodes[number] ? x->nodes[number] : x->nodes[0];
	struct entry *e = node ? arena_alloc(&x->arena, sizeof(*e)) : NULL;

	if (!e)
		return NULL;
	*e = (struct entry){ .text = SLICE_EMPTY, .file = SLICE_EMPTY };
	*node->last = e;
	node->last = &e->next;
	return e;
}

static void take_step(struct explanation *x, const struct msg_EXPLAIN_STEP *m)
{
	struct entry *e;

	if (m->kind == EXPLAIN_RCPT) {
		x->rcpt = keep(x, m->text);
		return;
	}
	e = explain_kind_name(m->kind) ? entry_add(x, m->node) : NULL;
	if (!e)
		return;
	e->kind = m->kind;
	e->depth = MIN(m->depth, (unsigned)DEPTH_MAX);
	e->text = keep(x, m->text);
	e->file = keep(x, m->file);
	e->line = m->line;
	if (m->child)
		e->child = node_new(x, m->child);
}

static void take_leaf(struct explanation *x, const struct msg_EXPLAIN_LEAF *m)
{
	struct entry *e = m->kind <= LEAF_DEFER ? entry_add(x, m->node) : NULL;
	struct explanation_leaf *leaf = e ? arena_alloc(&x->arena, sizeof(*leaf)) : NULL;

	if (!leaf)
		return;
	*leaf = (struct explanation_leaf){ .kind = m->kind,
		.address = keep(x, m->address),
		.target = keep(x, m->target),
		.user = keep(x, m->user),
		.reverse_path = keep(x, m->reverse_path),
		.status = keep(x, m->status),
		.reason = keep(x, m->reason) };
	e->leaf = leaf;
	*x->last = leaf;
	x->last = &leaf->next;
}

bool explanation_take(struct explanation *x, enum msg_type type, const union msg_any *m)
{
	if (type == MSG_EXPLAIN_STEP)
		take_step(x, &m->EXPLAIN_STEP);
	else if (type == MSG_EXPLAIN_LEAF)
		take_leaf(x, &m->EXPLAIN_LEAF);
	else if (type == MSG_REQUEST_DONE) {
		x->exit_code = m->REQUEST_DONE.exit_code;
		x->words = keep(x, m->REQUEST_DONE.text);
		return false;
	}
	return true;
}

int explanation_ask(struct explanation *x, struct client *c, struct slice address, struct slice reverse_path,
	const char *login)
{
	enum msg_type type = MSG_NONE;
	union msg_any m;
	int r = CLIENT_SEND(c, EXPLAIN_ASK, .request = 1, .address = address, .reverse_path = reverse_path,
		.login = slice_of(login));

	if (r == 0)
		r = client_flush(c);
	while (r == 0 && (r = client_receive(c, &type, &m)) == 0 && explanation_take(x, type, &m))
		;
	return r;
}

/* ---- words ---- */

static void indent(struct buf *out, unsigned depth)
{
	for (unsigned i = 0; i < MIN(depth, (unsigned)DEPTH_MAX); i++)
		buf_append_str(out, "  ");
}

static const struct {
	const char *word, *in_json;
} leaf_words[] = { [LEAF_ADDRESS] = { "address ", "address" },
	[LEAF_USER] = { "mailbox ", "mailbox" },
	[LEAF_REMOTE] = { "next hop ", "relay" },
	[LEAF_DISCARD] = { "discarded", "discard" },
	[LEAF_FILE] = { "file ", "file" },
	[LEAF_COMMAND] = { "command ", "command" },
	[LEAF_FAIL] = { "returned: ", "fail" },
	[LEAF_DEFER] = { "waits: ", "defer" } };

static void format_leaf(const struct explanation_leaf *leaf, struct buf *out)
{
	bool is_bad = leaf->kind == LEAF_FAIL || leaf->kind == LEAF_DEFER;

	buf_append_str(out, "=> ");
	if (leaf->kind == LEAF_USER && leaf->target.len == 0) { /* another's */
		buf_append_str(out, "user ");
		header_mask_text(leaf->user, out);
		return;
	}
	buf_append_str(out, leaf_words[leaf->kind].word ? leaf_words[leaf->kind].word : "");
	header_mask_text(leaf->target, out);
	if (is_bad) {
		header_mask_text(leaf->status, out);
		buf_append_byte(out, ' ');
		header_mask_text(leaf->reason, out);
	}
	if (leaf->user.len && leaf->kind != LEAF_USER) {
		buf_append_str(out, ", as ");
		header_mask_text(leaf->user, out);
	}
}

static void format_line(const struct entry *e, struct buf *out)
{
	if (e->leaf) {
		format_leaf(e->leaf, out);
		return;
	}
	header_mask_text(e->text, out);
	if (e->file.len == 0)
		return;
	buf_append_str(out, "  [");
	header_mask_text(e->file, out);
	if (e->line)
		buf_printf(out, ":%u", e->line);
	buf_append_byte(out, ']');
}

/* Nodes are numbered by the daemon as they begin, each below one that began before: no node is below itself,
 * and the recursion is as deep as addresses lead to each other. */
static void format_node(const struct explanation_node *node, unsigned depth, struct buf *out)
{
	for (const struct entry *e = node->first; e; e = e->next) {
		indent(out, depth + e->depth);
		format_line(e, out);
		buf_append_byte(out, '\n');
		if (e->child)
			format_node(e->child, depth + e->depth + 1, out);
	}
}

void explanation_format(const struct explanation *x, struct buf *out)
{
	header_mask_text(x->address, out);
	buf_append_byte(out, '\n');
	format_node(x->nodes[0], 1, out);
	if (x->rcpt.len) {
		header_mask_text(x->rcpt, out);
		buf_append_byte(out, '\n');
	}
	if (x->words.len) {
		header_mask_text(x->words, out);
		buf_append_byte(out, '\n');
	}
}

/* ---- JSON ---- */

static void json_steps(struct json *j, const struct explanation_node *node, unsigned depth)
{
	for (const struct entry *e = node->first; e; e = e->next) {
		if (e->leaf)
			continue;
		json_put_object(j, NULL);
		json_put_number(j, "depth", depth + e->depth);
		json_put_text(j, "step", slice_of(explain_kind_name(e->kind)));
		json_put_text(j, "text", e->text);
		if (e->file.len)
			json_put_text(j, "file", e->file);
		if (e->line)
			json_put_number(j, "line", e->line);
		json_put_object_end(j);
		if (e->child)
			json_steps(j, e->child, depth + e->depth + 1);
	}
}

static void json_leaf(struct json *j, const struct explanation_leaf *leaf)
{
	const struct {
		const char *name;
		struct slice value;
	} members[] = { { "target", leaf->target }, { "user", leaf->user }, { "status", leaf->status },
		{ "reason", leaf->reason } };

	json_put_object(j, NULL);
	json_put_text(j, "kind", slice_of(leaf_words[leaf->kind].in_json));
	json_put_text(j, "address", leaf->address);
	json_put_text(j, "reverse_path", leaf->reverse_path);
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (members[i].value.len)
			json_put_text(j, members[i].name, members[i].value);
	json_put_object_end(j);
}

void explanation_format_json(const struct explanation *x, struct buf *out)
{
	struct json j = JSON_INIT(out);

	json_put_object(&j, NULL);
	json_put_text(&j, "address", x->address);
	json_put_text(&j, "outcome",
		x->exit_code == EX_OK		    ? SLICE("deliverable")
			: x->exit_code == EX_NOUSER ? SLICE("fails")
						    : SLICE("waits"));
	json_put_array(&j, "steps");
	json_steps(&j, x->nodes[0], 0);
	json_put_array_end(&j);
	json_put_array(&j, "deliveries");
	for (const struct explanation_leaf *leaf = x->first; leaf; leaf = leaf->next)
		json_leaf(&j, leaf);
	json_put_array_end(&j);
	if (x->rcpt.len)
		json_put_text(&j, "rcpt", x->rcpt);
	if (x->words.len)
		json_put_text(&j, "note", x->words);
	json_put_object_end(&j);
	buf_append_byte(out, '\n');
}
