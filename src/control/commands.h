/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands.h - the commands of postrider(8), one function each
 *
 * A command gets the words behind its name and returns the exit status (sysexits); EX_USAGE makes main.c
 * print how it is called. What went wrong is told on standard error, with what to do. Layer: program. Tests:
 * tests/system/test_system_control.py.
 */
#pragma once
#include "config/config.h"

typedef int (*command_run)(const struct paths *paths, int n_words, char **words);

int command_status(const struct paths *paths, int n_words, char **words);
int command_reload(const struct paths *paths, int n_words, char **words);
int command_stop(const struct paths *paths, int n_words, char **words);
int command_setup(const struct paths *paths, int n_words, char **words);
int command_config(const struct paths *paths, int n_words, char **words);
int command_queue(const struct paths *paths, int n_words, char **words);
int command_explain(const struct paths *paths, int n_words, char **words);
int command_trace(const struct paths *paths, int n_words, char **words);
int command_spool(const struct paths *paths, int n_words, char **words);
int command_aliases(const struct paths *paths, int n_words, char **words);

/* Names the settings of the file that a reload cannot make take effect. */
void configuration_tell_restarts(const struct paths *paths, const struct config *fresh);
/* "postrider: ..." on standard error, in one line that commands no terminal. */
void complain(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* words[0], when there is one, is no word of that command; hint: what to do, begins with "; ", or empty.
 * EX_USAGE. */
int unknown_word(const char *command, int n_words, char **words, const char *hint);
/* On standard output; what could command a terminal is masked. */
void print_safely(struct slice text);
