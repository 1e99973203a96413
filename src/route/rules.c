/* SPDX-License-Identifier: Apache-2.0 */
/* rules.c - the rules from configuration and table, and what a local part leads to; see rules.h */
#include "route/rules.h"

/* ---- from configuration and table ---- */

static bool source_is_local(void *user, struct slice domain)
{
	const struct route_source *s = user;
	return config_is_local_domain(s->config, domain);
}

static void source_explain(void *user, struct slice domain, struct buf *out)
{
	const struct route_source *s = user;
	config_explain_domain(s->config, domain, out);
}

static enum alias_status source_find(void *user, struct slice key, struct alias_value *value_out)
{
	struct route_source *s = user;
	return alias_files_find(s->aliases, key, value_out);
}

void route_rules_init(struct route_rules *rules, struct route_source *source)
{
	*rules = (struct route_rules){
		.origin = slice_of(source->config->main_origin),
		.names = { .delimiters = slice_of(source->config->aliases_delimiter),
			.is_local_domain = source_is_local,
			.find = source_find,
			.user = source },
		.relay_host = slice_trim(slice_of(source->config->relay_host)),
		.config_file = source->config->paths.config_file,
		.relay_host_line = config_line(source->config, SLICE("relay.host")),
		.explain_domain = source_explain,
		.user = source,
	};
}

void route_explain_domain(const struct route_rules *rules, const struct address *address, struct buf *out)
{
	if (address->domain.len && alias_is_loopback(address->domain))
		buf_printf(out, "%.*s is this host: the loopback address", SLICE_ARG(address->domain));
	else if (address->domain.len)
		rules->explain_domain(rules->user, address->domain, out);
}

void route_split(
	const struct route_rules *rules, struct slice local, struct slice *user_out, struct slice *suffix_out)
{
	alias_match_split(rules->names.delimiters, local, user_out, suffix_out);
}

/* ---- aliases ---- */

void route_match_local(const struct route_rules *rules, struct slice local, struct alias_match *out)
{
	alias_match_local(rules->names.find, rules->names.user, rules->names.delimiters, local, out);
}

/* ---- verdicts ---- */

/* "5.7.1 " at the front of text, of the code's class: RFC 3463 2. */
static size_t status_length(struct slice text, int code)
{
	size_t n = 2, dots = 1;

	if (text.len < 2 || text.at[0] != '0' + code / 100 || text.at[1] != '.')
		return 0;
	for (; n < text.len && text.at[n] != ' '; n++) {
		if (text.at[n] == '.' && text.at[n - 1] != '.')
			dots++;
		else if (!ascii_is_digit(text.at[n]))
			return 0;
	}
	return dots == 2 && n <= sizeof("5.999.999") - 1 && text.at[n - 1] != '.' ? n : 0;
}

struct slice route_verdict_status(const struct rhs_item *item, struct slice *text)
{
	size_t n = status_length(*text, item->code);
	struct slice status = slice_first(*text, n);

	*text = slice_trim(slice_from(*text, n));
	if (text->len == 0)
		*text = item->kind == RHS_FAIL ? SLICE("mail to this address is refused")
					       : SLICE("mail to this address is not accepted now");
	if (n)
		return status;
	return item->kind == RHS_FAIL ? SLICE("5.1.1") : SLICE("4.2.1");
}
