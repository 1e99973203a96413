/* SPDX-License-Identifier: Apache-2.0 */
/* trace.c - appends piece by piece, without printf: this runs for every mail and every delivery; see trace.h
 */
#include "mail/trace.h"
#include "mail/chars.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/queue_id.h"

/* A word of a peer's inside a Received field: what could end a comment, a bracket or the line is replaced. */
static void append_word(struct buf *out, struct slice word)
{
	char *room = buf_reserve(out, word.len);

	if (!room)
		return;
	for (size_t i = 0; i < word.len; i++) {
		char c = word.at[i];
		bool is_safe = (ascii_is_print(c) && !strchr(" ()<>[]\\\",;", c)) || char_is_8bit(c);
		room[i] = is_safe ? c : '?';
	}
	buf_grew(out, word.len);
}

/* HELO may be an address literal. */
static void append_helo(struct buf *out, struct slice helo)
{
	bool is_literal = helo.len > 2 && helo.at[0] == '[' && helo.at[helo.len - 1] == ']';

	if (is_literal) {
		buf_append_byte(out, '[');
		append_word(out, slice_from(slice_first(helo, helo.len - 1), 1));
		buf_append_byte(out, ']');
	} else {
		append_word(out, helo.len ? helo : SLICE("unknown"));
	}
}

/* An address as it stands in a line of ours. */
static void append_address(struct buf *out, struct slice address)
{
	header_safe_text(address, out);
}

void trace_append_received_smtp(struct buf *out, const struct trace_smtp *t)
{
	buf_append_str(out, "Received: from ");
	append_helo(out, t->helo);
	buf_append_str(out, " (");
	append_word(out, t->client_name.len ? t->client_name : SLICE("unknown"));
	buf_append_str(out, slice_find(t->client_ip, ':') < t->client_ip.len ? " [IPv6:" : " [");
	append_word(out, t->client_ip);
	buf_append_str(out, "])\n");
	if (t->tls.len) {
		buf_append_str(out, "\t(using ");
		header_safe_text(t->tls, out);
		buf_append_str(out, ")\n");
	}
	buf_append_str(out, "\tby ");
	append_word(out, t->host);
	buf_append_str(out, " (Postrider) with ");
	append_word(out, t->protocol);
	buf_append_str(out, " id ");
	queue_id_append(out, t->queue_id);
	if (t->rcpt.len) {
		buf_append_str(out, "\n\tfor <");
		append_address(out, t->rcpt);
		buf_append_byte(out, '>');
	}
	buf_append_str(out, "; ");
	date_append_rfc5322(out, t->time_s);
	buf_append_byte(out, '\n');
}

void trace_append_received_local(
	struct buf *out, struct slice host, unsigned uid, uint64_t queue_id, int64_t time_s)
{
	buf_append_str(out, "Received: by ");
	append_word(out, host);
	buf_printf(out, " (Postrider, from userid %u)\n\tid ", uid);
	queue_id_append(out, queue_id);
	buf_append_str(out, "; ");
	date_append_rfc5322(out, time_s);
	buf_append_byte(out, '\n');
}

static void append_line(struct buf *out, const char *name, struct slice value)
{
	buf_append_str(out, name);
	append_address(out, value);
	buf_append_byte(out, '\n');
}

void trace_append_delivery(struct buf *out, const struct trace_delivery *t)
{
	buf_append_str(out, "Return-Path: <");
	append_address(out, t->sender);
	buf_append_str(out, ">\n");
	if (t->original_to.len)
		append_line(out, "X-Original-To: ", t->original_to);
	append_line(out, "Delivered-To: ", t->delivered_to);
	for (size_t i = 0; i < t->n_trail; i++)
		append_line(out, "Delivered-To: ", t->trail[i]);
}

void trace_append_from_line(struct buf *out, struct slice sender, int64_t time_s)
{
	buf_append_str(out, "From ");
	append_address(out, sender.len ? sender : SLICE("MAILER-DAEMON"));
	buf_append_str(out, "  ");
	date_append_from_line(out, time_s);
	buf_append_byte(out, '\n');
}
