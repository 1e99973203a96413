/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns.c - libunbound on the event loop
 *
 * resolv.conf is read here and not by ub_ctx_resolvconf(), which turns into a resolver that asks the root
 * servers itself when the file names none, and knows no ports; the hosts file not by ub_ctx_hosts(), which
 * gives up at the first line it does not understand. The answers come through a pipe that the loop
 * polls; ub_process() then calls back in our thread.
 */
#include "net/dns.h"
#include "base/file.h"
#include "base/limits.h"
#include <fcntl.h>
#include <unbound.h>

#define CLASS_IN 1
#define RCODE_OK 0
#define RCODE_NXDOMAIN 3
#define NAMESERVERS_MAX 8		  /* resolv.conf(5) promises 3 */
#define HOSTS_FILE_MAX (16 * 1024 * 1024) /* some block half of the world's advertisers in it */

struct dns {
	struct ub_ctx *unbound;
	uv_poll_t poll;
	bool is_polling;
};

static const struct {
	const char *name, *value, *why;
} options[] = {
	{ "module-config:", "iterator", "no trust anchor, no validator" },
	{ "do-not-query-localhost:", "no", "the resolver is often on this host" },
	{ "unblock-lan-zones:", "yes", "a resolver of a private network knows its own names" },
	{ "msg-cache-size:", "4194304", "some ten thousand domains" },
	{ "rrset-cache-size:", "8388608", "twice the message cache, as unbound.conf(5) advises" },
	{ "infra-keep-probing:", "yes", "a resolver that was down is noticed when it is back" },
	{ "infra-host-ttl:", "15", "and its slowness is soon forgotten" },
	{ "infra-cache-min-rtt:", "2500", "milliseconds; a resolver may have much to ask itself" },
	{ "outbound-msg-retry:", "1", "one that is not there costs 5 s, not 17" },
	{ "edns-buffer-size:", "1232", "no fragments" },
};

/* unbound answers these zones itself; whether they exist is for the configured resolver to say. */
static const char *const unblocked_zones[] = { "test.", "home.arpa." };

bool resolv_conf_next(struct slice *text, struct slice *server_out)
{
	struct slice line, word;

	while (slice_next_line(text, &line)) {
		if (!slice_next_word(&line, &word) || !slice_eq(word, SLICE("nameserver")))
			continue;
		if (slice_next_word(&line, server_out))
			return true;
	}
	return false;
}

static int dns_set_servers(struct ub_ctx *unbound, const char *resolv_conf)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_CONFIG_FILE);
	struct slice rest, server;
	int n = 0, r = file_read_path(AT_FDCWD, resolv_conf, &text);

	if (r < 0 && r != -ENOENT)
		return r;
	rest = buf_slice(&text);
	while (n < NAMESERVERS_MAX && resolv_conf_next(&rest, &server)) {
		auto_free char *address = slice_dup(server);
		/* An address that unbound does not know is passed over, as the C library does. */
		if (ub_ctx_set_fwd(unbound, address) == 0)
			n++;
	}
	return n || ub_ctx_set_fwd(unbound, "127.0.0.1") == 0 ? 0 : -EINVAL;
}

bool hosts_file_next(struct slice *text, struct slice *address_out, struct slice *names_out)
{
	struct slice line, address, names;

	while (slice_next_line(text, &line)) {
		line = slice_first(line, slice_find(line, '#'));
		if (!slice_next_word(&line, &address))
			continue;
		names = slice_trim(line);
		if (names.len == 0)
			continue;
		*address_out = address;
		*names_out = names;
		return true;
	}
	return false;
}

/* What is no address (a link-local one has a scope) or no name, unbound refuses; the others still count. */
static void dns_add_host(struct ub_ctx *unbound, struct slice address, struct slice names)
{
	bool is_v6 = slice_find(address, ':') < address.len;
	struct slice name;

	while (slice_next_word(&names, &name)) {
		char record[512];
		int n = snprintf(record, sizeof(record), "%.*s. IN %s %.*s", SLICE_ARG(name),
			is_v6 ? "AAAA" : "A", SLICE_ARG(address));
		if (n > 0 && (size_t)n < sizeof(record))
			(void)ub_ctx_data_add(unbound, record);
	}
}

static int dns_add_hosts(struct ub_ctx *unbound, const char *hosts_file)
{
	auto_buf struct buf text = BUF_INIT(HOSTS_FILE_MAX);
	struct slice rest, address, names;
	int r = file_read_path(AT_FDCWD, hosts_file, &text);

	if (r < 0 && r != -ENOENT)
		return r;
	rest = buf_slice(&text);
	while (hosts_file_next(&rest, &address, &names))
		dns_add_host(unbound, address, names);
	return 0;
}

