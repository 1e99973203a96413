/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.h - what processes say to each other: structs, encoder, decoder and permission made from
 * messages.def
 *
 * A decoder accepts a message only if every byte was used; a receiver trusts no sender. Slices of a decoded
 * message look into the frame. Frame: u32 payload length, u16 type, u16 flags (1: a descriptor comes along),
 * payload; little endian. Layer: ipc. Tests: test_message.c, fuzz/fuzz_ipc.c.
 */
#pragma once
#include "base/buf.h"

enum role {
	ROLE_SUPERVISOR,
	ROLE_SMTPD,
	ROLE_QUEUE,
	ROLE_LOOKUP,
	ROLE_USERS,
	ROLE_SMTP,
	ROLE_LOCAL,
	ROLE_WORKER, /* of local; runs as the recipient */
	ROLE_LOG,
	ROLE_CLIENT, /* a command that a person or program runs */
	ROLE_COUNT
};
const char *role_name(enum role role);

enum {
	R_SUPERVISOR = 1 << ROLE_SUPERVISOR,
	R_SMTPD = 1 << ROLE_SMTPD,
	R_QUEUE = 1 << ROLE_QUEUE,
	R_LOOKUP = 1 << ROLE_LOOKUP,
	R_USERS = 1 << ROLE_USERS,
	R_SMTP = 1 << ROLE_SMTP,
	R_LOCAL = 1 << ROLE_LOCAL,
	R_WORKER = 1 << ROLE_WORKER,
	R_LOG = 1 << ROLE_LOG,
	R_CLIENT = 1 << ROLE_CLIENT,
	R_ANY = R_SUPERVISOR | R_SMTPD | R_QUEUE | R_LOOKUP | R_USERS | R_SMTP | R_LOCAL | R_LOG,
};

/* ---- values of U8 fields, shared by both ends ---- */

enum user_outcome {
	USER_FOUND = 1,
	USER_UNKNOWN,	  /* a definite no: 5.1.1 */
	USER_UNAVAILABLE, /* error or time-out of the user database: 4.3.0 */
};

enum job_outcome {
	JOB_DELIVERED = 1, /* of a route: the leaves are complete */
	JOB_RELAYED,	   /* handed to another host, which answers for it now */
	JOB_DEFERRED,	   /* try again; status 4.x.x */
	JOB_FAILED,	   /* bounce; status 5.x.x */
	JOB_FORWARDED,	   /* replaced by the JOB_FORWARD leaves that came before */
	JOB_RELAYED_DSN,   /* as RELAYED, and that host was told which reports are wanted (RFC 3461) */
	JOB_UNREACHABLE, /* as DEFERRED, for every message to that destination: no host of it could be found,
			    connected to or greeted */
	JOB_MISCONFIGURED, /* as DEFERRED, until somebody of this host has mended a file, but not for long:
			      queue.misconfigured_lifetime */
	JOB_TRANSPORT,	   /* of local: nothing was done; the mailbox is that of local.mailbox_transport */
};

enum leaf_kind {
	LEAF_ADDRESS = 1, /* not routed yet: route it */
	LEAF_USER,	  /* a mailbox of this host; destination = user name */
	LEAF_REMOTE,	  /* destination = next hop: "domain" (MX), "[host]" or "[host]:port" (no MX) */
	LEAF_DISCARD,	  /* /dev/null, :blackhole: */
	LEAF_FILE,	  /* origin refers to an alias table's item, or to the user's .forward */
	LEAF_COMMAND,	  /* likewise */
	LEAF_FAIL,	  /* with status and reason */
	LEAF_DEFER,	  /* with status and reason */
};

enum rcpt_flags {
	RCPT_NO_ALIAS = 1,   /* `\user`: this user's own mailbox */
	RCPT_NO_FORWARD = 2, /* do not read ~/.forward */
	RCPT_RECONCILE = 4,  /* an earlier attempt may have been cut off: look at the mailbox's tail first */
};

/* A routing or a job that delivers nothing, and tells what it decides. */
enum dry_run {
	DRY_RUN_NO = 0, /* the real thing */
	DRY_RUN_OWN,	/* for a user, who sees his own files only */
	DRY_RUN_ALL,	/* for an administrator */
};

/* What a step of a dry run is about; explain_kind_name() has their words. */
enum explain_kind {
	EXPLAIN_NOTE = 1,
	EXPLAIN_ADDRESS,   /* its canonical form */
	EXPLAIN_DOMAIN,	   /* of this host, or not, and why */
	EXPLAIN_ALIAS,	   /* there is one of that name, or none */
	EXPLAIN_EXTENSION, /* what becomes of user+extension */
	EXPLAIN_OWNER,	   /* who gets the bounces of a list's members */
	EXPLAIN_ITEM,	   /* of an alias, ~/.forward or list */
	EXPLAIN_LEAF,	   /* an address or item that the mail goes on to */
	EXPLAIN_DUPLICATE, /* left out: the same is there already */
	EXPLAIN_USER,	   /* the user database's answer */
	EXPLAIN_FORWARD,   /* the user's ~/.forward: used, or why not */
	EXPLAIN_NEXT_HOP,
	EXPLAIN_HOST,	/* that would be tried */
	EXPLAIN_RCPT,	/* what RCPT would be answered */
	EXPLAIN_HIDDEN, /* not for this asker's eyes */
	EXPLAIN_KIND_COUNT
};
const char *explain_kind_name(enum explain_kind kind); /* NULL: there is none of that number */

