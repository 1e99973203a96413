/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h - the settings of postrider.conf as one typed read-only structure
 *
 * All names, types, defaults, ranges and help lines stand in settings.def. An empty file is a correct, safe
 * local mailer. An unknown setting is an error, with the line and a suggestion; a broken file gives no
 * structure at all, so that a failed reload keeps what runs. Layer: config. Tests: test_config.c,
 * fuzz/fuzz_config.c.
 */
#pragma once
#include "base/buf.h"
#include "config/paths.h"

struct config {
#define STRING const char *
#define LIST const char *
#define BOOL bool
#define INT uint64_t
#define SIZE uint64_t
#define TIME uint64_t
#define SETTING(section, name, type, preset, min, max, reload, help) type section##_##name;
#define DERIVED(name, help) const char *derived_##name;
#include "config/settings.def"
#undef SETTING
#undef DERIVED
#undef STRING
#undef LIST
#undef BOOL
#undef INT
#undef SIZE
#undef TIME
	struct paths paths;
	struct buf text; /* every setting with its value, once config_complete() ran: what a role in its jail
			    reads */
};

enum setting_type { SETTING_STRING, SETTING_LIST, SETTING_BOOL, SETTING_INT, SETTING_SIZE, SETTING_TIME };

struct setting {
	const char *section, *name;
	enum setting_type type;
	const char *preset;
	uint64_t min, max;
	bool can_reload;
	const char *help;
	size_t offset; /* of its field in struct config */
};
extern const struct setting settings[];
extern const size_t n_settings; /* without those that are derived */
/* name is written section.name; NULL: there is none. */
const struct setting *setting_named(struct slice name);
const char *setting_type_name(enum setting_type type);
/* The value as a person would write it; NULL-terminated, the caller's to mem_free. */
char *setting_value_text(const struct config *c, const struct setting *s);

/* line 0: about the whole file. message names the setting and what to do. */
typedef void (*config_report)(unsigned line, const char *message, void *user);

/* NULL when anything was wrong; every mistake has been reported then. The result is the caller's to
 * config_free. */
MUST_USE struct config *config_parse(struct slice text, config_report report, void *user);
/* The same for the text of a completed configuration, which says more than a person may. */
MUST_USE struct config *config_parse_completed(struct slice text, config_report report, void *user);
/* Reads paths->config_file (a missing file is an empty one), parses, completes. Mistakes go to standard error
 * as "FILE:LINE: message". */
MUST_USE struct config *config_load(const struct paths *paths);
/* The same for what must be done in any case: mistakes are told, and the defaults stand in. Never NULL. */
struct config *config_load_or_default(const struct paths *paths);
/* Fills in what was left empty (host name, origin, file names) and makes c->text, so that a role in its jail
 * sees the same values. Never asks the network, never sleeps (DESIGN section 3). */
void config_complete(struct config *c, const struct paths *paths);
/* After a reload: settings that need a restart keep the running value in fresh; told(name) for each that
 * differs. */
void config_keep_fixed(
	struct config *fresh, const struct config *running, void (*told)(const struct setting *s));
void config_free(struct config **c);

/* A number as settings are written: with the units of SIZE and TIME; false: it is none. */
MUST_USE bool config_parse_number(enum setting_type type, struct slice value, uint64_t *out);
/* Walks over the words of a LIST. */
bool config_list_next(struct slice *list, struct slice *word_out);
/* True when domain is one of this host's names for mail (origin, host name, localhost…), ASCII case ignored.
 */
bool config_is_local_domain(const struct config *c, struct slice domain);
/* Whether it is one and why, in words that name setting, file and line; appended. */
void config_explain_domain(const struct config *c, struct slice domain, struct buf *out);
/* The line of the file in which the setting (section.name) stands; 0: nowhere, it has its default. */
size_t config_line(const struct config *c, struct slice name);
