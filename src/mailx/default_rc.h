/* SPDX-License-Identifier: Apache-2.0 */
/*
 * default_rc.h - the shipped system start-up file (packaging/mail.rc) inside the program, for hosts that have
 * none
 *
 * The text is made from that file when the program is built. Layer: mailx. No test of its own:
 * test_mail_startup.py runs with it.
 */
#pragma once

extern const char default_rc[];
