/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "sendmail/options.h"
#include "support/test.h"

#define MAX_ARGS 16

/* What the command line was understood as, in a line: the mode, then what differs from nothing at all. */
static void describe(const struct sendmail_options *o, struct buf *out)
{
	static const char *const modes[] = { "send", "smtp", "batch", "list", "count", "settings", "aliases",
		"flush", "verify", "routes", "nothing", "exim", "daemon", "foreground", "version", "help" };
	static const char *const choices[] = { "", "id", "domain", "sender" };
	static const char *const deliveries[] = { "", " awaited", " queued" };
	static const char *const verbs[] = { "try", "freeze", "thaw", "remove", "give-up", "header", "body",
		"log" };
	const struct {
		const char *name, *value;
	} texts[] = { { "f", o->has_sender ? o->sender : NULL }, { "F", o->full_name }, { "N", o->notify },
		{ "R", o->ret }, { "V", o->envid }, { "B", o->body }, { "A", o->alias_file },
		{ "C", o->config_file }, { "L", o->log_tag }, { "protocol", o->client.protocol },
		{ "address", o->client.address }, { "name", o->client.name },
		{ "interface", o->client.interface },
		{ choices[o->choice], o->choice ? o->choice_value : NULL } };

	buf_append_str(out, modes[o->mode]);
	buf_printf(out, "%s%s%s%s%s", o->from_header ? " t" : "", o->ignore_dots ? " i" : "",
		o->is_verbose ? " v" : "", o->is_quiet ? " quiet" : "", deliveries[o->delivery]);
	if (o->mode == MODE_EXIM)
		buf_printf(out, " %s", verbs[o->verb]);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i].value)
			buf_printf(out, " %s=%s", texts[i].name, texts[i].value);
	for (int i = 0; i < o->n_words; i++)
		buf_printf(out, " [%s]", o->words[i]);
}

/* Words separated by single blanks; two blanks make an empty word. The first word is the program's name. */
static bool parse(const char *line, char *copy, size_t size, struct sendmail_options *o, char why[256])
{
	static char *argv[MAX_ARGS + 1];
	int argc = 0;

	assert_true((size_t)snprintf(copy, size, "%s", line) < size);
	for (char *at = copy, *word; argc < MAX_ARGS && (word = strsep(&at, " "));)
		argv[argc++] = word;
	argv[argc] = NULL;
	return options_parse(argv[0], argc, argv, o, why);
}

struct row {
	const char *line, *want;
};

static void check(const struct row *rows, size_t n)
{
	struct sendmail_options o;
	char copy[256], why[256];

	for (size_t i = 0; i < n; i++) {
		auto_buf struct buf got = BUF_INIT(1024);
		if (!parse(rows[i].line, copy, sizeof(copy), &o, why))
			fail_msg("%s: %s", rows[i].line, why);
		describe(&o, &got);
		if (strcmp(buf_cstr(&got), rows[i].want) != 0)
			fail_msg("%s: \"%s\" and not \"%s\"", rows[i].line, buf_cstr(&got), rows[i].want);
	}
}

static void what_programs_call(void **state)
{
	static const struct row rows[] = {
		{ "sendmail -FCronDaemon -i -B8BITMIME -oem root", "send i F=CronDaemon B=8BITMIME [root]" },
		{ "/usr/sbin/sendmail -FCronDaemon -i -odi -oem -oi -t -f root",
			"send t i awaited f=root F=CronDaemon" },
		{ "sendmail -t -i -fa@b", "send t i f=a@b" },		      /* PHP */
		{ "sendmail -oem -oi -f a@b -N failure,delay -R hdrs -- u@c", /* mutt */
			"send i f=a@b N=failure,delay R=hdrs [u@c]" },
		{ "sendmail -i u", "send i [u]" },			 /* git, at */
		{ "sendmail -f root admin@c", "send f=root [admin@c]" }, /* fail2ban */
		{ "sendmail -oi -f u -odb -oem -t", "send t i f=u" },	 /* Emacs */
		{ "sendmail -FAnacron -odi root", "send awaited F=Anacron [root]" },
		{ "sendmail -i -r a@b u", "send i f=a@b [u]" }, /* s-nail */
		{ "sendmail -d0.1 -bp root", "version [root]" },
	};
	(void)state;
	check(rows, ARRAY_LEN(rows));
}

