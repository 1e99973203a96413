/* SPDX-License-Identifier: Apache-2.0 */
/* configuration.c - postrider config: mistakes, effective values, the table of settings; see commands.h */
#include "control/commands.h"
#include "base/writer.h"
#include "ipc/client.h"
#include <sysexits.h>

#define DAEMON_PATIENCE_MS 2000

/* It says as whom commands run: who may write it may become anybody. */
static void check_writers(const struct paths *paths)
{
	struct file_writer w;

	if (!*paths->sandbox && file_other_writer(paths->config_file, &w))
		complain("warning: %s may write %s, and so become root: %s %s", w.who, w.where, w.mend,
			w.where);
}

static int config_check(const struct paths *paths, const char *name)
{
	struct config *c = config_load(paths);

	(void)name;
	if (!c)
		return EX_CONFIG; /* each mistake has been told with file and line */
	config_free(&c);
	check_writers(paths);
	if (access(paths->config_file, F_OK) < 0)
		(void)printf("%s does not exist: every setting has its default\n", paths->config_file);
	else
		(void)printf("%s: no mistakes\n", paths->config_file);
	return EX_OK;
}

/* What the running daemon has; into, emptied. False: it did not say. */
static bool daemon_value(struct client *c, const char *name, struct buf *into)
{
	enum msg_type type = MSG_NONE;
	union msg_any m;
	int r = CLIENT_SEND(c, SETTING_ASK, .request = 1, .name = slice_of(name));

	if (r == 0)
		r = client_flush(c);
	if (r == 0)
		r = client_receive(c, &type, &m);
	if (r != 0 || type != MSG_REQUEST_DONE || m.REQUEST_DONE.exit_code != EX_OK)
		return false;
	buf_clear(into);
	buf_append(into, m.REQUEST_DONE.text);
	return true;
}

/* The file was edited and nobody reloaded: whoever asks for a value must not believe it is in effect. */
static void compare_with_daemon(const struct paths *paths, const char *name, const char *value)
{
	auto_buf struct buf running = BUF_INIT(64 * 1024);
	struct client c;

	if (client_open_within(&c, paths->control_socket, DAEMON_PATIENCE_MS) < 0)
		return; /* none runs, or it is busy: the file is what counts */
	if (daemon_value(&c, name, &running) && !slice_eq(buf_slice(&running), slice_of(value)))
		complain("the running daemon uses \"%.*s\"; `postrider reload` (or, for settings that need "
			 "it, a restart) makes the file's value take effect",
			SLICE_ARG(buf_slice(&running)));
	client_close(&c);
}

void configuration_tell_restarts(const struct paths *paths, const struct config *fresh)
{
	auto_buf struct buf running = BUF_INIT(64 * 1024);
	struct client c;
	char name[64];

	if (client_open_within(&c, paths->control_socket, DAEMON_PATIENCE_MS) < 0)
		return; /* its log says it too */
	for (size_t i = 0; i < n_settings; i++) {
		const struct setting *s = &settings[i];
		auto_free char *value = setting_value_text(fresh, s);
		if (s->can_reload)
			continue;
		(void)snprintf(name, sizeof(name), "%s.%s", s->section, s->name);
		if (!daemon_value(&c, name, &running))
			break;
		if (!slice_eq(buf_slice(&running), slice_of(value)))
			complain("%s stays \"%.*s\" until postriderd is restarted", name,
				SLICE_ARG(buf_slice(&running)));
	}
	client_close(&c);
}

static int config_get(const struct paths *paths, const char *name)
{
	const struct setting *s = setting_named(slice_of(name));
	struct config *c;

	if (!s) {
		complain(
			"%s: no such setting; `postrider config list` shows all, written section.name", name);
		return EX_DATAERR;
	}
	c = config_load(paths);
	if (!c)
		return EX_CONFIG;
	auto_free char *value = setting_value_text(c, s);
	(void)puts(value);
	config_free(&c);
	compare_with_daemon(paths, name, value);
	return EX_OK;
}

static int config_list(const struct paths *paths, const char *name)
{
	char full[64];

	(void)paths, (void)name;
	for (size_t i = 0; i < n_settings; i++) {
		const struct setting *s = &settings[i];
		(void)snprintf(full, sizeof(full), "%s.%s", s->section, s->name);
		(void)printf("%-30s %-7s %-22s %s%s\n", full, setting_type_name(s->type),
			*s->preset ? s->preset : "-", s->help, s->can_reload ? "" : " (needs a restart)");
	}
	return EX_OK;
}

int command_config(const struct paths *paths, int n_words, char **words)
{
	static const struct {
		const char *word;
		int n_words;
		int (*run)(const struct paths *paths, const char *name);
	} rows[] = { { "check", 1, config_check }, { "get", 2, config_get }, { "list", 1, config_list } };
	char hint[PATH_MAX + 60];

	for (size_t i = 0; n_words > 0 && i < ARRAY_LEN(rows); i++)
		if (strcmp(words[0], rows[i].word) == 0)
			return n_words == rows[i].n_words ? rows[i].run(paths, words[n_words - 1]) : EX_USAGE;
	(void)snprintf(hint, sizeof(hint), "; to change a setting edit %.*s, then `postrider reload`",
		PATH_MAX, paths->config_file);
	return unknown_word("config", n_words, words, hint);
}
