/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - postriderd: the supervisor, or, started by it, one of its roles
 *
 * A role is told by the program's name ("postriderd: queue"), which ps(1) shows too.
 * Tests: tests/system/test_roles.py.
 */
#include "table/alias_rebuild.h"
#include "supervisor/supervisor.h"

static const char usage[] = "usage: postriderd [-b] [--sandbox DIR]\n"
			    "  -b, --background   return when mail is being served\n"
			    "  --sandbox DIR      a whole mail system of the calling user below DIR\n"
			    "  --version\n";

static int run_role(const char *name, int argc, char **argv)
{
	if (strcmp(name, "alias-rebuild") == 0)
		return alias_rebuild_main(argc, argv);
	for (size_t i = 0; i < n_role_rows; i++)
		if (strcmp(name, role_name(role_rows[i].role)) == 0)
			return role_rows[i].main(argc, argv);
	return 64;
}

/* An absolute path: the roles are given it too, and change to /; commands may be anywhere. */
static bool absolute_sandbox(const char *dir, struct paths *paths)
{
	auto_free char *full = realpath(dir, NULL);

	if (!full)
		(void)fprintf(stderr, "postriderd: %s: %s\n", dir, strerror(errno));
	if (full && full[strcspn(full, " \t\n,\"")]) { /* places stand in lists of the configuration */
		(void)fprintf(stderr,
			"postriderd: %s: a sandbox's directory cannot have blanks, commas or quotes in its "
			"path; use another one\n",
			full);
		return false;
	}
	return full && paths_init(paths, full);
}

int main(int argc, char **argv)
{
	static const char role_prefix[] = "postriderd: ";
	struct paths paths;
	bool background = false;

	if (argc > 0 && strncmp(argv[0], role_prefix, strlen(role_prefix)) == 0)
		return run_role(argv[0] + strlen(role_prefix), argc, argv);
	if (!paths_init(&paths, NULL))
		return 70;
	for (int i = 1; i < argc; i++) {
		struct slice a = slice_of(argv[i]);
		if (strcmp(argv[i], "-b") == 0 || strcmp(argv[i], "--background") == 0) {
			background = true;
		} else if (strcmp(argv[i], "--version") == 0) {
			return puts("postriderd " POSTRIDER_VERSION) < 0;
		} else if (strcmp(argv[i], "--sandbox") == 0 && i + 1 < argc) {
			if (!absolute_sandbox(argv[++i], &paths))
				return 66;
		} else if (slice_skip_prefix_nocase(&a, SLICE("--sandbox="))) {
			if (!absolute_sandbox(a.at, &paths))
				return 66;
		} else {
			bool help = strcmp(argv[i], "--help") == 0;
			if (!help)
				(void)fprintf(stderr, "postriderd: %s: %s\n", argv[i],
					strcmp(argv[i], "--sandbox") == 0 ? "needs a directory"
									  : "no such option");
			(void)fputs(usage, help ? stdout : stderr);
			return help ? 0 : 64;
		}
	}
	return supervisor_run(&paths, background);
}
