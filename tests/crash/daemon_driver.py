# SPDX-License-Identifier: Apache-2.0
"""Faults in any process of a whole mail system: each role's calls that change files, each fault, three phases.

The shim (tests/support/shim.c) is preloaded into every process of a sandbox, into roles, workers and commands. A
recording life of the system finds the sites: role, system call, kind of file. A case is a life in which one site is
struck once (or for a while) in one phase, then a life without faults, in which everything that was promised must
arrive: a mail that got a 250 or an exit 0 is in its mailboxes or was taken by the next host, whole, and nowhere twice.
After a power cut the disk is what completed syncs guarantee, and the machine has another boot id.
"""
import contextlib
import errno
import itertools
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ledger import REMOTE, Ledger, Promise, compose
from load import NextHost, is_drained
from matrix import Site
from support.system import Sandbox, build_dir, wait_for

ERROR, ERROR_PARTLY, SHORT, STOP, TEAR, KILL, TEAR_KILL = range(7)  # enum shim_act
CUT_CERTAIN, CUT_SOME = 0, 2                                          # enum disk_cut
USERS = ["user1", "user2", "payam"]
LARGE_LINES = 2000  # a body file, with segments of 64 KiB
FOLDERS = ["spool", "mail", "etc", "home", "lib"]


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


