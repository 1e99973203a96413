/* SPDX-License-Identifier: Apache-2.0 */
/* checks.c - one row per setting that has a form of its own; see checks.h */
#include "config/checks.h"
#include "base/limits.h"
#include "config/config.h"
#include "config/mailbox_transport.h"
#include "config/pacing.h"
#include <arpa/inet.h>

#define LABEL_MAX 63 /* octets, RFC 1035 2.3.4 */

/* ---- forms ---- */

/* Letters, digits, hyphens; the underscore, which networks use; octets of UTF-8 in names of RFC 6531. */
static bool is_domain(struct slice s)
{
	struct slice label;

	if (s.len == 0 || s.len > LIMIT_DOMAIN)
		return false;
	for (bool is_last = false; !is_last;) {
		is_last = !slice_cut(&s, '.', &label);
		if (is_last)
			label = s;
		if (label.len == 0 || label.len > LABEL_MAX || label.at[0] == '-')
			return false;
		for (size_t i = 0; i < label.len; i++)
			if (!ascii_is_alnum(label.at[i]) && !strchr("-_", label.at[i]) &&
				(unsigned char)label.at[i] < 0x80)
				return false;
	}
	return true;
}

bool setting_is_own_domain(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.at[i] >= 0x80)
			return false;
	return is_domain(s);
}

/* AF_INET, AF_INET6, or 0. */
static int address_family(struct slice s)
{
	struct in6_addr address;
	char text[INET6_ADDRSTRLEN];

	if (s.len >= sizeof(text) || slice_find(s, '\0') < s.len)
		return 0;
	memcpy(text, s.at, s.len);
	text[s.len] = '\0';
	if (inet_pton(AF_INET, text, &address) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, text, &address) == 1 ? AF_INET6 : 0;
}

static struct slice without_brackets(struct slice s)
{
	return s.len > 2 && s.at[0] == '[' && s.at[s.len - 1] == ']'
		? slice_from(slice_first(s, s.len - 1), 1)
		: s;
}

static bool is_port(struct slice s, uint64_t least)
{
	uint64_t port;

	return slice_to_u64(s, UINT16_MAX, &port) && port >= least;
}

/* "192.0.2.0/24", "[2001:db8::]/32"; without a prefix one address. */
static bool is_network(struct slice s)
{
	struct slice host = s, prefix = s;
	bool has_prefix = slice_cut(&prefix, '/', &host);
	int family = address_family(without_brackets(host));
	uint64_t bits;

	return family && (!has_prefix || slice_to_u64(prefix, family == AF_INET ? 32 : 128, &bits));
}

/* "127.0.0.1:25", "[::1]:25", "25"; port 0 lets the system choose. */
static bool is_listen_address(struct slice s)
{
	size_t colon = slice_rfind(s, ':');
	struct slice host = without_brackets(slice_first(s, colon));

	if (colon == s.len)
		return is_port(s, 0);
	return (host.len == 0 || address_family(host)) && is_port(slice_from(s, colon + 1), 0);
}

/* "relay.example", "relay.example:587", "[192.0.2.1]:25", "[IPv6:2001:db8::1]" */
static bool is_next_hop(struct slice s)
{
	struct slice host = s;
	bool has_brackets = slice_skip(&s, '['), has_port;

	if (has_brackets) {
		if (!slice_cut(&s, ']', &host))
			return false;
		has_port = slice_skip(&s, ':');
		if (!has_port && s.len)
			return false;
	} else {
		has_port = slice_cut(&s, ':', &host);
	}
	if (has_port && !is_port(s, 1))
		return false;
	if (has_brackets) {
		struct slice address = host;
		(void)slice_skip_prefix_nocase(&address, SLICE("IPv6:"));
		if (address_family(address))
			return true;
	}
	if (host.len > 1 && host.at[host.len - 1] == '.')
		host.len--;
	return is_domain(host);
}

static bool is_rate(struct slice s)
{
	struct pacing ignored = { 0 };

	return pacing_parse_rate(s, &ignored);
}

