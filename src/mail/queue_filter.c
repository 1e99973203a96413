/* SPDX-License-Identifier: Apache-2.0 */
/* queue_filter.c - one table of conditions; see queue_filter.h */
#include "mail/queue_filter.h"

bool queue_filter_glob(struct slice text, struct slice pattern)
{
	size_t t = 0, p = 0, star = SIZE_MAX, from = 0;

	while (t < text.len) {
		if (p < pattern.len && pattern.at[p] == '*') {
			star = p++;
			from = t;
		} else if (p < pattern.len &&
			(pattern.at[p] == '?' || ascii_lower(pattern.at[p]) == ascii_lower(text.at[t]))) {
			p++;
			t++;
		} else if (star != SIZE_MAX) { /* the last star takes one byte more */
			p = star + 1;
			t = ++from;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.at[p] == '*')
		p++;
	return p == pattern.len;
}

static bool is_glob(struct slice pattern)
{
	return slice_find(pattern, '*') < pattern.len || slice_find(pattern, '?') < pattern.len;
}

static bool contains(struct slice text, struct slice part)
{
	for (size_t i = 0; i + part.len <= text.len; i++)
		if (slice_starts_nocase(slice_from(text, i), part))
			return true;
	return false;
}

static bool fits(struct slice text, struct slice pattern)
{
	return is_glob(pattern) ? queue_filter_glob(text, pattern) : contains(text, pattern);
}

/* ---- parsing ---- */

bool queue_filter_time(struct slice text, uint64_t *seconds_out)
{
	static const struct {
		char unit;
		uint64_t factor;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
	uint64_t factor = 1, n;

	for (size_t i = 0; text.len && i < ARRAY_LEN(units); i++) {
		if (ascii_lower(text.at[text.len - 1]) != units[i].unit)
			continue;
		factor = units[i].factor;
		text.len--;
		break;
	}
	if (!slice_to_u64(text, UINT32_MAX, &n))
		return false;
	*seconds_out = n * factor;
	return true;
}

static const char *set_from(struct queue_filter *f, struct slice value)
{
	f->from = value;
	f->by_from = true;
	return NULL;
}

static const char *set_to(struct queue_filter *f, struct slice value)
{
	f->to = value;
	f->by_to = true;
	return value.len ? NULL : "needs an address or a part of one";
}

static const char *set_domain(struct queue_filter *f, struct slice value)
{
	f->domain = value;
	f->by_domain = true;
	return value.len ? NULL : "needs a domain";
}

static const char *set_reason(struct queue_filter *f, struct slice value)
{
	f->reason = value;
	f->by_reason = true;
	return value.len ? NULL : "needs some words of the reason";
}

static const char *set_status(struct queue_filter *f, struct slice value)
{
	static const struct {
		const char *word;
		char state;
	} states[] = { { "waiting", ' ' }, { "deferred", ' ' }, { "active", '*' }, { "held", '!' },
		{ "hold", '!' } };

	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		if (slice_eq_nocase(value, slice_of(states[i].word))) {
			f->state = states[i].state;
			return NULL;
		}
	}
	if (value.len == 0 || (!ascii_is_digit(value.at[0]) && value.at[0] != '*'))
		return "must be waiting, active, held, or a status code such as 4.4.1 or 4.4.*";
	f->code = value;
	f->by_code = true;
	return NULL;
}

static const char *set_older(struct queue_filter *f, struct slice value)
{
	return queue_filter_time(value, &f->older_s) ? NULL : "must be a time such as 90s, 30m, 2h or 3d";
}

static const struct condition {
	const char *name;
	const char *(*set)(struct queue_filter *f, struct slice value); /* NULL, or what is wrong */
} conditions[] = {
	{ "from", set_from },
	{ "to", set_to },
	{ "domain", set_domain },
	{ "reason", set_reason },
	{ "status", set_status },
	{ "older", set_older },
};

static const struct condition *condition_find(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
		if (slice_eq(name, slice_of(conditions[i].name)))
			return &conditions[i];
	return NULL;
}

bool queue_filter_has(struct slice name)
{
	return condition_find(name) != NULL;
}

bool queue_filter_parse(struct slice text, struct queue_filter *out, const char **complaint_out)
{
	struct queue_filter f = { .state = 0 };
	unsigned seen = 0;
	struct slice line, name;

	while (slice_next_line(&text, &line)) {
		const struct condition *c = slice_cut(&line, '=', &name) ? condition_find(name) : NULL;
		const char *wrong = c ? c->set(&f, line) : "is no filter";
		if (!wrong && seen & 1u << (c - conditions))
			wrong = "is given twice";
		if (wrong) {
			*complaint_out = wrong;
			return false;
		}
		seen |= 1u << (c - conditions);
	}
	*out = f;
	return true;
}

/* ---- matching ---- */

bool queue_filter_wants_mail(
	const struct queue_filter *f, struct slice reverse_path, char state, uint64_t age_s)
{
	if (f->state && state != f->state)
		return false;
	if (f->older_s && age_s < f->older_s)
		return false;
	if (!f->by_from)
		return true;
	if (f->from.len == 0 || slice_eq(f->from, SLICE("<>"))) /* bounces */
		return reverse_path.len == 0;
	return fits(reverse_path, f->from);
}

bool queue_filter_wants_rcpt(
	const struct queue_filter *f, struct slice forward_path, struct slice status, struct slice reason)
{
	size_t at = slice_rfind(forward_path, '@');

	if (f->by_to && !fits(forward_path, f->to))
		return false;
	if (f->by_domain && !queue_filter_glob(slice_from(forward_path, at + 1), f->domain))
		return false;
	if (f->by_reason && !fits(reason, f->reason))
		return false;
	return !f->by_code || queue_filter_glob(status, f->code);
}
