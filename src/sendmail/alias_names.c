/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_names.c - postalias and praliases: the aliases as people and scripts know them from Postfix and
 * Sendmail; see postalias(1), praliases(8)
 *
 * Options, output and exit statuses are theirs, the tables are ours.
 * Tests: tests/system/test_aliases.py.
 */
#include "base/limits.h"
#include "mail/aliases_text.h"
#include "mail/chars.h"
#include "sendmail/program.h"
#include "table/alias_make.h"
#include <sysexits.h>

#define POSTFIX_FATAL 1 /* what Postfix's commands exit with; also: not found */
#define TABLES_MAX 100	/* of one command line */

struct tables {
	struct alias_table *all[TABLES_MAX];
	size_t n;
};

static void tables_deinit(struct tables *t)
{
	while (t->n)
		alias_table_free(&t->all[--t->n]);
}

static bool is_usable(struct alias_table *table)
{
	enum alias_table_state state = alias_table_refresh(table);

	if (alias_table_meta(table))
		return true;
	if (state == ALIAS_TABLE_NO_SOURCE)
		program_complain("fatal: open database %s: No such file or directory",
			alias_table_places(table)->beside);
	else
		program_complain("fatal: open database %s: %s", alias_table_places(table)->beside,
			alias_table_state_text(state));
	return false;
}

/* An entry in one line, as other mail systems store it. */
static void print_value(struct slice text)
{
	text = slice_trim(text);
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] != '\n') {
			(void)putchar(text.at[i]);
			continue;
		}
		while (i + 1 < text.len && char_is_space(text.at[i + 1]))
			i++;
		(void)putchar(' ');
	}
}

static void print_entry(struct slice key, const char *between, const struct alias_value *value)
{
	(void)printf("%.*s%s", SLICE_ARG(key), between);
	print_value(value->text);
	(void)putchar('\n');
}

/* In the first table that has it. */
static bool find(struct tables *t, struct slice name, struct alias_value *value_out)
{
	auto_buf struct buf key = BUF_INIT(LIMIT_ALIAS_LINE);

	aliases_key_append(name, &key);
	for (size_t i = 0; i < t->n; i++)
		if (alias_table_find(t->all[i], buf_slice(&key), value_out) == ALIAS_FOUND)
			return true;
	return false;
}

/* ---- postalias ---- */

static int usage(void)
{
	program_complain("fatal: usage: postalias [-fiNnoprsvw] [-c config_dir] [-d key] [-q key] "
			 "[map_type:]file...");
	return POSTFIX_FATAL;
}

/* "hash:/etc/aliases": the types of files are all the one that we have; others are none. False: it was told.
 */
static bool strip_type(const char **file)
{
	static const char *const types[] = { "hash", "btree", "cdb", "dbm", "lmdb", "sdbm" };
	struct slice type = slice_of(*file);

	type = slice_first(type, slice_find(type, ':'));
	if ((*file)[0] == '/' || !(*file)[type.len])
		return true;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (slice_eq(type, slice_of(types[i]))) {
			*file += type.len + 1;
			return true;
		}
	}
	program_complain("fatal: unsupported dictionary type: %.*s", SLICE_ARG(type));
	return false;
}

static bool add_named(struct tables *t, const struct config *config, const char *file)
{
	struct alias_places places;

	if (!strip_type(&file))
		return false;
	if (t->n == TABLES_MAX || !alias_files_place_named(config, file, &places)) {
		program_complain("fatal: %s: %s", file,
			t->n == TABLES_MAX ? "too many files" : "the file name is too long");
		return false;
	}
	t->all[t->n] = alias_table_new(&places);
	return is_usable(t->all[t->n++]);
}

static bool add_configured(struct tables *t, const struct config *config)
{
	struct alias_places places;

	while (t->n < TABLES_MAX && alias_files_places(config, t->n, &places)) {
		t->all[t->n] = alias_table_new(&places);
		if (!is_usable(t->all[t->n++]))
			return false;
	}
	return true;
}

/* files: what the command line names; none: the configured ones. */
static bool tables_init(struct tables *t, const struct config *config, int n_files, char **files)
{
	*t = (struct tables){ .n = 0 };
	if (n_files == 0)
		return add_configured(t, config);
	for (int i = 0; i < n_files; i++)
		if (!add_named(t, config, files[i]))
			return false;
	return true;
}

