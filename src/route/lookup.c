/* SPDX-License-Identifier: Apache-2.0 */
/* lookup.c - state of the lookup role; see lookup.h */
#include "route/lookup.h"

bool lookup_init(struct lookup *l, uv_loop_t *loop, const struct config *config,
	const struct user_pool_hooks *hooks, void *user)
{
	struct alias_places places;

	*l = (struct lookup){ .loop = loop, .told = ALIAS_TABLE_READY };
	if (!alias_places_init(&places, config->aliases_file, config->paths.state_dir))
		return false;
	l->table = alias_table_new(&places);
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
	alias_table_free(&l->table);
}

void lookup_set_config(struct lookup *l, const struct config *config)
{
	l->source = (struct route_source){ .config = config, .table = l->table };
	route_rules_init(&l->rules, &l->source);
	user_pool_set_timeout(&l->users, (unsigned)config->users_timeout * 1000);
}

void lookup_refresh(struct lookup *l)
{
	uint64_t now_ms = uv_now(l->loop);
	enum alias_table_state state;

	if (l->looked_at_ms == now_ms && now_ms)
		return;
	l->looked_at_ms = now_ms;
	state = alias_table_refresh(l->table);
	if (state == l->told)
		return;
	l->told = state;
	if (state == ALIAS_TABLE_READY || state == ALIAS_TABLE_NO_SOURCE)
		log_info("aliases: %s: %s", alias_table_places(l->table)->beside,
			alias_table_state_text(state));
	else
		log_warning("aliases: %s: %s; %s", alias_table_places(l->table)->beside,
			alias_table_state_text(state),
			alias_table_meta(l->table) ? "the last good table stays in use"
						   : "local mail is deferred until it is there");
}

void lookup_channel_gone(struct lookup *l, struct channel *ch)
{
	rcpt_jobs_cancel(l, ch);
	route_jobs_cancel(l, ch);
}
