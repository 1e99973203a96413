# SPDX-License-Identifier: Apache-2.0
"""A mail system with the shim in each of its processes, its books, and a disk that can be set back to what a power cut
leaves.

One life has three phases, and each does everything that changes files: mail by SMTP and by sendmail, to mailboxes, a
Maildir, a command, a list, another host; large mail; mail that is deferred, held and released, while so much comes and
goes that the log is compacted around it; a stop, mail for the drop directory, newaliases, a start. Checkpoints are
written on the way and at each stop.
"""
import contextlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from ledger import COMMAND, MAILDIR, REMOTE, Ledger, Promise, compose
from load import NextHost, add_user, is_drained
from support.system import Sandbox, build_dir

USERS = ["user1", "user2", "payam"]
CROWD = [f"crowd{number}" for number in range(1, 9)]  # so many at once that their file system is synced as a whole
NEWCOMERS = ["early", "middle", "late"]  # their first mail comes in that phase: the mailbox is made
FOLDERS = ["spool", "mail", "etc", "home", "lib"]
LARGE_LINES = 600        # a body file, with segments of 64 KiB
COMMANDS = {"sendmail", "mailq", "newaliases", "postrider", "postrider-drop"}
LOOK_S = 0.1             # how often something is waited for
FILLING = 36             # more than the four segments of dead space that are left alone
FILLING_TEXT = "\r\n" + "away with it at once\r\n" * 600
SETTINGS = {"security.sandbox": "no", "queue.retry_min": "1s", "queue.retry_max": "1s", "smtp.idle_time": "1s",
            "smtpd.processes": "1", "queue.segment_size": "64k"}
# Its marks are on a disk of their own, which no power cut touches, and are no business of the shim.
COMMAND_TEXT = """#!/bin/sh
unset LD_PRELOAD
cat >{marks}/.$$ && sync {marks}/.$$ && mv {marks}/.$$ {marks}/$(date +%s.%N).$$
"""


