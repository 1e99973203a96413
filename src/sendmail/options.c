/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - one table of flags; a letter's handler gets its value; see options.h */
#include "sendmail/options.h"
#include "mail/queue_id.h"

enum flag_argument { ARG_NONE, ARG_VALUE, ARG_ATTACHED /* only in the same word, may be empty */ };

struct parse {
	struct sendmail_options *o;
	char *complaint;
	int argc;
	char **argv;
	int at; /* the word that is being read */
};

static bool PRINTF_LIKE(2, 3) complain(struct parse *p, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(p->complaint, 256, fmt, args); /* cut when too long: it is for reading */
	va_end(args);
	return false;
}

static bool needs_value(struct parse *p)
{
	return complain(p, "option %s needs a value", p->argv[p->at]);
}

/* The next word, which is then read; NULL: there is none. */
static const char *next_word(struct parse *p)
{
	return p->at + 1 < p->argc ? p->argv[++p->at] : NULL;
}

/* ---- modes ---- */

/* Who asks what this is wants to know that alone, whatever stands beside it. */
static bool choose(struct parse *p, enum sendmail_mode mode)
{
	if (p->o->mode != MODE_VERSION && p->o->mode != MODE_HELP)
		p->o->mode = mode;
	return true;
}

static bool set_mode(struct parse *p, const char *value)
{
	static const struct {
		const char *word;
		enum sendmail_mode mode;
	} modes[] = {
		{ "m", MODE_SEND },
		{ "a", MODE_SEND }, /* of the days of the ARPANET */
		{ "s", MODE_SMTP },
		{ "S", MODE_BATCH },
		{ "p", MODE_LIST },
		{ "pr", MODE_LIST }, /* Exim's: in any order, and without what was delivered */
		{ "pu", MODE_LIST },
		{ "pru", MODE_LIST },
		{ "pc", MODE_COUNT },
		{ "P", MODE_SETTINGS },
		{ "i", MODE_ALIASES },
		{ "d", MODE_DAEMON },
		{ "l", MODE_DAEMON },
		{ "D", MODE_FOREGROUND },
		{ "df", MODE_FOREGROUND },
		{ "V", MODE_VERSION },
		{ "v", MODE_VERIFY },
		{ "t", MODE_ROUTES },
		{ "h", MODE_NOTHING },
		{ "H", MODE_NOTHING },
	};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (strcmp(value, modes[i].word) == 0)
			return choose(p, modes[i].mode);
	return complain(p, "-b%s: no such mode", value);
}

static bool set_aliases(struct parse *p, const char *value)
{
	(void)value;
	return choose(p, MODE_ALIASES);
}

/* -d0.1 prints what this is; all other debugging is accepted and without effect. */
static bool set_debug(struct parse *p, const char *value)
{
	return strncmp(value, "0.", 2) != 0 || choose(p, MODE_VERSION);
}

/* -q, -qf, -qff, -qG and a time: all mail now; -qI id, -qR domain, -qS sender: those. A listing shows what is
 * chosen. */
static bool set_queue(struct parse *p, const char *value)
{
	static const struct {
		char letter;
		enum mail_choice choice;
	} choices[] = { { 'I', CHOICE_ID }, { 'R', CHOICE_DOMAIN }, { 'S', CHOICE_SENDER } };
	enum sendmail_mode mode = p->o->mode;

	if (mode == MODE_DAEMON || mode == MODE_FOREGROUND)
		return true; /* a run interval: queue.retry_min and retry_max say it */
	if (mode == MODE_SEND)
		p->o->mode = MODE_FLUSH;
	if (*value == '!')
		return complain(
			p, "-q%s: all but those cannot be chosen; see postrider-queue(8) for filters", value);
	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		if (*value != choices[i].letter)
			continue;
		if (!value[1] || strchr(value, '\n'))
			return complain(p, "-q%s needs a value, of one line", value);
		p->o->choice = choices[i].choice;
		p->o->choice_value = value + 1;
	}
	return true;
}

/* ---- Exim's -M, against Sendmail's -Mxvalue: Exim's meaning when it is one of its verbs ---- */

static bool is_id(const char *word)
{
	uint64_t id;

	return queue_id_parse(slice_of(word), &id);
}

