/* SPDX-License-Identifier: Apache-2.0 */
/* test_hosts.c - searches through libunbound against a DNS server in the same loop, which knows one table */
#include "net/hosts.h"
#include "base/file.h"
#include "support/test.h"
#include <arpa/inet.h>
#include <fcntl.h>

#define TYPE_CNAME 5
enum { FLAG_SERVFAIL = -1, FLAG_SILENT = -2 };

/* A name with other types than the one asked for gives NODATA, one that is not here NXDOMAIN. */
static const struct {
	const char *name;
	int type;
	const char *value;
} zone[] = {
	{ "two.test", DNS_TYPE_MX, "20 b.two.test" }, { "two.test", DNS_TYPE_MX, "10 a.two.test" },
	{ "a.two.test", DNS_TYPE_A, "192.0.2.1" }, { "a.two.test", DNS_TYPE_AAAA, "2001:db8::1" },
	{ "a.two.test", DNS_TYPE_A, "192.0.2.2" }, { "b.two.test", DNS_TYPE_A, "192.0.2.3" },
	{ "plain.test", DNS_TYPE_A, "192.0.2.4" }, { "alias.test", TYPE_CNAME, "plain.test" },
	{ "null.test", DNS_TYPE_MX, "0 ." }, { "self.test", DNS_TYPE_MX, "10 me.test" },
	{ "self.test", DNS_TYPE_MX, "20 b.two.test" }, { "backup.test", DNS_TYPE_MX, "5 a.two.test" },
	{ "backup.test", DNS_TYPE_MX, "10 me.test" }, { "backup.test", DNS_TYPE_MX, "20 b.two.test" },
	{ "half.test", DNS_TYPE_MX, "10 gone.test" }, { "half.test", DNS_TYPE_MX, "20 b.two.test" },
	{ "dead.test", DNS_TYPE_MX, "10 gone.test" }, { "empty.test", 16, "" },
	{ "broken.test", FLAG_SERVFAIL, "" }, { "mxbroken.test", DNS_TYPE_MX, "10 broken.test" },
	{ "silent.test", FLAG_SILENT, "" }, { "xn--bcher-kva.test", DNS_TYPE_MX, "10 b.two.test" },
	{ "local.test", DNS_TYPE_MX, "10 known.test" }, /* known.test stands in the hosts file */
};

/* ---- the server ---- */

static uv_udp_t server;

static size_t put_name(char *out, const char *name)
{
	struct slice rest = slice_of(name), label;
	char *at = out;

	while (!slice_eq(rest, SLICE(".")) && rest.len) {
		if (!slice_cut(&rest, '.', &label)) {
			label = rest;
			rest = SLICE_EMPTY;
		}
		*at++ = (char)label.len;
		memcpy(at, label.at, label.len);
		at += label.len;
	}
	*at++ = 0;
	return (size_t)(at - out);
}

static size_t put_value(char *out, int type, const char *value)
{
	if (type == DNS_TYPE_A)
		return inet_pton(AF_INET, value, out) == 1 ? 4 : 0;
	if (type == DNS_TYPE_AAAA)
		return inet_pton(AF_INET6, value, out) == 1 ? 16 : 0;
	if (type == TYPE_CNAME)
		return put_name(out, value);
	const char *name = strchr(value, ' ');
	struct slice number = { value, (size_t)(name - value) };
	uint64_t preference = 0;
	assert_true(slice_to_u64(number, 65535, &preference));
	out[0] = (char)(preference >> 8);
	out[1] = (char)preference;
	return 2 + put_name(out + 2, name + 1);
}

static size_t put_record(char *out, const char *owner, int type, const char *value)
{
	size_t n = put_name(out, owner), len;

	memcpy(out + n, (const char[]){ 0, (char)type, 0, 1, 0, 0, 0, 60 }, 8);
	len = put_value(out + n + 10, type, value);
	out[n + 8] = (char)(len >> 8);
	out[n + 9] = (char)len;
	return n + 10 + len;
}

