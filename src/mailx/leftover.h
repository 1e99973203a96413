/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leftover.h - the .lock file of a local delivery that was cut short
 *
 * Postrider's delivery writes into its lock file how long the mailbox was and will be ("postrider HOST BOOT
 * PID INODE OLD-SIZE PLANNED-END", src/local/dotlock.c); when it is killed the mail comes again, and the next
 * delivery cuts off what the first one left. A mailbox that we changed in between could be cut in the wrong
 * place, so this is settled before. Layer: mailx. Tests: test_lock.c.
 */
#pragma once
#include "base/std.h"

enum leftover_result {
	LEFTOVER_NONE,	  /* no lock file, or not one of these */
	LEFTOVER_SETTLED, /* what was left is cut off, the lock file is gone */
	LEFTOVER_STAYS,	  /* it may not be removed by us: the mailbox must keep its size */
};

/* fd is the mailbox, whose fcntl lock we hold: no delivery of this host is at work then. Also negative errno.
 */
MUST_USE int leftover_settle(int fd, const char *dotlock);