static int dns_configure(struct ub_ctx *unbound, const char *resolv_conf, const char *hosts_file)
{
	int r;
	struct ub_result *result = NULL;

	(void)ub_ctx_debugout(unbound, NULL); /* not on standard error; what matters comes as an outcome */
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (ub_ctx_set_option(unbound, options[i].name, options[i].value) != 0)
			return -EINVAL;
	r = dns_set_servers(unbound, resolv_conf);
	if (r < 0)
		return r;
	if (ub_ctx_async(unbound, 1) != 0)
		return -ENOMEM;
	/* Before the hosts file: its names live in these zones. */
	for (size_t i = 0; i < ARRAY_LEN(unblocked_zones); i++)
		if (ub_ctx_zone_remove(unbound, unblocked_zones[i]) != 0)
			return -EINVAL;
	r = dns_add_hosts(unbound, hosts_file);
	if (r < 0)
		return r;
	/* Answered locally; makes unbound read all that it ever reads, while there are files. */
	if (ub_resolve(unbound, "localhost", DNS_TYPE_A, CLASS_IN, &result) != 0)
		return -EIO;
	ub_resolve_free(result);
	return 0;
}

int dns_open(const char *resolv_conf, const char *hosts_file, struct dns **out)
{
	struct ub_ctx *unbound = ub_ctx_create();
	int r;

	if (!unbound)
		return -ENOMEM;
	r = dns_configure(unbound, resolv_conf, hosts_file);
	if (r < 0) {
		ub_ctx_delete(unbound);
		return r;
	}
	*out = mem_new(sizeof(**out));
	(*out)->unbound = unbound;
	return 0;
}

static void on_answers(uv_poll_t *handle, int status, int events)
{
	struct dns *d = CONTAINER_OF(handle, struct dns, poll);

	(void)status; /* an error of the pipe shows as questions that nobody answers: their deadline */
	(void)events;
	(void)ub_process(d->unbound); /* failures reach the callbacks */
}

int dns_start(struct dns *d, uv_loop_t *loop)
{
	int r = uv_poll_init(loop, &d->poll, ub_fd(d->unbound));

	if (r < 0)
		return r;
	d->is_polling = true;
	r = uv_poll_start(&d->poll, UV_READABLE, on_answers);
	uv_unref((uv_handle_t *)&d->poll);
	return r;
}

static void dns_free(struct dns *d)
{
	ub_ctx_delete(d->unbound);
	mem_free(d);
}

static void on_poll_closed(uv_handle_t *handle)
{
	dns_free(CONTAINER_OF((uv_poll_t *)handle, struct dns, poll));
}

void dns_close(struct dns **dp)
{
	struct dns *d = take_ptr(dp);

	if (!d)
		return;
	if (d->is_polling)
		uv_close((uv_handle_t *)&d->poll, on_poll_closed);
	else
		dns_free(d);
}

/* ---- questions ---- */

static enum dns_outcome outcome_of(int error, const struct ub_result *result)
{
	if (error || !result)
		return DNS_UNAVAILABLE;
	if (result->rcode == RCODE_NXDOMAIN)
		return DNS_NO_NAME;
	if (result->rcode != RCODE_OK)
		return DNS_UNAVAILABLE;
	return result->havedata ? DNS_FOUND : DNS_NO_DATA;
}

static void on_answer(void *user, int error, struct ub_result *result)
{
	struct dns_question *q = user;
	struct dns_records records = { 0 };
	enum dns_outcome outcome = outcome_of(error, result);

	q->is_open = false;
	for (size_t i = 0; outcome == DNS_FOUND && result->data[i] && i < DNS_RECORDS_MAX; i++)
		records.data[records.n++] = (struct slice){ result->data[i], (size_t)MAX(result->len[i], 0) };
	q->done(q->user, outcome, &records);
	ub_resolve_free(result);
}

bool dns_ask(struct dns_question *q, struct dns *d, const char *name, enum dns_type type, dns_done done,
	void *user)
{
	*q = (struct dns_question){ .dns = d, .done = done, .user = user };
	q->is_open = ub_resolve_async(d->unbound, name, (int)type, CLASS_IN, q, on_answer, &q->id) == 0;
	return q->is_open;
}

void dns_cancel(struct dns_question *q)
{
	if (!q->is_open)
		return;
	q->is_open = false;
	(void)ub_cancel(q->dns->unbound, q->id); /* answered already: then it had been closed */
}
