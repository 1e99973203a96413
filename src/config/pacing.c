/* SPDX-License-Identifier: Apache-2.0 */
/* pacing.c - see pacing.h */
#include "config/pacing.h"
#include "config/config.h"

#define CONCURRENCY_MAX 1000 /* as smtp.destination_concurrency */
#define RATE_MAX 1000000
#define INTERVAL_MAX_S 604800

static bool parse_between(enum setting_type type, struct slice text, uint64_t max, uint64_t *out)
{
	uint64_t n;

	if (!config_parse_number(type, text, &n) || n == 0 || n > max)
		return false;
	*out = n;
	return true;
}

bool pacing_parse_rate(struct slice text, struct pacing *out)
{
	struct slice interval = text, n;
	struct pacing p = *out;

	if (!slice_cut(&interval, '/', &n) ||
		!parse_between(SETTING_INT, slice_trim(n), RATE_MAX, &p.n_messages) ||
		!parse_between(SETTING_TIME, slice_trim(interval), INTERVAL_MAX_S, &p.interval_s))
		return false;
	*out = p;
	return true;
}

bool pacing_parse_limit(struct slice word, struct slice *hop_out, struct pacing *out)
{
	struct slice rest = word, hop, concurrency;
	struct pacing p = { 0 };
	bool has_concurrency, has_rate = true;

	if (!slice_cut(&rest, '=', &hop))
		return false;
	has_concurrency = slice_cut(&rest, '@', &concurrency);
	if (!has_concurrency && slice_find(rest, '/') == rest.len) {
		concurrency = rest;
		has_concurrency = true;
		has_rate = false;
	}
	if ((has_concurrency && !parse_between(SETTING_INT, concurrency, CONCURRENCY_MAX, &p.concurrency)) ||
		(has_rate && !pacing_parse_rate(rest, &p)))
		return false;
	*hop_out = hop;
	*out = p;
	return true;
}

bool pacing_find(struct slice limits, struct slice hop, struct pacing *out)
{
	struct slice word, name;
	struct pacing p;

	while (config_list_next(&limits, &word)) {
		if (!pacing_parse_limit(word, &name, &p) || !slice_eq_nocase(name, hop))
			continue;
		*out = p;
		return true;
	}
	return false;
}