static bool is_destination_limit(struct slice s)
{
	struct pacing ignored;
	struct slice hop;

	return pacing_parse_limit(s, &hop, &ignored) &&
		(is_next_hop(hop) || slice_eq(hop, SLICE(MAILBOX_TRANSPORT_HOP)));
}

static bool is_mailbox_transport(struct slice s)
{
	struct mailbox_transport t;

	return mailbox_transport_parse(s, &t) &&
		(t.kind != MAILBOX_TRANSPORT_INET || address_family(t.place) || is_domain(t.place));
}

static bool is_log_level(struct slice s)
{
	static const char *const words[] = { "error", "warning", "info", "debug" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (slice_eq_nocase(s, slice_of(words[i])))
			return true;
	return false;
}

/* Room for what is added to the name of an aliases file: ".db", ".lock". */
static bool is_file_path(struct slice s)
{
	return s.len > 1 && s.at[0] == '/' && s.at[s.len - 1] != '/' && s.len < PATH_MAX / 2;
}

static bool is_mbox_quoting(struct slice s)
{
	return slice_eq(s, SLICE("mboxo")) || slice_eq(s, SLICE("mboxrd"));
}

static bool is_log_target(struct slice s)
{
	return slice_eq(s, SLICE("auto")) || slice_eq(s, SLICE("syslog")) || slice_eq(s, SLICE("stderr")) ||
		(s.len > 1 && s.at[0] == '/');
}

/* ---- which setting has which ---- */

static const struct check {
	const char *section, *name;
	bool (*is_valid)(struct slice);
	bool may_be_empty;
	const char *wanted;
	size_t max_words; /* of a list; 0: any number */
} checks[] = {
	{ "main", "host_name", setting_is_own_domain, true, "a host name such as mx.example.org" },
	{ "main", "origin", setting_is_own_domain, true, "a domain such as example.org" },
	{ "main", "local_domains", is_domain, true, "a list of domains such as example.org" },
	{ "smtpd", "listen", is_listen_address, true,
		"a list of ADDRESS:PORT such as 127.0.0.1:25 or [::1]:25" },
	{ "smtpd", "trusted_networks", is_network, true,
		"a list of networks such as 192.0.2.0/24 or [2001:db8::]/32" },
	{ "aliases", "file", is_file_path, true, "a list of at most 16 files such as /etc/aliases",
		LIMIT_ALIAS_FILES },
	{ "relay", "host", is_next_hop, true, "[HOST]:PORT or a domain" },
	{ "smtp", "destination_rate", is_rate, true, "N/TIME such as 100/1h" },
	{ "smtp", "destination_limits", is_destination_limit, true,
		"a list of HOP=CONCURRENCY, HOP=N/TIME or HOP=CONCURRENCY@N/TIME such as "
		"example.com=2@100/1h" },
	{ "local", "mbox_quoting", is_mbox_quoting, false, "mboxo or mboxrd" },
	{ "local", "mailbox_transport", is_mailbox_transport, true,
		"lmtp:unix:/PATH or lmtp:inet:HOST:PORT such as lmtp:unix:/run/dovecot/lmtp" },
	{ "log", "target", is_log_target, false, "auto, syslog, stderr or a path that begins with /" },
	{ "log", "level", is_log_level, false, "error, warning, info or debug" },
};

static const struct check *check_of(const struct setting *s)
{
	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		if (strcmp(checks[i].section, s->section) == 0 && strcmp(checks[i].name, s->name) == 0)
			return &checks[i];
	return NULL;
}

bool setting_check(const struct setting *s, struct slice value, char *why, size_t why_size)
{
	const struct check *check = check_of(s);
	struct slice list = value, word = value;
	size_t n = 0;
	bool is_list = s->type == SETTING_LIST;

	if (!check || (value.len == 0 && check->may_be_empty))
		return true;
	while (!is_list || config_list_next(&list, &word)) {
		if (!check->is_valid(word) || (check->max_words && ++n > check->max_words)) {
			(void)snprintf(why, why_size, "must be %s, not \"%.*s\"", check->wanted,
				SLICE_ARG(slice_first(word, 100)));
			return false;
		}
		if (!is_list)
			break;
	}
	return true;
}
