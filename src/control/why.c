/* SPDX-License-Identifier: Apache-2.0 */
/* why.c - see why.h */
#include "control/why.h"
#include "mail/queue_filter.h"
#include "mail/queue_id.h"

enum stage { TRIED, ANY, HELD, ACTIVE, NEW };

#define REMOTE "the other host, or the network between"
#define THEIRS "the other host"
#define DISK "this host's disk"
#define DNS "DNS: the domain's name servers or this host's resolver"
#define USER "the recipient's mailbox on this host"
#define SETUP "this host's configuration"
#define WAIT "Nothing; it is tried again by itself. `postrider queue retry {id}` tries now."
#define REACH                                                                                                \
	"Check with `nc -v {host} {port}` from here. If that is relay.host, mend it or the setting. If no "  \
	"host at all can be reached, the provider blocks port 25: set relay.host to the provider's mail "    \
	"host."
#define COMMAND                                                                                              \
	"The command that an alias or .forward gives the mail to failed.", "that command, on this host",     \
		"Try it by hand as the user whose mail it is (local.command_user for an alias), or change "  \
		"the alias or .forward; `postrider queue retry {id}` tries again."

static const struct row {
	enum stage stage;
	const char *status, *reason; /* patterns as in mail/queue_filter.h; NULL: any */
	struct why_words words;
} rows[] = {
	{ HELD, NULL, NULL,
		{ "An administrator put it on hold.", "an administrator's decision",
			"`postrider queue release {id}` delivers it, `postrider queue delete {id}` removes "
			"it." } },
	{ ACTIVE, NULL, NULL,
		{ "It is being delivered right now, or stands in line for it.", "nobody's",
			"Nothing; look again in a moment." } },
	{ NEW, NULL, NULL,
		{ "It was not tried yet.", "nobody's",
			"If this lasts, look at `postrider status`: are deliveries paused, do all processes "
			"run?" } },
	{ TRIED, "4.4.1", "*refused*",
		{ "The other host does not take connections for mail.", REMOTE, REACH } },
	{ TRIED, "4.4.1", "*timed out*", { "The other host does not answer.", REMOTE, REACH } },
	{ TRIED, "4.4.1", "*unreachable*",
		{ "There is no way through the network to the other host.",
			"this host's network, or the other's",
			"Check the routes of this host (`ip route`), IPv6 too." } },
	{ TRIED, "4.4.1", NULL, { "No connection with the other host comes about.", REMOTE, WAIT } },
	{ TRIED, "4.4.2", NULL, { "The connection broke in the middle of the conversation.", REMOTE, WAIT } },
	{ TRIED, "4.4.3", NULL,
		{ "DNS does not answer for the recipient's domain.", DNS,
			"Check with `host -t MX {domain}`, and the resolvers in /etc/resolv.conf." } },
	{ TRIED, "4.4.*", NULL, { "The network or routing on the way failed.", REMOTE, WAIT } },
	{ TRIED, "4.2.2", NULL,
		{ "The mailbox is full.", "the recipient's mailbox",
			"The recipient has to make room. For a mailbox of this host: local.max_mailbox_size, "
			"and quotas." } },
	{ TRIED, "4.2.0", "*lock*",
		{ "Another program keeps the mailbox locked.", USER,
			"See who holds it: `fuser -v /var/mail/{user}`; a .lock file that is left over may "
			"be "
			"removed." } },
	{ TRIED, "4.2.0", "*home directory*",
		{ "The user's home directory cannot be looked at, or is closed while a .forward is edited.",
			USER,
			"`ls -ld ~{user}` and the file system it is on; `chmod -t` ends an edit. Nobody "
			"knows "
			"before whether the mail is to be forwarded." } },
	{ TRIED, "4.2.0", "*.forward*",
		{ "The user's ~/.forward cannot be used now.", USER,
			"Its owner has to mend it; the reason says what is wrong." } },
	{ TRIED, "4.2.0", NULL,
		{ "The mailbox is not safe to write to.", USER,
			"An administrator has to mend the file that the reason names: owner, links, type, "
			"directory." } },
	{ TRIED, "4.2.1", "*greylist*",
		{ "The other host makes new senders wait.", "nobody's; the other host does so on purpose",
			WAIT } },
	{ TRIED, "4.2.1", NULL,
		{ "The mailbox takes no mail at the moment.", "the recipient's mailbox", WAIT } },
	{ TRIED, "4.3.1", NULL,
		{ "A disk is full.", "this host's disk, when the reason names no other host",
			"`df -h /var/mail /var/spool/postrider`; or the other host has to make room." } },
	{ TRIED, "4.3.3", NULL,
		{ "This host cannot serve this kind of recipient.", SETUP,
			"See what the reason names; `postrider queue move {id} --to-address ADDRESS` sends "
			"it "
			"elsewhere." } },
	{ TRIED, "4.3.5", "the list *",
		{ "The file of a mailing list (:include:) cannot be used.", SETUP,
			"Mend the file that the reason names, or take it out of the alias or .forward that "
			"includes it; `newaliases` names the line. Otherwise the mail is returned at the age "
			"of queue.misconfigured_lifetime.",
			.ends_early = true } },
	{ TRIED, "4.3.5", "the alias *",
		{ "An alias has no recipient that can be used.", SETUP,
			"Mend the line that the reason names; `newaliases` says what is wrong with it." } },
	{ TRIED, "4.3.5", NULL,
		{ "The configuration leads nowhere.", SETUP,
			"Check relay.host and what the reason names: `postrider config check`, `postrider "
			"config get "
			"relay.host`." } },
	{ TRIED, "4.3.2", NULL,
		{ "A host takes no mail for the moment: it is too busy, or its service is down.",
			"this host, when the reason names no other one", WAIT } },
	{ TRIED, "4.3.0", "*user database*",
		{ "The user database did not answer, so nobody knows whether the recipient exists.",
			"this host's user database (NSS: LDAP, SSSD, ...)",
			"Check with `getent passwd {user}`; a higher users.timeout gives it more time." } },
	{ TRIED, "4.3.0", "*damaged*",
		{ "The message is damaged on disk.", DISK,
			"`postrider spool check` (daemon stopped) says more; look for errors of the disk in "
			"the "
			"kernel's log." } },
	{ TRIED, "4.3.0", "*disk*",
		{ "The spool could not be read or written.", DISK,
			"Look for errors of the disk in the kernel's log, and at `postrider status`." } },
	{ TRIED, "4.3.0", "the command *", { COMMAND } },
	{ TRIED, "4.3.0", "*of the command)*", { COMMAND } },
	{ TRIED, "4.3.0", NULL,
		{ "Something on the way failed for the moment.",
			"this host, when the reason names no other one",
			"Look into the log around the time of the last attempt." } },
	{ TRIED, "4.7.*", "*greylist*",
		{ "The other host makes new senders wait.", "nobody's; the other host does so on purpose",
			WAIT } },
	{ TRIED, "4.7.*", NULL,
		{ "The other host refuses for reasons of policy: it distrusts this host's address or this "
		  "mail.",
			"this host's reputation, or the other host's rules",
			"Check this host's reverse DNS, SPF and block lists; the reason may name a page." } },
	{ TRIED, "4.1.*", NULL,
		{ "The other host cannot tell whether the address is right.", THEIRS, WAIT } },
	{ TRIED, "4.5.*", NULL, { "The other host does not speak SMTP as it should.", THEIRS, WAIT } },
	{ TRIED, "5.*", NULL,
		{ "The address leads nowhere, but its bounce could not be written.", DISK,
			"Look at `postrider status`: is the spool full? The bounce is tried again." } },
	{ ANY, NULL, NULL, { "The last attempt failed for the moment; the reason says how.", THEIRS, WAIT } },
};

