/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directories.h - the directories of a mail system with their owners and modes, once for daemon and setup
 *
 * The daemon makes what a reboot removes (/run) or a first start lacks; `postrider setup` makes the same.
 * In sandbox mode everything belongs to who runs it. Asks the user database: never after the jail. Layer:
 * config. Tests: test_directories.c, tests/system/test_system_setup.py.
 */
#pragma once
#include "config/config.h"

enum directory_event {
	DIRECTORY_MADE = 1,  /* it was missing */
	DIRECTORY_CORRECTED, /* it had another owner or mode */
	DIRECTORY_NO_USER,   /* what: the user or group that does not exist */
	DIRECTORY_FAILED,    /* what: the reason */
};
typedef void (*directory_report)(enum directory_event event, const char *path, const char *what, void *user);

/* False when one could not be made as it must be; that was reported, and the following ones were not tried.
 */
MUST_USE bool directories_make(const struct config *c, directory_report report, void *user);
