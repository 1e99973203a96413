/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_driver.c - every place where the spool changes files × every fault × three phases of a workload
 *
 * A first run without a fault finds the places (shim.h calls them sites) and how often each is passed in each
 * phase; nothing is listed by hand, so a new call site is struck like the others. Then each case runs the
 * workload in a process of its own until the fault strikes it, builds the disk that the fault leaves, opens
 * the spool there and compares it with what had been promised (spool_workload.c, spool_judge.c): every
 * acknowledged message is there with its bytes, nothing removed is back, no acknowledged change and no
 * result that something acknowledged followed is missing, a second opening gives the same, and the spool
 * takes mail. The calls' functions are named by who reads the output (matrix.py), from addresses.
 *
 * crash_spool [--sample] [--jobs N] [--seed N]; run in a scratch directory. Layer: tests.
 */
#include "spool_driver.h"
#include "support/disk.h"
#include <link.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PATIENCE_S 300
#define HITS_PER_PHASE 4 /* of one site, in a full run: its first, its last, and some between */

/* ---- cases ---- */

static const struct kind {
	const char *name;
	unsigned calls; /* bits; 0: all */
	enum shim_act act;
	int error;
	unsigned n;
	bool then_stops;
	enum disk_cut cut;
} kinds[] = {
#define WRITES (1U << SHIM_WRITE)
#define BUT_UNLINK (~(1U << SHIM_UNLINK))
	{ "killed", 0, SHIM_STOP, 0, 1, false, DISK_EVERYTHING },
	{ "power cut, the unsynced lost", 0, SHIM_STOP, 0, 1, false, DISK_NOTHING_MORE },
	{ "power cut, the unsynced reordered", 0, SHIM_STOP, 0, 1, false, DISK_SOMETHING },
	{ "torn write", WRITES, SHIM_TEAR, 0, 1, false, DISK_EVERYTHING },
	{ "torn write, power cut", WRITES, SHIM_TEAR, 0, 1, false, DISK_SOMETHING },
	{ "short write", WRITES, SHIM_SHORT, 0, 1, false, DISK_NOTHING_MORE },
	{ "EIO once", 0, SHIM_ERROR, EIO, 1, false, DISK_NOTHING_MORE },
	{ "EIO for a while", 0, SHIM_ERROR, EIO, 12, false, DISK_NOTHING_MORE },
	{ "EIO, then power cut", 0, SHIM_ERROR, EIO, 2, true, DISK_SOMETHING },
	{ "ENOSPC once", BUT_UNLINK, SHIM_ERROR_PARTLY, ENOSPC, 1, false, DISK_NOTHING_MORE },
	{ "ENOSPC for a while", BUT_UNLINK, SHIM_ERROR_PARTLY, ENOSPC, 12, false, DISK_NOTHING_MORE },
};

struct site { /* as the first run found it */
	uint64_t key;
	enum shim_call call;
	unsigned hits[SHIM_PHASES];
};
static struct site sites[SHIM_SITES];
static size_t n_sites;

struct crash_case {
	const struct site *site;
	const struct kind *kind;
	unsigned phase, hit; /* hit: of the site, in all */
};
enum outcome { KEPT, REFUSED, NOT_REACHED, FAILED };
static const char *const outcome_names[] = { "kept", "refused", "not reached", "failed" };

struct book *book;
static char *verdict; /* shared with the process that judges */

/* Of this job alone. */
static void share_book(void)
{
	struct shared {
		struct book book;
		char verdict[VERDICT];
	} *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(shared != MAP_FAILED);
	book = &shared->book;
	verdict = shared->verdict;
}

/* A fault may come before the directory does. */
static void add_dir(struct disk *disk, const char *sub)
{
	char path[160];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", kit.dir, sub);
	if (stat(path, &st) == 0)
		disk_add_dir(disk, st.st_ino, sub);
}

static void arm(const struct crash_case *c, unsigned seed)
{
	shim->fault = (struct shim_fault){
		.is_armed = true,
		.calls = 1U << c->site->call,
		.site = c->site->key,
		.at = c->hit,
		.n = c->kind->n,
		.then_stops = c->kind->then_stops,
		.act = c->kind->act,
		.error = c->kind->error,
		.seed = seed,
	};
}

