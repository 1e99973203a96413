/* SPDX-License-Identifier: Apache-2.0 */
/*
 * complete.h - what the Tab key can make of the word before the cursor: commands, files, addresses, variables
 *
 * Looks at tables and directories, changes nothing. Layer: mailx. Tests: test_complete.c,
 * tests/system/test_mail_edit.py.
 */
#pragma once
#include "mailx/mailx.h"

/* input_completer functions; user is the struct mailx. Choices are sorted, each once, as they are to be
 * typed. */
bool complete_command(void *user, struct slice line, struct slice *word_out, struct strlist *choices_out);
bool complete_address(void *user, struct slice line, struct slice *word_out, struct strlist *choices_out);
bool complete_file(void *user, struct slice line, struct slice *word_out, struct strlist *choices_out);
/* A line of a text: what follows an escape that takes files or addresses; false for all others. */
bool complete_text(void *user, struct slice line, struct slice *word_out, struct strlist *choices_out);
