/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - reader of postrider.conf: INI sections of `name = value`, driven by settings.def; see config.h
 */
#include "config/config.h"
#include "base/file.h"
#include "base/limits.h"
#include "config/checks.h"
#include "config/host.h"
#include <fcntl.h>

#define RELOAD true
#define RESTART false
#define SETTING(section_, name_, type_, preset_, min_, max_, reload_, help_)                                 \
	{ #section_, #name_, SETTING_##type_, preset_, min_, max_, reload_, help_,                           \
		offsetof(struct config, section_##_##name_) },
#define DERIVED(name_, help_) SETTING(derived, name_, STRING, "", 0, 0, RELOAD, help_)
const struct setting settings[] = {
#include "config/settings.def"
};
#undef SETTING
#undef DERIVED

/* The derived ones are the last. */
enum {
	N_ALL = ARRAY_LEN(settings),
#define SETTING(section, name, type, preset, min, max, reload, help)
#define DERIVED(name, help) +1
	N_DERIVED = 0
#include "config/settings.def"
#undef SETTING
#undef DERIVED
};
const size_t n_settings = N_ALL - N_DERIVED;

const struct setting *setting_named(struct slice name)
{
	struct slice section, rest = name;

	if (!slice_cut(&rest, '.', &section))
		return NULL;
	for (size_t i = 0; i < n_settings; i++)
		if (slice_eq(section, slice_of(settings[i].section)) &&
			slice_eq(rest, slice_of(settings[i].name)))
			return &settings[i];
	return NULL;
}

static const struct setting *setting_at(size_t offset)
{
	size_t i = 0;

	while (settings[i].offset != offset)
		i++;
	return &settings[i];
}

const char *setting_type_name(enum setting_type type)
{
	static const char *const names[] = { "text", "list", "yes|no", "number", "size", "time" };
	return names[type];
}

/* ---- values ---- */

static const struct {
	char unit;
	uint64_t size, time; /* factor; 0: not a unit of that type */
} units[] = {
	{ 'k', 1024, 0 },
	{ 'm', 1024 * 1024, 60 },
	{ 'g', 1024 * 1024 * 1024, 0 },
	{ 's', 0, 1 },
	{ 'h', 0, 3600 },
	{ 'd', 0, 86400 },
	{ 'w', 0, 604800 },
};

bool config_parse_number(enum setting_type type, struct slice value, uint64_t *out)
{
	uint64_t factor = 1, number;
	char last = value.len ? ascii_lower(value.at[value.len - 1]) : '0';

	if (type != SETTING_INT && !ascii_is_digit(last)) {
		factor = 0;
		for (size_t i = 0; i < ARRAY_LEN(units); i++)
			if (units[i].unit == last)
				factor = type == SETTING_SIZE ? units[i].size : units[i].time;
		value.len--;
	}
	if (factor == 0 || !slice_to_u64(value, UINT64_MAX, &number))
		return false;
	return !__builtin_mul_overflow(number, factor, out);
}

static bool parse_bool(struct slice value, bool *out)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = { { "yes", true }, { "no", false }, { "on", true }, { "off", false }, { "true", true },
		{ "false", false } };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (slice_eq_nocase(value, slice_of(words[i].word))) {
			*out = words[i].value;
			return true;
		}
	}
	return false;
}

static void *setting_field(const struct config *c, const struct setting *s)
{
	return (char *)(uintptr_t)c + s->offset;
}

/* False: why is a sentence without the setting's name. */
static bool setting_assign(
	struct config *c, const struct setting *s, struct slice value, char *why, size_t why_size)
{
	uint64_t number;

	switch (s->type) {
	case SETTING_STRING:
	case SETTING_LIST: {
		const char **field = setting_field(c, s);
		char *old = (char *)(uintptr_t)*field;
		if (slice_find(value, '\0') < value.len) {
			(void)snprintf(why, why_size, "contains a NUL byte");
			return false;
		}
		if (!setting_check(s, value, why, why_size))
			return false;
		*field = slice_dup(value);
		mem_free(old);
		return true;
	}
	case SETTING_BOOL:
		if (parse_bool(value, setting_field(c, s)))
			return true;
		(void)snprintf(why, why_size, "must be yes or no, not \"%.*s\"", SLICE_ARG(value));
		return false;
	case SETTING_INT:
	case SETTING_SIZE:
	case SETTING_TIME:
		if (!config_parse_number(s->type, value, &number)) {
			(void)snprintf(why, why_size, "must be a %s%s, not \"%.*s\"",
				setting_type_name(s->type),
				s->type == SETTING_SIZE		  ? " such as 50m"
					: s->type == SETTING_TIME ? " such as 30s, 5m, 4h or 2d"
								  : "",
				SLICE_ARG(value));
			return false;
		}
		if (number < s->min || number > s->max) {
			(void)snprintf(why, why_size, "must be from %" PRIu64 " to %" PRIu64 "%s, not %.*s",
				s->min, s->max, s->type == SETTING_TIME ? " seconds" : "", SLICE_ARG(value));
			return false;
		}
		*(uint64_t *)setting_field(c, s) = number;
		return true;
	}
	return false;
}

