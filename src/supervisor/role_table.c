/* SPDX-License-Identifier: Apache-2.0 */
/* role_table.c - see role_table.h */
#include "supervisor/role_table.h"
#include "local/local.h"
#include "logd/logd.h"
#include "queue/queue.h"
#include "route/route.h"
#include "smtp/smtp.h"
#include "smtpd/smtpd.h"

#define USER_HELPERS 4 /* a hanging user database stops at most these, and only until their deadline */

static unsigned one(const struct config *c)
{
	(void)c;
	return 1;
}

static unsigned user_helpers(const struct config *c)
{
	(void)c;
	return USER_HELPERS;
}

static unsigned smtpd_processes(const struct config *c)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (c->smtpd_processes)
		return (unsigned)c->smtpd_processes;
	return cores < 1 ? 1 : (unsigned)MIN(cores, 4L);
}

static unsigned smtp_processes(const struct config *c)
{
	return (unsigned)c->smtp_processes;
}

const struct role_row role_rows[] = {
	{ ROLE_LOG, logd_main, one, 4 },
	{ ROLE_USERS, users_main, user_helpers, 3 },
	{ ROLE_LOOKUP, lookup_main, one, 3 },
	{ ROLE_LOCAL, local_main, one, 1 },
	{ ROLE_SMTP, smtp_main, smtp_processes, 1 },
	{ ROLE_QUEUE, queue_main, one, 2 },
	{ ROLE_SMTPD, smtpd_main, smtpd_processes, 0 },
};
const size_t n_role_rows = ARRAY_LEN(role_rows);

const struct role_link role_links[] = {
	{ ROLE_SMTPD, ROLE_QUEUE },
	{ ROLE_SMTPD, ROLE_LOOKUP },
	{ ROLE_QUEUE, ROLE_LOOKUP },
	{ ROLE_QUEUE, ROLE_SMTP },
	{ ROLE_QUEUE, ROLE_LOCAL },
	{ ROLE_LOOKUP, ROLE_USERS },
	{ ROLE_LOG, ROLE_SMTPD },
	{ ROLE_LOG, ROLE_QUEUE },
	{ ROLE_LOG, ROLE_LOOKUP },
	{ ROLE_LOG, ROLE_USERS },
	{ ROLE_LOG, ROLE_SMTP },
	{ ROLE_LOG, ROLE_LOCAL },
};
const size_t n_role_links = ARRAY_LEN(role_links);

const struct role_row *role_row_of(enum role role)
{
	for (size_t i = 0; i < n_role_rows; i++)
		if (role_rows[i].role == role)
			return &role_rows[i];
	return NULL;
}
