/* SPDX-License-Identifier: Apache-2.0 */
/* maildir_name.c - see maildir_name.h */
#include "mailx/maildir_name.h"

/* In the order of the alphabet, as the flags stand in a name. */
static const struct {
	char letter;
	unsigned flag;
} letters[] = {
	{ 'D', MESSAGE_DRAFT },
	{ 'F', MESSAGE_FLAGGED },
	{ 'R', MESSAGE_ANSWERED },
	{ 'S', MESSAGE_READ },
	{ 'T', MESSAGE_DELETED },
};

static unsigned letter_flag(char c)
{
	for (size_t i = 0; i < ARRAY_LEN(letters); i++)
		if (letters[i].letter == c)
			return letters[i].flag;
	return 0;
}

static struct slice base_name(const char *file)
{
	struct slice name = slice_of(file);

	return slice_from(name, slice_find(name, '/') + 1);
}

struct slice maildir_unique(const char *file)
{
	struct slice name = base_name(file);

	return slice_first(name, slice_find(name, ':'));
}

/* What stands behind ":2,". */
static struct slice name_letters(const char *file)
{
	struct slice name = base_name(file), info = slice_from(name, slice_find(name, ':'));

	return slice_skip_prefix_nocase(&info, SLICE(":2,")) ? info : SLICE_EMPTY;
}

unsigned maildir_flags(const char *file)
{
	struct slice name = name_letters(file);
	unsigned flags = slice_starts(slice_of(file), SLICE("new/")) ? MESSAGE_NEW : 0;

	for (size_t i = 0; i < name.len; i++)
		flags |= letter_flag(name.at[i]);
	return flags;
}

void maildir_rename_for(const char *file, unsigned flags, struct buf *out)
{
	struct slice before = name_letters(file), unique = maildir_unique(file);
	bool has[UCHAR_MAX + 1] = { false };
	bool is_plain = true;

	for (size_t i = 0; i < before.len; i++)
		if (!letter_flag(before.at[i]))
			has[(unsigned char)before.at[i]] = true;
	for (size_t i = 0; i < ARRAY_LEN(letters); i++)
		if (flags & letters[i].flag)
			has[(unsigned char)letters[i].letter] = true;
	for (int c = 0; c <= UCHAR_MAX; c++)
		is_plain = is_plain && !has[c];
	buf_append_str(out, (flags & MESSAGE_NEW) && is_plain ? "new/" : "cur/");
	buf_append(out, unique);
	if ((flags & MESSAGE_NEW) && is_plain)
		return;
	buf_append_str(out, ":2,");
	for (int c = 0; c <= UCHAR_MAX; c++)
		if (has[c])
			buf_append_byte(out, (char)c);
}

int64_t maildir_time_s(const char *file)
{
	struct slice name = maildir_unique(file);
	uint64_t time_s;

	return slice_to_u64(slice_first(name, slice_find(name, '.')), INT64_MAX / 2, &time_s)
		? (int64_t)time_s
		: 0;
}

int maildir_compare(const char *a, const char *b)
{
	int64_t at = maildir_time_s(a), bt = maildir_time_s(b);

	return at != bt ? (at < bt ? -1 : 1) : slice_cmp(maildir_unique(a), maildir_unique(b));
}
