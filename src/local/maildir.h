/* SPDX-License-Identifier: Apache-2.0 */
/*
 * maildir.h - delivery into a Maildir: a file of its own for each mail, whole under its name or not there
 *
 * Written in tmp/, synced, linked into new/, and new/ synced; no locks. The name is made of queue id and
 * recipient, so that a second attempt after a crash finds the first one's file instead of delivering again.
 * Runs as the owner; missing directories are made (0700). Layer: local. Tests: test_errand.c.
 */
#pragma once
#include "base/slice.h"

struct maildir_mail {
	struct slice text; /* MBOX_STYLE_MAILDIR */
	uint64_t queue_id;
	uint32_t rcpt;
	const char *host; /* ours, for the name */
	bool is_doubtful; /* an earlier attempt may have delivered it */
};

/* path: of the directory. 1: delivered; 2: it was there already; or negative errno, and nothing is there. */
enum maildir_outcome { MAILDIR_DELIVERED = 1, MAILDIR_DELIVERED_BEFORE = 2 };
MUST_USE int maildir_deliver(const char *path, const struct maildir_mail *mail);
