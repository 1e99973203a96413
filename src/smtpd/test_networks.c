/* SPDX-License-Identifier: Apache-2.0 */
/* test_networks.c - client addresses, networks, and the count of sessions per address */
#include "smtpd/clients.h"
#include "smtpd/networks.h"
#include "support/test.h"
#include <arpa/inet.h>
#include <netinet/in.h>

static struct client_address address_of(const char *text)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct client_address a;

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
		assert_true(client_address_of((const struct sockaddr *)&v4, &a));
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
		assert_true(client_address_of((const struct sockaddr *)&v6, &a));
	}
	return a;
}

static void formats_addresses(void **state)
{
	static const char *const rows[][2] = {
		{ "127.0.0.1", "127.0.0.1" },
		{ "::ffff:192.0.2.1", "192.0.2.1" },
		{ "::1", "::1" },
		{ "2001:DB8::1", "2001:db8::1" },
	};
	const struct sockaddr local = { .sa_family = AF_UNIX };
	struct client_address a;
	char text[CLIENT_ADDRESS_TEXT_MAX];
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		a = address_of(rows[i][0]);
		client_address_format(&a, text);
		assert_string_equal(text, rows[i][1]);
	}
	assert_false(client_address_of(&local, &a));
}

static void matches_networks(void **state)
{
	static const struct {
		const char *list, *client;
		bool is_in;
	} rows[] = {
		{ "127.0.0.0/8 [::1]/128", "127.255.0.3", true },
		{ "127.0.0.0/8 [::1]/128", "128.0.0.1", false },
		{ "127.0.0.0/8 [::1]/128", "::1", true },
		{ "127.0.0.0/8 [::1]/128", "::2", false },
		{ "127.0.0.0/8", "::ffff:127.0.0.1", true },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "192.0.2.129/25", "192.0.2.200", true },
		{ "192.0.2.129/25", "192.0.2.100", false },
		{ "10.0.0.0/7,2001:db8::/33", "11.1.1.1", true },
		{ "10.0.0.0/7,2001:db8::/33", "12.1.1.1", false },
		{ "10.0.0.0/7,2001:db8::/33", "2001:db8:7fff::1", true },
		{ "10.0.0.0/7,2001:db8::/33", "2001:db8:8000::1", false },
		{ "0.0.0.0/0", "203.0.113.7", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "203.0.113.7", true },
		{ "", "127.0.0.1", false },
		{ "nonsense 10.0.0.0/8", "10.0.0.1", true },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct client_address a = address_of(rows[i].client);
		struct networks nets;
		struct slice bad;
		networks_parse(slice_of(rows[i].list), &nets, &bad);
		if (networks_contain(&nets, &a) != rows[i].is_in)
			fail_msg("%s in %s", rows[i].client, rows[i].list);
		networks_free(&nets);
	}
}

static void refuses_bad_networks(void **state)
{
	static const char *const rows[] = { "", "/8", "127.0.0.1/", "127.0.0.1/33", "127.0.0.1/-1",
		"127.0.0/8", "[::1]/129", "[::1", "::1]", "[]", "a.test", "1.2.3.4/8/8", "[1.2.3.4/8]",
		"1.2.3.4x", "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb" };
	struct network net;
	struct networks nets;
	struct slice bad;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (network_parse(slice_of(rows[i]), &net))
			fail_msg("%s was accepted", rows[i]);
	networks_parse(SLICE("::1 ::x ::2"), &nets, &bad);
	assert_slice_equal(bad, SLICE("::x"));
	assert_int_equal(nets.n, 2);
	networks_free(&nets);
}

static void counts_sessions(void **state)
{
	const struct client_address one = address_of("192.0.2.1"), other = address_of("192.0.2.2");
	const struct client_address v6 = address_of("2001:db8::1"), near = address_of("2001:db8::ffff:1");
	struct clients cs = CLIENTS_INIT;
	struct client_sessions *a, *b, *c;
	(void)state;

	a = clients_enter(&cs, &one, 2);
	b = clients_enter(&cs, &one, 2);
	assert_non_null(a);
	assert_ptr_equal(a, b);
	assert_null(clients_enter(&cs, &one, 2));
	c = clients_enter(&cs, &other, 2);
	assert_non_null(c);
	clients_leave(&cs, &c);
	assert_null(c);
	clients_leave(&cs, &b);
	b = clients_enter(&cs, &one, 2);
	assert_non_null(b);
	clients_leave(&cs, &a);
	clients_leave(&cs, &b);
	a = clients_enter(&cs, &v6, 1);
	assert_null(clients_enter(&cs, &near, 1)); /* one network, one client */
	clients_leave(&cs, &a);
	clients_leave(&cs, &a);
	assert_int_equal(cs.by_address.n, 0);
	table_deinit(&cs.by_address);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_addresses),
		cmocka_unit_test(matches_networks),
		cmocka_unit_test(refuses_bad_networks),
		cmocka_unit_test(counts_sessions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
