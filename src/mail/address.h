/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address.h - mail addresses: SMTP paths, bare addresses, RFC 5322 address lists, canonical form
 *
 * Looks at borrowed bytes and hands out slices into them; never resolves a name, never decides what is local.
 * Local parts are kept as written, with their quotes, until address_unquote_local(). Dots may repeat or end a
 * local part, because such addresses are in use; they may not begin it. Layer: mail.
 * Tests: test_address.c, test_address_list.c, fuzz_address.c.
 */
#pragma once
#include "base/buf.h"
#include "base/slice.h"

struct address {
	struct slice local;  /* as written; empty only in the null reverse-path <> */
	struct slice domain; /* empty: unqualified; an address literal keeps its brackets */
};

enum address_status {
	ADDRESS_OK = 0,
	ADDRESS_EMPTY,		 /* nothing there, or <> where a recipient is needed */
	ADDRESS_NO_BRACKET,	 /* a path that does not begin with '<', or no '>' closes it */
	ADDRESS_BAD_LOCAL,	 /* the local part is empty or has a character that needs quotes */
	ADDRESS_BAD_QUOTE,	 /* a quoted string does not end, or holds a control character */
	ADDRESS_BAD_DOMAIN,	 /* empty label, bad character, label above 63 octets */
	ADDRESS_BAD_LITERAL,	 /* [..] that is neither an IPv4 nor an "IPv6:" address */
	ADDRESS_BAD_ROUTE,	 /* source route that is not "@a,@b:" */
	ADDRESS_NO_DOMAIN,	 /* unqualified where a domain is needed (postmaster needs none) */
	ADDRESS_LOCAL_TOO_LONG,	 /* LIMIT_LOCAL_PART */
	ADDRESS_DOMAIN_TOO_LONG, /* LIMIT_DOMAIN */
	ADDRESS_NOT_ASCII,	 /* 8-bit without ADDRESS_UTF8 */
	ADDRESS_BAD_UTF8,	 /* 8-bit that is no UTF-8 */
	ADDRESS_BAD_COMMENT,	 /* list: a comment does not end */
	ADDRESS_NO_COMMA,	 /* list: several words where one address is expected */
	ADDRESS_TRAILING,	 /* something follows the address */
	ADDRESS_STATUS_COUNT
};

enum address_flags {
	ADDRESS_UTF8 = 1,	 /* internationalised addresses (RFC 6531) */
	ADDRESS_UNQUALIFIED = 2, /* a domain may be missing */
	ADDRESS_NULL = 4,	 /* <> is accepted (reverse-path) */
};

/* Plain words for a log line or an error message, without full stop. */
const char *address_status_text(enum address_status status);

/* "<local@domain>" as in MAIL and RCPT (RFC 5321 4.1.2); a source route is accepted and ignored. ADDRESS_OK
 * fills *out and moves *in past '>'; otherwise neither changes. <postmaster> never needs a domain. */
MUST_USE enum address_status path_parse(struct slice *in, unsigned flags, struct address *out);
/* All of text is local@domain, or local with ADDRESS_UNQUALIFIED; no brackets. */
MUST_USE enum address_status address_parse(struct slice text, unsigned flags, struct address *out);
/* Empty, or an address of at most LIMIT_PATH octets: a bounce must have somewhere to go. */
MUST_USE bool address_is_reverse_path(struct slice text);
/* A host or domain name, or an address literal. */
MUST_USE enum address_status address_domain_check(struct slice domain, unsigned flags);

static inline bool address_is_null(const struct address *a)
{
	return a->local.len == 0;
}
/* "local@domain", or "local"; the null address gives nothing. */
void address_append(const struct address *a, struct buf *out);

/* The canonical form: domain in lower case (origin when there is none), localhost written
 * localhost.localdomain, quotes only where needed; the local part's case is kept. Null gives nothing. */
void address_canonical(const struct address *a, struct slice origin, struct buf *out);
/* The local part without quotes and backslashes, for the look-up of a mailbox. */
void address_unquote_local(struct slice local, struct buf *out);
/* The local part quoted where RFC 5321 asks for it; the reverse of address_unquote_local(). */
void address_quote_local(struct slice unquoted, struct buf *out);

/* Splits the unquoted local part at the first of the delimiters; false when it is not to be split: nothing
 * before the delimiter, postmaster, mailer-daemon, double-bounce, and owner-x and x-request where '-' is a
 * delimiter. On true *extension_out may be empty ("user+"). */
bool address_split_extension(
	struct slice local, struct slice delimiters, struct slice *user_out, struct slice *extension_out);

/*
 * An address list as in To: or on sendmail's command line: display names, comments, groups, angle brackets,
 * empty members, folded lines (LF is white space). Each call gives one address or one error; after an error
 * it goes on behind the next comma.
 */
struct address_list {
	struct slice text; /* what is being read; set it with ADDRESS_LIST_INIT */
	size_t at;
	unsigned flags; /* enum address_flags; ADDRESS_NULL is ignored */
};
#define ADDRESS_LIST_INIT(list_text, list_flags)                                                             \
	((struct address_list){ .text = (list_text), .flags = (list_flags) })

struct address_item {
	enum address_status status; /* not ADDRESS_OK: address is empty, text and offset say where */
	struct address address;
	struct slice text; /* the bare address as written, or what was found instead */
	struct slice name; /* display name as written, quotes included; empty when there is none */
	size_t offset;	   /* of text within the list */
};
bool address_list_next(struct address_list *list, struct address_item *item_out); /* false at the end */
