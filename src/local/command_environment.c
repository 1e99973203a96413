/* SPDX-License-Identifier: Apache-2.0 */
/* command_environment.c - see command_environment.h */
#include "local/command_environment.h"
#include "base/limits.h"
#include "mail/address.h"
#include "mail/header.h"
#include "mail/queue_id.h"

#define VARIABLES_MAX 32
#define VALUE_MAX 1000 /* octets of a variable */

struct environment {
	struct arena *arena;
	char *list[VARIABLES_MAX + 1];
	size_t n;
	bool failed;
};

/* Of what came with the mail only what no shell, option parser or path takes for more than text. */
static bool is_harmless(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		slice_find(SLICE("!@%-_=+:,./"), c) < 11;
}

static void put(struct environment *e, const char *name, struct slice value, bool is_ours)
{
	size_t at = strlen(name) + 1;
	char *text = arena_alloc(e->arena, at + MIN(value.len, (size_t)VALUE_MAX) + 1);

	if (!text || e->n == VARIABLES_MAX) {
		e->failed = true;
		return;
	}
	value = slice_first(value, VALUE_MAX);
	(void)memcpy(text, name, at - 1);
	text[at - 1] = '=';
	for (size_t i = 0; i < value.len; i++)
		text[at + i] = is_ours || is_harmless(value.at[i]) ? value.at[i] : '_';
	e->list[e->n++] = text;
}

static struct slice message_id(struct slice content)
{
	struct header_field field;
	struct slice id = SLICE_EMPTY, rest;

	if (!header_find(&content, SLICE("Message-ID"), &field))
		return SLICE_EMPTY;
	rest = field.value;
	if (!slice_cut(&rest, '<', &id) || !slice_cut(&rest, '>', &id))
		return SLICE_EMPTY;
	return id;
}

static void put_user(struct environment *e, const struct userdb_user *user)
{
	put(e, "HOME", slice_of(user->home[0] == '/' ? user->home : "/"), true);
	put(e, "USER", slice_of(user->name), true);
	put(e, "LOGNAME", slice_of(user->name), true);
	put(e, "SHELL", slice_of(user->shell[0] == '/' ? user->shell : "/bin/sh"), true);
	put(e, "PATH", SLICE("/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"), true);
}

static void put_recipient(struct environment *e, const struct config *c, struct slice path)
{
	size_t at = slice_rfind(path, '@');
	struct slice local = slice_first(path, at), user = local, extension = SLICE_EMPTY;

	(void)address_split_extension(local, slice_of(c->aliases_delimiter), &user, &extension);
	put(e, "RECIPIENT", path, false);
	put(e, "LOCAL", local, false);
	put(e, "LOCAL_PART", user, false);
	put(e, "LOCAL_PART_SUFFIX", slice_from(local, user.len), false);
	put(e, "EXTENSION", extension, false);
	put(e, "DOMAIN", slice_from(path, at + 1), false);
	put(e, "QUALIFY_DOMAIN", slice_of(c->main_origin), true);
}

static void put_client(struct environment *e, const struct client *c)
{
	if (c->address.len == 0)
		return;
	put(e, "CLIENT_ADDRESS", c->address, false);
	put(e, "CLIENT_HELO", c->helo, false);
	put(e, "CLIENT_HOSTNAME", c->name.len ? c->name : SLICE("unknown"), false);
	put(e, "CLIENT_PROTOCOL", c->protocol, false);
	if (c->login.len)
		put(e, "SASL_USERNAME", c->login, false);
}

char **command_environment(struct arena *a, const struct config *c, const struct userdb_user *user,
	const struct command_mail *mail)
{
	struct environment *e = arena_alloc(a, sizeof(*e));
	const char *zone = getenv("TZ");

	if (!e)
		return NULL;
	e->arena = a;
	put_user(e, user);
	put_recipient(e, c, mail->forward_path);
	put(e, "ORIGINAL_RECIPIENT", mail->original, false);
	put(e, "SENDER", mail->sender.len ? mail->sender : SLICE("MAILER-DAEMON"), false);
	put(e, "ENVID", mail->envid, false);
	put_client(e, &mail->client);
	put(e, "MESSAGE_ID", message_id(mail->content), false);
	put(e, "QUEUE_ID", slice_of(queue_id_format(mail->queue_id).at), true);
	if (zone)
		put(e, "TZ", slice_of(zone), true);
	if (c->paths.sandbox[0])
		put(e, "POSTRIDER_SANDBOX", slice_of(c->paths.sandbox), true);
	return e->failed ? NULL : e->list;
}