/* The question's name as text; how many bytes it took. */
static size_t get_name(const char *in, char *out)
{
	const char *at = in;

	while (*at) {
		memcpy(out, at + 1, (size_t)*at);
		out += *at;
		*out++ = '.';
		at += *at + 1;
	}
	out[-1] = '\0';
	return (size_t)(at - in) + 1;
}

/* The length of the answer in q, or 0 for silence. */
static size_t answer(char *q)
{
	char name[256], *asked = name;
	size_t question = get_name(q + 12, name) + 4, at = 12 + question;
	int type = q[at - 3], rcode = 3, n = 0;

	for (int round = 0; round < 2; round++) { /* the name, then what it is an alias of */
		const char *next = NULL;
		for (size_t i = 0; i < ARRAY_LEN(zone); i++) {
			if (strcasecmp(zone[i].name, asked) != 0)
				continue;
			rcode = zone[i].type == FLAG_SERVFAIL ? 2 : 0;
			if (zone[i].type == FLAG_SILENT)
				return 0;
			if (zone[i].type == type || zone[i].type == TYPE_CNAME) {
				at += put_record(q + at, asked, zone[i].type, zone[i].value);
				n++;
			}
			if (zone[i].type == TYPE_CNAME)
				next = zone[i].value;
		}
		if (!next)
			break;
		(void)snprintf(name, sizeof(name), "%s", next);
	}
	q[2] = (char)0x81;
	q[3] = (char)(0x80 | rcode);
	memcpy(q + 4, (const char[]){ 0, 1, 0, (char)n, 0, 0, 0, 0 }, 8);
	return at;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
	static char room[4096];

	(void)handle, (void)suggested;
	*out = uv_buf_init(room, sizeof(room));
}

static void on_query(
	uv_udp_t *handle, ssize_t n, const uv_buf_t *in, const struct sockaddr *from, unsigned flags)
{
	uv_buf_t out = *in;

	(void)flags;
	if (n < 17 || !from)
		return;
	out.len = answer(in->base);
	if (out.len)
		assert_true(uv_udp_try_send(handle, &out, 1, from) > 0);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, slice_of(text)), 0);
	(void)close(fd);
}

/* ---- the searches ---- */

static struct dns *dns, *dns_nobody; /* the second one's resolver is not there */

static struct dns *resolver_new(const char *dir, unsigned port)
{
	char text[128], resolv_conf[256], hosts[256];
	struct dns *d;

	(void)snprintf(resolv_conf, sizeof(resolv_conf), "%s/resolv.conf", dir);
	(void)snprintf(hosts, sizeof(hosts), "%s/hosts", dir);
	(void)snprintf(text, sizeof(text), "# a comment\nsearch test\nnameserver 127.0.0.1@%u\n", port);
	write_file(resolv_conf, text);
	write_file(hosts,
		"127.0.0.1 localhost\n# x\nfe80::1%lo a\nrubbish rubbish\n192.0.2.9 known.test other # y\n");
	assert_int_equal(dns_open(resolv_conf, hosts, &d), 0);
	assert_int_equal(dns_start(d, uv_default_loop()), 0);
	(void)unlink(resolv_conf);
	(void)unlink(hosts);
	return d;
}

static int set_up(void **state)
{
	char dir[] = "/tmp/test_hosts.XXXXXX";
	struct sockaddr_in any;
	struct sockaddr_storage bound;
	int size = sizeof(bound);

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &any), 0);
	assert_int_equal(uv_udp_init(uv_default_loop(), &server), 0);
	assert_int_equal(uv_udp_bind(&server, (const struct sockaddr *)&any, 0), 0);
	assert_int_equal(uv_udp_getsockname(&server, (struct sockaddr *)&bound, &size), 0);
	assert_int_equal(uv_udp_recv_start(&server, on_alloc, on_query), 0);
	dns = resolver_new(dir, ntohs(((struct sockaddr_in *)&bound)->sin_port));
	dns_nobody = resolver_new(dir, 1);
	(void)rmdir(dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dns_close(&dns);
	dns_close(&dns_nobody);
	uv_close((uv_handle_t *)&server, NULL);
	(void)uv_run(uv_default_loop(), UV_RUN_DEFAULT);
	return uv_loop_close(uv_default_loop());
}

