#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every place that changes files × every fault × three phases: runs the drivers, writes the tables.

A site is found by a recording run of a driver, never listed by hand: in src/spool it is function, system call and kind
of file (crash_spool, in one process, thousands of cases); in a whole mail system it is role, system call and kind of
file (daemon_driver.py). build/crash-table.md has the outcome of each site × fault × phase; docs/CRASH-TABLE.md the
sites and the faults that strike them, and is compared with what was recorded.
"""
import argparse
import collections
import hashlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUMMARY = ROOT / "docs/CRASH-TABLE.md"
PHASES = ["early", "middle", "late"]
NOT_CALLERS = ("support/shim.c", "support/shim_calls.c", "support/shim_site.c", "base/file.c", ".h")  # they say nothing of the place


@dataclass(frozen=True, order=True)
class Site:
    driver: str  # "spool": src/spool in one process; "daemon": a whole mail system
    who: str     # function, or role
    call: str
    file: str

    def __str__(self):
        return f"{self.who}: {self.call} {self.file}"


@dataclass
class Matrix:
    sites: set = field(default_factory=set)
    # (site, fault, phase) to outcome to number of cases
    cells: dict = field(default_factory=lambda: collections.defaultdict(collections.Counter))
    failures: list = field(default_factory=list)
    faults: dict = field(default_factory=dict)  # driver to names of its faults, in the order of the tables
    applies: set = field(default_factory=set)   # (site, fault) that a full run tries

    journal: object = None  # what a later run goes on from: an open file

    def add(self, site, fault, phase, outcome, said=""):
        self.cells[site, fault, phase][outcome] += 1
        if self.journal and site.driver == "daemon":  # the other has its output kept as a whole
            self.journal.write("\t".join([site.driver, site.who, site.call, site.file, fault, str(phase), outcome]) + "\n")
            self.journal.flush()
        if outcome == "failed":
            self.failures.append(f"{site}, {fault}, {PHASES[phase]}: {said}")

    def never_struck(self):
        """(site, fault) that was tried and never reached."""
        tried = {(site, fault) for site, fault, _ in self.cells}
        return sorted(one for one in tried if not any(self.is_struck(*one, phase) for phase in range(len(PHASES))))

    def is_struck(self, site, fault, phase):
        return bool(set(self.cells.get((site, fault, phase), ())) - {"not reached"})

    def not_in_all_phases(self):
        """(site, fault, phase) that a full run should have struck and did not."""
        return sorted((site, fault, PHASES[phase]) for site, fault in self.applies for phase in range(len(PHASES))
                      if not self.is_struck(site, fault, phase))

    def never_tried(self):
        return sorted(self.sites - {site for site, _, _ in self.cells})


# ---- the driver of the spool

def functions(program, stacks):
    """Address to [(function, file)], innermost inlined one first."""
    addresses = sorted({address for stack in stacks for address in stack})
    done = subprocess.run(["addr2line", "-f", "-i", "-a", "-e", program, *addresses], capture_output=True, text=True,
                          check=True)
    found, current = {}, None
    lines = iter(done.stdout.splitlines())
    for line in lines:
        if line.startswith("0x"):
            current = found.setdefault(int(line, 16), [])
        else:
            current.append((line, next(lines).partition(":")[0]))
    return found


def caller(stack, found):
    """The innermost function of the product that is not one of the wrappers of base/file.c."""
    for address in stack:
        for function, file in found[int(address, 16)]:
            if function != "??" and not file.endswith(NOT_CALLERS):
                return function
    raise ValueError(f"no function is known for {stack}: was it built with debug information?")


def spool_sites(program, rows):
    """Number in the output to Site; several stacks lead to one place."""
    stacks = {row[1]: row[5].split(",") for row in rows if row[0] == "site"}
    near = {number: [a for a in stack if int(a, 16) < 1 << 32] for number, stack in stacks.items()}  # not of libraries
    found = functions(program, near.values())
    return {row[1]: Site("spool", caller(near[row[1]], found), row[2], row[3]) for row in rows if row[0] == "site"}


PROGRAMS = {"daemon": ["release/src/supervisor/postriderd", "release/tests/crash/libcrash_shim.so"],
            "spool": ["asan/tests/crash/crash_spool"]}


def programs(build, driver):
    return hashlib.sha256(b"".join((Path(build) / name).read_bytes() for name in PROGRAMS[driver])).hexdigest()


def resume(matrix, journal, build):
    """Takes the outcomes of an interrupted run with these very programs, and goes on writing there. What failed or was
    not reached is tried again."""
    lines = journal.read_text().splitlines() if journal.exists() else []
    same = programs(build, "daemon")
    is_same = lines[:1] == [same]
    for driver, who, call, file, fault, phase, outcome in (line.split("\t") for line in lines[1:] if is_same):
        if outcome == "kept":
            matrix.cells[Site(driver, who, call, file), fault, int(phase)][outcome] += 1
    matrix.journal = open(journal, "a" if is_same else "w", encoding="utf-8")
    if not is_same:
        matrix.journal.write(same + "\n")


def spool_output(build, sample, seed, jobs):
    """What crash_spool says, and its exit status."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # quicker than a disk
    with tempfile.TemporaryDirectory(prefix="crash-", dir=memory) as scratch:
        done = subprocess.run([Path(build).resolve() / "asan/tests/crash/crash_spool", "--jobs", str(jobs), "--seed",
                               str(seed), *(["--sample"] if sample else [])], cwd=scratch, stdout=subprocess.PIPE,
                              text=True)
    return done.stdout, done.returncode


