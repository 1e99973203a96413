/* SPDX-License-Identifier: Apache-2.0 */
/* mailx.c - see mailx.h */
#include "mailx/mailx.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/userdb.h"
#include "config/config.h"
#include "config/host.h"
#include "mailx/child.h"
#include <fcntl.h>
#include <glob.h>
#include <pwd.h>

static void put_line(struct mailx *mx, struct slice text, FILE *to)
{
	auto_buf struct buf clean = BUF_INIT(MAILX_VALUE_MAX * 4);

	screen_clean(&mx->screen, text, SCREEN_MANY_LINES, &clean);
	(void)fprintf(to, "%.*s\n", SLICE_ARG(buf_slice(&clean)));
}

void mailx_error(struct mailx *mx, const char *fmt, ...)
{
	auto_buf struct buf text = BUF_INIT(MAILX_VALUE_MAX);
	va_list args;

	(void)fflush(stdout); /* both may be the same terminal or file: the order must be kept */
	if (mx->source.file)
		buf_printf(&text, "%s:%u: ", mx->source.file, mx->source.line);
	else if (mx->mode == MAILX_SENDING || !mx->has_folder)
		buf_append_str(&text, "mail: ");
	va_start(args, fmt);
	buf_vprintf(&text, fmt, args);
	va_end(args);
	put_line(mx, buf_slice(&text), stderr);
}

void mailx_tell(struct mailx *mx, const char *fmt, ...)
{
	auto_buf struct buf text = BUF_INIT(MAILX_VALUE_MAX);
	va_list args;

	va_start(args, fmt);
	buf_vprintf(&text, fmt, args);
	va_end(args);
	put_line(mx, buf_slice(&text), stdout);
}

static const char *sandbox_user(void)
{
	const char *name = getenv("LOGNAME");

	return name && *name ? name : getenv("USER");
}

/* In a sandbox all users are one: the environment says who this is. On a host only the kernel's answer
 * counts; LOGNAME chooses between several names of the same uid. */
static bool mailx_init_user(struct mailx *mx)
{
	const char *sandbox = mx->paths.sandbox[0] ? sandbox_user() : NULL;
	const char *login = getenv("LOGNAME"), *home = getenv("HOME");
	struct passwd *pw = login && *login ? getpwnam(login) : NULL;

	if (!pw || pw->pw_uid != getuid())
		pw = getpwuid(getuid());
	if (!pw && !(sandbox && *sandbox))
		return false;
	mx->user = mem_dup_str(sandbox && *sandbox ? sandbox : pw->pw_name);
	mx->mailbox_user = mem_dup_str(mx->user);
	mx->home = mem_dup_str(home && *home ? home : pw ? pw->pw_dir : "/");
	return true;
}

static void config_quiet(unsigned line, const char *message, void *user)
{
	(void)line, (void)message,
		(void)user; /* postriderd and `postrider config check' tell; mail only asks */
}

static char *find_origin(const struct paths *paths, const struct config *config)
{
	struct host_name host;
	char *origin;

	if (config && *config->main_origin)
		origin = mem_dup_str(config->main_origin);
	else if (host_mailname(paths->mailname_file, &host))
		origin = mem_dup_str(host.name);
	else if (config && *config->main_host_name)
		origin = mem_dup_str(config->main_host_name);
	else {
		host_name_find(&host);
		origin = mem_dup_str(host.name);
	}
	return origin;
}

/* As the daemon decides it (DESIGN section 3), without asking it: it may not run, or be another mailer. */
static void read_configuration(struct mailx *mx)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_CONFIG_FILE);
	struct config *config = NULL;

	if (file_read_path(AT_FDCWD, mx->paths.config_file, &text) == 0)
		config = config_parse(buf_slice(&text), config_quiet, NULL);
	mx->origin = find_origin(&mx->paths, config);
	mx->home_mailbox = mem_dup_str(config ? config->local_home_mailbox : "");
	config_free(&config);
}

bool mailx_init(struct mailx *mx)
{
	*mx = (struct mailx){ .folder = FOLDER_CLOSED, .conditions.is_live[0] = true };
	vars_init(&mx->vars);
	vars_import(&mx->vars, environ);
	input_init(&mx->input);
	screen_init(&mx->screen, NULL);
	mx->has_escapes = mx->input.is_tty;
	if (!paths_init_from_environment(&mx->paths) || !mailx_init_user(mx))
		return false;
	read_configuration(mx);
	return true;
}

