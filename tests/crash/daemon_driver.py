# SPDX-License-Identifier: Apache-2.0
"""Faults in any process of a whole mail system: each role's calls that change files, each fault, three phases.

The shim (tests/support/shim.c) is preloaded into every process of a sandbox, into roles, workers and commands. A
recording life of the system (machine.py) finds the sites: role, system call, kind of file. A case is a life in which one
site is struck once (or for a while) in one phase, then a life without faults, in which everything that was promised must
arrive: a mail that got a 250 or an exit 0 is where it belongs or was taken by the next host, whole, and nowhere twice.
After a power cut the disk is what completed syncs guarantee, and the machine has another boot id.
"""
import errno
import itertools
import random
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from machine import Machine
from matrix import PHASES, Site

ERROR, ERROR_PARTLY, SHORT, STOP, TEAR, KILL, TEAR_KILL = range(7)  # enum shim_act
CUT_CERTAIN, CUT_SOME = 0, 2                                  # enum disk_cut


TRIES = 5  # a life does not always do the same


@dataclass(frozen=True)
class Fault:
    name: str
    act: int
    error: int = 0
    n: int = 1
    calls: tuple = ()        # only these; empty: all
    cut: int | None = None   # the power goes as well

    def applies(self, site):
        return (not self.calls or site.call in self.calls) and not (self.error == errno.ENOSPC and site.call == "unlink")


FAULTS = [
    Fault("its process killed", KILL),
    Fault("all killed", STOP),
    Fault("power cut, the unsynced lost", STOP, cut=CUT_CERTAIN),
    Fault("power cut, the unsynced reordered", STOP, cut=CUT_SOME),
    Fault("torn write, its process killed", TEAR_KILL, calls=("write",)),
    Fault("torn write, power cut", TEAR, calls=("write",), cut=CUT_SOME),
    Fault("short write", SHORT, calls=("write",)),
    Fault("EIO once", ERROR, errno.EIO),
    Fault("EIO for a while", ERROR, errno.EIO, n=6),
    Fault("ENOSPC once", ERROR_PARTLY, errno.ENOSPC),
]


def record(lives):
    """Site to (key, hits of each phase). The first life makes what the others find; which segments are new and which
    used again depends on time, so several lives see more."""
    machine, found = Machine("record"), {}
    try:
        for _ in range(lives):
            machine.live()
            machine.clean()
        for line in machine.tool("sites").splitlines():
            key, who, call, file, *hits = line.split("\t")
            found[Site("daemon", who, call, file)] = (key, [int(n) for n in hits])
    finally:
        machine.close()
    return found


def plan(sites, sample, seed):
    """(site, fault, phase). A sample has each site once and each fault."""
    every = [(site, fault, phase) for site in sorted(sites) for fault in FAULTS if fault.applies(site)
             for phase in range(len(PHASES))]
    if not sample:
        return every
    every = [(site, fault, phase) for site, fault, phase in every if sites[site][1][phase]]
    rng, chosen, turn = random.Random(seed), [], itertools.cycle(FAULTS)
    for site in sorted(sites):
        fault = next(fault for fault in turn if fault.applies(site))
        chosen.append(rng.choice([case for case in every if case[:2] == (site, fault)]))
    missing = [fault for fault in FAULTS if fault not in {fault for _, fault, _ in chosen}]
    return chosen + [rng.choice([case for case in every if case[1] == fault]) for fault in missing]


def try_case(machine, key, fault, phase, seed):
    """Whether it struck, and what is wrong then."""
    for attempt in range(TRIES):
        struck = machine.strike(key, fault, phase, seed + attempt)
        wrong = machine.judge()
        if struck or wrong:
            return struck, wrong
        machine.clean()
    return False, []


def work(cases, sites, matrix, seed):
    """cases: an iterator that others take from as well."""
    machine = Machine(seed)
    try:
        for number, (site, fault, phase) in cases:
            struck, wrong = try_case(machine, sites[site][0], fault, phase, seed + number)
            outcome = "failed" if wrong else "kept" if struck else "not reached"
            matrix.add(site, fault.name, phase, outcome, "; ".join(wrong)[:600])
            if wrong:
                machine.close()
                machine = Machine(seed)
            else:
                machine.clean()
    finally:
        machine.close()


class Shared:
    """An iterator for several threads."""

    def __init__(self, items):
        self.items, self.lock = iter(items), threading.Lock()

    def __iter__(self):
        return self

    def __next__(self):
        with self.lock:
            return next(self.items)


def run_daemon(matrix, sample, seed, jobs, lives=2, match=""):
    sites = record(lives)
    matrix.sites.update(sites)
    matrix.faults["daemon"] = [fault.name for fault in FAULTS]
    matrix.applies.update((site, fault.name) for site in sites for fault in FAULTS if fault.applies(site))
    cases = Shared([(number, case) for number, case in enumerate(plan(sites, sample, seed))
                    if not matrix.is_struck(case[0], case[1].name, case[2])
                    and re.search(match, f"{case[0]}, {case[1].name}, {PHASES[case[2]]}")])
    with ThreadPoolExecutor(jobs) as pool:
        for done in [pool.submit(work, cases, sites, matrix, seed) for _ in range(jobs)]:
            done.result()
