/* SPDX-License-Identifier: Apache-2.0 */
/* drop_format.c - written as lines, read back line by line in exactly that order; see drop_format.h */
#include "mail/drop_format.h"
#include "base/crc32c.h"
#include "base/limits.h"
#include "mail/address.h"
#include "mail/chars.h"

#define MAGIC "postrider-drop "
#define VERSION "1"

static const char *const status_texts[DROP_STATUS_COUNT] = {
	[DROP_OK] = "valid",
	[DROP_NOT_OURS] = "not a file of sendmail's",
	[DROP_BAD_VERSION] = "written by another version of sendmail",
	[DROP_BAD_LINE] = "an envelope line is malformed or out of order",
	[DROP_BAD_ADDRESS] = "an address is malformed",
	[DROP_NO_RECIPIENT] = "no recipient",
	[DROP_TOO_MANY] = "too many recipients",
	[DROP_INCOMPLETE] = "incomplete",
	[DROP_DAMAGED] = "the checksum does not fit",
};

const char *drop_status_text(enum drop_status status)
{
	return status_texts[status];
}

/* Everything appended behind from counts for the checksum. */
static void count_appended(struct drop_encoder *e, const struct buf *out, size_t from)
{
	if (buf_ok(out))
		e->crc = crc32c(e->crc, slice_from(buf_slice(out), from));
}

static void append_line(struct buf *out, const char *word, struct slice value)
{
	CHECK(!text_has_control(value));
	buf_append_str(out, word);
	buf_append(out, value);
	buf_append_byte(out, '\n');
}

/* The lines about the client, in their order; both directions walk over them. */
static const struct client_line {
	const char *word;
	size_t offset;
} client_lines[] = {
	{ "protocol ", offsetof(struct trace_client, protocol) },
	{ "client ", offsetof(struct trace_client, address) },
	{ "name ", offsetof(struct trace_client, name) },
	{ "interface ", offsetof(struct trace_client, interface) },
};

static struct slice client_word(const struct trace_client *c, const struct client_line *line)
{
	struct slice word;

	memcpy(&word, (const char *)c + line->offset, sizeof(word));
	return word;
}

void drop_encode_begin(struct drop_encoder *e, const struct drop_envelope *envelope, struct buf *out)
{
	size_t from = out->len;

	append_line(out, MAGIC, SLICE(VERSION));
	append_line(out, "id ", envelope->submission_id);
	append_line(out, "sender ", envelope->sender);
	if (envelope->ret != RET_DEFAULT)
		append_line(out, "ret ", slice_of(ret_name(envelope->ret)));
	if (envelope->envid.len)
		append_line(out, "envid ", envelope->envid);
	if (envelope->body != BODY_DEFAULT)
		append_line(out, "body ", slice_of(body_type_name(envelope->body)));
	if (envelope->smtputf8)
		append_line(out, "smtputf8", SLICE_EMPTY);
	for (size_t i = 0; i < ARRAY_LEN(client_lines); i++) {
		struct slice word = client_word(&envelope->client, &client_lines[i]);
		if (word.len)
			append_line(out, client_lines[i].word, word);
	}
	count_appended(e, out, from);
}

void drop_encode_recipient(struct drop_encoder *e, const struct drop_recipient *rcpt, struct buf *out)
{
	size_t from = out->len;

	CHECK(notify_is_valid(rcpt->notify) && !text_has_control(rcpt->orcpt));
	buf_printf(out, "to %u ", rcpt->notify);
	buf_append(out, rcpt->orcpt.len ? rcpt->orcpt : SLICE("-"));
	append_line(out, " ", rcpt->address);
	count_appended(e, out, from);
}

void drop_encode_content(struct drop_encoder *e, struct buf *out)
{
	size_t from = out->len;

	append_line(out, "content", SLICE_EMPTY);
	count_appended(e, out, from);
}

void drop_encode_data(struct drop_encoder *e, struct slice bytes)
{
	e->crc = crc32c(e->crc, bytes);
	e->content_len += bytes.len;
}

void drop_encode_end(const struct drop_encoder *e, struct buf *out)
{
	buf_printf(out, "\nend %" PRIu64 " %08" PRIx32 "\n", e->content_len, e->crc);
}

/* The next line when it begins with word; its remainder goes to *value_out. */
static bool take_line(struct slice *rest, const char *word, struct slice *value_out)
{
	struct slice s = *rest, line;

	if (!slice_starts(s, slice_of(word)) || !slice_cut(&s, '\n', &line))
		return false;
	*value_out = slice_from(line, strlen(word));
	*rest = s;
	return true;
}

static bool hex_to_u32(struct slice text, uint32_t *value_out)
{
	uint32_t value = 0;

	if (text.len != 8)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		if (!ascii_is_digit(c) && (c < 'a' || c > 'f'))
			return false;
		value = value << 4 | (uint32_t)(ascii_is_digit(c) ? c - '0' : c - 'a' + 10);
	}
	*value_out = value;
	return true;
}

/* Cuts the end line off and checks what it says; *file is left with envelope and content. */
static enum drop_status check_end(struct slice *file, uint64_t *content_len_out)
{
	struct slice body, end, number;
	uint32_t crc;

