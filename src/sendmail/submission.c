/* SPDX-License-Identifier: Apache-2.0 */
/* submission.c - a submission while it is put together; see submission.h */
#include "sendmail/submission.h"
#include "base/clock.h"
#include "base/limits.h"
#include "sendmail/program.h"
#include <arpa/inet.h>
#include <sys/random.h>
#include <sysexits.h>

void submission_init(struct submission *s, const struct config *config)
{
	uint64_t dice[2] = { 0, 0 };

	*s = (struct submission){ .config = config };
	/* The clock and the process number make it unique even where there is no randomness yet. */
	(void)!getrandom(dice, sizeof(dice), GRND_NONBLOCK);
	(void)snprintf(s->id, sizeof(s->id), "%" PRIx64 ".%x.%" PRIx64, clock_wall_us(), (unsigned)getpid(),
		dice[0]);
}

void submission_free(struct submission *s)
{
	for (size_t i = 0; i < s->n_kept; i++)
		mem_free(s->kept[i]);
	mem_free(s->kept);
	mem_free(s->rcpts);
	*s = (struct submission){ 0 };
}

struct slice submission_keep(struct submission *s, struct slice text)
{
	if (s->n_kept == s->cap_kept) {
		size_t cap = s->cap_kept ? s->cap_kept * 2 : 16;
		char **grown = mem_new_array(cap, sizeof(*grown));
		if (s->n_kept)
			memcpy(grown, s->kept, s->n_kept * sizeof(*grown));
		mem_free(s->kept);
		s->kept = grown;
		s->cap_kept = cap;
	}
	s->kept[s->n_kept] = slice_dup(text);
	return (struct slice){ s->kept[s->n_kept++], text.len };
}

bool submission_has_8bit(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.at[i] >= 0x80)
			return true;
	return false;
}

/* An address that is not ASCII needs SMTPUTF8 on its way; a header or a body does not. */
void submission_set_sender(struct submission *s, struct slice address)
{
	s->sender = submission_keep(s, address);
	s->smtputf8 |= submission_has_8bit(address);
}

struct submission_recipient *submission_add(struct submission *s, struct slice local, struct slice domain)
{
	auto_buf struct buf text = BUF_INIT(2 * LIMIT_PATH);

	buf_append(&text, local);
	buf_append_byte(&text, '@');
	buf_append(&text, domain.len ? domain : slice_of(s->config->main_origin));
	if (s->n_rcpts == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 8;
		struct submission_recipient *grown = mem_new_array(cap, sizeof(*grown));
		if (s->n_rcpts)
			memcpy(grown, s->rcpts, s->n_rcpts * sizeof(*grown));
		mem_free(s->rcpts);
		s->rcpts = grown;
		s->cap = cap;
	}
	s->smtputf8 |= submission_has_8bit(buf_slice(&text));
	s->rcpts[s->n_rcpts] = (struct submission_recipient){ .address = submission_keep(s, buf_slice(&text)),
		.notify = s->notify };
	return &s->rcpts[s->n_rcpts++];
}

/* ---- where the mail came from ---- */

static bool is_address(const char *text)
{
	struct in6_addr a; /* of either family */

	return inet_pton(AF_INET, text, &a) == 1 || inet_pton(AF_INET6, text, &a) == 1;
}

static bool is_word(const char *text)
{
	return trace_word_is_valid(slice_of(text));
}

static int take_client_words(struct submission *s, const struct client_words *c)
{
	const struct {
		const char *option, *value;
		bool (*is_good)(const char *text);
		struct slice *to;
	} rows[] = {
		{ "-oMr", c->protocol, is_word, &s->client.protocol },
		{ "-oMa", c->address, is_address, &s->client.address },
		{ "-oMs", c->name, is_word, &s->client.name },
		{ "-oMi", c->interface, is_address, &s->client.interface },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!rows[i].value || !*rows[i].value)
			continue;
		if (!rows[i].is_good(rows[i].value)) {
			program_complain("%s %s: %s", rows[i].option, rows[i].value,
				rows[i].is_good == is_word ? "must be one word of ASCII"
							   : "is no IP address");
			return EX_USAGE;
		}
		*rows[i].to = slice_of(rows[i].value);
	}
	return EX_OK;
}

int submission_take_options(struct submission *s, const struct sendmail_options *o)
{
	s->is_for_later = o->delivery == DELIVERY_QUEUED;
	s->is_awaited = o->delivery == DELIVERY_AWAITED;
	return take_client_words(s, &o->client);
}