static bool set_verb(struct parse *p, const char *value)
{
	static const struct {
		const char *word;
		enum exim_verb verb;
	} verbs[] = {
		{ "", EXIM_DELIVER },
		{ "f", EXIM_FREEZE },
		{ "t", EXIM_THAW },
		{ "rm", EXIM_REMOVE },
		{ "g", EXIM_GIVE_UP },
		{ "vh", EXIM_HEADER },
		{ "vb", EXIM_BODY },
		{ "vl", EXIM_LOG },
	};
	static const char *const missing[] = { "ar", "mad", "md", "es", "G", "set", "vc" };
	bool has_id = p->at + 1 < p->argc && is_id(p->argv[p->at + 1]);

	for (size_t i = 0; has_id && i < ARRAY_LEN(verbs); i++) {
		if (strcmp(value, verbs[i].word) == 0) {
			p->o->verb = verbs[i].verb;
			return choose(p, MODE_EXIM);
		}
	}
	for (size_t i = 0; has_id && i < ARRAY_LEN(missing); i++)
		if (strcmp(value, missing[i]) == 0)
			return complain(p, "-M%s is not there; see postrider-queue(8)", value);
	/* A macro's name is one letter or stands in braces: without a value it is none of Sendmail's. */
	if (!*value && !next_word(p))
		return needs_value(p);
	for (size_t i = 1; i < ARRAY_LEN(verbs); i++)
		if (strcmp(value, verbs[i].word) == 0)
			return complain(p, "-M%s needs queue ids; mailq(1) shows them", value);
	return true;
}

/* ---- values ---- */

static bool set_sender(struct parse *p, const char *value)
{
	p->o->sender = value;
	p->o->has_sender = true;
	return true;
}

#define TEXT_SETTER(name, field)                                                                             \
	static bool name(struct parse *p, const char *value)                                                 \
	{                                                                                                    \
		p->o->field = value;                                                                         \
		return true;                                                                                 \
	}
#define FLAG_SETTER(name, field)                                                                             \
	static bool name(struct parse *p, const char *value)                                                 \
	{                                                                                                    \
		(void)value;                                                                                 \
		p->o->field = true;                                                                          \
		return true;                                                                                 \
	}

TEXT_SETTER(set_full_name, full_name)
TEXT_SETTER(set_notify, notify)
TEXT_SETTER(set_ret, ret)
TEXT_SETTER(set_body, body)
TEXT_SETTER(set_config, config_file)
TEXT_SETTER(set_log_tag, log_tag)
FLAG_SETTER(set_dots, ignore_dots)
FLAG_SETTER(set_from_header, from_header)
FLAG_SETTER(set_verbose, is_verbose)

/* Sendmail's and Postfix's envelope id; alone the version, as some programs ask for it. */
static bool set_envid(struct parse *p, const char *value)
{
	if (!*value)
		value = next_word(p);
	p->o->envid = value;
	return value || choose(p, MODE_VERSION);
}

/* -p protocol or -p protocol:host */
static bool set_protocol(struct parse *p, const char *value)
{
	char *colon = strchr(value, ':');

	p->o->client.protocol = value;
	if (!colon)
		return true;
	*colon = '\0'; /* words of a command line are its program's own */
	p->o->client.name = colon + 1;
	return true;
}

/* ---- -o and -O ---- */

static bool set_delivery(struct parse *p, const char *value)
{
	static const struct {
		char letter;
		enum delivery_mode mode;
	} modes[] = {
		{ 'b', DELIVERY_BACKGROUND },
		{ 'i', DELIVERY_AWAITED },
		{ 'f', DELIVERY_AWAITED }, /* Exim: in the foreground */
		{ 'q', DELIVERY_QUEUED },
		{ 'd', DELIVERY_QUEUED },
	};

	if (strcmp(value, "qs") == 0)
		return true; /* Exim: only mail for elsewhere waits */
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (ascii_lower(*value) == modes[i].letter)
			p->o->delivery = modes[i].mode;
	return true;
}

/* q: nobody is told. All other modes: standard error; what cannot be delivered goes by mail in any case. */
static bool set_errors(struct parse *p, const char *value)
{
	p->o->is_quiet = ascii_lower(*value) == 'q';
	return true;
}

