/* SPDX-License-Identifier: Apache-2.0 */
/* capabilities.c - see capabilities.h */
#include "smtp/capabilities.h"

static void read_pipelining(struct slice arguments, struct capabilities *can)
{
	(void)arguments;
	can->pipelining = true;
}

static void read_eight_bit(struct slice arguments, struct capabilities *can)
{
	(void)arguments;
	can->eight_bit = true;
}

static void read_smtputf8(struct slice arguments, struct capabilities *can)
{
	(void)arguments;
	can->smtputf8 = true;
}

static void read_dsn(struct slice arguments, struct capabilities *can)
{
	(void)arguments;
	can->dsn = true;
}

static void read_size(struct slice arguments, struct capabilities *can)
{
	struct slice word;

	can->size = true;
	if (!slice_next_word(&arguments, &word) || !slice_to_u64(word, UINT64_MAX, &can->size_limit))
		can->size_limit = 0;
}

static void read_limits(struct slice arguments, struct capabilities *can)
{
	struct slice word;

	while (slice_next_word(&arguments, &word))
		if (slice_skip_prefix_nocase(&word, SLICE("RCPTMAX=")) &&
			!slice_to_u64(word, UINT64_MAX, &can->rcpt_limit))
			can->rcpt_limit = 0;
}

static const struct {
	const char *word;
	void (*read)(struct slice arguments, struct capabilities *can);
} keywords[] = {
	{ "PIPELINING", read_pipelining },
	{ "8BITMIME", read_eight_bit },
	{ "SMTPUTF8", read_smtputf8 },
	{ "DSN", read_dsn },
	{ "SIZE", read_size },
	{ "LIMITS", read_limits },
};

void capabilities_parse(struct slice text, struct capabilities *out)
{
	struct slice line, word;

	*out = (struct capabilities){ 0 };
	(void)slice_next_line(&text, &line); /* the greeting; an empty text has no lines at all */
	while (slice_next_line(&text, &line)) {
		if (!slice_next_word(&line, &word))
			continue;
		for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
			if (slice_eq_nocase(word, slice_of(keywords[i].word)))
				keywords[i].read(line, out);
	}
}
