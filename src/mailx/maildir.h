/* SPDX-License-Identifier: Apache-2.0 */
/*
 * maildir.h - a Maildir as a folder: each message is a file, its flags stand in the file's name
 *
 * Needs no locks: a message is written aside and renamed, other readers may rename it at any time, and so it
 * is looked for again under its unique name. The text handed out is that of an mbox, with a From_ line made
 * of Return-Path: and the time of arrival; the file's own bytes never change. Layer: mailx. Tests:
 * test_maildir.c, tests/system/test_mail_maildir.py.
 */
#pragma once
#include "mailx/rewrite.h"

/* A directory with cur and new in it. */
bool maildir_is(const char *path);

/* For folder.h alone, whose words say what they do; f->path is set, f->fd becomes the directory. */
MUST_USE int maildir_open(struct folder *f);
bool maildir_has_grown(const struct folder *f);
MUST_USE int maildir_extend(struct folder *f);
MUST_USE int maildir_read(struct folder *f, size_t index, bool head_only, struct buf *out);

/* For rewrite.h alone: deleted messages are unlinked, the others get their flags. */
MUST_USE int maildir_rewrite(struct folder *f, struct rewrite_outcome *outcome_out);
/* Adds the messages of mbox_text, all or none of them; makes the Maildir where there is none (*is_new_out).
 * Each is synced, and then its name. 0 or negative errno. */
MUST_USE int maildir_append(const char *path, struct slice mbox_text, bool *is_new_out);