/* Exim's -oMx value, also as Sendmail's macro -oMxvalue: r, s and a mean the same. */
static bool set_client(struct parse *p, const char *name)
{
	static const struct {
		const char *name;
		size_t offset;
	} rows[] = {
		{ "a", offsetof(struct client_words, address) },
		{ "r", offsetof(struct client_words, protocol) },
		{ "s", offsetof(struct client_words, name) },
		{ "i", offsetof(struct client_words, interface) },
	};
	static const char *const unused[] = { "t", "m", "aa", "ai", "as" };
	const char *value;

	for (size_t i = 0; i < ARRAY_LEN(unused); i++)
		if (strcmp(name, unused[i]) == 0)
			return next_word(p) || needs_value(p);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (*name != *rows[i].name)
			continue;
		value = name[1] ? name + 1 : next_word(p);
		if (!value)
			return needs_value(p);
		memcpy((char *)&p->o->client + rows[i].offset, &value, sizeof(value));
	}
	return true;
}

static bool set_alias_file(struct parse *p, const char *value)
{
	p->o->alias_file = *value ? value : next_word(p);
	return p->o->alias_file || needs_value(p);
}

/* Exim's -oX ports and -oP file have their value in the next word; Sendmail's have it in the same one. */
static bool skip_value(struct parse *p, const char *value)
{
	return *value || next_word(p) || needs_value(p);
}

/* -ox: sendmail's one-letter options. Those that are not named change nothing here. */
static bool set_option(struct parse *p, const char *value)
{
	static const struct {
		char letter;
		bool (*set)(struct parse *p, const char *value);
	} options[] = {
		{ 'i', set_dots },
		{ 'd', set_delivery },
		{ 'e', set_errors },
		{ 'A', set_alias_file },
		{ 'M', set_client },
		{ 'P', skip_value },
		{ 'X', skip_value },
	};

	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (*value == options[i].letter)
			return options[i].set(p, value + 1);
	return true;
}

static bool set_long_option(struct parse *p, const char *value)
{
	static const struct {
		const char *name;
		bool (*set)(struct parse *p, const char *value);
	} options[] = {
		{ "DeliveryMode", set_delivery },
		{ "ErrorMode", set_errors },
		{ "AliasFile", set_alias_file },
	};
	struct slice text = slice_of(value), name;

	if (!slice_cut(&text, '=', &name))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (slice_eq_nocase(slice_trim(name), slice_of(options[i].name)) && text.len)
			return options[i].set(p, text.at);
	return true;
}

static bool accept(struct parse *p, const char *value)
{
	(void)p, (void)value;
	return true;
}

/* ---- the table ---- */

static const struct flag {
	char letter;
	enum flag_argument argument;
	bool (*set)(struct parse *p, const char *value);
} flags[] = {
	{ 't', ARG_NONE, set_from_header },
	{ 'i', ARG_NONE, set_dots },
	{ 'f', ARG_VALUE, set_sender },
	{ 'r', ARG_VALUE, set_sender },
	{ 'F', ARG_VALUE, set_full_name },
	{ 'b', ARG_VALUE, set_mode },
	{ 'o', ARG_VALUE, set_option },
	{ 'O', ARG_VALUE, set_long_option },
	{ 'e', ARG_VALUE, set_errors },
	{ 'q', ARG_ATTACHED, set_queue },
	{ 'M', ARG_ATTACHED, set_verb },
	{ 'v', ARG_NONE, set_verbose },
	{ 'I', ARG_NONE, set_aliases },
	{ 'N', ARG_VALUE, set_notify },
	{ 'R', ARG_VALUE, set_ret },
	{ 'V', ARG_ATTACHED, set_envid },
	{ 'B', ARG_VALUE, set_body },
	{ 'C', ARG_VALUE, set_config },
	{ 'd', ARG_ATTACHED, set_debug },
	{ 'L', ARG_VALUE, set_log_tag },
	{ 'p', ARG_VALUE, set_protocol },
	/* Accepted: programs in the wild give them, and nothing depends on them here. */
	{ 'A', ARG_ATTACHED, accept }, /* -Ac, -Am: which of Sendmail's two queues */
	{ 'h', ARG_VALUE, accept },    /* hop count: Received fields are counted where they arrive */
	{ 'X', ARG_VALUE, accept },    /* traffic log */
	{ 'G', ARG_NONE, accept },     /* gateway submission */
	{ 'm', ARG_NONE, accept },     /* me too */
	{ 'n', ARG_NONE, accept },     /* no aliases */
	{ 'U', ARG_NONE, accept },     /* user submission */
	{ 'x', ARG_NONE, accept },
	{ 'E', ARG_NONE, accept },
	{ 'J', ARG_NONE, accept },
};

