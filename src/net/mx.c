/* SPDX-License-Identifier: Apache-2.0 */
/* mx.c - see mx.h */
#include "net/mx.h"

/* A domain name in wire form (RFC 1035 3.1), uncompressed, that uses up *in; only what a host name may hold.
 * The root gives an empty name. */
static bool wire_name_read(struct slice in, char *out)
{
	size_t n = 0;

	while (in.len && in.at[0] != 0) {
		size_t len = (unsigned char)in.at[0];
		if (len > 63 || in.len < len + 1 || n + len + 1 > LIMIT_DOMAIN)
			return false;
		if (n)
			out[n++] = '.';
		for (size_t i = 1; i <= len; i++) {
			char c = in.at[i];
			if (!ascii_is_alnum(c) && c != '-' && c != '_')
				return false;
			out[n++] = ascii_lower(c);
		}
		in = slice_from(in, len + 1);
	}
	out[n] = '\0';
	return in.len == 1;
}

static bool mx_record_read(struct slice rdata, struct mx_host *out)
{
	if (rdata.len < 3)
		return false;
	out->preference = (uint16_t)((unsigned char)rdata.at[0] << 8 | (unsigned char)rdata.at[1]);
	return wire_name_read(slice_from(rdata, 2), out->name);
}

/* Into its place by preference; when the list is full the worst falls off. */
static void mx_insert(struct mx_list *list, const struct mx_host *host)
{
	size_t i = list->n;

	if (list->n == MX_HOSTS_MAX) {
		if (list->hosts[--i].preference <= host->preference)
			return;
	} else {
		list->n++;
	}
	for (; i > 0 && list->hosts[i - 1].preference > host->preference; i--)
		list->hosts[i] = list->hosts[i - 1];
	list->hosts[i] = *host;
}

static void mx_shuffle(struct mx_host *hosts, size_t n, size_t (*chance)(void *, size_t), void *user)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = chance(user, i);
		struct mx_host swapped = hosts[j];
		hosts[j] = hosts[i - 1];
		hosts[i - 1] = swapped;
	}
}

static void mx_shuffle_equals(struct mx_list *list, size_t (*chance)(void *, size_t), void *user)
{
	for (size_t from = 0, to; from < list->n; from = to) {
		for (to = from + 1; to < list->n; to++)
			if (list->hosts[to].preference != list->hosts[from].preference)
				break;
		mx_shuffle(list->hosts + from, to - from, chance, user);
	}
}

static void mx_cut_at(struct mx_list *list, const char *own_name)
{
	for (size_t i = 0; i < list->n; i++) {
		if (!slice_eq_nocase(slice_of(list->hosts[i].name), slice_of(own_name)))
			continue;
		/* Equal ones are cut too: they could send it back to us (RFC 5321 5.1). */
		while (i > 0 && list->hosts[i - 1].preference == list->hosts[i].preference)
			i--;
		list->n = i;
	}
}

enum mx_status mx_order(const struct slice *rdata, size_t n, const char *own_name,
	size_t (*chance)(void *user, size_t n), void *user, struct mx_list *out)
{
	struct mx_list list = { 0 };
	struct mx_host host;
	bool has_null = false;

	for (size_t i = 0; i < n; i++) {
		if (!mx_record_read(rdata[i], &host))
			continue;
		if (*host.name)
			mx_insert(&list, &host);
		else
			has_null = true;
	}
	if (list.n == 0)
		return has_null ? MX_NULL : MX_NONE;
	mx_cut_at(&list, own_name);
	if (list.n == 0)
		return MX_LOOPS_BACK;
	mx_shuffle_equals(&list, chance, user);
	*out = list;
	return MX_OK;
}