const size_t n_why_rows = ARRAY_LEN(rows);

static enum stage stage_of(const struct why_facts *f)
{
	return f->is_held				 ? HELD
		: f->is_active				 ? ACTIVE
		: f->attempts == 0 && f->reason.len == 0 ? NEW
							 : TRIED;
}

const struct why_words *why_find(const struct why_facts *f, size_t *row_out)
{
	enum stage stage = stage_of(f);
	size_t i = 0;

	while (i + 1 < n_why_rows &&
		(rows[i].stage != stage ||
			(rows[i].status && !queue_filter_glob(f->status, slice_of(rows[i].status))) ||
			(rows[i].reason && !queue_filter_glob(f->reason, slice_of(rows[i].reason)))))
		i++;
	if (row_out)
		*row_out = i;
	return &rows[i].words;
}

/* ---- names in the help ---- */

/* "name[address]:port", as in the log; without it the recipient's domain. */
static struct slice host_of(const struct why_facts *f)
{
	struct slice rest = f->remote, host;

	if (slice_cut(&rest, '[', &host))
		return slice_first(rest, slice_find(rest, ']'));
	return f->remote.len ? slice_first(f->remote, slice_find(f->remote, ':'))
			     : slice_from(f->recipient, slice_rfind(f->recipient, '@') + 1);
}

static struct slice port_of(const struct why_facts *f)
{
	struct slice behind = slice_from(f->remote, slice_find(f->remote, ']') + 1);

	return slice_skip(&behind, ':') && behind.len ? behind : SLICE("25");
}

static struct slice user_of(const struct why_facts *f)
{
	struct slice local_part = slice_first(f->recipient, slice_rfind(f->recipient, '@'));

	return slice_first(local_part, slice_find(local_part, '+'));
}

static struct slice domain_of(const struct why_facts *f)
{
	return slice_from(f->recipient, slice_rfind(f->recipient, '@') + 1);
}

/* What somebody else wrote goes into a command that is copied into root's shell: only what is harmless there;
 * else the word stands for it, as in a manual. */
static bool is_harmless(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_alnum(s.at[i]) && slice_find(SLICE("._:-"), s.at[i]) == 4)
			return false;
	return s.len == 0 || s.at[0] != '-';
}

static void append_name(struct buf *out, struct slice name, const struct why_facts *f)
{
	static const struct {
		const char *name, *word;
		struct slice (*of)(const struct why_facts *f);
	} names[] = { { "host", "HOST", host_of }, { "port", "PORT", port_of }, { "user", "USER", user_of },
		{ "domain", "DOMAIN", domain_of } };

	if (slice_eq(name, SLICE("id")))
		buf_append_str(out, queue_id_format(f->id).at);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!slice_eq(name, slice_of(names[i].name)))
			continue;
		struct slice value = names[i].of(f);
		buf_append(out, is_harmless(value) ? value : slice_of(names[i].word));
	}
}

void why_append_help(struct buf *out, const struct why_words *w, const struct why_facts *f)
{
	struct slice rest = slice_of(w->help), before, name;

	while (slice_cut(&rest, '{', &before)) {
		buf_append(out, before);
		if (slice_cut(&rest, '}', &name))
			append_name(out, name, f);
	}
	buf_append(out, rest);
}