/* Its exit status; 137 when the fault stopped it. */
static int run_child(void (*what)(void))
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)alarm(PATIENCE_S);
		what();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static char judged_dir[64];

static void judge(void)
{
	if (!judge_dir(judged_dir, verdict))
		_exit(1);
}

/* The disk as the fault leaves it, in a directory of its own. */
static void build_disk(const struct crash_case *c, unsigned seed)
{
	struct disk *disk = disk_new();

	add_dir(disk, "log");
	add_dir(disk, "bodies");
	disk_number_files(shim);
	disk_cut(disk, shim, shim->is_stopped ? shim->stopped_at : shim_n_events(), c->kind->cut, seed);
	(void)snprintf(judged_dir, sizeof(judged_dir), "%.40s-cut", kit.dir);
	assert_int_equal(mkdir(judged_dir, 0700), 0);
	assert_int_equal(disk_store(disk, judged_dir), 0);
	disk_free(&disk);
}

static enum outcome judge_both(const struct crash_case *c, unsigned seed)
{
	int status;

	build_disk(c, seed);
	shim->fault.is_armed = shim->records = false;
	atomic_store(&shim->is_stopped, false);
	status = run_child(judge);
	kit_remove_tree(judged_dir);
	if (status == 0 && c->kind->cut != DISK_EVERYTHING) { /* and without a power cut */
		(void)snprintf(judged_dir, sizeof(judged_dir), "%.60s", kit.dir);
		status = run_child(judge);
	}
	if (status == 0)
		return book->n_refused ? REFUSED : KEPT;
	if (!verdict[0])
		(void)snprintf(verdict, VERDICT, "opening what is left ended with %d", status);
	return FAILED;
}

static void prepare_run(void)
{
	shim_reset();
	memset(book, 0, sizeof(*book));
	verdict[0] = '\0';
	kit_init(&kit);
	assert_int_equal(rename(kit.dir, "spool"), 0); /* one name: it is part of a site */
	(void)snprintf(kit.dir, sizeof(kit.dir), "spool");
	kit.set.retry_ms = 2;
	shim->records = shim->skips_syncs = shim->names_sites = true;
}

static enum outcome run_case(const struct crash_case *c, unsigned seed)
{
	enum outcome outcome;
	int status;

	prepare_run();
	arm(c, seed);
	status = run_child(workload);
	if (status != 0 && status != 137) {
		(void)snprintf(verdict, VERDICT, "the workload ended with %d", status);
		outcome = FAILED;
	} else if (shim->n_struck == 0) {
		outcome = NOT_REACHED;
	} else {
		outcome = judge_both(c, seed);
	}
	kit_remove_tree(kit.dir);
	return outcome;
}

/* ---- all of them ---- */

static uintptr_t load_address;
static int on_object(struct dl_phdr_info *info, size_t size, void *user)
{
	load_address = info->dlpi_addr; /* the first is the program itself */
	return 1;
}

static void record_sites(void)
{
	prepare_run();
	assert_int_equal(run_child(workload), 0);
	for (size_t i = 0; i < SHIM_SITES; i++) {
		const struct shim_site *s = &shim->sites[i];
		struct site *site = &sites[n_sites];
		if (!s->is_filled)
			continue;
		*site = (struct site){ .key = s->key, .call = s->call };
		(void)printf("site\t%zu\t%s\t%s\t", n_sites, shim_call_name(s->call), s->file);
		for (unsigned p = 0; p < SHIM_PHASES; p++)
			(void)printf("%u ", site->hits[p] = s->hits[p]);
		for (size_t f = 0; f < SHIM_FRAMES && s->frames[f]; f++)
			(void)printf("%s%#zx", f ? "," : "\t", (uintptr_t)s->frames[f] - load_address - 1);
		(void)putchar('\n');
		n_sites++;
	}
	kit_remove_tree(kit.dir);
}

static struct crash_case *cases;
static size_t n_cases, cap_cases;

