/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - one line for the log: whoever decides logs, once, with the mail's id
 *
 * Functions in base, mail and spool do not log. A role installs a sink that sends to the log role; programs
 * that people run keep the default, standard error. Control characters are escaped before the sink sees a
 * line. Layer: base. Tests: test_file.c.
 */
#pragma once
#include "base/slice.h"

enum log_level {
	LOG_LEVEL_ERROR,   /* someone must act */
	LOG_LEVEL_WARNING, /* someone should look */
	LOG_LEVEL_INFO,	   /* what happened to a mail */
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_COUNT
};

/* program: NULL, as a rule; else the line is that of a program which other mail systems have (log_as). */
typedef void (*log_sink)(enum log_level level, const char *program, struct slice line, void *user);
void log_set_sink(log_sink sink, void *user);	    /* NULL: standard error */
void log_set_level(enum log_level least_important); /* others are dropped before they are formatted */
bool log_wants(enum log_level level);
void log_line(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Information under the name by which log analysers know such lines: Postfix's "pickup", "cleanup". */
void log_as(const char *program, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
