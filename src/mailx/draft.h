/* SPDX-License-Identifier: Apache-2.0 */
/*
 * draft.h - a message that is being written: addressees, subject, fields, attachments, text
 *
 * Addressees are stored expanded and checked, as "address" or "Name <address>"; nothing in a draft can carry
 * a line end into the header (mime_out.c writes every field through mail/header.h). Layer: mailx. Tests:
 * test_draft.c.
 */
#pragma once
#include "mailx/mailx.h"

enum draft_field { DRAFT_TO, DRAFT_CC, DRAFT_BCC, DRAFT_FIELD_COUNT };

struct draft {
	struct strlist recipients[DRAFT_FIELD_COUNT];
	char *subject;	    /* NULL: none given */
	char *from;	    /* NULL: the user (identity.h) */
	char *sender;	    /* -r: bare address for the envelope; NULL: the transport decides */
	char *reply_to;	    /* NULL: the variable `replyto' */
	char *in_reply_to;  /* message id with <>; NULL: no reply */
	char *references;   /* NULL: none */
	char *content_type; /* -M; NULL: text/plain */
	struct strlist
		fields; /* further ones, "Name: value"; they take the place of generated ones of that name */
	struct strlist attachments; /* file names */
	struct buf *messages;	    /* whole ones, passed on as attachments; n_messages */
	size_t n_messages;
	bool takes_targets; /* a person named the addressees, and `expandaddr' is set: draft_add_recipients
			     * takes files and commands too */
	struct strlist targets; /* "|command", or a file's name as a person writes it */
	struct buf text;
};

#define DRAFT_INIT ((struct draft){ .text = BUF_INIT(MAILX_TEXT_MAX) })

extern const char *const draft_field_names[DRAFT_FIELD_COUNT]; /* "To", "Cc", "Bcc" */

void draft_free(struct draft *d);
#define auto_draft __attribute__((cleanup(draft_free)))
/* Addresses separated by commas or blanks, with or without names; aliases are expanded, repeated ones left
 * out. False, and nothing added, when one is no address: told. */
MUST_USE bool draft_add_recipients(
	struct mailx *mx, struct draft *d, enum draft_field field, const char *text);
size_t draft_count_recipients(const struct draft *d); /* with targets */
/* All bare addresses, each once: what the transport gets. */
void draft_envelope(const struct draft *d, struct strlist *out);
/* Replaces the string at *slot; line ends and other controls become blanks; NULL or only blanks: none. */
void draft_set(char **slot, const char *text);
/* "Name: value" goes to the place that the draft has for it (addressees are added), else it is a further
 * field. False: it has not that form, or an addressee is no address; told. */
MUST_USE bool draft_take_field(struct mailx *mx, struct draft *d, const char *field);
/* The value of a variable, with \n and \t in it as line end and tab, then a line end; false when it is not
 * set. */
bool draft_variable_text(const struct mailx *mx, const char *name, struct buf *out);
/* The value of a further field of that name; NULL: there is none. */
const char *draft_field(const struct draft *d, const char *name);
/* The bare address in "Name <address>" or "address"; empty when there is none. */
struct slice draft_bare_address(const char *text, struct slice *name_out);
/* Header (with Bcc) and text, so that `mail -t' or ~e can take it again. */
void draft_write_template(const struct draft *d, struct buf *out);
/* The reverse: fields go to their places, added to what is there; the rest becomes the text. False: told. */
MUST_USE bool draft_read_template(struct mailx *mx, struct draft *d, struct slice template_text);
