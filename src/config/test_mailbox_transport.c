/* SPDX-License-Identifier: Apache-2.0 */
/* test_mailbox_transport.c - places of LMTP servers, good and bad */
#include "config/mailbox_transport.h"
#include "support/test.h"

static void takes_places_apart(void **state)
{
	static const struct {
		const char *text;
		enum mailbox_transport_kind kind;
		const char *place;
		uint16_t port;
	} rows[] = {
		{ "", MAILBOX_TRANSPORT_NONE, "", 0 },
		{ "lmtp:unix:/run/dovecot/lmtp", MAILBOX_TRANSPORT_UNIX, "/run/dovecot/lmtp", 0 },
		{ "LMTP:unix:/a:b", MAILBOX_TRANSPORT_UNIX, "/a:b", 0 },
		{ "lmtp:inet:127.0.0.1:2424", MAILBOX_TRANSPORT_INET, "127.0.0.1", 2424 },
		{ "lmtp:inet:127.0.0.1", MAILBOX_TRANSPORT_INET, "127.0.0.1", 24 },
		{ "lmtp:inet:[::1]:65535", MAILBOX_TRANSPORT_INET, "::1", 65535 },
		{ "lmtp:inet:[::1]", MAILBOX_TRANSPORT_INET, "::1", 24 },
		{ "lmtp:inet:store.example:24", MAILBOX_TRANSPORT_INET, "store.example", 24 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mailbox_transport t;
		assert_true(mailbox_transport_parse(slice_of(rows[i].text), &t));
		assert_int_equal(t.kind, rows[i].kind);
		assert_slice_equal(t.place, slice_of(rows[i].place));
		assert_int_equal(t.port, rows[i].port);
	}
}

static void refuses_what_is_no_place(void **state)
{
	char long_path[160] = "lmtp:unix:/";
	const char *rows[] = { "lmtp", "lmtp:", "lmtp:unix:", "lmtp:unix:/", "lmtp:unix:run/lmtp",
		"lmtp:inet:", "lmtp:inet:host:", "lmtp:inet:host:0", "lmtp:inet:host:65536",
		"lmtp:inet:host:24x", "lmtp:inet::24", "lmtp:inet:[::1", "lmtp:inet:[::1]24",
		"lmtp:inet:[]:24", "lmtp:/run/lmtp", "smtp:inet:127.0.0.1:25", "/run/dovecot/lmtp",
		long_path };

	(void)state;
	memset(long_path + strlen(long_path), 'x', 120);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mailbox_transport t = { .kind = MAILBOX_TRANSPORT_UNIX, .port = 7 };
		assert_false(mailbox_transport_parse(slice_of(rows[i]), &t));
		assert_int_equal(t.port, 7); /* untouched */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_places_apart),
		cmocka_unit_test(refuses_what_is_no_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
