/* SPDX-License-Identifier: Apache-2.0 */
/* host.c - see host.h */
#include "config/host.h"
#include "base/file.h"
#include "config/checks.h"
#include <fcntl.h>

#define SHOWN_MAX 100 /* of a name that is no host name */

/* Letters, digits and inner hyphens in each label (RFC 1123 2.1): anything else would break greetings and
 * headers, or be refused by other hosts. */
static bool is_host_name(struct slice s)
{
	return setting_is_own_domain(s) && slice_find(s, '_') == s.len && s.at[s.len - 1] != '-';
}

/* The first name with a dot on a line of hosts(5) that also carries the short name; 0: there is none, else
 * the line. */
static size_t hosts_full_name(struct slice hosts, struct slice name, struct slice *full_out)
{
	struct slice line;

	for (size_t n = 1; slice_next_line(&hosts, &line); n++) {
		struct slice words = slice_first(line, slice_find(line, '#')), word, full = SLICE_EMPTY;
		bool has_short = false;

		if (!slice_next_word(&words, &word)) /* the address */
			continue;
		while (slice_next_word(&words, &word)) {
			if (slice_eq_nocase(word, name))
				has_short = true;
			else if (full.len == 0 && is_host_name(word) && slice_starts_nocase(word, name) &&
				word.at[name.len] == '.')
				full = word;
		}
		if (has_short && full.len) {
			*full_out = full;
			return n;
		}
	}
	return 0;
}

static void say_shown(struct slice name, char shown[SHOWN_MAX + 1])
{
	name = slice_first(name, SHOWN_MAX);
	for (size_t i = 0; i < name.len; i++)
		shown[i] = ascii_is_print(name.at[i]) && name.at[i] != '"' ? name.at[i] : '?';
	shown[name.len] = '\0';
}

static void PRINTF_LIKE(3, 4) set(struct host_name *out, struct slice name, const char *fmt, ...)
{
	va_list args;

	(void)snprintf(out->name, sizeof(out->name), "%.*s", SLICE_ARG(name));
	va_start(args, fmt);
	(void)vsnprintf(out->rule, sizeof(out->rule), fmt, args); /* cut when too long: it is for reading */
	va_end(args);
}

void host_name_choose(struct slice machine, struct slice hosts, struct host_name *out)
{
	char shown[SHOWN_MAX + 1], made_up[LIMIT_DOMAIN + 1];
	struct slice full;
	size_t line;

	say_shown(machine, shown);
	(void)snprintf(made_up, sizeof(made_up), "%s.localdomain", shown);
	if (!is_host_name(machine))
		set(out, SLICE("localhost.localdomain"),
			"made up: the machine's name \"%s\" is no host name, which has letters, digits, dots "
			"and "
			"hyphens only; set main.host_name, or the name with hostnamectl",
			shown);
	else if (slice_find(machine, '.') < machine.len)
		set(out, machine, "the machine's name");
	else if ((line = hosts_full_name(hosts, machine, &full)))
		set(out, full, "the machine's name \"%s\", completed by /etc/hosts line %zu", shown, line);
	else
		set(out, slice_of(made_up),
			"made up: the machine's name \"%s\" has no domain and no line of /etc/hosts names it "
			"in "
			"full; set main.host_name",
			shown);
}

void host_name_find(struct host_name *out)
{
	auto_buf struct buf hosts = BUF_INIT(LIMIT_CONFIG_FILE);
	char name[LIMIT_DOMAIN + 1] = "";

	(void)gethostname(name, sizeof(name) - 1); /* else it has none */
	(void)file_read_path(AT_FDCWD, "/etc/hosts", &hosts);
	host_name_choose(slice_of(name), buf_slice(&hosts), out);
}

bool host_mailname(const char *file, struct host_name *out)
{
	auto_buf struct buf text = BUF_INIT(4096);
	int r = file_read_path(AT_FDCWD, file, &text);
	struct slice rest = slice_trim(buf_slice(&text)), word = SLICE_EMPTY;
	char shown[SHOWN_MAX + 1];

	if (r == 0 && slice_next_word(&rest, &word) && is_host_name(word)) {
		set(out, word, "%s", file);
		return true;
	}
	say_shown(word, shown);
	if (r == -ENOENT)
		set(out, SLICE_EMPTY, "the host name, as there is no %s", file);
	else if (r < 0)
		set(out, SLICE_EMPTY, "the host name, as %s cannot be read: %s", file, strerror(-r));
	else
		set(out, SLICE_EMPTY, "the host name, as \"%s\" in %s is no domain name", shown, file);
	return false;
}
