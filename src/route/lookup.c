/* SPDX-License-Identifier: Apache-2.0 */
/* lookup.c - state of the lookup role; see lookup.h */
#include "route/lookup.h"

bool lookup_init(struct lookup *l, uv_loop_t *loop, const struct config *config,
	const struct user_pool_hooks *hooks, void *user)
{
	*l = (struct lookup){ .loop = loop };
	if (!alias_files_init(&l->aliases, config))
		return false;
	for (size_t i = 0; i < l->aliases.n; i++)
		l->told[i] = ALIAS_TABLE_READY;
	list_init(&l->rcpt_jobs);
	list_init(&l->route_jobs);
	user_pool_init(&l->users, loop, (unsigned)config->users_timeout * 1000, hooks, user);
	lookup_set_config(l, config);
	return true;
}

void lookup_deinit(struct lookup *l)
{
	rcpt_jobs_cancel(l, NULL);
	route_jobs_cancel(l, NULL);
	user_pool_deinit(&l->users);
	alias_files_deinit(&l->aliases);
}

void lookup_set_config(struct lookup *l, const struct config *config)
{
	l->source = (struct route_source){ .config = config, .aliases = &l->aliases };
	route_rules_init(&l->rules, &l->source);
	user_pool_set_timeout(&l->users, (unsigned)config->users_timeout * 1000);
}

static void tell_state(const struct alias_table *t, enum alias_table_state state)
{
	const char *table = alias_table_places(t)->beside, *text = alias_table_state_text(state);

	if (state == ALIAS_TABLE_READY || state == ALIAS_TABLE_NO_SOURCE)
		log_info("aliases: %s: %s", table, text);
	else
		log_warning("aliases: %s: %s; %s", table, text,
			alias_table_meta(t) ? "the last good table stays in use"
					    : "local mail is deferred until it is there");
}

void lookup_refresh(struct lookup *l)
{
	uint64_t now_ms = uv_now(l->loop);

	if (l->looked_at_ms == now_ms && now_ms)
		return;
	l->looked_at_ms = now_ms;
	for (size_t i = 0; i < l->aliases.n; i++) {
		enum alias_table_state state = alias_table_refresh(l->aliases.tables[i]);
		if (state != l->told[i])
			tell_state(l->aliases.tables[i], state);
		l->told[i] = state;
	}
}

void lookup_channel_gone(struct lookup *l, struct channel *ch)
{
	rcpt_jobs_cancel(l, ch);
	route_jobs_cancel(l, ch);
}
