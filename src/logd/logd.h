/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logd.h - the log role: one batched, bounded writer of log lines
 *
 * Lines of all roles arrive as messages, are put in the order of their times (order.h), and leave in one
 * write: to /dev/log, a file or standard error. When the target cannot take them they are dropped, counted
 * and said; mail never waits for the log. Layer: role. Tests: tests/system/test_log.py, test_order.c.
 */
#pragma once

int logd_main(int argc, char **argv);
