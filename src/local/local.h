/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local.h - the local role: hands each user's mail to a process that runs as that user
 *
 * The parent keeps root, has no network and opens no user's file; it passes jobs of queue on to workers and
 * syncs their file system. What reads ~/.forward or writes a mailbox is a worker. Layer: role.
 * Tests: test_*.c here, tests/system.
 */
#pragma once

int local_main(int argc, char **argv);
