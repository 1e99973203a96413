/* SPDX-License-Identifier: Apache-2.0 */
/* queue_json.c - see queue_json.h */
#include "mail/queue_json.h"
#include "mail/queue_id.h"

static const char *queue_name(char state)
{
	switch (state) {
	case '*': return "active";
	case '!': return "hold";
	default: return "deferred";
	}
}

void queue_json_begin(struct json *j, const struct queue_json_mail *m)
{
	j->has_member = false;
	json_put_object(j, NULL);
	json_put_text(j, "queue_name", slice_of(queue_name(m->state)));
	json_put_text(j, "queue_id", slice_of(queue_id_format(m->id).at));
	json_put_number(j, "arrival_time", m->arrival_s);
	json_put_number(j, "message_size", m->size);
	json_put_bool(j, "forced_expire", m->is_expiring);
	if (m->expires_s)
		json_put_number(j, "expiry_time", m->expires_s);
	json_put_text(j, "sender", m->sender.len ? m->sender : SLICE("MAILER-DAEMON"));
	json_put_array(j, "recipients");
}

static void text_if_any(struct json *j, const char *name, struct slice value)
{
	if (value.len)
		json_put_text(j, name, value);
}

static void number_if_any(struct json *j, const char *name, uint64_t value)
{
	if (value)
		json_put_number(j, name, value);
}

void queue_json_rcpt(struct json *j, const struct queue_json_rcpt *r)
{
	json_put_object(j, NULL);
	json_put_text(j, "address", r->address);
	if (r->original.len && !slice_eq(r->original, r->address))
		json_put_text(j, "orig_address", r->original);
	text_if_any(j, "delay_reason", r->reason);
	text_if_any(j, "status", r->status);
	if (r->state)
		json_put_text(j, "state", slice_of(r->state));
	json_put_number(j, "attempts", r->attempts);
	number_if_any(j, "last_attempt", r->last_attempt_s);
	number_if_any(j, "next_attempt", r->next_attempt_s);
	text_if_any(j, "next_hop", r->next_hop);
	text_if_any(j, "relay", r->remote);
	json_put_object_end(j);
}

void queue_json_end(struct json *j)
{
	json_put_array_end(j);
	json_put_object_end(j);
	buf_append_byte(j->out, '\n');
	j->has_member = false;
}
