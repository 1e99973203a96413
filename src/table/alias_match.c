/* SPDX-License-Identifier: Apache-2.0 */
/* alias_match.c - see alias_match.h */
#include "table/alias_match.h"
#include "mail/rhs.h"

/* Mail to these must reach someone even when the file says nothing (RFC 5321 4.5.1, RFC 2142). */
static const struct {
	const char *name, *stands_for;
} defaults[] = {
	{ "postmaster", "root" },
	{ "mailer-daemon", "postmaster" },
	{ "abuse", "postmaster" },
};

struct asking {
	alias_find find;
	void *user;
	struct alias_match *out;
};

static bool ask(const struct asking *a, struct slice key)
{
	a->out->status = a->find(a->user, key, &a->out->value);
	if (a->out->status != ALIAS_NONE)
		a->out->key = key;
	return a->out->status != ALIAS_NONE;
}

static void ask_default(struct slice key, struct alias_match *out)
{
	for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
		if (!slice_eq(key, slice_of(defaults[i].name)))
			continue;
		out->status = ALIAS_FOUND;
		out->is_default = true;
		out->key = key;
		out->value = (struct alias_value){ .text = slice_of(defaults[i].stands_for) };
		return;
	}
}

void alias_match_split(
	struct slice delimiters, struct slice local, struct slice *user_out, struct slice *suffix_out)
{
	struct slice user, extension;

	*user_out = local;
	*suffix_out = SLICE_EMPTY;
	if (!address_split_extension(local, delimiters, &user, &extension))
		return;
	*user_out = user;
	*suffix_out = slice_from(local, user.len);
}

void alias_match_local(
	alias_find find, void *user, struct slice delimiters, struct slice local, struct alias_match *out)
{
	const struct asking asking = { .find = find, .user = user, .out = out };
	struct slice whole, name;

	out->status = ALIAS_NONE;
	out->value = (struct alias_value){ .text = SLICE_EMPTY };
	out->key = SLICE_EMPTY;
	out->is_default = false;
	alias_match_split(delimiters, local, &out->user, &out->suffix);
	if (local.len > sizeof(out->lower))
		return;
	for (size_t i = 0; i < local.len; i++)
		out->lower[i] = ascii_lower(local.at[i]);
	whole = (struct slice){ out->lower, local.len };
	name = slice_first(whole, out->user.len);
	if (out->suffix.len && ask(&asking, whole)) {
		out->suffix = SLICE_EMPTY; /* it belongs to the alias's name */
		return;
	}
	if (out->suffix.len >
		1) { /* "name+*" takes every extension without an entry of its own, as in sendmail */
		out->lower[name.len + 1] = '*';
		if (ask(&asking, slice_first(whole, name.len + 2)))
			return;
	}
	if (!ask(&asking, name))
		ask_default(name, out);
}

bool alias_is_loopback(struct slice domain)
{
	return slice_eq(domain, SLICE("[127.0.0.1]")) || slice_eq_nocase(domain, SLICE("[IPv6:::1]"));
}

bool alias_is_local(const struct alias_rules *rules, const struct address *address)
{
	return address->domain.len == 0 || alias_is_loopback(address->domain) ||
		rules->is_local_domain(rules->user, address->domain);
}

static bool item_names(const struct alias_rules *rules, const struct rhs_item *item, struct slice key)
{
	auto_buf struct buf name = BUF_INIT(LIMIT_ADDRESS);
	struct alias_match match;

	if (item->kind == RHS_USER)
		return slice_eq_nocase(item->text, key);
	if (item->kind != RHS_ADDRESS || !alias_is_local(rules, &item->address))
		return false;
	address_unquote_local(item->address.local, &name);
	alias_match_local(rules->find, rules->user, rules->delimiters, buf_slice(&name), &match);
	return match.status == ALIAS_FOUND && slice_eq(match.key, key);
}

bool alias_names_itself(const struct alias_rules *rules, struct slice items, struct slice key)
{
	struct rhs_item item;
	struct rhs rhs;
	bool found = false;

	rhs_init(&rhs, items, 0);
	while (!found && rhs_next(&rhs, &item))
		found = item_names(rules, &item, key);
	rhs_deinit(&rhs);
	return found;
}
