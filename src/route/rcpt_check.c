/* SPDX-License-Identifier: Apache-2.0 */
/* rcpt_check.c - see rcpt_check.h */
#include "route/rcpt_check.h"

enum verdict {
	VERDICT_OK,
	VERDICT_SYNTAX,
	VERDICT_NOT_ASCII,
	VERDICT_UNQUALIFIED,
	VERDICT_UNKNOWN_USER,
	VERDICT_NO_DATABASE,
	VERDICT_NO_ALIASES,
	VERDICT_NO_RELAY,
};
static const struct {
	uint16_t code;
	const char *status, *text; /* the recipient stands before it */
} verdicts[] = {
	[VERDICT_OK] = { 250, "2.1.5", "Ok" }, /* without the recipient */
	[VERDICT_SYNTAX] = { 501, "5.1.3", "Recipient address rejected: Bad recipient address syntax" },
	[VERDICT_NOT_ASCII] = { 553, "5.6.7", "Recipient address rejected: 8-bit characters need SMTPUTF8" },
	[VERDICT_UNQUALIFIED] = { 504, "5.5.2", "Recipient address rejected: need fully-qualified address" },
	[VERDICT_UNKNOWN_USER] = { 550, "5.1.1",
		"Recipient address rejected: User unknown in local recipient table" },
	[VERDICT_NO_DATABASE] = { 451, "4.3.0",
		"Recipient address rejected: the user database does not answer, try again later" },
	[VERDICT_NO_ALIASES] = { 451, "4.3.0",
		"Recipient address rejected: the alias table cannot be used, try again later" },
	[VERDICT_NO_RELAY] = { 554, "5.7.1", "Relay access denied" },
};

static enum rcpt_step decide(struct rcpt_check *check, enum verdict v)
{
	check->code = verdicts[v].code;
	(void)snprintf(check->status, sizeof(check->status), "%s", verdicts[v].status);
	if (v == VERDICT_OK)
		(void)snprintf(check->text, sizeof(check->text), "%s", verdicts[v].text);
	else
		(void)snprintf(check->text, sizeof(check->text), "<%s>: %s", check->path, verdicts[v].text);
	return RCPT_STEP_VERDICT;
}

/* The recipient as it may be quoted in a reply. */
static void set_path(struct rcpt_check *check, struct slice forward_path)
{
	struct slice shown = slice_first(forward_path, sizeof(check->path) - 1);

	for (size_t i = 0; i < shown.len; i++)
		check->path[i] = ascii_is_print(shown.at[i]) ? shown.at[i] : '?';
	check->path[shown.len] = '\0';
}

/* An alias that begins with :fail: or :defer: says it here, before the mail is sent. */
static enum rcpt_step decide_alias(struct rcpt_check *check, struct slice rhs_text)
{
	struct rhs_item item = { .kind = RHS_ERROR };
	struct slice text, status;
	struct rhs rhs;

	(void)decide(check, VERDICT_OK);
	rhs_init(&rhs, rhs_text, 0);
	if (rhs_next(&rhs, &item) && (item.kind == RHS_FAIL || item.kind == RHS_DEFER)) {
		text = item.text;
		status = route_verdict_status(&item, &text);
		text = slice_first(text, LIMIT_REPLY_LINE / 4);
		check->code = (uint16_t)item.code;
		(void)snprintf(check->status, sizeof(check->status), "%.*s", SLICE_ARG(status));
		(void)snprintf(check->text, sizeof(check->text), "<%s>: Recipient address rejected: %.*s",
			check->path, SLICE_ARG(text));
	}
	rhs_deinit(&rhs);
	return RCPT_STEP_VERDICT;
}

static enum rcpt_step check_local(
	struct rcpt_check *check, const struct route_rules *rules, struct slice local)
{
	auto_buf struct buf plain = BUF_INIT(LIMIT_LOCAL_PART);
	struct alias_match match;

	address_unquote_local(local, &plain);
	if (!buf_ok(&plain) || plain.len == 0)
		return decide(check, VERDICT_UNKNOWN_USER);
	route_match_local(rules, buf_slice(&plain), &match);
	switch (match.status) {
	case ALIAS_FOUND: return decide_alias(check, match.value.text);
	case ALIAS_BROKEN: return decide(check, VERDICT_NO_ALIASES);
	case ALIAS_NONE: break;
	}
	if (match.user.len == 0 || match.user.len >= sizeof(check->user) ||
		memchr(match.user.at, '\0', match.user.len))
		return decide(check, VERDICT_UNKNOWN_USER);
	memcpy(check->user, match.user.at, match.user.len);
	check->user[match.user.len] = '\0';
	return RCPT_STEP_ASK_USER;
}

enum rcpt_step rcpt_check_start(
	struct rcpt_check *check, const struct route_rules *rules, struct slice forward_path, bool may_relay)
{
	enum address_status status;
	struct address a;

	set_path(check, forward_path);
	status = address_parse(forward_path, ADDRESS_UNQUALIFIED | ADDRESS_UTF8, &a);
	if (status == ADDRESS_NOT_ASCII || status == ADDRESS_BAD_UTF8)
		return decide(check, VERDICT_NOT_ASCII);
	if (status != ADDRESS_OK)
		return decide(check, VERDICT_SYNTAX);
	if (a.domain.len == 0 && !may_relay && !slice_eq_nocase(a.local, SLICE("postmaster")))
		return decide(check, VERDICT_UNQUALIFIED);
	if (alias_is_local(&rules->names, &a))
		return check_local(check, rules, a.local);
	return decide(check, may_relay ? VERDICT_OK : VERDICT_NO_RELAY);
}

void rcpt_check_answer(struct rcpt_check *check, enum user_outcome outcome)
{
	switch (outcome) {
	case USER_FOUND: (void)decide(check, VERDICT_OK); return;
	case USER_UNKNOWN: (void)decide(check, VERDICT_UNKNOWN_USER); return;
	case USER_UNAVAILABLE: break;
	}
	(void)decide(check, VERDICT_NO_DATABASE);
}