def run_spool(matrix, build, sample, seed, jobs):
    kept, status = Path(build) / "crash-spool.tsv", 0
    text = kept.read_text() if matrix.journal and kept.exists() else ""
    if not text.startswith(programs(build, "spool")):
        text, status = spool_output(build, sample, seed, jobs)
        if matrix.journal and status == 0:
            kept.write_text(programs(build, "spool") + "\n" + text)
    rows = [line.split("\t") for line in text.splitlines()]
    sites = spool_sites(Path(build) / "asan/tests/crash/crash_spool", rows)
    matrix.sites.update(sites.values())
    matrix.faults["spool"] = [row[1] for row in rows if row[0] == "fault"]
    matrix.applies.update((sites[row[1]], row[2]) for row in rows if row[0] == "case")
    for row in rows:
        if row[0] == "case":
            matrix.add(sites[row[1]], row[2], int(row[3]), row[5], row[6])
    if status:
        matrix.failures.append(f"crash_spool ended with {status}")


# ---- tables

def cell_text(matrix, site, fault, phase):
    outcomes = matrix.cells.get((site, fault, phase))
    return ", ".join(f"{n} {what}" for what, n in sorted(outcomes.items())) if outcomes else "-"


def full_table(matrix):
    lines = ["# Crash table", "", "kept: nothing promised is missing, and no call was refused; refused: the same, and the "
             "fault was told to who asked; not reached: the run took another course.", "",
             "| driver | who | call | file | fault | " + " | ".join(PHASES) + " |", "|" + "---|" * 8]
    for site in sorted(matrix.sites):
        for fault in matrix.faults[site.driver]:
            cells = [cell_text(matrix, site, fault, phase) for phase in range(3)]
            if set(cells) != {"-"}:
                lines.append(f"| {site.driver} | {site.who} | {site.call} | {site.file} | {fault} | "
                             + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


INTRO = """\
# What is struck by crash tests

Made by `make crash`; do not edit. The places that change files are found by recording runs, so a new one stands here
after the next run, and until it does the crash tests fail. A fault that has an x struck it early, in the middle and late in
the workload; e, m, l: only then; and everything that was promised was kept, but for a mark with an exclamation mark, which
is a defect. The number of cases and their outcomes are in `crash-table.md` of the build directory. What must hold after
each: [SPOOL.md](SPOOL.md), [TESTING.md](TESTING.md).
"""
TITLES = {"spool": ("In the spool, one process", "function"), "daemon": ("In a whole mail system", "role")}


def mark(matrix, site, fault):
    outcomes = [set(matrix.cells.get((site, fault, phase), ())) - {"not reached"} for phase in range(len(PHASES))]
    struck = "".join(name[0] for name, found in zip(PHASES, outcomes) if found)
    return ("x" if len(struck) == len(PHASES) else struck) + ("!" if any("failed" in found for found in outcomes) else "")


def marks(matrix, site):
    return [mark(matrix, site, fault) if (site, fault) in matrix.applies else "" for fault in matrix.faults[site.driver]]


def summary(matrix):
    text = INTRO
    for driver, (title, who) in TITLES.items():
        sites = sorted(site for site in matrix.sites if site.driver == driver)
        faults = matrix.faults.get(driver)
        if not sites:
            continue
        text += f"\n## {title}\n\n" 
        text += "\n".join(f"{number}. {fault}" for number, fault in enumerate(faults, 1)) + "\n\n"
        text += f"| {who} | call | file | " + " | ".join(str(n) for n in range(1, len(faults) + 1)) + " |\n"
        text += "|" + "---|" * (3 + len(faults)) + "\n"
        for site in sites:
            text += f"| {site.who} | {site.call} | {site.file} | " + " | ".join(marks(matrix, site)) + " |\n"
    return text


def listed_marks(driver):
    """Site to its marks, of the committed table."""
    section = SUMMARY.read_text().partition(f"## {TITLES[driver][0]}\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("| ")]
    return {Site(driver, *row[:3]): row[3:] for row in rows[1:]}


def differences(matrix, driver):
    """What the committed table lacks, and what it has too much. A whole mail system does not do everything in each
    life; what its roles do not do at all any more is noticed."""
    recorded, listed = {site for site in matrix.sites if site.driver == driver}, listed_marks(driver)
    roles = {site.who for site in recorded}
    gone = {site for site in listed if site not in recorded and (driver == "spool" or site.who not in roles)}
    other = {site for site in recorded & listed.keys()
             if [bool(one) for one in listed[site]] != [(site, fault) in matrix.applies for fault in matrix.faults[driver]]}
    return ([f"docs/CRASH-TABLE.md lacks {site}: run make crash" for site in sorted(recorded - listed.keys())]
            + [f"docs/CRASH-TABLE.md has {site}, which is not there: run make crash" for site in sorted(gone)]
            + [f"docs/CRASH-TABLE.md has other faults for {site}: run make crash" for site in sorted(other)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default=str(ROOT / "build"), help="directory of the builds")
    parser.add_argument("--sample", action="store_true", help="each site and each fault, not each of each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", choices=list(TITLES))
    parser.add_argument("--match", help="only the cases of a whole mail system whose name fits this expression")
    parser.add_argument("--write", action="store_true", help="write docs/CRASH-TABLE.md")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run of the same programs")
    args = parser.parse_args()
    matrix = Matrix()
    os.environ.setdefault("POSTRIDER_BUILD", str(Path(args.build).resolve() / "release"))
    if args.resume:
        resume(matrix, Path(args.build) / "crash-outcomes.tsv", args.build)
    if args.only != "daemon":
        run_spool(matrix, args.build, args.sample, args.seed, args.jobs)
    if args.only != "spool":
        from daemon_driver import run_daemon  # which needs a build at once
        run_daemon(matrix, args.sample, args.seed, args.jobs, lives=3 if args.write else 2, match=args.match or "")
    table = Path(args.build) / "crash-table.md"
    table.write_text(full_table(matrix))
    if not args.sample and not args.match:
        matrix.failures += [f"not struck: {site}, {fault}, {phase}" for site, fault, phase in matrix.not_in_all_phases()]
    if args.write and not args.only:
        SUMMARY.write_text(summary(matrix))
    total = sum(sum(outcomes.values()) for outcomes in matrix.cells.values())
    if args.sample:
        for site, fault in matrix.never_struck():
            print(f"never reached: {site}, {fault}")
    print("\n".join(matrix.failures[:40]))
    print(f"{len(matrix.sites)} sites, {total} cases, {len(matrix.failures)} failed; see {table}")
    return 1 if matrix.failures else 0


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/crash")]
    import matrix as this  # under its own name: the other driver knows it by that
    sys.exit(this.main())
