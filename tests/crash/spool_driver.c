/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_driver.c - every place where the spool changes files × every fault × three phases of a workload
 *
 * A first run without a fault finds the places (shim.h calls them sites) and how often each is passed in each
 * phase; nothing is listed by hand, so a new call site is struck like the others. Then each case runs the
 * workload in a process of its own until the fault strikes it, builds the disk that the fault leaves, opens
 * the spool there and compares it with what had been promised, which the workload notes in shared memory:
 * every acknowledged message is there with its bytes, nothing removed is back, no acknowledged change and no
 * result that something acknowledged followed is missing, a second opening gives the same, and the spool
 * takes mail. The calls' functions are named by who reads the output (matrix.py), from addresses.
 *
 * crash_spool [--sample] [--jobs N] [--seed N]; run in a scratch directory. Layer: tests.
 */
#include "spool/test_kit.h"
#include "support/disk.h"
#include <link.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define N_IDS 400
#define PER_PHASE 130
#define N_RESULTS 256
#define PATIENCE_S 60
#define HITS_PER_PHASE 4 /* of one site, in a full run: its first, its last, and some between */

/* ---- what was promised ---- */

enum op { OP_NONE, OP_COMMIT, OP_EXPAND, OP_RESULT, OP_HOLD, OP_REMOVE };
struct promise {
	uint64_t bytes;
	enum op op; /* under way */
	unsigned op_number;
	bool is_kept, is_expanded, has_result, is_held, is_remove_asked, is_gone;
};
struct result { /* of a recipient, nobody waits for it */
	uint64_t id;
	unsigned number;
	uint32_t attempts;
	bool is_kept;
};
struct book {
	struct promise promises[N_IDS];
	struct result results[N_RESULTS];
	unsigned n_results, n_ops;
	uint64_t high_water;
	unsigned n_refused;
};
static struct book *book; /* shared with the process that runs the workload */
static struct kit kit;

/* ---- the workload ---- */

static void begin_op(uint64_t id, enum op op)
{
	book->promises[id].op = op;
	book->promises[id].op_number = ++book->n_ops;
}

/* Records reach the disk in the order of the calls: what came before an acknowledged one is there. */
static void keep_results_before(unsigned number)
{
	for (unsigned i = 0; i < book->n_results; i++)
		if (book->results[i].number < number)
			book->results[i].is_kept = true;
}

static void keep(struct promise *p)
{
	switch (p->op) {
	case OP_COMMIT: p->is_kept = true; break;
	case OP_EXPAND: p->is_expanded = true; break;
	case OP_RESULT: p->has_result = true; break;
	case OP_HOLD: p->is_held = true; break;
	case OP_REMOVE: p->is_gone = true; break;
	case OP_NONE: break;
	}
	keep_results_before(p->op_number);
}

static void note_answers(void)
{
	for (uint64_t id = 1; id < N_IDS; id++) {
		struct promise *p = &book->promises[id];
		if (p->op == OP_NONE || kit.messages[id].result == KIT_WAITING)
			continue;
		if (kit.messages[id].result == 0)
			keep(p);
		else
			book->n_refused++;
		p->op = OP_NONE;
	}
}

static void run(void)
{
	while (uv_run(&kit.loop, UV_RUN_ONCE))
		note_answers();
	note_answers();
}

static void accept_mail(uint64_t first, uint64_t n, uint64_t bytes)
{
	for (uint64_t id = first; id < first + n; id++) {
		book->promises[id].bytes = bytes + id;
		begin_op(id, OP_COMMIT);
		if (kit_begin(&kit, id, bytes + id, 2) < 0) {
			book->promises[id].op = OP_NONE;
			book->n_refused++;
		}
	}
	run();
}

static bool is_there(uint64_t id)
{
	return kit.messages[id].is_live;
}

static void expand(uint64_t id)
{
	if (!is_there(id))
		return;
	begin_op(id, OP_EXPAND);
	kit_expand(&kit, id, 0, 3);
	run();
}

static void result_that_waits(uint64_t id)
{
	if (!is_there(id))
		return;
	begin_op(id, OP_RESULT);
	kit_result(&kit, id, 1, SPOOL_RCPT_DELIVERED, true);
	run();
}

static void result_that_nobody_awaits(uint64_t id)
{
	struct result *r = &book->results[book->n_results];

	if (!is_there(id) || book->n_results == N_RESULTS)
		return;
	kit_result(&kit, id, 0, SPOOL_RCPT_PENDING, false);
	*r = (struct result){ id, ++book->n_ops, kit.messages[id].rcpts[0].progress.attempts, false };
	book->n_results++;
}

static void changed(void *user, int result)
{
	struct kit_message *m = user;

	m->result = result;
	if (result == 0)
		m->flags = SPOOL_FLAG_HELD;
}

static void hold(uint64_t id)
{
	struct kit_message *m = &kit.messages[id];

	if (!is_there(id))
		return;
	begin_op(id, OP_HOLD);
	m->result = KIT_WAITING;
	spool_set_flags(kit.sp, &m->entry, SPOOL_FLAG_HELD, changed, m);
	run();
}

