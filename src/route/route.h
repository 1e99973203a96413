/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route.h - the main functions of the roles lookup and users
 *
 * Layer: role. Tests: test_lookup.c, test_users.c, tests/system.
 */
#pragma once

/* Where does mail go, may this recipient come in? Knows the alias table; asks users about user names. */
int lookup_main(int argc, char **argv);
/* Asks the user database, which may hang: one question at a time, killed by the supervisor when it does. */
int users_main(int argc, char **argv);
