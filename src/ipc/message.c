/* SPDX-License-Identifier: Apache-2.0 */
/* message.c - encoder and decoder functions, one pair per line of messages.def; see message.h */
#include "ipc/message.h"
#include "base/crc32c.h"
#include "base/limits.h"

const char *role_name(enum role role)
{
	static const char *const names[ROLE_COUNT] = {
		[ROLE_SUPERVISOR] = "supervisor",
		[ROLE_SMTPD] = "smtpd",
		[ROLE_QUEUE] = "queue",
		[ROLE_LOOKUP] = "lookup",
		[ROLE_USERS] = "users",
		[ROLE_SMTP] = "smtp",
		[ROLE_LOCAL] = "local",
		[ROLE_WORKER] = "worker",
		[ROLE_LOG] = "log",
		[ROLE_CLIENT] = "client",
	};
	return (unsigned)role < ROLE_COUNT ? names[role] : "unknown";
}

const char *explain_kind_name(enum explain_kind kind)
{
	static const char *const names[EXPLAIN_KIND_COUNT] = { [EXPLAIN_NOTE] = "note",
		[EXPLAIN_ADDRESS] = "address",
		[EXPLAIN_DOMAIN] = "domain",
		[EXPLAIN_ALIAS] = "alias",
		[EXPLAIN_EXTENSION] = "extension",
		[EXPLAIN_OWNER] = "owner",
		[EXPLAIN_ITEM] = "item",
		[EXPLAIN_LEAF] = "leaf",
		[EXPLAIN_DUPLICATE] = "duplicate",
		[EXPLAIN_USER] = "user",
		[EXPLAIN_FORWARD] = "forward",
		[EXPLAIN_NEXT_HOP] = "next_hop",
		[EXPLAIN_HOST] = "host",
		[EXPLAIN_RCPT] = "rcpt",
		[EXPLAIN_HIDDEN] = "hidden" };

	return kind < EXPLAIN_KIND_COUNT ? names[kind] : NULL;
}

#define MSG(name, from, to, fields) [MSG_##name] = { #name, (uint32_t)(from), (uint32_t)(to), #fields },
const struct msg_info msg_info[MSG_TYPE_COUNT] = {
#include "ipc/messages.def"
};
#undef MSG

/* ---- encoding ---- */

static void put_le(struct buf *out, uint64_t value, size_t n)
{
	char *room = buf_reserve(out, n);

	if (!room)
		return;
	for (size_t i = 0; i < n; i++)
		room[i] = (char)(value >> (8 * i));
	buf_grew(out, n);
}

static void put_bytes(struct buf *out, struct slice s)
{
	put_le(out, s.len, 4);
	buf_append(out, s);
}

#define U8(f) put_le(out, m->f, 1);
#define U16(f) put_le(out, m->f, 2);
#define U32(f) put_le(out, m->f, 4);
#define U64(f) put_le(out, m->f, 8);
#define STR(f) put_bytes(out, m->f);
#define BYTES(f) put_bytes(out, m->f);
#define MSG(name, from, to, fields)                                                                          \
	static void encode_##name(struct buf *out, const void *any)                                          \
	{                                                                                                    \
		const struct msg_##name *m = any;                                                            \
		fields                                                                                       \
	}
#include "ipc/messages.def"
#undef MSG
#undef U8
#undef U16
#undef U32
#undef U64
#undef STR
#undef BYTES

static void (*const encoders[MSG_TYPE_COUNT])(struct buf *, const void *) = {
#define MSG(name, from, to, fields) [MSG_##name] = encode_##name,
#include "ipc/messages.def"
#undef MSG
};

void msg_encode(struct buf *out, enum msg_type type, const void *m, uint16_t flags)
{
	size_t start = out->len, length;

	CHECK(type > MSG_NONE && type < MSG_TYPE_COUNT);
	put_le(out, 0, 4);
	put_le(out, type, 2);
	put_le(out, flags, 2);
	encoders[type](out, m);
	if (!buf_ok(out)) {
		out->len = start; /* half a frame must never be sent */
		return;
	}
	length = out->len - start - MSG_HEADER_BYTES;
	CHECK(length <= LIMIT_FRAME);
	for (size_t i = 0; i < 4; i++)
		out->at[start + i] = (char)(length >> (8 * i));
}

/* ---- decoding ---- */

static bool get_le(struct slice *in, size_t n, uint64_t *value_out)
{
	uint64_t value = 0;

	if (in->len < n)
		return false;
	for (size_t i = 0; i < n; i++)
		value |= (uint64_t)(unsigned char)in->at[i] << (8 * i);
	*in = slice_from(*in, n);
	*value_out = value;
	return true;
}

static bool get_bytes(struct slice *in, struct slice *out)
{
	uint64_t len;
	struct slice rest = *in;

	if (!get_le(&rest, 4, &len) || len > rest.len)
		return false;
	*out = slice_first(rest, (size_t)len);
	*in = slice_from(rest, (size_t)len);
	return true;
}

static bool get_str(struct slice *in, struct slice *out)
{
	return get_bytes(in, out) && slice_find(*out, '\0') == out->len;
}

#define GET(n, type, f) (get_le(in, n, &value) && (m->f = (type)value, true))
#define U8(f) GET(1, uint8_t, f) &&
#define U16(f) GET(2, uint16_t, f) &&
#define U32(f) GET(4, uint32_t, f) &&
#define U64(f) GET(8, uint64_t, f) &&
#define STR(f) get_str(in, &m->f) &&
#define BYTES(f) get_bytes(in, &m->f) &&
#define MSG(name, from, to, fields)                                                                          \
	static bool decode_##name(struct slice *in, struct msg_##name *m)                                    \
	{                                                                                                    \
		uint64_t value = 0;                                                                          \
		(void)value;                                                                                 \
		return fields true;                                                                          \
	}
#include "ipc/messages.def"
#undef MSG

bool msg_decode(enum msg_type type, struct slice payload, union msg_any *out)
{
	switch (type) {
#define MSG(name, from, to, fields)                                                                          \
	case MSG_##name:                                                                                     \
		return decode_##name(&payload, &out->name) && payload.len == 0;
#include "ipc/messages.def"
#undef MSG
	case MSG_NONE:
	case MSG_TYPE_COUNT: break;
	}
	return false;
}

bool msg_header_decode(struct slice in, struct msg_header *out)
{
	uint64_t length, type, flags;

	if (!get_le(&in, 4, &length) || !get_le(&in, 2, &type) || !get_le(&in, 2, &flags))
		return false;
	if (length > LIMIT_FRAME || type == MSG_NONE || type >= MSG_TYPE_COUNT || flags > MSG_FLAG_DESCRIPTOR)
		return false;
	*out = (struct msg_header){
		.length = (uint32_t)length, .type = (uint16_t)type, .flags = (uint16_t)flags
	};
	return true;
}

bool msg_allowed(enum msg_type type, enum role from, enum role to)
{
	return type > MSG_NONE && type < MSG_TYPE_COUNT && msg_info[type].from >> from & 1 &&
		msg_info[type].to >> to & 1;
}

uint32_t msg_protocol_hash(void)
{
	uint32_t hash = 0;

	for (size_t i = 1; i < MSG_TYPE_COUNT; i++) {
		hash = crc32c(hash, slice_of(msg_info[i].name));
		hash = crc32c(hash, slice_of(msg_info[i].fields));
	}
	return hash;
}
