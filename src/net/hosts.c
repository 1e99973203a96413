/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts.c - one search: MX, then A and AAAA of all hosts at once, then the list
 *
 * Reads in the order it happens: hosts_find, mx_answered, address_answered, search_conclude. The timer is the
 * deadline, and with zero the way to answer in a later turn of the loop. Reasons are worded as Postfix does,
 * because people and log analysers know them.
 */
#include "net/hosts.h"
#include "net/mx.h"
#include <sys/random.h>

enum { FAMILY_V4, FAMILY_V6, N_FAMILIES };

static const struct {
	enum dns_type type;
	size_t bytes;
} families[N_FAMILIES] = { [FAMILY_V4] = { DNS_TYPE_A, 4 }, [FAMILY_V6] = { DNS_TYPE_AAAA, 16 } };

struct host_addresses {
	enum dns_outcome outcome;
	size_t n;
	union socket_address addresses[HOSTS_PER_FAMILY_MAX];
};

struct host_question {
	struct dns_question dns;
	struct hosts_search *search;
	size_t host; /* in search->hosts */
	int family;
	struct host_addresses got;
};

struct hosts_search {
	uv_timer_t timer;
	struct dns *dns;
	struct destination destination;
	char own_name[LIMIT_DOMAIN + 1];
	hosts_done done;
	void *user;
	struct hosts_answer *answer;
	struct dns_question mx;
	struct mx_list hosts; /* a host without MX is a list of one */
	struct host_question questions[MX_HOSTS_MAX][N_FAMILIES];
	size_t n_open; /* address questions without an answer */
};

/* ---- ending ---- */

static void on_timer_closed(uv_handle_t *handle)
{
	mem_free(CONTAINER_OF((uv_timer_t *)handle, struct hosts_search, timer));
}

void hosts_cancel(struct hosts_search **sp)
{
	struct hosts_search *s = take_ptr(sp);

	if (!s)
		return;
	dns_cancel(&s->mx);
	for (size_t i = 0; i < s->hosts.n; i++)
		for (int f = 0; f < N_FAMILIES; f++)
			dns_cancel(&s->questions[i][f].dns);
	mem_free(s->answer);
	uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}

static void search_finish(struct hosts_search *s)
{
	struct hosts_answer *answer = take_ptr(&s->answer);
	hosts_done done = s->done;
	void *user = s->user;

	hosts_cancel(&s);
	done(user, answer);
}

static void PRINTF_LIKE(4, 5) search_fail(
	struct hosts_search *s, enum hosts_outcome outcome, const char *status, const char *fmt, ...)
{
	va_list args;

	s->answer->outcome = outcome;
	s->answer->status = status;
	va_start(args, fmt);
	/* Cut when too long: it is for reading. */
	(void)vsnprintf(s->answer->reason, sizeof(s->answer->reason), fmt, args);
	va_end(args);
	search_finish(s);
}

#define NAME_SERVICE_ERROR "Host or domain name not found. Name service error for name=%s type=%s: %s"

static void search_conclude(struct hosts_search *s);

/* Time is up, or (with zero) there was nothing to wait for. */
static void on_timer(uv_timer_t *timer)
{
	struct hosts_search *s = CONTAINER_OF(timer, struct hosts_search, timer);

	if (s->answer->n)
		search_finish(s); /* an address literal */
	else if (s->hosts.n)
		search_conclude(s); /* with what came in time */
	else
		search_fail(s, HOSTS_LATER, "4.4.3", NAME_SERVICE_ERROR, s->destination.name, "MX",
			"Host not found, try again");
}

/* ---- third: the addresses of all hosts are known, or known not to be ---- */

/* IPv4 and IPv6 take turns, so that a family that does not work from here costs one time-out per host; IPv4
 * begins, because more receivers refuse mail that comes over IPv6. */
static void search_add_host(struct hosts_search *s, size_t host)
{
	struct host_question *q = s->questions[host];
	struct hosts_answer *a = s->answer;

	for (size_t i = 0; i < HOSTS_PER_FAMILY_MAX; i++) {
		for (int f = 0; f < N_FAMILIES; f++) {
			if (i >= q[f].got.n || a->n == HOSTS_ENDPOINTS_MAX)
				continue;
			struct endpoint *e = &a->endpoints[a->n++];
			memcpy(e->host, s->hosts.hosts[host].name, sizeof(e->host));
			e->address = q[f].got.addresses[i];
		}
	}
}

static void search_fail_without_address(struct hosts_search *s)
{
	bool exists = false;

	for (size_t i = 0; i < s->hosts.n; i++) {
		for (int f = 0; f < N_FAMILIES; f++) {
			if (s->questions[i][f].got.outcome == DNS_UNAVAILABLE) {
				search_fail(s, HOSTS_LATER, "4.4.3", NAME_SERVICE_ERROR,
					s->hosts.hosts[i].name, "A", "Host not found, try again");
				return;
			}
			exists |= s->questions[i][f].got.outcome == DNS_NO_DATA;
		}
	}
	search_fail(s, HOSTS_NEVER, "5.4.4", NAME_SERVICE_ERROR, s->hosts.hosts[s->hosts.n - 1].name, "A",
		exists ? "Host found but no data record of requested type" : "Host not found");
}

