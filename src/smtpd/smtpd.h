/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtpd.h - the SMTP server role: takes mail from the network and hands it to queue
 *
 * Holds no file and no right: what it may accept it asks lookup, and it says 250 only when queue says that
 * the mail is on stable storage. session.h is the protocol, server.h the sockets. Layer: role. Tests:
 * test_session.c, tests/dialogues.
 */
#pragma once

/* The whole process; argv as the supervisor wrote it. Returns the exit status. */
int smtpd_main(int argc, char **argv);
