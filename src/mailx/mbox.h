/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mbox.h - where the messages of an mbox begin and end, and their Status: and X-Status: flags
 *
 * Pure: looks at bytes that the caller mapped or read, keeps offsets only, so that a folder of 400 MB costs
 * some MB. Copies no message, touches no file. Layer: mailx. Tests: test_mbox.c, fuzz/fuzz_mailx_mbox.c.
 */
#pragma once
#include "base/buf.h"

enum message_flag {
	MESSAGE_NEW = 1 << 0,	  /* no reader has seen its summary before: no O in Status: */
	MESSAGE_READ = 1 << 1,	  /* its text was shown, now or earlier */
	MESSAGE_TOUCHED = 1 << 2, /* shown in this session */
	MESSAGE_DELETED = 1 << 3,
	MESSAGE_SAVED = 1 << 4,	    /* written to a file in this session */
	MESSAGE_PRESERVED = 1 << 5, /* `hold': stays in the system mailbox */
	MESSAGE_MBOXED = 1 << 6,    /* `mbox': goes to MBOX on leaving */
	MESSAGE_ANSWERED = 1 << 7,
	MESSAGE_FLAGGED = 1 << 8,
	MESSAGE_DRAFT = 1 << 9,
	MESSAGE_STAYS_NEW = 1 << 10, /* `new': leaving does not make it old */
};
#define MESSAGE_STORED (MESSAGE_NEW | MESSAGE_READ | MESSAGE_ANSWERED | MESSAGE_FLAGGED | MESSAGE_DRAFT)

/* A message that a person changed in an editor, in mbox form (`writebackedited'). */
struct edited {
	struct buf text;
	uint32_t stored_head_size; /* of the message in the folder */
};
struct message {
	uint64_t offset;    /* of its From_ line in the folder */
	uint64_t size;	    /* up to the next From_ line: with the closing empty line */
	uint32_t head_size; /* From_ line and header, without the empty line behind them */
	uint32_t head_crc;  /* CRC-32C of those bytes: tells a folder that another program rewrote */
	uint32_t n_lines;   /* 0: not counted yet */
	uint16_t flags;	    /* enum message_flag */
	uint16_t stored; /* those of MESSAGE_STORED that the folder holds; in a Maildir of MESSAGE_IN_NAME */
	struct edited
		*edited; /* owned; NULL: the text is as the folder has it. head_size is that of this text */
};
struct mbox_index {
	struct message *at;
	size_t n, cap;
};

enum mbox_result {
	MBOX_OK,       /* all bytes belong to messages (there may be none) */
	MBOX_NOT_MBOX, /* the first line is no From_ line */
};

/* Adds the messages in bytes, which begin at base in the folder. bytes begin with a From_ line or an empty
 * one. */
MUST_USE enum mbox_result mbox_scan(struct slice bytes, uint64_t base, struct mbox_index *index);
/* Fills in what From_ line and header say: head_size, head_crc and the flags; bytes begin at the From_ line.
 */
void mbox_scan_head(struct slice bytes, struct message *m);
/* Room for one message more; the caller fills it in. */
struct message *mbox_index_add(struct mbox_index *index);
void mbox_index_free(struct mbox_index *index);

/* "From sender date": a date in the manner of asctime stands behind the sender. line has no LF. */
bool mbox_is_from_line(struct slice line);
/* Sender and date of a From_ line; the date is at most 24 bytes ("Wed Feb 19 05:10:35 2020"), both may be
 * empty. */
void mbox_from_parts(struct slice line, struct slice *sender_out, struct slice *date_out);
uint32_t mbox_count_lines(struct slice bytes);
/* "Status: …" and "X-Status: …" lines for these flags, as a folder holds them after this session. */
void mbox_status_lines(unsigned flags, struct buf *out);
/* True for a header line of one of those two fields. */
bool mbox_is_status_line(struct slice line);
/* A message's text for a folder: From_ line, then content with one > before every line that begins with any
 * number of > and "From " (mboxrd), and an empty line at the end. */
void mbox_quote(struct slice from_line, struct slice content, struct buf *out);
/* The quoting alone; the last line gets its end. */
void mbox_quote_lines(struct slice content, struct buf *out);
/* Whether a line is one that the quoting puts a > before: any number of > and "From ". */
bool mbox_needs_quote(struct slice line);
