/* SPDX-License-Identifier: Apache-2.0 */
/* delivered_to.c - see delivered_to.h */
#include "local/delivered_to.h"
#include "mail/header.h"

static bool is_same_domain(const struct config *c, struct slice a, struct slice b)
{
	return slice_eq_nocase(a, b) || (config_is_local_domain(c, a) && config_is_local_domain(c, b));
}

static bool is_same_address(const struct config *c, struct slice a, struct slice b)
{
	size_t at_a = slice_rfind(a, '@'), at_b = slice_rfind(b, '@');

	if (!slice_eq_nocase(slice_first(a, at_a), slice_first(b, at_b)))
		return false;
	return is_same_domain(c, slice_from(a, at_a + 1), slice_from(b, at_b + 1));
}

bool delivered_to_names(const struct config *c, struct slice content, struct slice address)
{
	struct header_field field;

	while (header_find(&content, SLICE("Delivered-To"), &field))
		if (is_same_address(c, field.value, address))
			return true;
	return false;
}
