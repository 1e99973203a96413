/* SPDX-License-Identifier: Apache-2.0 */
/* envelope_options.c - the words behind the numbers; see envelope_options.h */
#include "mail/envelope_options.h"
#include "mail/chars.h"
#include "mail/xtext.h"

static const struct {
	unsigned bit;
	const char *word;
} notify_words[] = {
	{ NOTIFY_NEVER, "NEVER" },
	{ NOTIFY_SUCCESS, "SUCCESS" },
	{ NOTIFY_FAILURE, "FAILURE" },
	{ NOTIFY_DELAY, "DELAY" },
};
static const char *const ret_words[] = { [RET_DEFAULT] = "", [RET_FULL] = "FULL", [RET_HDRS] = "HDRS" };
static const char *const body_words[] = {
	[BODY_DEFAULT] = "", [BODY_7BIT] = "7BIT", [BODY_8BITMIME] = "8BITMIME"
};

/* Index of text among the words, -1 when absent; the empty word of the default is not matched. */
static int word_index(const char *const *words, size_t n, struct slice text)
{
	for (size_t i = 0; i < n; i++)
		if (text.len && slice_eq_nocase(text, slice_of(words[i])))
			return (int)i;
	return -1;
}

static unsigned notify_bit(struct slice word)
{
	for (size_t i = 0; i < ARRAY_LEN(notify_words); i++)
		if (slice_eq_nocase(word, slice_of(notify_words[i].word)))
			return notify_words[i].bit;
	return 0;
}

bool notify_is_valid(unsigned notify)
{
	return notify <= 15 && (!(notify & NOTIFY_NEVER) || notify == NOTIFY_NEVER);
}

bool notify_parse(struct slice text, unsigned *notify_out)
{
	unsigned notify = 0;

	for (bool is_last = false; !is_last;) {
		struct slice word;
		unsigned bit;
		if (!slice_cut(&text, ',', &word)) {
			word = text;
			is_last = true;
		}
		bit = notify_bit(word);
		if (bit == 0 || notify & bit)
			return false;
		notify |= bit;
	}
	if (!notify_is_valid(notify))
		return false;
	*notify_out = notify;
	return true;
}

void notify_append(unsigned notify, struct buf *out)
{
	const char *comma = "";

	for (size_t i = 0; i < ARRAY_LEN(notify_words); i++) {
		if (!(notify & notify_words[i].bit))
			continue;
		buf_append_str(out, comma);
		buf_append_str(out, notify_words[i].word);
		comma = ",";
	}
}

bool ret_parse(struct slice text, enum ret *ret_out)
{
	int i = word_index(ret_words, ARRAY_LEN(ret_words), text);

	if (i < 0)
		return false;
	*ret_out = (enum ret)i;
	return true;
}

const char *ret_name(enum ret ret)
{
	return ret_words[ret];
}

bool body_type_parse(struct slice text, enum body_type *body_out)
{
	int i = word_index(body_words, ARRAY_LEN(body_words), text);

	if (i < 0)
		return false;
	*body_out = (enum body_type)i;
	return true;
}

const char *body_type_name(enum body_type body)
{
	return body_words[body];
}

bool envid_is_valid(struct slice xtext)
{
	return xtext.len > 0 && xtext.len <= ENVID_MAX && xtext_is_valid(xtext);
}

/* RFC 6533 4 adds the type utf-8, whose addresses may stand as raw UTF-8 where SMTPUTF8 is used. */
static bool orcpt_address_is_valid(struct slice type, struct slice address)
{
	if (!slice_eq_nocase(type, SLICE("utf-8")))
		return xtext_is_valid(address);
	for (size_t i = 0; i < address.len; i++)
		if (char_is_control(address.at[i]) || address.at[i] == ' ')
			return false;
	return utf8_is_valid(address);
}

bool orcpt_is_valid(struct slice orcpt)
{
	struct slice address = orcpt, type;

	if (orcpt.len > ORCPT_MAX || !slice_cut(&address, ';', &type) || type.len == 0 || address.len == 0)
		return false;
	for (size_t i = 0; i < type.len; i++)
		if (!ascii_is_alnum(type.at[i]) && type.at[i] != '-')
			return false;
	return orcpt_address_is_valid(type, address);
}

/* "type;address" with UTF-8 in ASCII. */
static void append_utf8_orcpt(struct slice address, struct buf *out)
{
	buf_append_str(out, "utf-8;");
	utf8_address_encode(address, out);
}

void orcpt_append(struct slice orcpt, struct slice original, bool allow_utf8, struct buf *out)
{
	auto_buf struct buf made = BUF_INIT(ORCPT_MAX);
	struct slice address = orcpt, type;

	if (orcpt_is_valid(orcpt)) {
		if (allow_utf8 || !text_has_8bit(orcpt))
			buf_append(&made, orcpt);
		else if (slice_cut(&address, ';', &type))
			append_utf8_orcpt(address, &made);
	} else if (slice_find(original, '@') < original.len) {
		if (text_has_8bit(original)) {
			append_utf8_orcpt(original, &made);
		} else {
			buf_append_str(&made, "rfc822;");
			xtext_encode(original, &made);
		}
	}
	if (buf_ok(&made)) /* too long: left out */
		buf_append(out, buf_slice(&made));
}