static void add_case(struct crash_case c)
{
	if (n_cases == cap_cases) {
		cap_cases = MAX(cap_cases * 2, (size_t)256);
		struct crash_case *grown = mem_new_array(cap_cases, sizeof(*grown));
		if (n_cases)
			memcpy(grown, cases, n_cases * sizeof(*grown));
		mem_free(cases);
		cases = grown;
	}
	cases[n_cases++] = c;
}

/* The first, the last, and some between, of the site's hits in that phase. */
static void add_hits(const struct site *site, const struct kind *kind, unsigned phase, unsigned n)
{
	unsigned before = 0, hits = site->hits[phase];

	for (unsigned p = 0; p < phase; p++)
		before += site->hits[p];
	n = MIN(n, hits);
	for (unsigned i = 0; i < n; i++)
		add_case((struct crash_case){
			site, kind, phase, before + 1 + (n == 1 ? hits / 2 : i * (hits - 1) / (n - 1)) });
}

static bool applies(const struct kind *kind, const struct site *site)
{
	return kind->calls == 0 || kind->calls & 1U << site->call;
}

/* sample: each site once with each fault, the phases in turn. */
static void plan(bool is_sample)
{
	unsigned turn = 0;

	for (size_t s = 0; s < n_sites; s++)
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
			if (!applies(&kinds[k], &sites[s]))
				continue;
			for (unsigned phase = 0; phase < SHIM_PHASES; phase++)
				if (!is_sample)
					add_hits(&sites[s], &kinds[k], phase, HITS_PER_PHASE);
			for (unsigned tries = 0; is_sample && tries < SHIM_PHASES; tries++)
				if (sites[s].hits[turn++ % SHIM_PHASES]) {
					add_hits(&sites[s], &kinds[k], (turn - 1) % SHIM_PHASES, 1);
					break;
				}
		}
}

/* Threads do not always do the same in the same order: what a run did not reach another may. */
static enum outcome insist(const struct crash_case *c, unsigned seed)
{
	enum outcome outcome = NOT_REACHED;
	struct crash_case easier = *c;

	for (unsigned tries = 0; tries < 4 && outcome == NOT_REACHED; tries++) {
		outcome = run_case(&easier, seed);
		easier.hit -= easier.hit > 1 && tries > 0;
	}
	return outcome;
}

static void run_share(unsigned job, unsigned n_jobs, unsigned seed)
{
	char dir[32];

	(void)snprintf(dir, sizeof(dir), "job%u", job);
	assert_true(mkdir(dir, 0700) == 0 && chdir(dir) == 0);
	shim = shim_new_block();
	share_book();
	for (size_t i = job; i < n_cases; i += n_jobs) {
		const struct crash_case *c = &cases[i];
		enum outcome outcome = insist(c, seed + (unsigned)i);
		(void)printf("case\t%zu\t%s\t%u\t%u\t%s\t%s\n", (size_t)(c->site - sites), c->kind->name,
			c->phase, c->hit, outcome_names[outcome], outcome == FAILED ? verdict : "");
		(void)fflush(stdout);
	}
}

static void run_all(unsigned n_jobs, unsigned seed)
{
	(void)fflush(stdout);
	for (unsigned job = 0; job < n_jobs; job++) {
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			run_share(job, n_jobs, seed);
			_exit(0);
		}
	}
	for (unsigned job = 0; job < n_jobs; job++) {
		int status;
		assert_true(wait(&status) > 0);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
}

static unsigned number_behind(int argc, char **argv, const char *option, unsigned otherwise)
{
	uint64_t value;

	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], option) == 0 && slice_to_u64(slice_of(argv[i + 1]), UINT32_MAX, &value))
			return (unsigned)value;
	return otherwise;
}

int main(int argc, char **argv)
{
	bool is_sample = false;

	for (int i = 1; i < argc; i++)
		is_sample |= strcmp(argv[i], "--sample") == 0;
	(void)dl_iterate_phdr(on_object, NULL);
	share_book();
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		(void)printf("fault\t%s\n", kinds[i].name);
	record_sites();
	plan(is_sample);
	run_all(number_behind(argc, argv, "--jobs", 2), number_behind(argc, argv, "--seed", 1));
	mem_free(cases);
	return 0;
}
