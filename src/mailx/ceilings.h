/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ceilings.h - the limits of mail(1), each with its reason
 *
 * Layer: mailx. No test of its own: numbers only.
 */
#pragma once

#define MAILX_LINE_MAX (1024 * 1024)  /* one line of a start-up file or of a command with continuations */
#define MAILX_TEXT_MAX (1024UL << 20) /* a message or text held in memory; far above what mailers carry */
#define MAILX_VALUE_MAX (64 * 1024)   /* a header value made or shown, a variable */
#define MAILX_SOURCE_DEPTH 16	      /* start-up files that source others */
#define MAILX_IF_DEPTH 32	      /* if inside if */
#define MAILX_ALIAS_DEPTH 16	      /* aliases that lead to aliases */
#define MAILX_RECIPIENTS_MAX 100000   /* addressees of one message */
#define MAILX_MIME_DEPTH 20	      /* parts inside parts that are shown */
#define MAILX_REFERENCES_MAX 20	      /* message ids kept in References:, first and newest */
#define MAILX_LOCK_WAIT_S 60	      /* for another program to let go of a folder */
#define MAILX_LOCK_STALE_S                                                                                   \
	(5 * 60) /* a lock file older than this whose process is gone counts for nothing                     \
		  */
