/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim_tool.c - a crash test's hand on the block that the preloaded shim of a mail system shares
 *
 *   shim_tool FILE new ROOT BOOT                a fresh block, for files below ROOT; BOOT has the boot id
 *   shim_tool FILE phase N                      what is passed from here on counts for phase N
 *   shim_tool FILE arm KEY AT N ACT ERROR SEED  the AT-th call at that site, and the N - 1 behind it
 *   shim_tool FILE off                          no fault any more
 *   shim_tool FILE sites                        key, who, call, file, hits of each phase; a line for each
 *   shim_tool FILE state                        struck, stopped
 *   shim_tool FILE image MANIFEST INTO CUT SEED what a power cut left, as directories and files below INTO
 *
 * MANIFEST tells what was on disk before: "dir INODE PATH" and "file INODE DIR MODE COPY NAME" in lines; COPY
 * is a file with the content. Layer: tests.
 */
#include "support/disk.h"
#include "base/file.h"
#include <fcntl.h>

#define LINE 8192

static int number(const char *text, uint64_t *out)
{
	return slice_to_u64(slice_of(text), UINT64_MAX, out) ? 0 : -EINVAL;
}

static int start_block(struct shim *s, char **words)
{
	shim_clear(s);
	s->records = s->names_sites = true;
	(void)snprintf(s->root, sizeof(s->root), "%s", words[0]);
	(void)snprintf(s->boot, sizeof(s->boot), "%s", words[1]);
	return 0;
}

static int set_phase(struct shim *s, char **words)
{
	uint64_t phase;
	int r = number(words[0], &phase);

	if (r == 0 && phase < SHIM_PHASES)
		s->phase = (unsigned)phase;
	return r;
}

static int arm(struct shim *s, char **words)
{
	uint64_t v[6];

	for (int i = 0; i < 6; i++)
		if (number(words[i], &v[i]) < 0)
			return -EINVAL;
	s->fault.is_armed = false;
	atomic_store(&s->n_matched, 0);
	atomic_store(&s->n_struck, 0);
	s->fault = (struct shim_fault){ .site = v[0],
		.at = (unsigned)v[1],
		.n = (unsigned)v[2],
		.act = (enum shim_act)v[3],
		.error = (int)v[4],
		.seed = (unsigned)v[5] };
	s->fault.is_armed = true;
	return 0;
}

static int disarm(struct shim *s, char **words)
{
	s->fault.is_armed = false;
	return 0;
}

static int list_sites(struct shim *s, char **words)
{
	for (size_t i = 0; i < SHIM_SITES; i++) {
		const struct shim_site *site = &s->sites[i];
		if (!site->is_filled)
			continue;
		(void)printf("%" PRIu64 "\t%s\t%s\t%s", site->key, site->who, shim_call_name(site->call),
			site->file);
		for (unsigned p = 0; p < SHIM_PHASES; p++)
			(void)printf("\t%u", site->hits[p]);
		(void)putchar('\n');
	}
	return 0;
}

static int tell_state(struct shim *s, char **words)
{
	(void)printf("%u %d\n", s->n_struck, s->is_stopped);
	return 0;
}

static int add_file(struct disk *d, uint64_t inode, char *rest)
{
	char *dir = strsep(&rest, " "), *mode = strsep(&rest, " "), *copy = strsep(&rest, " ");
	auto_buf struct buf bytes = BUF_INIT(SIZE_MAX / 2);
	uint64_t dir_inode, mode_bits;

	if (!rest || number(dir, &dir_inode) < 0 || number(mode, &mode_bits) < 0)
		return -EINVAL;
	int r = file_read_path(AT_FDCWD, copy, &bytes);
	if (r == 0)
		disk_add_file(d, inode, dir_inode, rest, (mode_t)mode_bits, bytes.at, bytes.len);
	return r;
}

static int read_manifest(struct disk *d, const char *path)
{
	FILE *in = fopen(path, "re");
	char line[LINE];
	int r = in ? 0 : -errno;

	while (r == 0 && fgets(line, sizeof(line), in)) {
		char *rest = line, *kind, *text;
		uint64_t inode;
		line[strcspn(line, "\n")] = '\0';
		kind = strsep(&rest, " ");
		text = strsep(&rest, " ");
		if (!rest || number(text, &inode) < 0)
			r = -EINVAL;
		else if (strcmp(kind, "dir") == 0)
			disk_add_dir(d, inode, rest);
		else
			r = add_file(d, inode, rest);
	}
	if (in)
		(void)fclose(in);
	return r;
}

static int make_image(struct shim *s, char **words)
{
	struct disk *d = disk_new();
	uint64_t cut, seed;
	int r = number(words[2], &cut) < 0 ? -EINVAL : number(words[3], &seed);

	if (r == 0)
		r = read_manifest(d, words[0]);
	if (r == 0) {
		disk_number_files(s);
		disk_cut(d, s, s->is_stopped ? s->stopped_at : s->n_events, (enum disk_cut)cut,
			(unsigned)seed);
		r = disk_store(d, words[1]);
	}
	disk_free(&d);
	return r;
}

static const struct {
	const char *word;
	int n_words;
	int (*run)(struct shim *s, char **words);
} acts[] = {
	{ "new", 2, start_block },
	{ "phase", 1, set_phase },
	{ "arm", 6, arm },
	{ "off", 0, disarm },
	{ "sites", 0, list_sites },
	{ "state", 0, tell_state },
	{ "image", 4, make_image },
};

int main(int argc, char **argv)
{
	struct shim *s = argc > 2 ? shim_map_file(argv[1]) : NULL;

	for (size_t i = 0; s && i < ARRAY_LEN(acts); i++) {
		if (strcmp(argv[2], acts[i].word) != 0 || argc != 3 + acts[i].n_words)
			continue;
		int r = acts[i].run(s, argv + 3);
		if (r < 0)
			(void)fprintf(stderr, "shim_tool: %s: %s\n", argv[2], strerror(-r));
		return r < 0;
	}
	(void)fprintf(stderr, "shim_tool: see the head of shim_tool.c\n");
	return 2;
}