void mailx_deinit(struct mailx *mx)
{
	vars_deinit(&mx->vars);
	aliases_deinit(&mx->aliases);
	strlist_free(&mx->alternates);
	strlist_free(&mx->sources);
	fields_deinit(&mx->fields);
	fields_deinit(&mx->saved_fields);
	fields_deinit(&mx->forward_fields);
	input_deinit(&mx->input);
	screen_deinit(&mx->screen);
	folder_close(&mx->folder);
	mem_free(mx->user);
	mem_free(mx->mailbox_user);
	mem_free(mx->home);
	mem_free(mx->origin);
	mem_free(mx->home_mailbox);
	mem_free(mx->previous_folder);
	mem_free(mx->last_shell);
	mem_free(mx->last_search);
	*mx = (struct mailx){ .folder = FOLDER_CLOSED };
}

void mailx_mailbox(const struct mailx *mx, const char *user, struct buf *path_out)
{
	const char *mail = getenv("MAIL");
	struct userdb_user found;

	if (mail && *mail && strcmp(user, mx->user) == 0)
		buf_append_str(path_out, mail);
	else if (*mx->home_mailbox &&
		userdb_find(mx->paths.users_file, slice_of(user), &found) == USERDB_FOUND)
		buf_printf(path_out, "%s/%s", found.home, mx->home_mailbox);
	else
		buf_printf(path_out, "%s/%s", mx->paths.mail_dir, user);
}

static bool is_plain_user(const char *name)
{
	return *name && name[0] != '.' && !strchr(name, '/');
}

/* ~, ~user and patterns, as a shell would take them; a pattern must name one file. */
static bool expand_pattern(struct mailx *mx, const char *written, struct buf *path_out)
{
	glob_t found;
	bool is_one;

	if (written[0] == '~' && (written[1] == '/' || written[1] == '\0')) {
		buf_printf(path_out, "%s%s", mx->home, written + 1);
		return true;
	}
	if (!strpbrk(written, "~*?[")) {
		buf_append_str(path_out, written);
		return true;
	}
	if (glob(written, GLOB_NOCHECK | GLOB_TILDE, NULL, &found) != 0) {
		buf_append_str(path_out, written);
		return true;
	}
	is_one = found.gl_pathc == 1;
	if (is_one)
		buf_append_str(path_out, found.gl_pathv[0]);
	else
		mailx_error(mx, "\"%s\" stands for %zu files; name one", written, found.gl_pathc);
	globfree(&found);
	return is_one;
}

static bool folder_directory_name(struct mailx *mx, const char *name, struct buf *path_out)
{
	const char *directory = vars_get(&mx->vars, "folder");

	if (!directory || !*directory) {
		mailx_error(mx, "\"+%s\": set the variable `folder' first", name);
		return false;
	}
	if (*directory != '/' && *directory != '~')
		buf_printf(path_out, "%s/", mx->home);
	if (!expand_pattern(mx, directory, path_out))
		return false;
	buf_printf(path_out, "/%s", name);
	return true;
}

bool mailx_file_name(struct mailx *mx, const char *written, struct buf *path_out)
{
	const char *mbox = vars_get(&mx->vars, "MBOX");

	switch (written[0]) {
	case '%':
		if (written[1] && !is_plain_user(written + 1)) {
			mailx_error(mx, "\"%s\" is no user's name", written + 1);
			return false;
		}
		mailx_mailbox(mx, written[1] ? written + 1 : mx->mailbox_user, path_out);
		break;
	case '#':
		if (written[1]) {
			buf_append_str(path_out, written);
			break;
		}
		if (!mx->previous_folder) {
			mailx_error(mx, "There was no folder before this one");
			return false;
		}
		buf_append_str(path_out, mx->previous_folder);
		break;
	case '&':
		if (written[1])
			buf_append_str(path_out, written);
		else
			return expand_pattern(mx, mbox && *mbox ? mbox : "~/mbox", path_out);
		break;
	case '+': return folder_directory_name(mx, written + 1, path_out);
	default: return expand_pattern(mx, written, path_out);
	}
	return true;
}

const char *mailx_shell(const struct mailx *mx)
{
	const char *shell = vars_get(&mx->vars, "SHELL");

	return shell && *shell ? shell : "/bin/sh";
}

static bool wants_pager(struct mailx *mx, struct slice text)
{
	const char *crt = vars_get(&mx->vars, "crt");

	if (!crt || !mx->screen.is_tty || !mx->input.is_tty)
		return false;
	screen_measure(&mx->screen);
	return mbox_count_lines(text) >= vars_number(&mx->vars, "crt", mx->screen.rows);
}

void mailx_show(struct mailx *mx, struct slice text)
{
	const char *pager = vars_get(&mx->vars, "PAGER");
	int status;

	if (wants_pager(mx, text)) {
		auto_close int in = child_input(text);
		if (in >= 0 &&
			child_shell(mailx_shell(mx), pager && *pager ? pager : "more", in, -1, &status) ==
				0 &&
			status != 126 && status != 127)
			return;
	}
	(void)fwrite(text.at, 1, text.len, stdout); /* a closed terminal is noticed at the next command */
}
