/* SPDX-License-Identifier: Apache-2.0 */
/* questions.c - what others ask of a configuration beyond the value of a setting; see config.h */
#include "config/config.h"

bool config_list_next(struct slice *list, struct slice *word_out)
{
	size_t n = 0;

	while (list->len && (list->at[0] == ',' || list->at[0] == ' ' || list->at[0] == '\t'))
		*list = slice_from(*list, 1);
	while (n < list->len && list->at[n] != ',' && list->at[n] != ' ' && list->at[n] != '\t')
		n++;
	if (n == 0)
		return false;
	*word_out = slice_first(*list, n);
	*list = slice_from(*list, n);
	return true;
}

size_t config_line(const struct config *c, struct slice name)
{
	struct slice list = slice_of(c->derived_lines), word, setting;
	uint64_t line;

	while (config_list_next(&list, &word))
		if (slice_cut(&word, '=', &setting) && slice_eq(setting, name) &&
			slice_to_u64(word, SIZE_MAX, &line))
			return (size_t)line;
	return 0;
}

/* How a domain comes to be one of this host. */
enum domain_rule { DOMAIN_ORIGIN, DOMAIN_HOST_NAME, DOMAIN_ALWAYS, DOMAIN_LISTED, DOMAIN_ELSEWHERE };

static enum domain_rule domain_rule(const struct config *c, struct slice domain)
{
	struct slice list = slice_of(c->main_local_domains), word;

	if (slice_eq_nocase(domain, slice_of(c->main_origin)))
		return DOMAIN_ORIGIN;
	if (slice_eq_nocase(domain, slice_of(c->main_host_name)))
		return DOMAIN_HOST_NAME;
	if (slice_eq_nocase(domain, SLICE("localhost")) ||
		slice_eq_nocase(domain, SLICE("localhost.localdomain")))
		return DOMAIN_ALWAYS;
	while (config_list_next(&list, &word))
		if (slice_eq_nocase(domain, word))
			return DOMAIN_LISTED;
	return DOMAIN_ELSEWHERE;
}

bool config_is_local_domain(const struct config *c, struct slice domain)
{
	return domain_rule(c, domain) != DOMAIN_ELSEWHERE;
}

void config_explain_domain(const struct config *c, struct slice domain, struct buf *out)
{
	const enum domain_rule rule = domain_rule(c, domain);

	buf_append(out, domain);
	buf_append_str(
		out, rule == DOMAIN_ELSEWHERE ? " is no domain of this host: not " : " is this host: ");
	switch (rule) {
	case DOMAIN_ORIGIN: buf_printf(out, "the origin (%s)", c->derived_origin_rule); break;
	case DOMAIN_HOST_NAME: buf_printf(out, "the host name (%s)", c->derived_host_name_rule); break;
	case DOMAIN_ALWAYS: buf_append_str(out, "whatever the settings say"); break;
	case DOMAIN_LISTED:
		buf_printf(out, "main.local_domains, %s line %zu", c->paths.config_file,
			config_line(c, SLICE("main.local_domains")));
		break;
	case DOMAIN_ELSEWHERE:
		buf_printf(out, "the origin %s, not the host name %s, not in main.local_domains",
			c->main_origin, c->main_host_name);
		break;
	}
}