static void every_letter(void **state)
{
	static const struct row rows[] = {
		{ "sendmail u v", "send [u] [v]" },
		{ "sendmail -- -x", "send [-x]" },
		{ "sendmail - u", "send [-] [u]" },
		{ "sendmail u -f", "send [u] [-f]" }, /* options end at the first recipient */
		{ "sendmail -Ac -Am -A u", "send [u]" },
		{ "sendmail -B 7BIT u", "send B=7BIT [u]" },
		{ "sendmail -B7BIT u", "send B=7BIT [u]" },
		{ "sendmail -bm u", "send [u]" },
		{ "sendmail -ba u", "send [u]" },
		{ "sendmail -bs", "smtp" },
		{ "sendmail -bS", "batch" },
		{ "sendmail -b s", "smtp" },
		{ "sendmail -bp", "list" },
		{ "sendmail -bpr", "list" },
		{ "sendmail -bpu", "list" },
		{ "sendmail -bpru", "list" },
		{ "sendmail -bp 010C5D6161923A1", "list [010C5D6161923A1]" },
		{ "sendmail -bpc", "count" },
		{ "sendmail -bP", "settings" },
		{ "sendmail -bP main.origin", "settings [main.origin]" },
		{ "sendmail -bi", "aliases" },
		{ "sendmail -bd -q30m", "daemon" },
		{ "sendmail -bl", "daemon" },
		{ "sendmail -bD", "foreground" },
		{ "sendmail -bdf", "foreground" },
		{ "sendmail -bV", "version" },
		{ "sendmail -bv u", "verify [u]" },
		{ "sendmail -bv -v -f a@b u v", "verify v f=a@b [u] [v]" },
		{ "sendmail -bt", "routes" },
		{ "sendmail -bt u", "routes [u]" },
		{ "sendmail -bh", "nothing" },
		{ "sendmail -bH", "nothing" },
		{ "sendmail -bh 192.0.2.1", "nothing [192.0.2.1]" },
		{ "sendmail -C /etc/x u", "send C=/etc/x [u]" },
		{ "sendmail -d u", "send [u]" },
		{ "sendmail -d8.99 u", "send [u]" },
		{ "sendmail -d0.1", "version" },
		{ "sendmail -E -J -x -G -m -n -U u", "send [u]" },
		{ "sendmail -em u", "send [u]" },
		{ "sendmail -e p u", "send [u]" },
		{ "sendmail -eq u", "send quiet [u]" },
		{ "sendmail -F name u", "send F=name [u]" },
		{ "sendmail -f a u", "send f=a [u]" },
		{ "sendmail -f  u", "send f= [u]" },
		{ "sendmail -f<> u", "send f=<> [u]" },
		{ "sendmail -ra u", "send f=a [u]" },
		{ "sendmail -h 5 u", "send [u]" },
		{ "sendmail -h5 u", "send [u]" },
		{ "sendmail -I", "aliases" },
		{ "sendmail -i u", "send i [u]" },
		{ "sendmail -L tag u", "send L=tag [u]" },
		{ "sendmail -N never -R full -V id u", "send N=never R=full V=id [u]" },
		{ "sendmail -O DeliveryMode=q u", "send queued [u]" },
		{ "sendmail -ODELIVERYMODE=Interactive u", "send awaited [u]" },
		{ "sendmail -O ErrorMode=quiet u", "send quiet [u]" },
		{ "sendmail -O ErrorMode=p u", "send [u]" },
		{ "sendmail -O AliasFile=/x -bi", "aliases A=/x" },
		{ "sendmail -O X=y -O Z u", "send [u]" },
		{ "sendmail -o i u", "send i [u]" },
		{ "sendmail -oitrue u", "send i [u]" },
		{ "sendmail -odb u", "send [u]" },
		{ "sendmail -odi u", "send awaited [u]" },
		{ "sendmail -odf u", "send awaited [u]" },
		{ "sendmail -odq u", "send queued [u]" },
		{ "sendmail -odd u", "send queued [u]" },
		{ "sendmail -odqs u", "send [u]" },
		{ "sendmail -odq -odb u", "send [u]" },
		{ "sendmail -oem -oep -oew -oee u", "send [u]" },
		{ "sendmail -oeq u", "send quiet [u]" },
		{ "sendmail -oeq -oem u", "send [u]" },
		{ "sendmail -om -o7 -o8 -oG u", "send [u]" },
		{ "sendmail -oA/x -bi", "aliases A=/x" },
		{ "sendmail -bi -oA /x", "aliases A=/x" },
		{ "sendmail -oMr http -oMa 192.0.2.1 -oMs web -oMi 192.0.2.2 u",
			"send protocol=http address=192.0.2.1 name=web interface=192.0.2.2 [u]" },
		{ "sendmail -oMrhttp -oMsweb u",
			"send protocol=http name=web [u]" }, /* as Sendmail's macros */
		{ "sendmail -oMt ident -oMaa id -oMai x -oMas y -oMm z u", "send [u]" },
		{ "sendmail -oMzvalue u", "send [u]" },
		{ "sendmail -oX 25 -oP /run/pid -bd", "daemon" },
		{ "sendmail -oX8 -oPpostmaster u", "send [u]" },
		{ "sendmail -p http:web u", "send protocol=http name=web [u]" },
		{ "sendmail -phttp u", "send protocol=http [u]" },
		{ "sendmail -q", "flush" },
		{ "sendmail -q30m", "flush" },
		{ "sendmail -qf", "flush" },
		{ "sendmail -qff", "flush" },
		{ "sendmail -qG", "flush" },
		{ "sendmail -qGname", "flush" },
		{ "sendmail -qQ", "flush" },
		{ "sendmail -qI010C5D6161923A1", "flush id=010C5D6161923A1" },
		{ "sendmail -qRfar.example", "flush domain=far.example" },
		{ "sendmail -qSa@b", "flush sender=a@b" },
		{ "sendmail -bp -qRfar.example", "list domain=far.example" },
		{ "sendmail -qRfar.example -bp", "list domain=far.example" },
		{ "sendmail -t", "send t" },
		{ "sendmail -tioem u", "send t i [u]" },
		{ "sendmail -v u", "send v [u]" },
		{ "sendmail -V", "version" },
		{ "sendmail -X /log u", "send [u]" },
		{ "sendmail --help", "help" },
		{ "sendmail --version", "version" },
		{ "/usr/bin/mailq", "list" },
		{ "mailq -v -Ac", "list v" },
		{ "mailq -q", "list" },
		{ "mailq -qSa@b", "list sender=a@b" },
		{ "mailq 010C5D6161923A1", "list [010C5D6161923A1]" },
		{ "mailq --help", "help" },
		{ "newaliases -v", "aliases v" },
		{ "newaliases -oA/x", "aliases A=/x" },
	};
	(void)state;
	check(rows, ARRAY_LEN(rows));
}

