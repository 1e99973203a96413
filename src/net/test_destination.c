/* SPDX-License-Identifier: Apache-2.0 */
/* test_destination.c - next hops as text, and endpoints as people read them */
#include "net/destination.h"
#include "support/test.h"

#define LABEL_63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static void takes_apart(void **state)
{
	static const struct {
		const char *in;
		enum destination_kind kind;
		const char *name;
		uint16_t port;
	} rows[] = {
		{ "example.com", DESTINATION_MX, "example.com", 25 },
		{ "Example.COM.", DESTINATION_MX, "example.com", 25 },
		{ "example.com:2525", DESTINATION_MX, "example.com", 2525 },
		{ "bücher.example", DESTINATION_MX, "xn--bcher-kva.example", 25 },
		{ "[relay.example]", DESTINATION_HOST, "relay.example", 25 },
		{ "[relay.example]:587", DESTINATION_HOST, "relay.example", 587 },
		{ "[a_b]", DESTINATION_HOST, "a_b", 25 },
		{ "[192.0.2.1]", DESTINATION_ADDRESS, "192.0.2.1", 25 },
		{ "[192.0.2.1]:26", DESTINATION_ADDRESS, "192.0.2.1", 26 },
		{ "[IPv6:2001:DB8::1]", DESTINATION_ADDRESS, "2001:db8::1", 25 },
		{ "[ipv6:::1]:2525", DESTINATION_ADDRESS, "::1", 2525 },
		{ "[::1]:65535", DESTINATION_ADDRESS, "::1", 65535 },
		{ LABEL_63 ".example", DESTINATION_MX, LABEL_63 ".example", 25 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct destination d;
		assert_int_equal(destination_parse(slice_of(rows[i].in), 25, &d), DESTINATION_OK);
		assert_int_equal(d.kind, rows[i].kind);
		assert_string_equal(d.name, rows[i].name);
		assert_int_equal(d.port, rows[i].port);
		if (d.kind == DESTINATION_ADDRESS)
			assert_int_equal(socket_address_port(&d.address), rows[i].port);
	}
}

static void rejects(void **state)
{
	static const struct {
		const char *in;
		enum destination_status want;
	} rows[] = {
		{ "", DESTINATION_EMPTY },
		{ ".", DESTINATION_BAD_NAME },
		{ "a..b", DESTINATION_BAD_NAME },
		{ ".example", DESTINATION_BAD_NAME },
		{ "exa mple", DESTINATION_BAD_NAME },
		{ "a@b", DESTINATION_BAD_NAME },
		{ LABEL_63 "x.example", DESTINATION_BAD_NAME },
		{ LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63, DESTINATION_BAD_NAME },
		{ "\xff\xfe.example", DESTINATION_BAD_NAME },
		{ "[host", DESTINATION_BAD_BRACKET },
		{ "[host]25", DESTINATION_BAD_BRACKET },
		{ "[host]:", DESTINATION_BAD_PORT },
		{ "[host]:0", DESTINATION_BAD_PORT },
		{ "[host]:65536", DESTINATION_BAD_PORT },
		{ "[host]:smtp", DESTINATION_BAD_PORT },
		{ "example.com:", DESTINATION_BAD_PORT },
		{ "example.com:x", DESTINATION_BAD_PORT },
		{ "[]", DESTINATION_BAD_NAME },
		{ "[IPv6:192.0.2.1]", DESTINATION_BAD_NAME },
		{ "[IPv6:x]", DESTINATION_BAD_NAME },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct destination d = { .port = 7 };
		assert_int_equal(destination_parse(slice_of(rows[i].in), 25, &d), rows[i].want);
		assert_int_equal(d.port, 7); /* untouched */
		assert_true(*destination_status_text(rows[i].want) != '\0');
	}
}

static void writes_endpoints(void **state)
{
	static const struct {
		const char *host, *address, *want;
	} rows[] = {
		{ "mx.example", "192.0.2.1", "mx.example[192.0.2.1]:25" },
		{ "mx.example", "2001:db8::1", "mx.example[2001:db8::1]:25" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct endpoint e;
		auto_buf struct buf out = BUF_INIT(400);
		(void)snprintf(e.host, sizeof(e.host), "%s", rows[i].host);
		assert_true(socket_address_parse(slice_of(rows[i].address), 25, &e.address));
		endpoint_append_port(&e, &out);
		assert_slice_equal(buf_slice(&out), slice_of(rows[i].want));
	}
	struct endpoint e = { .host = "mx.example",
		.address = { .local = { .sun_family = AF_UNIX, .sun_path = "/run/lmtp" } } };
	auto_buf struct buf out = BUF_INIT(400);
	endpoint_append_port(&e, &out);
	assert_slice_equal(buf_slice(&out), SLICE("mx.example[/run/lmtp]"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_apart),
		cmocka_unit_test(rejects),
		cmocka_unit_test(writes_endpoints),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
