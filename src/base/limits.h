/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits.h - every ceiling with its reason; a buffer or list that a peer can grow names one of these
 *
 * What an administrator may change is a setting (config/settings.def), not a line here. Layer: base.
 */
#pragma once

#define LIMIT_LOG_LINE 8192 /* longer than any SMTP reply we quote, shorter than a datagram of /dev/log */
#define LIMIT_LOCAL_PART                                                                                     \
	256		  /* octets; RFC 5321 4.5.3.1.1 asks for 64, but VERP and SRS senders are longer     \
			   */
#define LIMIT_DOMAIN 255  /* octets, RFC 5321 4.5.3.1.2 */
#define LIMIT_ADDRESS 512 /* local-part @ domain */
#define LIMIT_PATH 1024	  /* reverse- or forward-path with what it may be quoted to; the RFC asks for 256 */
#define LIMIT_COMMAND_LINE                                                                                   \
	2048			  /* RFC 5321 asks for 512; DSN and SIZE parameters lengthen it (RFC 3461 4) \
				   */
#define LIMIT_TEXT_LINE 998	  /* RFC 5322 2.1.1; what we write ourselves */
#define LIMIT_REPLY_LINE 512	  /* RFC 5321 4.5.3.1.5 */
#define LIMIT_FRAME (1024 * 1024) /* one message between roles; a role with more to say sends several */
#define LIMIT_CHUNK                                                                                          \
	(64 * 1024) /* of a message's content in one frame, so that control frames never wait long */
#define LIMIT_CHANNEL_OUT                                                                                    \
	(8 * 1024 * 1024) /* unsent bytes of a channel; above its half the sender is asked to stop */
#define LIMIT_CONFIG_FILE (1024 * 1024) /* larger than any configuration that a person wrote */
#define LIMIT_ALIAS_LINE                                                                                     \
	(1024 * 1024) /* one entry with its continuations; larger ones are an error of that entry */
#define LIMIT_FORWARD_FILE (64 * 1024) /* a user's ~/.forward */
#define LIMIT_LIST (32 * 1024 * 1024)  /* :include: files of one list: LIMIT_EXPANSION long members */
#define LIMIT_LIST_DEPTH 10	       /* :include: files that include each other */
#define LIMIT_EXPANSION 100000	       /* leaves of one recipient's expansion */
#define LIMIT_RECIPIENTS 400000	       /* of one mail, with all that expansions added */
#define LIMIT_DRY_RUN_ALL 1000	       /* leaves of a dry run: a person reads them */
#define LIMIT_DRY_RUN_OWN 100	       /* of one for an ordinary user: others are to be served meanwhile */
#define LIMIT_DRY_RUN_TEXT 512	       /* octets of one of its steps */
#define LIMIT_DRY_RUN_STEPS 10	       /* for each leaf, on the average */
#define LIMIT_ALIAS_FILES 16	       /* aliases files, asked one after the other for each local recipient */
#define LIMIT_ALIAS_DEPTH 100	       /* aliases that lead to aliases */
#define LIMIT_HEADER (256 * 1024)      /* header section that is looked into (Received count, sendmail -t) */
#define LIMIT_REASON 1000	       /* octets of a remote reply or reason that is kept with a recipient */
#define LIMIT_TRAIL 50		       /* forwarding steps before a loop is declared */
