/* SPDX-License-Identifier: Apache-2.0 */
/* command_result.c - see command_result.h */
#include "local/command_result.h"
#include <sysexits.h>

#define COMMAND_SHOWN 200 /* octets of a command line in a reason */
#define OUTPUT_SHOWN 600

static const struct row {
	int exit_status;
	enum job_outcome outcome;
	const char *status, *words;
} rows[] = {
	{ EX_OK, JOB_DELIVERED, "2.0.0", "" },
	{ EX_USAGE, JOB_FAILED, "5.3.0", "command line usage error" },
	{ EX_DATAERR, JOB_FAILED, "5.6.0", "data format error" },
	{ EX_NOINPUT, JOB_FAILED, "5.3.0", "cannot open input" },
	{ EX_NOUSER, JOB_FAILED, "5.1.1", "user unknown" },
	{ EX_NOHOST, JOB_FAILED, "5.1.2", "host name unknown" },
	{ EX_UNAVAILABLE, JOB_FAILED, "5.3.0", "service unavailable" },
	{ EX_SOFTWARE, JOB_FAILED, "5.3.0", "internal software error" },
	{ EX_OSERR, JOB_DEFERRED, "4.3.0", "system resource problem" },
	{ EX_OSFILE, JOB_FAILED, "5.3.0", "critical OS file missing" },
	{ EX_CANTCREAT, JOB_DEFERRED, "4.2.0", "can't create user output file" },
	{ EX_IOERR, JOB_DEFERRED, "4.3.0", "input/output error" },
	{ EX_TEMPFAIL, JOB_DEFERRED, "4.3.0", "temporary failure" },
	{ EX_PROTOCOL, JOB_FAILED, "5.5.0", "remote error in protocol" },
	{ EX_NOPERM, JOB_FAILED, "5.7.0", "permission denied" },
	{ EX_CONFIG, JOB_FAILED, "5.3.5", "local configuration error" },
	{ 126, JOB_DEFERRED, "4.3.0", "command found but not executable" },
	{ 127, JOB_DEFERRED, "4.3.0", "command not found" },
};
static const struct row other = { -1, JOB_FAILED, "5.3.0", "" };

static const struct row *row_of(int exit_status)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].exit_status == exit_status)
			return &rows[i];
	return &other;
}

/* "4.2.2 mailbox is full": the command's own word on what its failure is. The length of the code, or 0. */
static size_t status_at(struct slice output)
{
	size_t dots = 0, n = 1;

	if (output.len < 5 || (output.at[0] != '4' && output.at[0] != '5') || output.at[1] != '.')
		return 0;
	for (; n < output.len && n < 10 &&
		(output.at[n] == '.' || (output.at[n] >= '0' && output.at[n] <= '9'));
		n++)
		dots += output.at[n] == '.';
	return dots == 2 && output.at[n - 1] != '.' &&
			(n == output.len || slice_find(SLICE(" \t\n"), output.at[n]) < 3)
		? n
		: 0;
}

static void set(struct command_result *out, enum job_outcome outcome, struct slice status)
{
	out->outcome = outcome;
	(void)snprintf(out->status, sizeof(out->status), "%.*s", SLICE_ARG(status));
}

static void say(struct command_result *out, struct slice command, const char *cause, struct slice output)
{
	int n = snprintf(out->reason, sizeof(out->reason), "%s: \"%.*s\"", cause,
		SLICE_ARG(slice_first(command, COMMAND_SHOWN)));

	if (output.len && n > 0 && (size_t)n < sizeof(out->reason))
		(void)snprintf(out->reason + n, sizeof(out->reason) - (size_t)n, ". Command output: %.*s",
			SLICE_ARG(slice_first(output, OUTPUT_SHOWN)));
	for (char *c = out->reason; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
}

static void exited(
	const struct command_end *end, struct slice command, struct slice output, struct command_result *out)
{
	const struct row *row = row_of(end->exit_status);
	size_t n = row->outcome == JOB_DELIVERED ? 0 : status_at(output);
	char cause[100];

	set(out, row->outcome, slice_of(row->status));
	if (n) {
		set(out, output.at[0] == '4' ? JOB_DEFERRED : JOB_FAILED, slice_first(output, n));
		output = slice_from(output, n);
		(void)slice_skip_blanks(&output);
	}
	if (row->outcome == JOB_DELIVERED)
		(void)snprintf(cause, sizeof(cause), "delivered to command");
	else if (row->words[0])
		(void)snprintf(cause, sizeof(cause), "%s (exit status %d of the command)", row->words,
			end->exit_status);
	else
		(void)snprintf(cause, sizeof(cause), "exit status %d of the command", end->exit_status);
	say(out, command, cause, row->outcome == JOB_DELIVERED ? SLICE_EMPTY : output);
}

void command_result(const struct command_end *end, struct slice command, struct command_result *out)
{
	struct slice output = end->output;
	char cause[200];

	while (output.len && slice_find(SLICE(" \t\r\n"), output.at[output.len - 1]) < 4)
		output.len--;
	*out = (struct command_result){ 0 };
	if (!end->start_error && !end->is_timed_out && end->signal == 0) {
		exited(end, command, output, out);
		return;
	}
	if (end->start_error)
		(void)snprintf(cause, sizeof(cause), "the command cannot be started (%s)",
			strerror(-end->start_error));
	else if (end->is_timed_out)
		(void)snprintf(cause, sizeof(cause),
			"the command took longer than local.command_timeout and was ended");
	else
		(void)snprintf(cause, sizeof(cause), "the command was ended by signal %d", end->signal);
	set(out, JOB_DEFERRED, SLICE("4.3.0"));
	say(out, command, cause, output);
}
