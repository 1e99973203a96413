/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mbox_text.h - one delivery as it stands in an mbox: From_ line, trace headers, the mail with its "From "
 * lines quoted, a blank line; and as a command or a Maildir gets it, which need neither quoting nor that line
 *
 * Pure: the text of a delivery depends on nothing but its arguments, so that a copy left behind by a crash is
 * recognised byte by byte (all but the date in the From_ line). Layer: local. Tests: test_mbox_text.c,
 * fuzz_mbox_append.c.
 */
#pragma once
#include "base/buf.h"

enum mbox_style {
	MBOX_STYLE_MBOX = 0,
	MBOX_STYLE_COMMAND, /* From_ line, as procmail and its like expect; nothing quoted, no line added */
	MBOX_STYLE_MAILDIR, /* no From_ line either */
};

struct mbox_delivery {
	enum mbox_style style;
	bool is_mboxrd; /* ">From " gets another '>', so that a reader can take each back; else as in mboxo */
	struct slice sender;	  /* reverse-path */
	struct slice original_to; /* as given by the client */
	struct slice forward_path;
	struct slice trail; /* see mail/trail.h */
	struct slice content;
	uint64_t queue_id;
	int64_t time_s;
};

struct mbox_text {
	struct buf text;
	size_t date_at; /* offset of the MBOX_DATE_BYTES of the From_ line that may differ */
	/* The bytes behind the date up to here are this delivery's alone: they end behind the queue id in our
	 * Received field. 0: the content does not begin with that field. */
	size_t mark_end;
	size_t content_at; /* of the mail's own first line, which begins the mark's Received field */
	uint64_t queue_id;
};
#define MBOX_DATE_BYTES 24

/* The text is *t's until mbox_text_free; false when there is no memory for it. */
MUST_USE bool mbox_text_build(struct mbox_text *t, const struct mbox_delivery *d);
void mbox_text_free(struct mbox_text *t);