static void search_conclude(struct hosts_search *s)
{
	for (size_t i = 0; i < s->hosts.n; i++)
		search_add_host(s, i);
	if (s->answer->n)
		search_finish(s);
	else
		search_fail_without_address(s);
}

static void address_answered(void *user, enum dns_outcome outcome, const struct dns_records *records)
{
	struct host_question *q = user;
	struct host_addresses *got = &q->got;

	got->outcome = outcome;
	for (size_t i = 0; i < records->n && got->n < HOSTS_PER_FAMILY_MAX; i++)
		if (records->data[i].len == families[q->family].bytes &&
			socket_address_from_bytes(
				records->data[i], q->search->destination.port, &got->addresses[got->n]))
			got->n++;
	if (--q->search->n_open == 0)
		search_conclude(q->search);
}

/* ---- second: the hosts are known ---- */

static void search_ask_addresses(struct hosts_search *s)
{
	for (size_t i = 0; i < s->hosts.n; i++) {
		for (int f = 0; f < N_FAMILIES; f++) {
			struct host_question *q = &s->questions[i][f];
			*q = (struct host_question){ .search = s, .host = i, .family = f };
			q->got.outcome = DNS_UNAVAILABLE; /* until an answer comes */
			if (dns_ask(&q->dns, s->dns, s->hosts.hosts[i].name, families[f].type,
				    address_answered, q))
				s->n_open++;
		}
	}
	if (s->n_open == 0)
		CHECK(uv_timer_start(&s->timer, on_timer, 0, 0) == 0);
}

static void search_use_one_host(struct hosts_search *s)
{
	s->hosts.n = 1;
	memcpy(s->hosts.hosts[0].name, s->destination.name, sizeof(s->hosts.hosts[0].name));
	search_ask_addresses(s);
}

static size_t chance(void *user, size_t n)
{
	uint32_t number = 0;

	(void)user;
	(void)!getrandom(&number, sizeof(number), 0); /* without it the order is not shuffled: harmless */
	return number % n;
}

static void mx_found(struct hosts_search *s, const struct dns_records *records)
{
	switch (mx_order(records->data, records->n, s->own_name, chance, NULL, &s->hosts)) {
	case MX_OK: search_ask_addresses(s); return;
	case MX_NULL:
		search_fail(s, HOSTS_NEVER, "5.1.10", "Domain %s does not accept mail (nullMX)",
			s->destination.name);
		return;
	case MX_NONE: /* records that name no host: as broken as a server that fails */
		search_fail(s, HOSTS_LATER, "4.4.3", NAME_SERVICE_ERROR, s->destination.name, "MX",
			"Malformed or unexpected name server reply");
		return;
	case MX_LOOPS_BACK:
		search_fail(s, HOSTS_NEVER, "5.4.6", "mail for %s loops back to myself", s->destination.name);
		return;
	}
}

static void mx_answered(void *user, enum dns_outcome outcome, const struct dns_records *records)
{
	struct hosts_search *s = user;

	switch (outcome) {
	case DNS_FOUND: mx_found(s, records); return;
	case DNS_NO_DATA: search_use_one_host(s); return; /* the implicit MX, RFC 5321 5.1 */
	case DNS_NO_NAME:
		search_fail(s, HOSTS_NEVER, "5.1.2", NAME_SERVICE_ERROR, s->destination.name, "MX",
			"Host not found");
		return;
	case DNS_UNAVAILABLE:
		search_fail(s, HOSTS_LATER, "4.4.3", NAME_SERVICE_ERROR, s->destination.name, "MX",
			"Host not found, try again");
		return;
	}
}

/* ---- first ---- */

static void search_use_address(struct hosts_search *s)
{
	struct endpoint *e = &s->answer->endpoints[0];

	memcpy(e->host, s->destination.name, sizeof(e->host));
	e->address = s->destination.address;
	s->answer->n = 1;
	CHECK(uv_timer_start(&s->timer, on_timer, 0, 0) == 0);
}

struct hosts_search *hosts_find(
	const struct hosts_finder *finder, const struct destination *destination, hosts_done done, void *user)
{
	struct hosts_search *s = mem_new(sizeof(*s));

	s->dns = finder->dns;
	s->destination = *destination;
	s->done = done;
	s->user = user;
	/* A longer one is no host name, and cuts nothing. */
	(void)snprintf(s->own_name, sizeof(s->own_name), "%s", finder->own_name);
	s->answer = mem_new(sizeof(*s->answer));
	s->answer->by_mx = destination->kind == DESTINATION_MX;
	CHECK(uv_timer_init(finder->loop, &s->timer) == 0);
	CHECK(uv_timer_start(&s->timer, on_timer, finder->deadline_ms, 0) == 0);
	switch (destination->kind) {
	case DESTINATION_ADDRESS: search_use_address(s); break;
	case DESTINATION_HOST: search_use_one_host(s); break;
	case DESTINATION_MX:
		if (!dns_ask(&s->mx, s->dns, s->destination.name, DNS_TYPE_MX, mx_answered, s))
			CHECK(uv_timer_start(&s->timer, on_timer, 0, 0) == 0);
		break;
	}
	return s;
}