/* "-": keys on standard input, one in a line. */
static int query_many(struct tables *t)
{
	char line[2 * LIMIT_ADDRESS];
	int status = POSTFIX_FATAL;
	struct alias_value value;

	while (fgets(line, sizeof(line), stdin)) {
		struct slice key = slice_trim(slice_of(line));
		if (!find(t, key, &value))
			continue;
		print_entry(key, ":\t", &value);
		status = EX_OK;
	}
	return status;
}

static int query(struct tables *t, const char *key)
{
	struct alias_value value;

	if (strcmp(key, "-") == 0)
		return query_many(t);
	if (!find(t, slice_of(key), &value))
		return POSTFIX_FATAL;
	print_value(value.text);
	(void)putchar('\n');
	return EX_OK;
}

static bool visit_for_postfix(struct slice key, const struct alias_value *value, void *user)
{
	(void)user;
	print_entry(key, ":\t", value);
	return true;
}

static int read_tables(const struct config *config, const char *key, int n_files, char **files)
{
	struct tables t;
	int status = POSTFIX_FATAL;

	if (tables_init(&t, config, n_files, files)) {
		for (size_t i = 0; !key && i < t.n; i++)
			alias_table_each(t.all[i], visit_for_postfix, NULL);
		status = key ? query(&t, key) : EX_OK;
	}
	tables_deinit(&t);
	return status;
}

static int build(const struct config *config, const char *file)
{
	struct alias_make_request request = { .config = config, .file = file };
	struct alias_made made;
	bool is_made;
	int status = POSTFIX_FATAL;

	if (!strip_type(&request.file))
		return POSTFIX_FATAL;
	is_made = alias_make(&request, &made);
	alias_findings_print(&made.findings, false, stderr);
	if (!is_made)
		program_complain("fatal: %s: the file name is too long", request.file);
	else if (alias_made_explain(&made.files[0], "postalias", stderr) == EX_OK)
		status = EX_OK;
	alias_made_deinit(&made);
	return status;
}

int postalias_run(const struct config *config, int argc, char **argv)
{
	const char *key = NULL;
	bool is_sequence = false;
	int letter, status = EX_OK;

	opterr = 0;
	while ((letter = getopt(argc, argv, "c:d:fiNnopq:rsuvw")) != -1) {
		if (letter == '?' || (letter == 'q' && key))
			return usage();
		if (letter == 'd' || letter == 'i') {
			program_complain("fatal: -%c: a table holds what its file says; edit that", letter);
			return POSTFIX_FATAL;
		}
		if (letter == 'q')
			key = optarg;
		is_sequence |= letter == 's'; /* what the others change, there is nothing of here */
	}
	if (key && is_sequence)
		return usage();
	if (key || is_sequence)
		return read_tables(config, key, argc - optind, argv + optind);
	if (optind == argc)
		return usage();
	for (int i = optind; status == EX_OK && i < argc; i++)
		status = build(config, argv[i]);
	return status;
}

/* ---- praliases ---- */

static bool visit_for_sendmail(struct slice key, const struct alias_value *value, void *user)
{
	(void)user;
	print_entry(key, ":", value);
	return true;
}

/* A key that is not there is an answer, no failure. */
static void print_keys(struct tables *t, int n_keys, char **keys)
{
	struct alias_value value;

	for (int i = 0; i < n_keys; i++) {
		if (find(t, slice_of(keys[i]), &value))
			print_entry(slice_of(keys[i]), ":", &value);
		else
			(void)printf("%s: No such key\n", keys[i]);
	}
}

int praliases_run(const struct config *config, int argc, char **argv)
{
	char *file = NULL;
	struct tables t;
	int letter, status = EX_OK;

	opterr = 0;
	while ((letter = getopt(argc, argv, "C:f:")) != -1) {
		if (letter == '?') {
			(void)fprintf(stderr, "usage: praliases [-C cffile] [-f aliasfile] [key ...]\n");
			return EX_USAGE;
		}
		file = letter == 'f' ? optarg : file; /* sendmail.cf is nothing here */
	}
	if (!tables_init(&t, config, file ? 1 : 0, &file))
		status = EX_NOINPUT;
	else if (optind < argc)
		print_keys(&t, argc - optind, argv + optind);
	else
		for (size_t i = 0; i < t.n; i++)
			alias_table_each(t.all[i], visit_for_sendmail, NULL);
	tables_deinit(&t);
	return status;
}