char *setting_value_text(const struct config *c, const struct setting *s)
{
	char text[32];

	switch (s->type) {
	case SETTING_STRING:
	case SETTING_LIST: return mem_dup_str(*(const char **)setting_field(c, s));
	case SETTING_BOOL: return mem_dup_str(*(bool *)setting_field(c, s) ? "yes" : "no");
	case SETTING_INT:
	case SETTING_SIZE:
	case SETTING_TIME: break;
	}
	(void)snprintf(text, sizeof(text), "%" PRIu64 "%s", *(uint64_t *)setting_field(c, s),
		s->type == SETTING_TIME ? "s" : "");
	return mem_dup_str(text);
}

/* ---- suggestions ---- */

#define SUGGEST_MAX 48

/* Levenshtein distance of two short words; long ones are called far apart. */
static size_t edit_distance(struct slice a, struct slice b)
{
	size_t row[SUGGEST_MAX + 1];

	if (a.len > SUGGEST_MAX || b.len > SUGGEST_MAX)
		return SUGGEST_MAX;
	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t above = row[j];
			size_t change = diagonal + (ascii_lower(a.at[i - 1]) != ascii_lower(b.at[j - 1]));
			row[j] = MIN(MIN(above, row[j - 1]) + 1, change);
			diagonal = above;
		}
	}
	return row[b.len];
}

static const struct setting *setting_nearest(struct slice section, struct slice name)
{
	const struct setting *best = NULL;
	size_t best_distance = 4;

	for (size_t i = 0; i < n_settings; i++) {
		size_t d = edit_distance(name, slice_of(settings[i].name)) +
			(slice_eq(section, slice_of(settings[i].section)) ? 0 : 1);
		if (d < best_distance) {
			best_distance = d;
			best = &settings[i];
		}
	}
	return best;
}

/* ---- the file ---- */

struct parser {
	struct config *config;
	struct slice section;
	size_t n_known; /* of settings: the derived ones may come, or not */
	unsigned line;
	bool failed;
	unsigned *seen; /* per setting: its line, 0: not set */
	config_report report;
	void *user;
};

static void PRINTF_LIKE(2, 3) complain(struct parser *p, const char *fmt, ...)
{
	char message[512];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, args); /* cut when too long: it is for reading */
	va_end(args);
	p->failed = true;
	p->report(p->line, message, p->user);
}

static bool section_exists(const struct parser *p, struct slice section)
{
	for (size_t i = 0; i < p->n_known; i++)
		if (slice_eq(section, slice_of(settings[i].section)))
			return true;
	return false;
}

static void parse_section(struct parser *p, struct slice line)
{
	if (line.at[line.len - 1] != ']') {
		complain(p, "a section is written [name]");
		return;
	}
	p->section = slice_trim(slice_first(slice_from(line, 1), line.len - 2));
	if (!section_exists(p, p->section))
		complain(p, "unknown section [%.*s]; `postrider config list` shows all",
			SLICE_ARG(p->section));
}

