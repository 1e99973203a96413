/* SPDX-License-Identifier: Apache-2.0 */
/* test.h - the one include of cmocka, with the headers that it needs before it; tables of rows are walked
 * with ARRAY_LEN */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/slice.h"

#define assert_slice_equal(got, want)                                                                        \
	do {                                                                                                 \
		struct slice got_ = (got), want_ = (want);                                                   \
		if (!slice_eq(got_, want_))                                                                  \
			fail_msg("got \"%.*s\", want \"%.*s\"", SLICE_ARG(got_), SLICE_ARG(want_));          \
	} while (0)
