/* SPDX-License-Identifier: Apache-2.0 */
/* aliases.c - postrider aliases: the same as newaliases, which is run; see commands.h */
#include "control/commands.h"
#include <sysexits.h>

int command_aliases(const struct paths *paths, int n_words, char **words)
{
	static char name[] = "newaliases";
	static char *const argv[] = { name, NULL };

	if (n_words != 1 || strcmp(words[0], "build") != 0)
		return EX_USAGE;
	if (*paths->sandbox)
		(void)execvp(name, argv); /* nothing is installed: as a person would find it */
	else
		(void)execv(PATH_LIBEXEC "/bin/newaliases", argv);
	complain("%s%s: %s; `make install` puts it there", *paths->sandbox ? "" : PATH_LIBEXEC "/bin/", name,
		strerror(errno));
	return EX_UNAVAILABLE;
}
