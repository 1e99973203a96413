/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_dsn.c - reports of anything: no bytes of an envelope, of a reply or of the original add a field or a
 * part
 *
 * The first two octets choose the form, the rest are the texts, separated by NUL; the last one is the
 * original.
 */
#include "base/limits.h"
#include "mail/dsn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice next_text(struct slice *rest)
{
	struct slice text;

	if (slice_cut(rest, '\0', &text))
		return text;
	text = *rest;
	*rest = SLICE_EMPTY;
	return text;
}

static bool is_field_line(struct slice line)
{
	static const char *const names[] = { "Reporting-MTA: ", "X-Postrider-Queue-ID: ",
		"X-Postrider-Sender: ", "Original-Envelope-Id: ", "Arrival-Date: ", "Original-Recipient: ",
		"Final-Recipient: ", "Action: ", "Status: ", "Remote-MTA: ", "Diagnostic-Code: ",
		"Last-Attempt-Date: ", "Will-Retry-Until: " };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (slice_starts(line, slice_of(names[i])) || slice_starts(slice_of(names[i]), line))
			return true;
	return false;
}

/* Up to the next boundary: how many Action fields. */
static size_t check_status(struct slice *rest, struct slice boundary)
{
	struct slice line;
	size_t n_actions = 0;

	while (slice_next_line(rest, &line) && line.len) /* the part's own header */
		;
	while (slice_next_line(rest, &line) && !slice_starts(line, boundary)) {
		CHECK(line.len <= LIMIT_TEXT_LINE);
		CHECK(line.len == 0 || line.at[0] == ' ' || is_field_line(line));
		n_actions += slice_starts(line, SLICE("Action: "));
	}
	return n_actions;
}

static void check_report(struct slice text, const struct dsn_facts *f)
{
	auto_buf struct buf boundary = BUF_INIT(200);
	struct slice line, rest = text;
	size_t n_header = 0, n_parts = 0, n_actions = 0, n_ends = 0;

	while (slice_next_line(&rest, &line) && line.len) {
		n_header += line.at[0] != ' ' && line.at[0] != '\t';
		if (slice_starts(line, SLICE("\tboundary=\"")))
			buf_printf(&boundary, "--%.*s",
				SLICE_ARG(slice_first(slice_from(line, 11), line.len - 12)));
	}
	CHECK(n_header >= 8 && n_header <= 11 && boundary.len > 2);
	while (slice_next_line(&rest, &line)) {
		n_ends += slice_starts(line, buf_slice(&boundary)) && !slice_eq(line, buf_slice(&boundary));
		if (slice_eq(line, buf_slice(&boundary)) && ++n_parts == 2) {
			n_actions = check_status(&rest, buf_slice(&boundary));
			break;
		}
	}
	CHECK(n_actions == f->n_recipients && n_parts == 2 && n_ends == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = { (const char *)data, size };
	auto_buf struct buf out = BUF_INIT(16 * 1024 * 1024);
	struct dsn_recipient r[2];

	if (size < 2)
		return 0;
	rest = slice_from(rest, 2);
	for (size_t i = 0; i < ARRAY_LEN(r); i++) {
		r[i] = (struct dsn_recipient){ .address = next_text(&rest),
			.original = next_text(&rest),
			.action = data[0] % DSN_ACTION_COUNT,
			.diagnostic = data[1] % DSN_DIAGNOSTIC_COUNT };
		r[i].orcpt = slice_first(next_text(&rest), ORCPT_MAX);
		r[i].status = slice_first(next_text(&rest), 16);
		r[i].reason = slice_first(next_text(&rest), 2 * LIMIT_REASON);
		r[i].said = slice_first(next_text(&rest), 2 * LIMIT_REASON);
		r[i].remote_mta = slice_first(next_text(&rest), LIMIT_ADDRESS);
		r[i].address = slice_first(r[i].address, LIMIT_ADDRESS);
		r[i].original = slice_first(r[i].original, LIMIT_ADDRESS);
	}
	struct dsn_facts f = { .kind = data[0] / 16 % DSN_KIND_COUNT,
		.ret = data[1] / 16 % 3,
		.host = SLICE("h.test"),
		.origin = SLICE("o.test"),
		.queue_id = 2,
		.original_queue_id = 1,
		.arrival_s = 1582107035,
		.now_s = 1582107036,
		.smtputf8 = data[1] & 128,
		.recipients = r,
		.n_recipients = ARRAY_LEN(r),
		.original_max = 100 };
	f.to = slice_first(next_text(&rest), LIMIT_ADDRESS);
	f.sender = slice_first(next_text(&rest), LIMIT_ADDRESS);
	f.envid = slice_first(next_text(&rest), ENVID_MAX);
	f.original = rest;
	dsn_build(&f, &out);
	CHECK(buf_ok(&out));
	check_report(buf_slice(&out), &f);
	return 0;
}