static void on_found(void *user, struct hosts_answer *a)
{
	*(struct hosts_answer **)user = a;
}

static struct hosts_answer *search(struct dns *d, const char *text, unsigned deadline_ms)
{
	struct hosts_finder finder = { uv_default_loop(), d, "me.test", deadline_ms };
	struct destination destination;
	struct hosts_answer *a = NULL;

	assert_int_equal(destination_parse(slice_of(text), 25, &destination), DESTINATION_OK);
	assert_non_null(hosts_find(&finder, &destination, on_found, &a));
	assert_null(a); /* never from inside */
	while (!a)
		(void)uv_run(uv_default_loop(), UV_RUN_ONCE);
	return a;
}

static void assert_endpoints(const struct hosts_answer *a, const char *want)
{
	auto_buf struct buf got = BUF_INIT(8192);

	for (size_t i = 0; i < a->n; i++) {
		if (i)
			buf_append_byte(&got, ' ');
		endpoint_append_port(&a->endpoints[i], &got);
	}
	assert_slice_equal(buf_slice(&got), slice_of(want));
}

static void finds_hosts(void **state)
{
	static const struct {
		const char *destination, *want;
	} rows[] = {
		{ "half.test", "b.two.test[192.0.2.3]:25" },
		{ "plain.test", "plain.test[192.0.2.4]:25" },
		{ "PLAIN.test:2525", "plain.test[192.0.2.4]:2525" },
		{ "[plain.test]:26", "plain.test[192.0.2.4]:26" },
		{ "alias.test", "alias.test[192.0.2.4]:25" },
		{ "bücher.test", "b.two.test[192.0.2.3]:25" },
		{ "known.test", "known.test[192.0.2.9]:25" },
		{ "local.test", "known.test[192.0.2.9]:25" },
		{ "[other]", "other[192.0.2.9]:25" },
		{ "[192.0.2.7]:2525", "192.0.2.7[192.0.2.7]:2525" },
		{ "[IPv6:2001:db8::7]", "2001:db8::7[2001:db8::7]:25" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_free struct hosts_answer *a = search(dns, rows[i].destination, HOSTS_DEADLINE_MS);
		assert_int_equal(a->outcome, HOSTS_FOUND);
		assert_endpoints(a, rows[i].want);
		assert_int_equal(a->by_mx, rows[i].destination[0] != '[');
	}
}

/* The order of one host's addresses is the resolver's; the families take turns. */
static void orders_hosts(void **state)
{
	auto_free struct hosts_answer *a = search(dns, "two.test", HOSTS_DEADLINE_MS);
	static const int families[] = { AF_INET, AF_INET6, AF_INET, AF_INET };

	(void)state;
	assert_int_equal(a->n, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(a->endpoints[i].host, i < 3 ? "a.two.test" : "b.two.test");
		assert_int_equal(a->endpoints[i].address.any.sa_family, families[i]);
	}
}

static void cuts_at_own_name(void **state)
{
	auto_free struct hosts_answer *a = search(dns, "backup.test", HOSTS_DEADLINE_MS);

	(void)state;
	assert_int_equal(a->n, 3);
	for (size_t i = 0; i < a->n; i++)
		assert_string_equal(a->endpoints[i].host, "a.two.test");
}

static void says_why_not(void **state)
{
	static const struct {
		const char *destination;
		enum hosts_outcome outcome;
		const char *status, *reason;
	} rows[] = {
		{ "nowhere.test", HOSTS_NEVER, "5.1.2",
			"Host or domain name not found. Name service error for name=nowhere.test type=MX: "
			"Host "
			"not found" },
		{ "null.test", HOSTS_NEVER, "5.1.10", "Domain null.test does not accept mail (nullMX)" },
		{ "self.test", HOSTS_NEVER, "5.4.6", "mail for self.test loops back to myself" },
		{ "dead.test", HOSTS_NEVER, "5.4.4",
			"Host or domain name not found. Name service error for name=gone.test type=A: Host "
			"not "
			"found" },
		{ "empty.test", HOSTS_NEVER, "5.4.4",
			"Host or domain name not found. Name service error for name=empty.test type=A: Host "
			"found but no data record of requested type" },
		{ "[nowhere.test]", HOSTS_NEVER, "5.4.4",
			"Host or domain name not found. Name service error for name=nowhere.test type=A: "
			"Host "
			"not found" },
		{ "broken.test", HOSTS_LATER, "4.4.3",
			"Host or domain name not found. Name service error for name=broken.test type=MX: "
			"Host "
			"not found, try again" },
		{ "mxbroken.test", HOSTS_LATER, "4.4.3",
			"Host or domain name not found. Name service error for name=broken.test type=A: Host "
			"not found, try again" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_free struct hosts_answer *a = search(dns, rows[i].destination, HOSTS_DEADLINE_MS);
		assert_string_equal(a->reason, rows[i].reason);
		assert_int_equal(a->outcome, rows[i].outcome);
		assert_string_equal(a->status, rows[i].status);
		assert_int_equal(a->n, 0);
	}
}

static void never_hangs(void **state)
{
	static const struct {
		const char *destination;
		bool nobody;
	} rows[] = { { "silent.test", false }, { "[silent.test]", false }, { "plain.test", true } };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_free struct hosts_answer *a =
			search(rows[i].nobody ? dns_nobody : dns, rows[i].destination, 300);
		assert_int_equal(a->outcome, HOSTS_LATER);
		assert_string_equal(a->status, "4.4.3");
	}
}

static void knows_local_names_without_resolver(void **state)
{
	auto_free struct hosts_answer *a = search(dns_nobody, "[known.test]", HOSTS_DEADLINE_MS);

	(void)state;
	assert_endpoints(a, "known.test[192.0.2.9]:25");
}

static void can_be_cancelled(void **state)
{
	struct hosts_finder finder = { uv_default_loop(), dns, "me.test", HOSTS_DEADLINE_MS };
	struct destination destination;
	struct hosts_answer *a = NULL;
	struct hosts_search *s;

	(void)state;
	assert_int_equal(destination_parse(SLICE("silent.test"), 25, &destination), DESTINATION_OK);
	s = hosts_find(&finder, &destination, on_found, &a);
	hosts_cancel(&s);
	assert_null(s);
	mem_free(search(dns, "plain.test", HOSTS_DEADLINE_MS));
	assert_null(a);
}

static void reads_hosts_file(void **state)
{
	struct slice text = SLICE("# 127.0.0.1 a\n\n192.0.2.1\n::1\tb c # d\n192.0.2.2 e");
	struct slice address, names;

	(void)state;
	assert_true(hosts_file_next(&text, &address, &names));
	assert_slice_equal(address, SLICE("::1"));
	assert_slice_equal(names, SLICE("b c"));
	assert_true(hosts_file_next(&text, &address, &names));
	assert_slice_equal(address, SLICE("192.0.2.2"));
	assert_slice_equal(names, SLICE("e"));
	assert_false(hosts_file_next(&text, &address, &names));
}

static void reads_resolv_conf(void **state)
{
	struct slice text = SLICE("; nameserver 1\n nameserver\t192.0.2.1 \r\nnameserver\nnameserverx 3\n"
				  "options x\nnameserver 2001:db8::1");
	struct slice address;

	(void)state;
	assert_true(resolv_conf_next(&text, &address));
	assert_slice_equal(address, SLICE("192.0.2.1"));
	assert_true(resolv_conf_next(&text, &address));
	assert_slice_equal(address, SLICE("2001:db8::1"));
	assert_false(resolv_conf_next(&text, &address));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_hosts),
		cmocka_unit_test(orders_hosts),
		cmocka_unit_test(cuts_at_own_name),
		cmocka_unit_test(says_why_not),
		cmocka_unit_test(never_hangs),
		cmocka_unit_test(knows_local_names_without_resolver),
		cmocka_unit_test(can_be_cancelled),
		cmocka_unit_test(reads_resolv_conf),
		cmocka_unit_test(reads_hosts_file),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
