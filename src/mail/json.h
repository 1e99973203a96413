/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - writing JSON: objects in one line, their members in the order of the calls
 *
 * Never reads any. Text may be any bytes: what is no UTF-8 becomes U+FFFD, so that a reader always gets what
 * it can parse. A buf that is full says so by itself. A library is not used: jansson refuses text that is no
 * UTF-8, which addresses and reasons may be, and wants the whole of an answer in memory, which a queue of a
 * million messages must not be. Layer: mail. Tests: test_json.c.
 */
#pragma once
#include "base/buf.h"

struct json {
	struct buf *out;
	bool has_member; /* a comma comes before the next one */
};

#define JSON_INIT(buf) ((struct json){ .out = (buf) })

/* name NULL: an element of an array, or the outermost object. */
void json_put_object(struct json *j, const char *name);
void json_put_object_end(struct json *j);
void json_put_array(struct json *j, const char *name);
void json_put_array_end(struct json *j);
void json_put_text(struct json *j, const char *name, struct slice value);
void json_put_number(struct json *j, const char *name, uint64_t value);
void json_put_bool(struct json *j, const char *name, bool value);
