/* SPDX-License-Identifier: Apache-2.0 */
/* send.c - see send.h */
#include "mailx/send.h"
#include "base/clock.h"
#include "base/file.h"
#include "mail/date.h"
#include "mailx/append.h"
#include "mailx/child.h"
#include "mailx/deadletter.h"
#include "mailx/mime_out.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sysexits.h>

static int open_attachment(struct mailx *mx, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0) {
		mailx_error(mx, "cannot attach \"%s\": %s", path, strerror(errno));
		return -1;
	}
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		mailx_error(mx,
			"cannot attach \"%s\": it is a directory; attach its files, or an archive of it",
			path);
		cleanup_close(&fd);
		return -1;
	}
	return fd;
}

bool send_check_attachments(struct mailx *mx, const struct draft *d)
{
	for (size_t i = 0; i < d->attachments.n; i++) {
		auto_close int fd = open_attachment(mx, d->attachments.at[i]);
		if (fd < 0)
			return false;
	}
	return true;
}

static bool read_attachment(struct mailx *mx, const char *path, struct buf *content)
{
	auto_close int fd = open_attachment(mx, path);
	int r;

	if (fd < 0)
		return false;
	r = file_read_all(fd, content);
	if (r < 0)
		mailx_error(mx, "cannot attach \"%s\": %s", path, strerror(-r));
	return r == 0;
}

/* The draft as bytes; false when an attachment cannot be read or it does not fit. */
static bool write_message(struct mailx *mx, const struct draft *d, struct buf *message_out)
{
	size_t n = d->attachments.n, n_all = n + d->n_messages;
	auto_free struct attachment *attachments = mem_new_array(n_all, sizeof(*attachments));
	auto_free struct buf *contents = mem_new_array(n, sizeof(*contents));
	bool is_good = true;

	for (size_t i = 0; i < n && is_good; i++) {
		const char *path = d->attachments.at[i], *slash = strrchr(path, '/');
		contents[i] = BUF_INIT(MAILX_TEXT_MAX);
		is_good = read_attachment(mx, path, &contents[i]);
		attachments[i] = (struct attachment){ .name = slash ? slash + 1 : path,
			.content = buf_slice(&contents[i]) };
	}
	for (size_t i = n; i < n_all; i++)
		attachments[i] =
			(struct attachment){ .content = buf_slice(&d->messages[i - n]), .is_message = true };
	if (is_good && !mime_write(mx, d, attachments, n_all, clock_wall_s(), message_out)) {
		mailx_error(mx, "the message is too large (more than %lu MiB)", MAILX_TEXT_MAX >> 20);
		is_good = false;
	}
	for (size_t i = 0; i < n; i++)
		buf_free(&contents[i]);
	return is_good;
}

/* The variable `sendmail' (a path, or a name in PATH), else the host's; in a sandbox the one on PATH. */
static const char *transport_program(const struct mailx *mx)
{
	static const char *const places[] = { "/usr/sbin/sendmail", "/usr/lib/sendmail" };
	const char *program = vars_get(&mx->vars, "sendmail");

	if (program && strncmp(program, "sendmail://", 11) == 0)
		program += 11;
	if (program && *program)
		return program;
	for (size_t i = 0; i < ARRAY_LEN(places) && !mx->paths.sandbox[0]; i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return "sendmail";
}

/* argv points into the lists and the draft. */
static void transport_arguments(
	const struct mailx *mx, const struct draft *d, const struct strlist *addresses, const char **argv)
{
	size_t n = 0;

	argv[n++] = transport_program(mx);
	argv[n++] = "-i";
	if (vars_on(&mx->vars, "verbose"))
		argv[n++] = "-v";
	if (d->sender) {
		argv[n++] = "-f";
		argv[n++] = d->sender;
	}
	argv[n++] = "--";
	for (size_t i = 0; i < addresses->n; i++)
		argv[n++] = addresses->at[i];
	argv[n] = NULL;
}

static int transport_run(struct mailx *mx, const char *const *argv, struct slice message)
{
	auto_close int in = child_input(message);
	struct child child = { .argv = argv, .in = in, .out = -1 };
	pid_t pid;
	int r, status;

	if (in < 0) {
		mailx_error(mx, "there is no room for the message that %s is to be given: %s", argv[0],
			strerror(-in));
		return EX_TEMPFAIL;
	}
	r = child_start(&child, &pid);
	if (r < 0) {
		mailx_error(mx,
			"cannot run %s: %s; set the variable `sendmail' to the program that sends mail",
			argv[0], strerror(-r));
		return EX_OSFILE;
	}
	if (!vars_on(&mx->vars, "sendwait"))
		return 0;
	status = child_wait(pid);
	if (status == 0)
		return 0;
	mailx_error(mx, "%s failed with status %d; the message was not sent", argv[0], status);
	return status >= EX__BASE && status <= EX__MAX ? status : EX_UNAVAILABLE;
}

int send_bytes(struct mailx *mx, const struct draft *d, struct slice message)
{
	auto_strlist struct strlist addresses = STRLIST_INIT;
	auto_free const char **argv = NULL;

	draft_envelope(d, &addresses);
	argv = mem_new_array(addresses.n + 8, sizeof(*argv));
	transport_arguments(mx, d, &addresses, argv);
	if (!vars_on(&mx->vars, "debug"))
		return transport_run(mx, argv, message);
	for (size_t i = 0; argv[i]; i++)
		(void)fprintf(stderr, "%s%s", i ? " " : "", argv[i]);
	(void)fprintf(stderr, "\n%.*s", SLICE_ARG(message));
	return 0;
}

static void add_variable_recipients(struct mailx *mx, struct draft *d)
{
	const char *cc = vars_get(&mx->vars, "autocc"), *bcc = vars_get(&mx->vars, "autobcc");

	if (cc && !draft_add_recipients(mx, d, DRAFT_CC, cc))
		mailx_error(mx, "`autocc' is left out");
	if (bcc && !draft_add_recipients(mx, d, DRAFT_BCC, bcc))
		mailx_error(mx, "`autobcc' is left out");
}

static void add_signature(struct mailx *mx, struct draft *d)
{
	const char *file = vars_get(&mx->vars, "signature");
	auto_buf struct buf path = BUF_INIT(PATH_MAX);
	size_t before = d->text.len;
	int r;

	if (!file || !*file || !mailx_file_name(mx, file, &path) || !buf_cstr(&path))
		return;
	if (before && d->text.at[before - 1] != '\n')
		buf_append_byte(&d->text, '\n');
	r = file_read_path(AT_FDCWD, buf_cstr(&path), &d->text);
	if (r < 0)
		mailx_error(mx, "the signature \"%s\" is left out: %s", buf_cstr(&path), strerror(-r));
}

/* The message at the end of a folder. 0, LOCK_BUSY or negative errno. */
static int append_sent(struct mailx *mx, const char *path, struct slice message)
{
	auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX), line = BUF_INIT(1024);
	bool is_new;

	buf_printf(&line, "From %s ", mx->user);
	date_append_from_line(&line, clock_wall_s());
	mbox_quote(buf_slice(&line), message, &text);
	return buf_ok(&text) ? append_to_file(path, APPEND_MESSAGES, buf_slice(&text), &is_new) : -EFBIG;
}