enum queue_view {
	QUEUE_VIEW_MAILS = 1, /* QUEUE_MAIL, then QUEUE_RCPT for each recipient that is not served yet */
	QUEUE_VIEW_FULL,      /* QUEUE_MAIL, QUEUE_ENVELOPE, QUEUE_RCPT for every recipient */
	QUEUE_VIEW_GROUPS,    /* QUEUE_GROUP, the largest first */
};

#define QUEUE_GROUP_KEY 500 /* reasons are cut there when they are counted */

enum queue_by {
	QUEUE_BY_ALL = 1, /* one group: the count */
	QUEUE_BY_REASON,
	QUEUE_BY_DOMAIN, /* of the recipients */
	QUEUE_BY_SENDER,
};

enum queue_action {
	QUEUE_ACT_FLUSH = 1,	  /* another attempt now */
	QUEUE_ACT_HOLD,		  /* no attempts until released */
	QUEUE_ACT_RELEASE,	  /* and another attempt now */
	QUEUE_ACT_REQUEUE,	  /* as RELEASE, and routed as if it had not been moved */
	QUEUE_ACT_DELETE,	  /* nobody is told */
	QUEUE_ACT_EXPIRE,	  /* its next attempt is the last one */
	QUEUE_ACT_EXPIRE_RELEASE, /* the same, held mail too */
	QUEUE_ACT_GIVE_UP,	  /* returned now, without another attempt; held mail too */
	QUEUE_ACT_MOVE_HOST,	  /* argument: next hop of all recipients from now on */
	QUEUE_ACT_MOVE_ADDRESS,	  /* argument: the address that replaces all recipients */
	QUEUE_ACT_COUNT
};

enum queue_rcpt_state {
	QUEUE_RCPT_WAITING = 1, /* for its next attempt */
	QUEUE_RCPT_ACTIVE,	/* being routed or delivered */
	QUEUE_RCPT_DELIVERED,
	QUEUE_RCPT_FAILED, /* and its sender was told */
	QUEUE_RCPT_EXPANDED,
	QUEUE_RCPT_DUPLICATE,
	QUEUE_RCPT_DELETED,
};

enum queue_mail_state {
	QUEUE_MAIL_WAITING = ' ',
	QUEUE_MAIL_ACTIVE = '*',
	QUEUE_MAIL_HELD = '!',
};

/* ---- made from messages.def ---- */

#define U8(f) uint8_t f;
#define U16(f) uint16_t f;
#define U32(f) uint32_t f;
#define U64(f) uint64_t f;
#define STR(f) struct slice f;
#define BYTES(f) struct slice f;

enum msg_type {
	MSG_NONE,
#define MSG(name, from, to, fields) MSG_##name,
#include "ipc/messages.def"
#undef MSG
	MSG_TYPE_COUNT
};

#define MSG(name, from, to, fields)                                                                          \
	struct msg_##name {                                                                                  \
		fields                                                                                       \
	};
#include "ipc/messages.def"
#undef MSG

union msg_any {
#define MSG(name, from, to, fields) struct msg_##name name;
#include "ipc/messages.def"
#undef MSG
};

#undef U8
#undef U16
#undef U32
#undef U64
#undef STR
#undef BYTES

struct msg_info {
	const char *name;
	uint32_t from, to;  /* masks of R_* */
	const char *fields; /* as written in messages.def */
};
extern const struct msg_info msg_info[MSG_TYPE_COUNT];

#define MSG_HEADER_BYTES 8
#define MSG_FLAG_DESCRIPTOR 1

struct msg_header {
	uint32_t length; /* of the payload */
	uint16_t type;
	uint16_t flags;
};

/* Appends one frame. m is a struct msg_NAME of that type. Sets the buffer's failed flag when it does not fit.
 */
void msg_encode(struct buf *out, enum msg_type type, const void *m, uint16_t flags);
/* in holds at least MSG_HEADER_BYTES; false when type or length can not be. */
MUST_USE bool msg_header_decode(struct slice in, struct msg_header *out);
/* Payload to struct; false unless it is well-formed and used up. */
MUST_USE bool msg_decode(enum msg_type type, struct slice payload, union msg_any *out);
MUST_USE bool msg_allowed(enum msg_type type, enum role from, enum role to);
/* Two binaries speak the same language when this is equal. */
uint32_t msg_protocol_hash(void);