	if (file->len < 2 || file->at[file->len - 1] != '\n')
		return DROP_INCOMPLETE;
	body = slice_first(*file, file->len - 1);
	end = slice_from(body, slice_rfind(body, '\n'));
	body.len -= end.len;
	if (!slice_skip(&end, '\n') || !slice_skip_prefix_nocase(&end, SLICE("end ")) ||
		!slice_cut(&end, ' ', &number) || !slice_to_u64(number, UINT64_MAX, content_len_out) ||
		!hex_to_u32(end, &crc))
		return DROP_INCOMPLETE;
	if (crc32c(0, body) != crc)
		return DROP_DAMAGED;
	*file = body;
	return DROP_OK;
}

static bool id_is_valid(struct slice id)
{
	for (size_t i = 0; i < id.len; i++)
		if (!ascii_is_alnum(id.at[i]) && id.at[i] != '.' && id.at[i] != '-')
			return false;
	return id.len > 0 && id.len <= DROP_ID_MAX;
}

static bool address_is_valid(struct slice text, bool may_be_null)
{
	unsigned flags = ADDRESS_UNQUALIFIED | ADDRESS_UTF8 | (may_be_null ? ADDRESS_NULL : 0);
	struct address address;

	return text.len <= LIMIT_ADDRESS && address_parse(text, flags, &address) == ADDRESS_OK;
}

static bool parse_client(struct slice *rest, struct trace_client *c)
{
	struct slice word;

	for (size_t i = 0; i < ARRAY_LEN(client_lines); i++) {
		if (!take_line(rest, client_lines[i].word, &word))
			continue;
		if (word.len == 0 || word.len > LIMIT_DOMAIN || text_has_control(word) ||
			slice_find(word, ' ') < word.len)
			return false;
		memcpy((char *)c + client_lines[i].offset, &word, sizeof(word));
	}
	return true;
}

static enum drop_status parse_envelope(struct slice *rest, struct drop_envelope *e)
{
	struct slice value;

	*e = (struct drop_envelope){ .envid = SLICE_EMPTY };
	if (!take_line(rest, "id ", &e->submission_id) || !id_is_valid(e->submission_id) ||
		!take_line(rest, "sender ", &e->sender))
		return DROP_BAD_LINE;
	if (!address_is_valid(e->sender, true))
		return DROP_BAD_ADDRESS;
	if (take_line(rest, "ret ", &value) && !ret_parse(value, &e->ret))
		return DROP_BAD_LINE;
	if (take_line(rest, "envid ", &e->envid) && !envid_is_valid(e->envid))
		return DROP_BAD_LINE;
	if (take_line(rest, "body ", &value) && !body_type_parse(value, &e->body))
		return DROP_BAD_LINE;
	if (take_line(rest, "smtputf8", &value)) {
		e->smtputf8 = true;
		if (value.len)
			return DROP_BAD_LINE;
	}
	return parse_client(rest, &e->client) ? DROP_OK : DROP_BAD_LINE;
}

static enum drop_status parse_recipient(struct slice line, struct drop_recipient *rcpt)
{
	struct slice number, orcpt;
	uint64_t notify;

	if (!slice_cut(&line, ' ', &number) || !slice_cut(&line, ' ', &orcpt))
		return DROP_BAD_LINE;
	if (number.len > 2 || !slice_to_u64(number, UINT_MAX, &notify) || !notify_is_valid((unsigned)notify))
		return DROP_BAD_LINE;
	if (slice_eq(orcpt, SLICE("-")))
		orcpt = SLICE_EMPTY;
	else if (!orcpt_is_valid(orcpt))
		return DROP_BAD_LINE;
	if (!address_is_valid(line, false))
		return DROP_BAD_ADDRESS;
	*rcpt = (struct drop_recipient){ .address = line, .notify = (unsigned)notify, .orcpt = orcpt };
	return DROP_OK;
}

static enum drop_status parse_recipients(struct slice *rest, struct drop_message *m)
{
	const char *start = rest->at;
	struct drop_recipient rcpt;
	struct slice line;

	m->n_recipients = 0;
	while (take_line(rest, "to ", &line)) {
		enum drop_status status = parse_recipient(line, &rcpt);
		if (status != DROP_OK)
			return status;
		if (++m->n_recipients > DROP_RECIPIENTS_MAX)
			return DROP_TOO_MANY;
	}
	m->recipients = (struct slice){ start, (size_t)(rest->at - start) };
	return m->n_recipients ? DROP_OK : DROP_NO_RECIPIENT;
}

enum drop_status drop_decode(struct slice file, struct drop_message *out)
{
	struct drop_message m;
	struct slice version, value;
	uint64_t content_len;
	enum drop_status status;

	if (!take_line(&(struct slice){ file.at, file.len }, MAGIC, &version))
		return DROP_NOT_OURS;
	if (!slice_eq(version, SLICE(VERSION)))
		return DROP_BAD_VERSION;
	status = check_end(&file, &content_len);
	if (status != DROP_OK)
		return status;
	if (!take_line(&file, MAGIC, &version))
		return DROP_INCOMPLETE; /* the end line is all there is behind it */
	status = parse_envelope(&file, &m.envelope);
	if (status == DROP_OK)
		status = parse_recipients(&file, &m);
	if (status != DROP_OK)
		return status;
	if (!take_line(&file, "content", &value) || value.len)
		return DROP_BAD_LINE;
	if (file.len != content_len)
		return DROP_INCOMPLETE;
	m.content = file;
	*out = m;
	return DROP_OK;
}

bool drop_recipient_next(struct slice *recipients, struct drop_recipient *rcpt_out)
{
	struct slice line;

	if (!take_line(recipients, "to ", &line))
		return false;
	CHECK(parse_recipient(line, rcpt_out) == DROP_OK); /* drop_decode() has seen it */
	return true;
}
