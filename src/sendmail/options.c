/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - one table of flags; a letter's handler gets its value; see options.h */
#include "sendmail/options.h"

enum flag_argument { ARG_NONE, ARG_VALUE, ARG_ATTACHED /* only in the same word, may be empty */ };

struct parse {
	struct sendmail_options *o;
	char *complaint;
};

static bool PRINTF_LIKE(2, 3) complain(struct parse *p, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(p->complaint, 256, fmt, args); /* cut when too long: it is for reading */
	va_end(args);
	return false;
}

static bool set_mode(struct parse *p, const char *value)
{
	static const struct {
		char letter;
		enum sendmail_mode mode;
	} modes[] = {
		{ 'm', MODE_SEND },
		{ 'a', MODE_SEND },
		{ 's', MODE_SMTP },
		{ 'p', MODE_LIST },
		{ 'i', MODE_ALIASES },
		{ 'd', MODE_DAEMON },
		{ 'l', MODE_DAEMON },
		{ 'D', MODE_FOREGROUND },
		{ 'V', MODE_VERSION },
	};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (*value == modes[i].letter) {
			p->o->mode = modes[i].mode;
			return true;
		}
	}
	return complain(p, "-b%s: no such mode", value);
}

static bool set_sender(struct parse *p, const char *value)
{
	p->o->sender = value;
	p->o->has_sender = true;
	return true;
}

static bool set_full_name(struct parse *p, const char *value)
{
	p->o->full_name = value;
	return true;
}

static bool set_dots(struct parse *p, const char *value)
{
	(void)value;
	p->o->ignore_dots = true;
	return true;
}

static bool set_from_header(struct parse *p, const char *value)
{
	(void)value;
	p->o->from_header = true;
	return true;
}

static bool set_verbose(struct parse *p, const char *value)
{
	(void)value;
	p->o->is_verbose = true;
	return true;
}

static bool set_aliases(struct parse *p, const char *value)
{
	(void)value;
	p->o->mode = MODE_ALIASES;
	return true;
}

static bool set_notify(struct parse *p, const char *value)
{
	p->o->notify = value;
	return true;
}

static bool set_ret(struct parse *p, const char *value)
{
	p->o->ret = value;
	return true;
}

static bool set_envid(struct parse *p, const char *value)
{
	p->o->envid = value;
	return true;
}

static bool set_body(struct parse *p, const char *value)
{
	p->o->body = value;
	return true;
}

static bool set_config(struct parse *p, const char *value)
{
	p->o->config_file = value;
	return true;
}

/* -q, -qf, -qff and a time: all mail now; -qI id, -qR domain, -qS sender: those. */
static bool set_flush(struct parse *p, const char *value)
{
	static const struct {
		char letter;
		enum flush_kind kind;
	} kinds[] = { { 'I', FLUSH_ID }, { 'R', FLUSH_DOMAIN }, { 'S', FLUSH_SENDER } };

	if (p->o->mode == MODE_DAEMON || p->o->mode == MODE_FOREGROUND)
		return true; /* a run interval: queue.retry_min and retry_max say it */
	p->o->mode = MODE_FLUSH;
	p->o->flush = FLUSH_ALL;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (*value != kinds[i].letter)
			continue;
		p->o->flush = kinds[i].kind;
		p->o->flush_what = value + 1;
		if (!value[1])
			return complain(p, "-q%s needs a value", value);
	}
	return true;
}

/* -ox: sendmail's one-letter options. Those that are not named change nothing here: errors go by mail in any
 * case. */
static bool set_option(struct parse *p, const char *value)
{
	switch (*value) {
	case 'i': p->o->ignore_dots = true; return true;
	case 'A': p->o->alias_file = value[1] ? value + 1 : NULL; return true;
	default: return true;
	}
}

static bool accept(struct parse *p, const char *value)
{
	(void)p, (void)value;
	return true;
}

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
	{ 'q', ARG_ATTACHED, set_flush },
	{ 'v', ARG_NONE, set_verbose },
	{ 'I', ARG_NONE, set_aliases },
	{ 'N', ARG_VALUE, set_notify },
	{ 'R', ARG_VALUE, set_ret },
	{ 'V', ARG_VALUE, set_envid },
	{ 'B', ARG_VALUE, set_body },
	{ 'C', ARG_VALUE, set_config },
	/* Accepted: programs in the wild give them, and nothing depends on them here. */
	{ 'A', ARG_ATTACHED, accept }, /* -Ac, -Am: which of Sendmail's two queues */
	{ 'd', ARG_ATTACHED, accept }, /* debugging */
	{ 'e', ARG_VALUE, accept },    /* how errors are told */
	{ 'h', ARG_VALUE, accept },    /* hop count */
	{ 'L', ARG_VALUE, accept },    /* log tag */
	{ 'O', ARG_VALUE, accept },    /* option=value */
	{ 'p', ARG_VALUE, accept },    /* protocol:host */
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

/* One word of the command line, several letters perhaps; *at moves to the next word when a value was there.
 */
static bool parse_word(struct parse *p, int argc, char **argv, int *at)
{
	for (const char *c = argv[*at] + 1; *c; c++) {
		const struct flag *f = flag_find(*c);
		if (!f)
			return complain(p, "unknown option %s", argv[*at]);
		if (f->argument == ARG_NONE) {
			if (!f->set(p, ""))
				return false;
			continue;
		}
		if (c[1] || f->argument == ARG_ATTACHED)
			return f->set(p, c + 1);
		if (*at + 1 >= argc)
			return complain(p, "option %s needs a value", argv[*at]);
		return f->set(p, argv[++*at]);
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

bool options_parse(
	const char *name, int argc, char **argv, struct sendmail_options *out, char complaint_out[256])
{
	struct sendmail_options o = { .mode = mode_of_name(name) };
	struct parse p = { .o = &o, .complaint = complaint_out };
	int i;

	for (i = 1; i < argc; i++) {
		if (argv[i][0] != '-' || !argv[i][1])
			break;
		if (strcmp(argv[i], "--") == 0) {
			o.after_dashes = true;
			i++;
			break;
		}
		if (!parse_word(&p, argc, argv, &i))
			return false;
	}
	o.addresses = argv + i;
	o.n_addresses = argc - i;
	*out = o;
	return true;
}