static void raised(void *user, int result)
{
	if (result == 0)
		book->high_water = *(uint64_t *)user;
	else
		book->n_refused++;
}

static void raise_high_water(uint64_t to)
{
	static uint64_t value;

	value = to;
	spool_update_id_high_water(kit.sp, value, raised, &value);
	run();
}

static void remove_mail(uint64_t id)
{
	if (!is_there(id))
		return;
	book->promises[id].is_remove_asked = true;
	begin_op(id, OP_REMOVE);
	kit_remove(&kit, id);
	run();
}

static void idle(int times)
{
	for (; times; times--)
		kit_run_idle(&kit);
	note_answers();
}

/* A disk that fails for a while: opening is tried until it works. */
static void open_spool(void)
{
	for (int tries = 0; kit_try_open(&kit) < 0; tries++) {
		book->n_refused++;
		assert_true(tries < 100);
		kit_forget(&kit);
	}
	kit_load(&kit);
}

/* Everything that a spool does, with new ids from first on. */
static void one_phase(uint64_t first)
{
	open_spool();
	accept_mail(first, 4, 500);
	accept_mail(first + 4, 2, 40000); /* body files */
	expand(first);
	result_that_nobody_awaits(first + 1);
	result_that_waits(first + 2);
	hold(first + 3);
	raise_high_water(10000 + first);
	accept_mail(first + 6, 6, 9000); /* more than one segment */
	result_that_nobody_awaits(first + 2);
	remove_mail(first + 4);
	for (uint64_t id = first + 6; id < first + 12; id++)
		remove_mail(id);
	for (uint64_t id = first + 12; id < first + 61; id += 7) { /* until the oldest is emptied */
		accept_mail(id, 7, 8000);
		result_that_nobody_awaits(first + 1);
		for (uint64_t gone = id; gone < id + 6; gone++)
			remove_mail(gone);
		idle(1);
	}
	accept_mail(first + 70, 50, 9000); /* many segments, all free at once: more than are kept for use */
	for (uint64_t id = first + 70; id < first + 120; id++)
		remove_mail(id);
	idle(12);
	kit_close(&kit);
	kit_forget(&kit);
}

static void workload(void)
{
	for (unsigned phase = 0; phase < SHIM_PHASES; phase++) {
		shim->phase = phase;
		one_phase(1 + (uint64_t)phase * PER_PHASE);
	}
}

/* ---- judging what is left ---- */

static struct kit after;
static char verdict[400];

#define COMPLAIN(...)                                                                                        \
	do {                                                                                                 \
		(void)snprintf(verdict, sizeof(verdict), __VA_ARGS__);                                       \
		return false;                                                                                \
	} while (0)

static bool content_is_right(uint64_t id, uint64_t bytes)
{
	static char want[65536];
	struct buf got = BUF_INIT(sizeof(want));
	bool is_right = true;

	for (uint64_t at = 0; is_right && at < bytes; at += got.len) {
		buf_clear(&got);
		is_right = spool_content_read(after.sp, &after.messages[id].entry, at, sizeof(want), &got) ==
				0 &&
			got.len > 0;
		if (!is_right)
			break;
		kit_fill(id, at, got.len, want);
		is_right = memcmp(got.at, want, got.len) == 0;
	}
	buf_free(&got);
	return is_right;
}

static bool message_is_right(uint64_t id)
{
	const struct promise *p = &book->promises[id];
	const struct kit_message *m = &after.messages[id];

	if (p->is_kept && !p->is_remove_asked && !m->is_live)
		COMPLAIN("message %" PRIu64 " was acknowledged and is gone", id);
	if (p->is_gone && m->is_live)
		COMPLAIN("message %" PRIu64 " was removed and is back", id);
	if (!m->is_live)
		return true;
	if (m->bytes != p->bytes || !content_is_right(id, p->bytes))
		COMPLAIN("message %" PRIu64 " is damaged", id);
	if (p->is_expanded && (m->n_rcpts != 5 || m->rcpts[0].progress.state != SPOOL_RCPT_EXPANDED))
		COMPLAIN("message %" PRIu64 ": its expansion was acknowledged and is gone", id);
	if (m->n_rcpts != 2 && m->n_rcpts != 5)
		COMPLAIN("message %" PRIu64 " has %zu recipients", id, m->n_rcpts);
	if (p->has_result && m->rcpts[1].progress.state != SPOOL_RCPT_DELIVERED)
		COMPLAIN("message %" PRIu64 ": its result was acknowledged and is gone", id);
	if (p->is_held && !(m->flags & SPOOL_FLAG_HELD))
		COMPLAIN("message %" PRIu64 ": it was held and is not", id);
	return true;
}

static bool results_are_right(void)
{
	for (unsigned i = 0; i < book->n_results; i++) {
		const struct result *r = &book->results[i];
		const struct kit_message *m = &after.messages[r->id];
		if (r->is_kept && m->is_live && m->rcpts[0].progress.attempts < r->attempts)
			COMPLAIN("message %" PRIu64 ": a result that others followed is gone", r->id);
	}
	return true;
}