class Machine:
    numbers = itertools.count()

    def __init__(self, seed):
        self.rng = random.Random(f"{seed}.{next(self.numbers)}")
        self.system, self.ledger, self.count, self.boots = Sandbox(), Ledger(), 0, 0
        self.block = self.system.dir / "shim"
        self.snapshot = self.system.dir / "snapshot"
        self.marks = Path(tempfile.mkdtemp(prefix="crash-marks-"))
        self.maildir = self.system.home("user2") / "Maildir"
        preload = {"LD_PRELOAD": str(build_dir() / "tests/crash/libcrash_shim.so"), "POSTRIDER_SHIM": str(self.block)}
        plain = self.system.env
        self.system.env = lambda user: {**plain(user), **preload}
        self.next_host = NextHost(self.system, self.ledger, seed)
        self.next_host.is_moody = False
        self.system.configure({**SETTINGS, "relay.host": f"[127.0.0.1]:{self.next_host.port}"})
        self.write_addresses()
        self.boot()
        self.system.newaliases()
        self.system.start()  # directories that the daemon makes are there: a disk has those of its manifest
        self.system.stop()

    def write_addresses(self):
        script = self.system.dir / "bin/mark"
        script.write_text(COMMAND_TEXT.format(marks=self.marks))
        script.chmod(0o755)
        for user in NEWCOMERS + CROWD:
            add_user(self.system, user)
        for name in ("tmp", "new", "cur"):
            (self.maildir / name).mkdir(parents=True)
        with open(self.system.aliases_file, "a", encoding="utf-8") as aliases:
            aliases.write(f"boxer: {self.maildir}/\npiper: \"|{script}\"\nsink: :blackhole:\n"
                          f"everyone: user1, user2, payam\ncrowd: {', '.join(CROWD)}\n")

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
        shutil.rmtree(self.marks, ignore_errors=True)

    def clean(self):
        """Empty mailboxes and books, for the next case; the daemon is down."""
        for folder in [self.system.mail_dir, self.maildir, self.marks]:
            for file in folder.rglob("*"):
                if file.is_file():
                    file.unlink()
        self.ledger.clear()

    # ---- mail

    def mail(self, lines=3):
        self.count += 1
        ident = f"m{self.count}"
        return ident, compose(ident, self.rng, lines)

    def by_smtp(self, *recipients, places=None, lines=3, times=1):
        addresses = [name if "@" in name else f"{name}@localhost" for name in recipients]
        with self.system.smtp() as client:
            for _ in range(times):
                ident, text = self.mail(lines)
                client.sendmail("user1@localhost", addresses, text.replace("\n", "\r\n").encode())
                where = frozenset(recipients if places is None else places)
                self.ledger.promise(ident, Promise(time.monotonic(), where, "SMTP"))

    def by_sendmail(self, user, address=None):
        ident, text = self.mail()
        if self.system.sendmail("user1", "-oi", address or user, message=text, check=False).returncode == 0:
            self.ledger.promise(ident, Promise(time.monotonic(), frozenset([user]), "sendmail"))

    def drain(self, patience_s):
        deadline = time.monotonic() + patience_s
        while not is_drained(self.system):  # a process each time: not too often
            assert time.monotonic() < deadline, f"waited {patience_s} s in vain for an empty queue"
            time.sleep(LOOK_S)

    # ---- a life; any step may fail

    def deliver_everywhere(self, newcomer):
        self.by_smtp(newcomer)
        self.by_smtp("user1")
        self.by_smtp("user2", "payam")
        self.by_smtp("everyone", places=USERS)
        self.by_smtp("crowd", places=CROWD, times=3)
        self.by_smtp("boxer", places=[MAILDIR])
        self.by_smtp("piper", places=[COMMAND])
        self.by_smtp("far@remote.example", places=[REMOTE])
        self.by_smtp("user1", lines=LARGE_LINES)
        self.by_sendmail("payam", "lpic1")

    def hold_while_much_comes_and_goes(self):
        later = "later@remote.example"
        self.next_host.is_closed = True
        try:
            self.by_smtp(later, places=[REMOTE])
            self.system.postrider("queue", "hold", "--to", later, "--yes")
        finally:
            self.next_host.is_closed = False
        with self.system.smtp() as client:
            for _ in range(FILLING):
                client.sendmail("user1@localhost", "sink@localhost", FILLING_TEXT)
        self.system.postrider("queue", "release", "--to", later, "--yes")
        self.drain(3)

    def leave_mail_while_it_is_down(self):
        self.system.stop()
        self.by_sendmail("user2")
        self.system.newaliases(check=False)
        self.system.start()
        self.drain(3)
        self.system.stop()

    def one_phase(self, newcomer):
        self.system.start()
        self.deliver_everywhere(newcomer)
        self.hold_while_much_comes_and_goes()
        self.leave_mail_while_it_is_down()

    def live(self, before_phase=lambda number: None, phases=len(NEWCOMERS)):
        for number, newcomer in enumerate(NEWCOMERS[:phases]):
            self.tool("phase", number)
            before_phase(number)
            with contextlib.suppress(Exception):  # what was not promised may fail; the books tell what was
                self.one_phase(newcomer)

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

        life = threading.Thread(target=self.live, args=[before, phase + 1])
        life.start()
        while life.is_alive():
            life.join(LOOK_S)
            struck, stopped = self.state()
            if struck and not self.ledger.kills:
                self.ledger.kills.append(time.monotonic())
            if stopped:
                break
        while life.is_alive():  # it waits for processes that stand still: they go, also those that it still starts
            with contextlib.suppress(Exception):
                self.system.kill9_all()
            self.end_commands()
            life.join(0.1)
        with contextlib.suppress(Exception):
            self.system.kill9_all()
        struck, stopped = self.state()
        if stopped and fault.cut is not None:
            self.cut_power(fault.cut, seed)
        else:
            self.fresh()
        return bool(struck)

    def end_commands(self):
        """Commands that stand still in the shim: they have the block mapped."""
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (process / "comm").read_text().strip() in COMMANDS and \
                        str(self.block) in (process / "maps").read_text():
                    os.kill(int(process.name), signal.SIGKILL)

    def judge(self):
        """A life without faults; what is wrong then."""
        self.system._stderr.truncate(0)
        try:
            self.system.start()
            self.by_sendmail("payam", "lpic1")
            self.system.postrider("queue", "release", "--all", "--yes", check=False)  # it may have come while one was held
            self.system.sendmail("root", "-q", message="", check=False)
            self.drain(30)
            self.system.stop()
        except Exception as problem:  # each of them is the answer to the question
            return [f"the system does not go on: {problem!r}"]
        return self.account()

    def account(self):
        for mark in sorted(self.marks.glob("[0-9]*")):
            when = float(".".join(mark.name.split(".")[:2])) + time.monotonic() - time.time()
            self.ledger.handed_over(mark.read_text(), when, COMMAND)
            mark.unlink()
        users = [*USERS, *NEWCOMERS, *CROWD, "root"]
        return self.ledger.account({user: self.system.mailbox_text(user) for user in users},
                                   [file.read_text() for file in self.maildir.glob("new/*")])[1]
