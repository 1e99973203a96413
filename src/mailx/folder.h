/* SPDX-License-Identifier: Apache-2.0 */
/*
 * folder.h - an open mailbox file: its messages, the current one, and what is new in it
 *
 * Reads under the lock and lets go of it; never writes (that is rewrite.h). Message numbers inside are
 * indexes from 0. Layer: mailx. Tests: test_folder.c.
 */
#pragma once
#include "mailx/mbox.h"
#include <sys/types.h>

struct folder {
	char *path; /* as opened, symbolic links followed */
	char *name; /* as shown to people */
	int fd;
	dev_t device;
	ino_t inode;
	uint64_t size;	   /* bytes that the messages cover */
	bool is_system;	   /* the mailbox that mail is delivered to */
	bool is_read_only; /* the file, or -R */
	struct mbox_index messages;
	size_t dot; /* the current message; messages.n when there is none */
};

#define FOLDER_CLOSED ((struct folder){ .fd = -1 })

enum folder_result {
	FOLDER_OPEN,	 /* also with no message in it */
	FOLDER_MISSING,	 /* there is no such file */
	FOLDER_NOT_FILE, /* a directory, device or pipe */
	FOLDER_NOT_MBOX, /* it does not begin with a From_ line */
	FOLDER_BUSY,	 /* another program kept it locked */
};

/* f is FOLDER_CLOSED. Finishes a rewrite that a crash cut short. Also negative errno; f stays closed then. */
MUST_USE int folder_open(struct folder *f, const char *path, const char *name, bool is_read_only);
void folder_close(struct folder *f);
/* Takes in what was appended since; *n_new_out says how many messages. FOLDER_OPEN, FOLDER_BUSY,
 * FOLDER_NOT_MBOX (what is behind our part is no message: another program rewrote the folder) or negative
 * errno. */
MUST_USE int folder_extend(struct folder *f, size_t *n_new_out);
/* True when the file is longer than what was read. */
bool folder_has_grown(const struct folder *f);

/* The whole message with its From_ line and closing empty line; its first bytes must be what they were when
 * the folder was read, else -ESTALE. Appends to *out. */
MUST_USE int folder_read(const struct folder *f, size_t index, struct buf *out);
/* From_ line and header only; -ESTALE as above. */
MUST_USE int folder_read_head(const struct folder *f, size_t index, struct buf *out);
uint32_t folder_count_lines(struct folder *f, size_t index);

/* Parts of a message as read: each is empty when missing. */
struct message_parts {
	struct slice from_line; /* without LF */
	struct slice header;	/* with the last LF */
	struct slice body;	/* without the empty line before it, without the closing one */
};
struct message_parts message_split(struct slice text, size_t head_size);