static bool all_is_right(void)
{
	for (unsigned kind = 0; kit_n_problems(&after) && kind < ARRAY_LEN(after.problems); kind++)
		if (after.problems[kind] && kind != SPOOL_PROBLEM_TORN && kind != SPOOL_PROBLEM_ORPHAN)
			COMPLAIN("opening reports: %s", spool_problem_text((enum spool_problem_kind)kind));
	for (uint64_t id = 1; id < N_IDS; id++)
		if (!message_is_right(id))
			return false;
	if (spool_id_high_water(after.sp) < book->high_water)
		COMPLAIN("ids may be used a second time");
	return results_are_right();
}

/* What lives, and in which state, as one number. */
static uint64_t fingerprint(void)
{
	uint64_t h = 1;

	for (uint64_t id = 1; id < N_IDS; id++) {
		const struct kit_message *m = &after.messages[id];
		for (size_t i = 0; m->is_live && i < m->n_rcpts; i++)
			h = h * UINT64_C(0x9E3779B97F4A7C15) + id * 64 + m->rcpts[i].progress.state * 16 +
				m->rcpts[i].progress.attempts + m->flags;
	}
	return h;
}

static bool judge_open(void)
{
	uint64_t first;

	after.set = kit.set;
	if (kit_try_open(&after) < 0)
		COMPLAIN("it cannot be opened");
	kit_load(&after);
	if (!all_is_right())
		return false;
	first = fingerprint();
	kit_reopen(&after);
	if (fingerprint() != first)
		COMPLAIN("a second opening does not give the same");
	if (!all_is_right())
		return false;
	kit_commit(&after, N_IDS + 1, 3000, 1);
	kit_reopen(&after);
	if (!after.messages[N_IDS + 1].is_live || !all_is_right())
		COMPLAIN("it does not go on: %.300s", "a message taken after the fault is gone");
	kit_close(&after);
	return true;
}

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

static char *shared_verdict;
static void judge(void)
{
	if (judge_open())
		return;
	memcpy(shared_verdict, verdict, sizeof(verdict));
	_exit(1);
}

static void use_dir(const char *dir)
{
	memset(&after, 0, sizeof(after));
	(void)snprintf(after.dir, sizeof(after.dir), "%s", dir);
}

/* The disk as the fault leaves it, in a directory of its own. */
static void build_disk(const struct crash_case *c, unsigned seed)
{
	struct disk *disk = disk_new();
	char dir[64];

	add_dir(disk, "log");
	add_dir(disk, "bodies");
	disk_number_files(shim);
	disk_cut(disk, shim, shim->is_stopped ? shim->stopped_at : shim_n_events(), c->kind->cut, seed);
	(void)snprintf(dir, sizeof(dir), "%.40s-cut", kit.dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(disk_store(disk, dir), 0);
	disk_free(&disk);
	use_dir(dir);
}

static enum outcome judge_both(const struct crash_case *c, unsigned seed)
{
	int status;

	build_disk(c, seed);
	shim->fault.is_armed = shim->records = false;
	atomic_store(&shim->is_stopped, false);
	status = run_child(judge);
	kit_remove_tree(after.dir);
	if (status == 0 && c->kind->cut != DISK_EVERYTHING) { /* and without a power cut */
		use_dir(kit.dir);
		status = run_child(judge);
	}
	if (status == 0)
		return book->n_refused ? REFUSED : KEPT;
	if (!shared_verdict[0])
		(void)snprintf(shared_verdict, sizeof(verdict), "opening what is left ended with %d", status);
	return FAILED;
}

static void prepare_run(void)
{
	shim_reset();
	memset(book, 0, sizeof(*book));
	shared_verdict[0] = '\0';
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
		(void)snprintf(shared_verdict, sizeof(verdict), "the workload ended with %d", status);
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
	book = mmap(NULL, sizeof(*book), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shared_verdict =
		mmap(NULL, sizeof(verdict), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(book != MAP_FAILED && shared_verdict != MAP_FAILED);
	for (size_t i = job; i < n_cases; i += n_jobs) {
		const struct crash_case *c = &cases[i];
		enum outcome outcome = insist(c, seed + (unsigned)i);
		(void)printf("case\t%zu\t%s\t%u\t%u\t%s\t%s\n", (size_t)(c->site - sites), c->kind->name,
			c->phase, c->hit, outcome_names[outcome], outcome == FAILED ? shared_verdict : "");
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
	book = mmap(NULL, sizeof(*book), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shared_verdict =
		mmap(NULL, sizeof(verdict), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		(void)printf("fault\t%s\n", kinds[i].name);
	record_sites();
	plan(is_sample);
	run_all(number_behind(argc, argv, "--jobs", 2), number_behind(argc, argv, "--seed", 1));
	mem_free(cases);
	return 0;
}
