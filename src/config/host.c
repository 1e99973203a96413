/* SPDX-License-Identifier: Apache-2.0 */
/* host.c - see host.h */
#include "config/host.h"
#include "base/file.h"
#include "base/limits.h"
#include <fcntl.h>

/* Letters, digits, dots and hyphens: anything else would break greetings and headers. */
static bool is_host_name(struct slice s)
{
	if (s.len == 0 || s.len > LIMIT_DOMAIN || s.at[0] == '.' || s.at[0] == '-')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_alnum(s.at[i]) && s.at[i] != '.' && s.at[i] != '-')
			return false;
	return true;
}

/* The first name with a dot on a line of hosts(5) that also carries the short name. */
static bool hosts_full_name(struct slice hosts, struct slice name, struct slice *full_out)
{
	struct slice line;

	while (slice_next_line(&hosts, &line)) {
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
			return true;
		}
	}
	return false;
}

void host_fqdn(char *name_out, size_t size)
{
	auto_buf struct buf hosts = BUF_INIT(LIMIT_CONFIG_FILE);
	char name[LIMIT_DOMAIN + 1] = "";
	struct slice full;

	if (gethostname(name, sizeof(name) - 1) < 0 || !is_host_name(slice_of(name)))
		(void)snprintf(name, sizeof(name), "localhost");
	if (strchr(name, '.'))
		(void)snprintf(name_out, size, "%s", name);
	else if (file_read_path(AT_FDCWD, "/etc/hosts", &hosts) == 0 &&
		hosts_full_name(buf_slice(&hosts), slice_of(name), &full))
		(void)snprintf(name_out, size, "%.*s", SLICE_ARG(full));
	else
		(void)snprintf(name_out, size, "%s.localdomain", name);
}

bool host_mailname(const char *file, char *name_out, size_t size)
{
	auto_buf struct buf text = BUF_INIT(4096);
	struct slice rest, word;

	if (file_read_path(AT_FDCWD, file, &text) < 0)
		return false;
	rest = buf_slice(&text);
	if (!slice_next_word(&rest, &word) || !is_host_name(word))
		return false;
	(void)snprintf(name_out, size, "%.*s", SLICE_ARG(word));
	return true;
}
