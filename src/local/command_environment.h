/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_environment.h - the environment of a delivery command, and nothing but that
 *
 * The names are those of Postfix and of Exim, so that the filters written for either work. What a sender
 * wrote is reduced to harmless letters, since commands put it into shell lines. Layer: local. Tests:
 * test_command_environment.c.
 *
 *	HOME USER LOGNAME SHELL	of the user whom the command runs as; PATH is fixed
 *	RECIPIENT		the address that is delivered to; its parts:
 *	LOCAL, DOMAIN		what stands before and behind the @
 *	LOCAL_PART, EXTENSION	what stands before and behind the delimiter in LOCAL (aliases.delimiter)
 *	LOCAL_PART_SUFFIX	the delimiter and what follows it
 *	ORIGINAL_RECIPIENT	as the client gave it
 *	SENDER			the reverse-path; MAILER-DAEMON when it is empty
 *	ENVID			of RFC 3461, as it came
 *	MESSAGE_ID		of the mail's Message-ID field, without brackets
 *	QUEUE_ID		of the mail, as the log has it
 *	QUALIFY_DOMAIN		main.origin
 *	CLIENT_ADDRESS, CLIENT_HELO, CLIENT_PROTOCOL	of mail that came by SMTP; unset for other mail
 *	CLIENT_HOSTNAME		the same; "unknown" when the client's name was not looked up
 *	SASL_USERNAME		only when that client logged in; there is no SASL_METHOD or SASL_SENDER
 *	TZ			only when the daemon has it
 *	POSTRIDER_SANDBOX	only in sandbox mode, so that `sendmail` finds this mail system and no other
 */
#pragma once
#include "base/arena.h"
#include "base/userdb.h"
#include "config/config.h"
#include "local/client.h"

struct command_mail {
	struct slice sender, forward_path, original, envid, content;
	struct client client;
	uint64_t queue_id;
};

/* NULL-ended, in a; NULL: no memory. */
MUST_USE char **command_environment(struct arena *a, const struct config *c, const struct userdb_user *user,
	const struct command_mail *mail);
