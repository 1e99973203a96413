/* SPDX-License-Identifier: Apache-2.0 */
/* trace.c - appends piece by piece, without printf: this runs for every mail and every delivery; see trace.h
 */
#include "mail/trace.h"
#include "base/limits.h"
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

/* " ([192.0.2.1])", the TCP-info of RFC 5321 4.4 */
static void append_tcp_info(struct buf *out, struct slice address)
{
	if (address.len == 0)
		return;
	buf_append_str(out, slice_find(address, ':') < address.len ? " ([IPv6:" : " ([");
	append_word(out, address);
	buf_append_str(out, "])");
}

bool trace_word_is_valid(struct slice word)
{
	for (size_t i = 0; i < word.len; i++)
		if (!ascii_is_print(word.at[i]) || word.at[i] == ' ')
			return false;
	return word.len > 0 && word.len <= LIMIT_DOMAIN;
}

void trace_append_received_local(struct buf *out, const struct trace_local *t)
{
	const struct trace_client *c = &t->client;

	buf_append_str(out, "Received: ");
	if (c->name.len || c->address.len) {
		buf_append_str(out, "from ");
		append_helo(out, c->name);
		append_tcp_info(out, c->address);
		buf_append_str(out, "\n\t");
	}
	buf_append_str(out, "by ");
	append_word(out, t->host);
	append_tcp_info(out, c->interface);
	buf_printf(out, " (Postrider, from userid %u)", t->uid);
	if (c->protocol.len) {
		buf_append_str(out, " with ");
		append_word(out, c->protocol);
	}
	buf_append_str(out, "\n\tid ");
	queue_id_append(out, t->queue_id);
	buf_append_str(out, "; ");
	date_append_rfc5322(out, t->time_s);
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