static bool send_to_command(struct mailx *mx, const char *command, struct slice message)
{
	auto_close int in = child_input(message);
	int status = 0, r = in < 0 ? in : child_shell(mailx_shell(mx), command, in, -1, &status);

	if (r < 0 || status)
		mailx_error(mx, "\"%s\" did not take the message: %s", command,
			r < 0 ? strerror(-r) : "its exit status is not 0");
	return r == 0 && status == 0;
}

/* Files and commands among the addressees (`expandaddr'). Exit status. */
static int send_to_targets(struct mailx *mx, const struct draft *d, struct slice message)
{
	int status = 0;

	for (size_t i = 0; i < d->targets.n; i++) {
		auto_buf struct buf path = BUF_INIT(PATH_MAX);
		const char *target = d->targets.at[i];
		int r;
		if (target[0] == '|') {
			status = send_to_command(mx, target + 1, message) ? status : EX_UNAVAILABLE;
			continue;
		}
		if (!mailx_file_name(mx, target, &path) || !buf_cstr(&path))
			return EX_CANTCREAT;
		r = append_sent(mx, buf_cstr(&path), message);
		if (r != 0) {
			mailx_error(mx, "cannot write \"%s\": %s", buf_cstr(&path), append_problem(r));
			status = EX_CANTCREAT;
		}
	}
	return status;
}

/* A copy of what was sent, in the file that the variable `record' names. */
static void record(struct mailx *mx, struct slice message)
{
	const char *file = vars_get(&mx->vars, "record");
	auto_buf struct buf path = BUF_INIT(PATH_MAX), line = BUF_INIT(1024);
	bool in_folder = vars_on(&mx->vars, "outfolder");
	int r;

	if (!file || !*file || vars_on(&mx->vars, "debug"))
		return;
	if (in_folder && !strchr("/+~%&", *file))
		buf_printf(&line, "+%s", file);
	else
		buf_append_str(&line, file);
	if (!buf_cstr(&line) || !mailx_file_name(mx, buf_cstr(&line), &path) || !buf_cstr(&path))
		return;
	r = append_sent(mx, buf_cstr(&path), message);
	if (r != 0)
		mailx_error(mx, "the message was sent, but not recorded in \"%s\": %s", buf_cstr(&path),
			append_problem(r));
}

int send_draft(struct mailx *mx, struct draft *d)
{
	auto_buf struct buf message = BUF_INIT(MAILX_TEXT_MAX), note = BUF_INIT(256);
	int status;

	if (draft_count_recipients(d) == 0) {
		mailx_error(mx, "no addressee: nothing was sent");
		deadletter_save(mx, d, NULL);
		return EX_USAGE;
	}
	if (vars_on(&mx->vars, "skipemptybody") && d->text.len == 0 && d->attachments.n == 0)
		return 0;
	add_variable_recipients(mx, d);
	add_signature(mx, d);
	if (!write_message(mx, d, &message)) {
		deadletter_save(mx, d, "mail: an attachment could not be read");
		return EX_NOINPUT;
	}
	status = draft_count_recipients(d) > d->targets.n ? send_bytes(mx, d, buf_slice(&message)) : 0;
	if (status == 0 && !vars_on(&mx->vars, "debug"))
		status = send_to_targets(mx, d, buf_slice(&message));
	if (status) {
		buf_printf(&note, "mail: not sent, status %d", status);
		deadletter_save(mx, d, buf_cstr(&note));
		return status;
	}
	record(mx, buf_slice(&message));
	return 0;
}