/* Exim's meaning when a verb of its is followed by an id, else Sendmail's macro. */
static void exim_or_macro(void **state)
{
	static const struct row rows[] = {
		{ "exim -M 010C5D6161923A1 010C5D6161923A2", "exim try [010C5D6161923A1] [010C5D6161923A2]" },
		{ "exim -Mf 010C5D6161923A1", "exim freeze [010C5D6161923A1]" },
		{ "exim -Mt 010c5d6161923a1", "exim thaw [010c5d6161923a1]" },
		{ "exim -Mrm 010C5D6161923A1", "exim remove [010C5D6161923A1]" },
		{ "exim -Mg 010C5D6161923A1", "exim give-up [010C5D6161923A1]" },
		{ "exim -Mvh 010C5D6161923A1", "exim header [010C5D6161923A1]" },
		{ "exim -Mvb 010C5D6161923A1", "exim body [010C5D6161923A1]" },
		{ "exim -Mvl 010C5D6161923A1", "exim log [010C5D6161923A1]" },
		{ "sendmail -MrSMTP u", "send [u]" },
		{ "sendmail -Ms host u", "send [host] [u]" },
		{ "sendmail -M rSMTP u", "send [u]" },
		{ "sendmail -M{client_name}x u", "send [u]" },
		{ "sendmail -MfXY 010C5D6161923A1", "send [010C5D6161923A1]" },
	};
	(void)state;
	check(rows, ARRAY_LEN(rows));
}

static void mistakes_are_named(void **state)
{
	static const struct row rows[] = {
		{ "sendmail -Z", "unknown option -Z" },
		{ "sendmail -tZ", "unknown option -tZ" },
		{ "sendmail -D x", "unknown option -D" },
		{ "sendmail -T", "unknown option -T" },
		{ "sendmail --color", "unknown option --color" },
		{ "sendmail -f", "option -f needs a value" },
		{ "sendmail -ti -C", "option -C needs a value" },
		{ "sendmail -M", "option -M needs a value" },
		{ "sendmail -oMr", "option -oMr needs a value" },
		{ "sendmail -oMt", "option -oMt needs a value" },
		{ "sendmail -oX", "option -oX needs a value" },
		{ "newaliases -oA", "option -oA needs a value" },
		{ "sendmail -bx", "-bx: no such mode" },
		{ "sendmail -bmalware x", "-bmalware: no such mode" },
		{ "sendmail -bpz", "-bpz: no such mode" },
		{ "sendmail -qR", "-qR needs a value, of one line" },
		{ "sendmail -qSa\nolder=1", "-qSa\nolder=1 needs a value, of one line" },
		{ "sendmail -qInothing", "nothing is no queue id; `mailq` shows them" },
		{ "sendmail -q!Rx",
			"-q!Rx: all but those cannot be chosen; see postrider-queue(8) for filters" },
		{ "sendmail -q u", "u: only options and their values are expected here" },
		{ "sendmail -bs u", "u: only options and their values are expected here" },
		{ "newaliases /etc/aliases",
			"/etc/aliases: only options and their values are expected here" },
		{ "mailq user1", "user1 is no queue id; `mailq` shows them" },
		{ "exim -Mrm 1tABCd-000123-Ab", "-Mrm needs queue ids; mailq(1) shows them" },
		{ "exim -Mrm", "-Mrm needs queue ids; mailq(1) shows them" },
		{ "exim -Mt 010C5D6161923A1 x", "x is no queue id; `mailq` shows them" },
		{ "exim -Mvh 010C5D6161923A1 010C5D6161923A2", "one message at a time is shown" },
		{ "exim -Mar 010C5D6161923A1 a@b", "-Mar is not there; see postrider-queue(8)" },
	};
	struct sendmail_options o;
	char copy[256], why[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_false(parse(rows[i].line, copy, sizeof(copy), &o, why));
		assert_string_equal(why, rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_programs_call),
		cmocka_unit_test(every_letter),
		cmocka_unit_test(exim_or_macro),
		cmocka_unit_test(mistakes_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
