/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - formats, escapes and hands on one line; see log.h */
#include "base/log.h"
#include "base/buf.h"
#include "base/limits.h"

static void log_to_stderr(enum log_level level, const char *program, struct slice line, void *user)
{
	(void)level, (void)program, (void)user;
	(void)fprintf(stderr, "%.*s\n", SLICE_ARG(line)); /* nowhere left to report it */
}

static log_sink sink = log_to_stderr;
static void *sink_user;
static enum log_level least = LOG_LEVEL_INFO;

void log_set_sink(log_sink new_sink, void *user)
{
	sink = new_sink ? new_sink : log_to_stderr;
	sink_user = user;
}

void log_set_level(enum log_level least_important)
{
	least = least_important;
}

bool log_wants(enum log_level level)
{
	return level <= least;
}

/* C0, DEL, and C1, which terminals obey too: as UTF-8 (C2 80..9F) or as a byte that continues nothing. */
static bool is_control(struct slice s, size_t i)
{
	unsigned char c = (unsigned char)s.at[i], before = i ? (unsigned char)s.at[i - 1] : 0;

	return c < 0x20 || c == 0x7f || (c >= 0x80 && c <= 0x9f && (before < 0x80 || before == 0xc2));
}

static void log_escape(struct slice in, struct buf *out)
{
	for (size_t i = 0; i < in.len; i++) {
		if (is_control(in, i))
			buf_printf(out, "\\x%02x", (unsigned char)in.at[i]);
		else
			buf_append_byte(out, in.at[i]);
	}
}

static PRINTF_LIKE(3, 0) void log_formatted(
	enum log_level level, const char *program, const char *fmt, va_list args)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_LOG_LINE);
	auto_buf struct buf clean = BUF_INIT(LIMIT_LOG_LINE * 4);
	struct slice line;
	bool has_control = false;

	buf_vprintf(&text, fmt, args);
	line = buf_ok(&text) ? buf_slice(&text) : SLICE("(a log line was too long)");
	for (size_t i = 0; i < line.len && !has_control; i++)
		has_control = is_control(line, i);
	if (has_control) {
		log_escape(line, &clean);
		line = buf_slice(&clean);
	}
	sink(level, program, line, sink_user);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list args;

	if (!log_wants(level))
		return;
	va_start(args, fmt);
	log_formatted(level, NULL, fmt, args);
	va_end(args);
}

void log_as(const char *program, const char *fmt, ...)
{
	va_list args;

	if (!log_wants(LOG_LEVEL_INFO))
		return;
	va_start(args, fmt);
	log_formatted(LOG_LEVEL_INFO, program, fmt, args);
	va_end(args);
}
