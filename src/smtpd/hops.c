/* SPDX-License-Identifier: Apache-2.0 */
/* hops.c - a small machine over the bytes at line starts; the rest of a line is passed over at once; see
 * hops.h */
#include "smtpd/hops.h"

static const char word[] = "received";

enum hops_state {
	HOPS_NAME = 0, /* at the start of a line, or within what may become the name */
	HOPS_BLANKS,   /* behind the whole name: blanks may come before the colon */
	HOPS_SKIP,     /* within a line that is none, or was counted */
	HOPS_BODY      /* behind the empty line: nothing counts any more */
};

static enum hops_state hops_name(struct hops *h, char c)
{
	if (h->matched == 0 && c == '\n')
		return HOPS_BODY;
	if (h->matched == sizeof(word) - 1)
		return HOPS_BLANKS;
	if (ascii_lower(c) != word[h->matched])
		return HOPS_SKIP;
	h->matched++;
	return HOPS_NAME;
}

static enum hops_state hops_blanks(struct hops *h, char c)
{
	if (c == ' ' || c == '\t')
		return HOPS_BLANKS;
	if (c == ':')
		h->n++;
	return HOPS_SKIP;
}

void hops_count(struct hops *h, struct slice content)
{
	while (content.len && h->state != HOPS_BODY) {
		if (h->state == HOPS_SKIP) {
			size_t end = slice_find(content, '\n');
			if (end < content.len) {
				h->state = HOPS_NAME;
				h->matched = 0;
			}
			content = slice_from(content, end + 1);
			continue;
		}
		if (h->state == HOPS_NAME)
			h->state = (uint8_t)hops_name(h, content.at[0]);
		if (h->state == HOPS_BLANKS)
			h->state = (uint8_t)hops_blanks(h, content.at[0]);
		if (h->state == HOPS_NAME || h->state == HOPS_BLANKS)
			content = slice_from(content, 1);
	}
}
