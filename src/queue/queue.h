/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue.h - the queue role: the only one that opens the spool
 *
 * Accepts mail and promises it, asks lookup where it goes, hands it out, records results, writes bounces;
 * answers commands on the control socket. Layer: role. Tests: src/queue/test_*.c, tests/system.
 */
#pragma once

int queue_main(int argc, char **argv);