/* What Postfix calls a setting. */
static const char *name_from_postfix(struct slice name)
{
	static const struct {
		const char *theirs, *ours;
	} rows[] = {
		{ "alias_database", "file in [aliases]" },
		{ "alias_maps", "file in [aliases]" },
		{ "bounce_queue_lifetime", "bounce_lifetime in [queue]" },
		{ "home_mailbox", "home_mailbox in [local]" },
		{ "inet_interfaces", "listen in [smtpd]" },
		{ "mail_spool_directory", "mail_dir in [local]" },
		{ "mailbox_command", "mailbox_command in [local]" },
		{ "mailbox_transport", "mailbox_transport in [local]" },
		{ "maximal_backoff_time", "retry_max in [queue]" },
		{ "maximal_queue_lifetime", "lifetime in [queue]" },
		{ "message_size_limit", "max_size in [message]" },
		{ "minimal_backoff_time", "retry_min in [queue]" },
		{ "mydestination", "local_domains in [main]" },
		{ "mydomain", "origin in [main]" },
		{ "myhostname", "host_name in [main]" },
		{ "mynetworks", "trusted_networks in [smtpd]" },
		{ "myorigin", "origin in [main]" },
		{ "recipient_delimiter", "delimiter in [aliases]" },
		{ "relayhost", "host in [relay]" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (slice_eq(name, slice_of(rows[i].theirs)))
			return rows[i].ours;
	return NULL;
}

static void complain_unknown(struct parser *p, struct slice name)
{
	const char *ours = name_from_postfix(name);
	const struct setting *near = setting_nearest(p->section, name);

	if (ours)
		complain(p, "unknown setting %.*s in [%.*s]; Postfix's %.*s is %s here", SLICE_ARG(name),
			SLICE_ARG(p->section), SLICE_ARG(name), ours);
	else if (near)
		complain(p, "unknown setting %.*s in [%.*s]; did you mean %s in [%s]?", SLICE_ARG(name),
			SLICE_ARG(p->section), near->name, near->section);
	else
		complain(p, "unknown setting %.*s in [%.*s]; `postrider config list` shows all",
			SLICE_ARG(name), SLICE_ARG(p->section));
}

static void parse_setting(struct parser *p, struct slice line)
{
	struct slice name, value = line;
	char why[256];

	if (!slice_cut(&value, '=', &name)) {
		complain(p, "expected [section] or name = value");
		return;
	}
	name = slice_trim(name);
	value = slice_trim(value);
	if (value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"')
		value = slice_first(slice_from(value, 1), value.len - 2);
	for (size_t i = 0; i < p->n_known; i++) {
		const struct setting *s = &settings[i];
		if (!slice_eq(name, slice_of(s->name)) || !slice_eq(p->section, slice_of(s->section)))
			continue;
		if (p->seen[i])
			complain(p, "%s.%s is set twice; line %u was the first", s->section, s->name,
				p->seen[i]);
		else if (!setting_assign(p->config, s, value, why, sizeof(why)))
			complain(p, "%s.%s %s", s->section, s->name, why);
		p->seen[i] = p->line;
		return;
	}
	complain_unknown(p, name);
}

static unsigned line_of(const struct parser *p, size_t field)
{
	for (size_t i = 0; i < n_settings; i++)
		if (settings[i].offset == field)
			return p->seen[i];
	return 0;
}

/* Settings that bound each other: told with the line of the last that was set. */
static void check_order(struct parser *p)
{
	static const struct {
		size_t least, most;
		const char *words;
	} rows[] = {
		{ offsetof(struct config, queue_retry_min), offsetof(struct config, queue_retry_max),
			"queue.retry_min must not be above queue.retry_max" },
		{ offsetof(struct config, queue_hold_off_min), offsetof(struct config, queue_hold_off_max),
			"queue.hold_off_min must not be above queue.hold_off_max" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *at = (const char *)p->config;
		if (*(const uint64_t *)(at + rows[i].least) <= *(const uint64_t *)(at + rows[i].most))
			continue;
		p->line = MAX(line_of(p, rows[i].least), line_of(p, rows[i].most));
		complain(p, "%s", rows[i].words);
	}
}

static struct config *config_new(void)
{
	struct config *c = mem_new(sizeof(*c));
	char why[256];

	c->text = BUF_INIT(2 * LIMIT_CONFIG_FILE);
	for (size_t i = 0; i < N_ALL; i++)
		CHECK(setting_assign(c, &settings[i], slice_of(settings[i].preset), why, sizeof(why)));
	return c;
}

/* Where each setting stands, for who asks why something is as it is. */
static void keep_lines(struct config *c, const unsigned *seen)
{
	auto_buf struct buf lines = BUF_INIT(LIMIT_CONFIG_FILE);
	char why[256];

	for (size_t i = 0; i < n_settings; i++)
		if (seen[i])
			buf_printf(&lines, "%s%s.%s=%u", lines.len ? " " : "", settings[i].section,
				settings[i].name, seen[i]);
	CHECK(setting_assign(
		c, setting_at(offsetof(struct config, derived_lines)), buf_slice(&lines), why, sizeof(why)));
}

static struct config *parse(struct slice text, size_t n_known, config_report report, void *user)
{
	struct config *c = config_new();
	auto_free unsigned *seen = mem_new_array(N_ALL, sizeof(*seen));
	struct parser p = { .config = c,
		.section = SLICE("main"),
		.n_known = n_known,
		.seen = seen,
		.report = report,
		.user = user };
	struct slice rest = text, line;

	if (text.len > LIMIT_CONFIG_FILE) {
		complain(&p, "the file is larger than %d bytes", LIMIT_CONFIG_FILE);
		rest = SLICE_EMPTY;
	}
	while (slice_next_line(&rest, &line)) {
		p.line++;
		line = slice_trim(line);
		if (line.len == 0 || line.at[0] == '#' || line.at[0] == ';')
			continue;
		if (line.at[0] == '[')
			parse_section(&p, line);
		else
			parse_setting(&p, line);
	}
	if (!p.failed)
		check_order(&p);
	if (p.failed) {
		config_free(&c);
		return NULL;
	}
	if (n_known == n_settings)
		keep_lines(c, seen);
	buf_append(&c->text, text);
	return c;
}

struct config *config_parse(struct slice text, config_report report, void *user)
{
	return parse(text, n_settings, report, user);
}

struct config *config_parse_completed(struct slice text, config_report report, void *user)
{
	return parse(text, N_ALL, report, user);
}

static void report_to_stderr(unsigned line, const char *message, void *user)
{
	const struct paths *paths = user;

	if (line)
		(void)fprintf(stderr, "%s:%u: %s\n", paths->config_file, line, message);
	else
		(void)fprintf(stderr, "%s: %s\n", paths->config_file, message);
}

struct config *config_load(const struct paths *paths)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_CONFIG_FILE + 1);
	int r = file_read_path(AT_FDCWD, paths->config_file, &text);
	struct config *c;

	if (r < 0 && r != -ENOENT) {
		(void)fprintf(stderr, "%s: cannot be read: %s%s\n", paths->config_file, strerror(-r),
			r == -EACCES ? "; every user's commands read it: chmod 644" : "");
		return NULL;
	}
	c = config_parse(buf_slice(&text), report_to_stderr, (void *)(uintptr_t)paths);
	if (c)
		config_complete(c, paths);
	return c;
}

static void report_of_nothing(unsigned line, const char *message, void *user)
{
	(void)line, (void)message, (void)user; /* there is no mistake in an empty text */
}

struct config *config_load_or_default(const struct paths *paths)
{
	struct config *c = config_load(paths);

	if (c)
		return c;
	c = config_parse(SLICE_EMPTY, report_of_nothing, NULL);
	CHECK(c != NULL);
	config_complete(c, paths);
	return c;
}

/* ---- what was left empty ---- */

static void complete(const char **field, const char *value)
{
	if (**field || !*value)
		return;
	mem_free((char *)(uintptr_t)*field);
	*field = mem_dup_str(value);
}

static void make_text(struct config *c)
{
	buf_clear(&c->text);
	for (size_t i = 0; i < N_ALL; i++) {
		auto_free char *value = setting_value_text(c, &settings[i]);
		buf_printf(&c->text, "[%s]\n%s = \"%s\"\n", settings[i].section, settings[i].name, value);
	}
	CHECK(buf_ok(&c->text));
}

void config_keep_fixed(
	struct config *fresh, const struct config *running, void (*told)(const struct setting *s))
{
	char why[256];

	for (size_t i = 0; i < n_settings; i++) {
		auto_free char *old = setting_value_text(running, &settings[i]);
		auto_free char *value = setting_value_text(fresh, &settings[i]);
		if (settings[i].can_reload || strcmp(old, value) == 0)
			continue;
		CHECK(setting_assign(fresh, &settings[i], slice_of(old), why, sizeof(why)));
		told(&settings[i]);
	}
	make_text(fresh);
}

static void complete_from_setting(const struct config *c, const char **rule, const char *setting)
{
	char text[PATH_MAX + 100];

	(void)snprintf(text, sizeof(text), "%s, %s line %zu", setting, c->paths.config_file,
		config_line(c, slice_of(setting)));
	complete(rule, text);
}

static void complete_host_name(struct config *c)
{
	struct host_name host;

	if (*c->main_host_name) {
		complete_from_setting(c, &c->derived_host_name_rule, "main.host_name");
		return;
	}
	host_name_find(&host);
	complete(&c->main_host_name, host.name);
	complete(&c->derived_host_name_rule, host.rule);
}

static void complete_origin(struct config *c)
{
	struct host_name host;

	if (*c->main_origin) {
		complete_from_setting(c, &c->derived_origin_rule, "main.origin");
		return;
	}
	if (!host_mailname(c->paths.mailname_file, &host))
		(void)snprintf(host.name, sizeof(host.name), "%s", c->main_host_name);
	complete(&c->main_origin, host.name);
	complete(&c->derived_origin_rule, host.rule);
}

void config_complete(struct config *c, const struct paths *paths)
{
	c->paths = *paths;
	complete_host_name(c);
	complete_origin(c);
	complete(&c->aliases_file, paths->aliases_file);
	complete(&c->users_file, paths->users_file);
	complete(&c->local_mail_dir, paths->mail_dir);
	make_text(c);
}

void config_free(struct config **cp)
{
	struct config *c = take_ptr(cp);

	if (!c)
		return;
	for (size_t i = 0; i < N_ALL; i++)
		if (settings[i].type == SETTING_STRING || settings[i].type == SETTING_LIST)
			mem_free(*(char **)setting_field(c, &settings[i]));
	buf_free(&c->text);
	mem_free(c);
}