class Machine:
    """A sandbox with the shim, its books, and a disk that can be set back to what a power cut leaves."""

    numbers = itertools.count()

    def __init__(self, seed):
        self.rng = random.Random(f"{seed}.{next(self.numbers)}")
        self.system, self.ledger, self.count, self.boots = Sandbox(), Ledger(), 0, 0
        self.block = self.system.dir / "shim"
        self.snapshot = self.system.dir / "snapshot"
        preload = {"LD_PRELOAD": str(build_dir() / "tests/crash/libcrash_shim.so"), "POSTRIDER_SHIM": str(self.block)}
        plain = self.system.env
        self.system.env = lambda user: {**plain(user), **preload}
        self.next_host = NextHost(self.system, self.ledger, seed)
        self.next_host.is_moody = False
        self.system.configure({"security.sandbox": "no", "relay.host": f"[127.0.0.1]:{self.next_host.port}",
                               "queue.retry_min": "1s", "queue.retry_max": "1s", "smtp.idle_time": "1s",
                               "smtpd.processes": "1", "queue.segment_size": "64k"})
        self.boot()
        self.system.newaliases()
        self.system.start()  # directories that the daemon makes are there: a disk has those of its manifest
        self.system.stop()

    def tool(self, *words):
        done = subprocess.run([build_dir() / "tests/crash/shim_tool", self.block, *map(str, words)],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def boot(self):
        self.boots += 1
        (self.system.dir / "boot").write_text(f"boot-{self.boots}\n")
        self.fresh()

    def fresh(self):
        self.tool("new", self.system.dir, self.system.dir / "boot")

    def state(self):
        struck, stopped = self.tool("state").split()
        return int(struck), stopped == "1"

    def close(self):
        self.next_host.close()
        with contextlib.suppress(AssertionError, AttributeError):
            self.system.kill9_all()
        self.system.daemon = None
        self.system.close()

    # ---- mail

    def mail(self, lines=3):
        self.count += 1
        ident = f"m{self.count}"
        return ident, compose(ident, self.rng, lines)

    def by_smtp(self, *users, lines=3):
        ident, text = self.mail(lines)
        places = frozenset(REMOTE if "@" in user else user for user in users)
        with self.system.smtp() as client:
            client.sendmail("user1@localhost", [user if "@" in user else f"{user}@localhost" for user in users],
                            text.replace("\n", "\r\n").encode())
            self.ledger.promise(ident, Promise(time.monotonic(), places, "SMTP"))

    def by_sendmail(self, user, address=None):
        ident, text = self.mail()
        if self.system.sendmail("user1", "-oi", address or user, message=text, check=False).returncode == 0:
            self.ledger.promise(ident, Promise(time.monotonic(), frozenset([user]), "sendmail"))

    # ---- a life, in three phases; any step may fail

    def early(self):
        self.system.start()
        self.by_smtp("user1")
        self.by_smtp("user2", "payam")
        self.by_sendmail("payam", "lpic1")

    def middle(self):
        self.by_smtp("user1", lines=LARGE_LINES)
        self.by_smtp("far@remote.example")
        for _ in range(3):
            self.by_smtp("user2")
        self.by_sendmail("user1")
        wait_for(lambda: is_drained(self.system), "an empty queue", 3)

    def late(self):
        self.by_smtp("payam")
        self.system.stop()
        self.by_sendmail("user2")
        self.system.newaliases(check=False)
        self.system.start()
        self.by_smtp("user1", lines=LARGE_LINES)
        wait_for(lambda: is_drained(self.system), "an empty queue", 3)
        self.system.stop()

    def live(self, before_phase):
        for number, phase in enumerate([self.early, self.middle, self.late]):
            self.tool("phase", number)
            before_phase(number)
            with contextlib.suppress(Exception):  # what was not promised may fail; the books tell what was
                phase()

    # ---- the disk

    def keep_disk(self):
        """A copy of all files, and a list of them by inode."""
        shutil.rmtree(self.snapshot, ignore_errors=True)
        self.snapshot.mkdir()
        root, lines, copies = self.system.dir, [], itertools.count()
        for top in FOLDERS:
            for folder in [root / top, *sorted((root / top).rglob("*"))]:
                if folder.is_dir():
                    inode = folder.stat().st_ino
                    lines.append(f"dir {inode} {folder.relative_to(root)}")
                    for file in (file for file in folder.iterdir() if file.is_file() and not file.is_symlink()):
                        copy = self.snapshot / str(next(copies))
                        shutil.copyfile(file, copy)
                        stat = file.stat()
                        lines.append(f"file {stat.st_ino} {inode} {stat.st_mode & 0o7777} {copy} {file.name}")
        (self.snapshot / "manifest").write_text("\n".join(lines) + "\n")

    def cut_power(self, cut, seed):
        for top in FOLDERS:
            for file in (self.system.dir / top).rglob("*"):
                if file.is_file():
                    file.unlink()
        self.tool("image", self.snapshot / "manifest", self.system.dir, cut, seed)
        self.boot()

    # ---- a case

    def strike(self, key, fault, phase, seed):
        """A life with the fault; whether it struck."""
        self.fresh()
        if fault.cut is not None:
            self.keep_disk()

        def before(number):
            if number == phase:
                self.tool("arm", key, 1, fault.n, fault.act, fault.error, seed)

        life = threading.Thread(target=self.live, args=[before])
        life.start()
        while life.is_alive():
            life.join(0.03)
            if self.state()[1]:
                break
        struck, stopped = self.state()
        if stopped or struck:
            self.ledger.kills.append(time.monotonic())
        while life.is_alive():  # it waits for processes that stand still: they go, also those that it still starts
            with contextlib.suppress(Exception):
                self.system.kill9_all()
            self.end_commands()
            life.join(0.1)
        with contextlib.suppress(Exception):
            self.system.kill9_all()
        if stopped and fault.cut is not None:
            self.cut_power(fault.cut, seed)
        else:
            self.fresh()
        return bool(struck)

    def end_commands(self):
        """Commands that stand still in the shim: they have the block mapped."""
        for maps in Path("/proc").glob("[0-9]*/maps"):
            with contextlib.suppress(OSError):
                if str(self.block) in maps.read_text():
                    os.kill(int(maps.parent.name), signal.SIGKILL)

    def judge(self):
        """A life without faults; what is wrong then."""
        self.system._stderr.truncate(0)
        try:
            self.system.start()
            self.by_sendmail("payam", "lpic1")
            self.system.sendmail("root", "-q", message="", check=False)
            wait_for(lambda: is_drained(self.system), "an empty queue", 30)
            self.system.stop()
        except Exception as problem:  # each of them is the answer to the question
            return [f"the system does not go on: {problem!r}"]
        return self.ledger.account({user: self.system.mailbox_text(user) for user in [*USERS, "root"]})[1]


def record(lives):
    """Site to (key, hits of each phase). The first life makes what the others find; which segments are new and which
    used again depends on time, so several lives see more."""
    machine, found = Machine("record"), {}
    try:
        for _ in range(lives):
            machine.live(lambda number: None)
        for line in machine.tool("sites").splitlines():
            key, who, call, file, *hits = line.split("\t")
            found[Site("daemon", who, call, file)] = (key, [int(n) for n in hits])
    finally:
        machine.close()
    return found


def plan(sites, sample, seed):
    """(site, fault, phase). A sample has each site once and each fault."""
    every = [(site, fault, phase) for site in sorted(sites) for fault in FAULTS if fault.applies(site)
             for phase, hits in enumerate(sites[site][1]) if hits]
    if not sample:
        return every
    rng, chosen, turn = random.Random(seed), [], itertools.cycle(FAULTS)
    for site in sorted(sites):
        fault = next(fault for fault in turn if fault.applies(site))
        chosen.append(rng.choice([case for case in every if case[:2] == (site, fault)]))
    missing = [fault for fault in FAULTS if fault not in {fault for _, fault, _ in chosen}]
    return chosen + [rng.choice([case for case in every if case[1] == fault]) for fault in missing]


def work(cases, sites, matrix, seed):
    machine = Machine(seed)
    try:
        for number, (site, fault, phase) in cases:
            struck, wrong = False, []
            for _ in range(3):  # a life does not always do the same
                struck = struck or machine.strike(sites[site][0], fault, phase, seed + number)
                wrong = wrong or machine.judge()
                if struck or wrong:
                    break
            outcome = "failed" if wrong else "kept" if struck else "not reached"
            matrix.add(site, fault.name, phase, outcome, "; ".join(wrong)[:600])
            if wrong:
                machine.close()
                machine = Machine(seed)
    finally:
        machine.close()


def run_daemon(matrix, sample, seed, jobs, lives=2):
    sites = record(lives)
    matrix.sites.update(sites)
    matrix.faults["daemon"] = [fault.name for fault in FAULTS]
    matrix.applies.update((site, fault.name) for site in sites for fault in FAULTS if fault.applies(site))
    cases = list(enumerate(plan(sites, sample, seed)))
    with ThreadPoolExecutor(jobs) as pool:
        for done in [pool.submit(work, cases[job::jobs], sites, matrix, seed) for job in range(jobs)]:
            done.result()
