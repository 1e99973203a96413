/* SPDX-License-Identifier: Apache-2.0 */
/*
 * folder.h - an open folder: its messages, the current one, and what is new in it
 *
 * An mbox, read under the lock and let go of; an mbox that is packed (packed.h); or a Maildir (maildir.h).
 * Whatever it is, a message's text is handed out in mbox form. Never writes (that is rewrite.h). Message
 * numbers inside are indexes from 0. Layer: mailx. Tests: test_folder.c, test_maildir.c.
 */
#pragma once
#include "mailx/mbox.h"
#include "mailx/strlist.h"
#include <sys/types.h>

enum folder_kind {
	FOLDER_MBOX,
	FOLDER_PACKED,	/* its messages are read from an unpacked copy */
	FOLDER_MAILDIR, /* their offsets mean nothing; head_size is known once a message was read */
};

struct folder {
	enum folder_kind kind;
	char *path;    /* as opened, symbolic links followed */
	char *name;    /* as shown to people */
	int fd;	       /* the file; of a packed one its unpacked copy; of a Maildir the directory */
	uint64_t size; /* bytes of fd that the messages cover */
	const struct packer *packer; /* of a packed folder */
	struct folder_stamp {
		dev_t device;
		ino_t inode;
		int64_t size, changed_ns;
	} stamp;	      /* of the packed file when it was read */
	struct strlist files; /* of a Maildir: "cur/NAME" or "new/NAME" of each message */
	int64_t seen_ns[2];   /* of a Maildir: when new and cur had changed as we looked; 0: look again */
	bool is_system;	      /* the mailbox that mail is delivered to */
	bool is_read_only;    /* the file, or -R */
	struct mbox_index messages;
	size_t dot; /* the current message; messages.n when there is none */
};

#define FOLDER_CLOSED ((struct folder){ .fd = -1 })

enum folder_result {
	FOLDER_OPEN,	     /* also with no message in it */
	FOLDER_MISSING,	     /* there is no such file */
	FOLDER_NOT_FILE,     /* a directory that is no Maildir, a device or pipe */
	FOLDER_NOT_MBOX,     /* it does not begin with a From_ line */
	FOLDER_BUSY,	     /* another program kept it locked */
	FOLDER_NOT_UNPACKED, /* its program is not there or could not */
};

/* f is FOLDER_CLOSED. Finishes a rewrite that a crash cut short. Also negative errno; f stays closed then. */
MUST_USE int folder_open(struct folder *f, const char *path, const char *name, bool is_read_only);
void folder_close(struct folder *f);
/* path, under whatever name, is the open folder. */
bool folder_is_at(const struct folder *f, const char *path);
/* Takes in what was appended since; *n_new_out says how many messages. FOLDER_OPEN, FOLDER_BUSY,
 * FOLDER_NOT_MBOX (what is behind our part is no message: another program rewrote the folder) or negative
 * errno. */
MUST_USE int folder_extend(struct folder *f, size_t *n_new_out);
/* True when something may have been added. */
bool folder_has_grown(const struct folder *f);
/* The packed file is the one that was read. */
bool folder_is_as_read(const struct folder *f, int packed_fd);

/* The whole message with its From_ line and closing empty line; its first bytes must be what they were when
 * the folder was read (in a Maildir: its file must still be there), else -ESTALE. Appends to *out; the
 * message's head_size is that of this text. */
MUST_USE int folder_read(struct folder *f, size_t index, struct buf *out);
/* From_ line and header only; -ESTALE as above. */
MUST_USE int folder_read_head(struct folder *f, size_t index, struct buf *out);
/* From_ line and header as the folder has them, whatever an editor made of the message. */
MUST_USE int folder_read_stored_head(const struct folder *f, size_t index, struct buf *out);

enum folder_edit {
	FOLDER_EDITED,
	FOLDER_EDIT_NOT_ONE, /* text is not one message: no From_ line, or several */
	FOLDER_EDIT_NEVER,   /* not in this kind of folder */
};
/* The message reads as text (in mbox form) from now on, and is written back when the folder is. */
MUST_USE enum folder_edit folder_edit(struct folder *f, size_t index, struct slice text);
uint32_t folder_count_lines(struct folder *f, size_t index);

/* Parts of a message as read: each is empty when missing. */
struct message_parts {
	struct slice from_line; /* without LF */
	struct slice header;	/* with the last LF */
	struct slice body;	/* without the empty line before it, without the closing one */
};
struct message_parts message_split(struct slice text, size_t head_size);
