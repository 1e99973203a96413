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

const char *config_local_domain_rule(const struct config *c, struct slice domain)
{
	struct slice list = slice_of(c->main_local_domains), word;

	if (slice_eq_nocase(domain, slice_of(c->main_origin)))
		return "it is the origin";
	if (slice_eq_nocase(domain, slice_of(c->main_host_name)))
		return "it is this host's name";
	if (slice_eq_nocase(domain, SLICE("localhost")) ||
		slice_eq_nocase(domain, SLICE("localhost.localdomain")))
		return "it always is";
	while (config_list_next(&list, &word))
		if (slice_eq_nocase(domain, word))
			return "main.local_domains";
	return NULL;
}

bool config_is_local_domain(const struct config *c, struct slice domain)
{
	return config_local_domain_rule(c, domain) != NULL;
}