static const struct flag *flag_find(char letter)
{
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (flags[i].letter == letter)
			return &flags[i];
	return NULL;
}

static bool parse_long_word(struct parse *p, const char *word)
{
	if (strcmp(word, "--help") == 0)
		return choose(p, MODE_HELP);
	if (strcmp(word, "--version") == 0)
		return choose(p, MODE_VERSION);
	return complain(p, "unknown option %s", word);
}

/* One word of the command line, several letters perhaps; p->at moves on when a value was in the next one. */
static bool parse_word(struct parse *p)
{
	const char *word = p->argv[p->at];

	if (word[1] == '-')
		return parse_long_word(p, word);
	for (const char *c = word + 1; *c; c++) {
		const struct flag *f = flag_find(*c);
		if (!f)
			return complain(p, "unknown option %s", word);
		if (f->argument == ARG_NONE) {
			if (!f->set(p, ""))
				return false;
			continue;
		}
		if (c[1] || f->argument == ARG_ATTACHED)
			return f->set(p, c + 1);
		const char *value = next_word(p);
		return value ? f->set(p, value) : needs_value(p);
	}
	return true;
}

static enum sendmail_mode mode_of_name(const char *name)
{
	const char *base = strrchr(name, '/');

	base = base ? base + 1 : name;
	if (strcmp(base, "mailq") == 0)
		return MODE_LIST;
	return strcmp(base, "newaliases") == 0 ? MODE_ALIASES : MODE_SEND;
}

static bool takes_words(enum sendmail_mode mode)
{
	static const bool takes[MODE_HELP + 1] = { [MODE_SEND] = true,
		[MODE_LIST] = true,
		[MODE_SETTINGS] = true,
		[MODE_EXIM] = true,
		[MODE_VERIFY] = true,
		[MODE_ROUTES] = true,
		[MODE_NOTHING] = true };

	return takes[mode];
}

/* Words that nobody looks at would be a mistake that nobody sees. */
static bool check_words(struct parse *p)
{
	const struct sendmail_options *o = p->o;
	bool wants_ids = o->mode == MODE_LIST || o->mode == MODE_EXIM;

	if (o->mode == MODE_HELP || o->mode == MODE_VERSION)
		return true;
	if (o->n_words && !takes_words(o->mode))
		return complain(p, "%s: only options and their values are expected here", o->words[0]);
	for (int i = 0; wants_ids && i < o->n_words; i++)
		if (!is_id(o->words[i]))
			return complain(p, "%s is no queue id; `mailq` shows them", o->words[i]);
	if (o->mode == MODE_EXIM && o->verb >= EXIM_HEADER && o->n_words != 1)
		return complain(p, "one message at a time is shown");
	if (o->choice == CHOICE_ID && !is_id(o->choice_value))
		return complain(p, "%s is no queue id; `mailq` shows them", o->choice_value);
	return true;
}

bool options_parse(
	const char *name, int argc, char **argv, struct sendmail_options *out, char complaint_out[256])
{
	struct sendmail_options o = { .mode = mode_of_name(name) };
	struct parse p = { .o = &o, .complaint = complaint_out, .argc = argc, .argv = argv };

	for (p.at = 1; p.at < argc; p.at++) {
		if (argv[p.at][0] != '-' || !argv[p.at][1])
			break;
		if (strcmp(argv[p.at], "--") == 0) {
			o.after_dashes = true;
			p.at++;
			break;
		}
		if (!parse_word(&p))
			return false;
	}
	o.words = argv + p.at;
	o.n_words = argc - p.at;
	if (!check_words(&p))
		return false;
	*out = o;
	return true;
}
