/* SPDX-License-Identifier: Apache-2.0 */
/* identity.c - see identity.h */
#include "mailx/identity.h"
#include "mail/address.h"

static const char *own_domain(const struct mailx *mx)
{
	const char *name = vars_get(&mx->vars, "hostname");

	return name && *name ? name : mx->origin;
}

void identity_author(const struct mailx *mx, struct buf *out)
{
	const char *from = vars_get(&mx->vars, "from");

	if (from && *from)
		buf_append_str(out, from);
	else
		buf_printf(out, "%s@%s", mx->user, own_domain(mx));
}

void identity_qualify(const struct mailx *mx, struct slice address, struct buf *out)
{
	struct address parsed;

	if (address_parse(address, ADDRESS_UTF8 | ADDRESS_UNQUALIFIED, &parsed) == ADDRESS_OK)
		address_canonical(&parsed, slice_of(own_domain(mx)), out);
	else
		buf_append(out, address);
}

static bool is_same_address(const struct mailx *mx, struct slice a, struct slice b)
{
	auto_buf struct buf first = BUF_INIT(MAILX_VALUE_MAX), second = BUF_INIT(MAILX_VALUE_MAX);

	identity_qualify(mx, a, &first);
	identity_qualify(mx, b, &second);
	return slice_eq_nocase(buf_slice(&first), buf_slice(&second));
}

static bool list_has(const struct mailx *mx, const char *text, struct slice address)
{
	struct address_list list = ADDRESS_LIST_INIT(slice_of(text), ADDRESS_UTF8 | ADDRESS_UNQUALIFIED);
	struct address_item item;

	while (address_list_next(&list, &item))
		if (item.status == ADDRESS_OK && is_same_address(mx, item.text, address))
			return true;
	return false;
}

bool identity_is_own(const struct mailx *mx, struct slice address)
{
	static const char *const variables[] = { "from", "replyto" };
	auto_buf struct buf local = BUF_INIT(MAILX_VALUE_MAX);

	if (is_same_address(mx, slice_of(mx->user), address))
		return true;
	buf_printf(&local, "%s@localhost", mx->user);
	if (is_same_address(mx, buf_slice(&local), address))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		if (list_has(mx, vars_get(&mx->vars, variables[i]), address))
			return true;
	for (size_t i = 0; i < mx->alternates.n; i++)
		if (is_same_address(mx, slice_of(mx->alternates.at[i]), address) ||
			(!strchr(mx->alternates.at[i], '@') &&
				slice_eq_nocase(slice_of(mx->alternates.at[i]),
					slice_first(address, slice_find(address, '@')))))
			return true;
	return false;
}
