/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp.h - the SMTP client role: takes delivery attempts from queue, speaks to other hosts, reports each
 * result
 *
 * Runs as its own user in an empty root; opens no file; the socket of local.mailbox_transport comes from the
 * supervisor. It never decides when mail is tried again or bounced: queue does. Layer: role. Tests:
 * test_role.c.
 */
#pragma once

int smtp_main(int argc, char **argv);
