/* SPDX-License-Identifier: Apache-2.0 */
/* paths.c - one table of places; see paths.h */
#include "config/paths.h"
#include <sys/auxv.h>

static const struct {
	size_t offset;
	const char *system, *sandbox; /* sandbox: below its directory */
} places[] = {
	{ offsetof(struct paths, config_file), PATH_SYSCONF "/postrider/postrider.conf",
		"/etc/postrider.conf" },
	{ offsetof(struct paths, mailname_file), "/etc/mailname", "/etc/mailname" },
	{ offsetof(struct paths, aliases_file), "/etc/aliases", "/etc/aliases" },
	{ offsetof(struct paths, users_file), "", "/etc/users" },
	{ offsetof(struct paths, spool_dir), "/var/spool/postrider", "/spool" },
	{ offsetof(struct paths, drop_dir), "/var/spool/postrider/drop", "/spool/drop" },
	{ offsetof(struct paths, mail_dir), "/var/mail", "/mail" },
	{ offsetof(struct paths, run_dir), "/run/postrider", "/run" },
	{ offsetof(struct paths, control_socket), "/run/postrider/control", "/run/control" },
	{ offsetof(struct paths, pid_file), "/run/postrider/postriderd.pid", "/run/postriderd.pid" },
	{ offsetof(struct paths, state_dir), "/var/lib/postrider", "/lib" },
	{ offsetof(struct paths, log_file), "/var/log/postrider.log", "/log/postrider.log" },
};

bool paths_init(struct paths *p, const char *sandbox)
{
	bool in_sandbox = sandbox && *sandbox;

	memset(p, 0, sizeof(*p));
	if (in_sandbox) {
		if (strlen(sandbox) >= sizeof(p->sandbox))
			return false;
		memcpy(p->sandbox, sandbox, strlen(sandbox) + 1);
	}
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		(void)snprintf((char *)p + places[i].offset, PATH_MAX, "%s%s", in_sandbox ? sandbox : "",
			in_sandbox ? places[i].sandbox
				   : places[i].system); /* fits: sandbox is at most half */
	return true;
}

bool paths_init_from_environment(struct paths *p)
{
	const char *sandbox = getauxval(AT_SECURE) ? NULL : getenv("POSTRIDER_SANDBOX");

	return paths_init(p, sandbox);
}
