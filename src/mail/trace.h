/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.h - the header lines that a mail gathers on its way: Received, and at final delivery From_,
 * Return-Path, X-Original-To, Delivered-To
 *
 * Everything a peer said (HELO, names) is made safe here. Text is appended with LF line ends. Layer: mail.
 * Tests: test_trace.c.
 */
#pragma once
#include "base/buf.h"

struct trace_smtp {
	struct slice helo;
	struct slice client_name; /* from DNS; empty: "unknown" */
	struct slice client_ip;	  /* numeric, without brackets */
	struct slice tls;	  /* "TLSv1.3 with cipher ..."; empty: none */
	struct slice host;	  /* ours */
	struct slice protocol;	  /* SMTP, ESMTP, ESMTPS, ESMTPSA, UTF8SMTP... (RFC 3848, 6531) */
	uint64_t queue_id;
	struct slice rcpt; /* the single recipient as given; empty when there are several */
	int64_t time_s;
};
void trace_append_received_smtp(struct buf *out, const struct trace_smtp *t);

/* What a command says of where its mail came from: words, each may be empty. */
struct trace_client {
	struct slice protocol, address, name;
	struct slice interface; /* address at which we were called */
};
/* Printable ASCII without blanks, at most as long as a domain, not empty. */
bool trace_word_is_valid(struct slice word);
struct trace_local {
	struct slice host; /* ours */
	unsigned uid;
	uint64_t queue_id;
	int64_t time_s;
	struct trace_client client;
};
void trace_append_received_local(struct buf *out, const struct trace_local *t);

struct trace_delivery {
	struct slice sender;	   /* reverse-path; empty: null */
	struct slice original_to;  /* recipient as given, X-Original-To; empty: no line */
	struct slice delivered_to; /* the recipient's own canonical address */
	/* addresses it was forwarded from by ~/.forward, newest first: a Delivered-To line each, below */
	const struct slice *trail;
	size_t n_trail;
};
void trace_append_delivery(struct buf *out, const struct trace_delivery *t);
/* "From sender  Wed Feb 19 05:10:35 2020"; MAILER-DAEMON for the null sender. */
void trace_append_from_line(struct buf *out, struct slice sender, int64_t time_s);
