# SPDX-License-Identifier: Apache-2.0
"""A server in its namespaces, and what the driver does to it: load, commands, connections, counters."""
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
USERS = 100
FIRST_UID = 60000  # of u0; peers/common.sh makes the users
MESSAGE_OCTETS = 4096  # what smtpload sends unless told otherwise; a mail in a mailbox is larger
SINK_PORT = 2525
CLONE_NEWNET = 0x40000000
SYNC_CALLS = ["fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "msync"]


def fields(text):
    """name=value ... as a dictionary of numbers."""
    return {name: float(value) for name, value in (word.split("=") for word in text.split() if "=" in word)}


class Peer:
    """A server behind its script; see peers/common.sh for the verbs."""

    def __init__(self, name, scratch, build):
        self.name = name
        self.script = BENCH / "peers" / f"{name}.sh"
        self.dir = scratch / name
        self.build = build
        self.process = None
        self.helpers = []

    def prepare(self):
        self.dir.mkdir()
        self.call("prepare")
        (self.dir / "version").write_text(self.call("version").strip())

    @property
    def version(self):
        return (self.dir / "version").read_text()

    def call(self, verb, *args):
        done = subprocess.run([self.script, verb, self.dir, *args], env=self.environment(), text=True, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        if done.returncode != 0:
            sys.exit(f"bench: {self.name}: {verb} failed")
        return done.stdout

    def environment(self):
        return dict(os.environ, BENCH_BUILD=str(self.build))

    # Its life.

    def start(self, mode):
        # A session of its own: ^C reaches this driver alone, and its end, however it comes, ends the server.
        self.process = subprocess.Popen([self.script, "run", self.dir, mode], env=self.environment(),
                                        stdin=subprocess.PIPE, start_new_session=True)
        while not (self.dir / "pid").exists():
            if self.process.poll() is not None:
                log = self.dir / "start.log"
                sys.exit(f"bench: {self.name} did not start\n" + (log.read_text() if log.exists() else ""))
            time.sleep(0.05)

    def stop(self):
        for helper in self.helpers:
            helper.kill()
            helper.wait()
        self.helpers = []
        if self.process:
            self.process.stdin.close()
            self.process.wait(60)
        self.process = None

    def enter(self, *command, mounts=False):
        """The command line that runs a command in the server's network, or in its view of the files too."""
        pid = (self.dir / "pid").read_text().strip()
        kinds = ["--net", "--mount", "--pid"] if mounts else ["--net"]
        return ["nsenter", "--target", pid, *kinds, "--", *map(str, command)]

    def in_root(self, *command):
        return self.enter("chroot", self.dir / "root", *command, mounts=True)

    def run_in_root(self, *command):
        return subprocess.run(self.in_root(*command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)

    def helper(self, *command, **how):
        """A process in its network that ends with the server."""
        process = subprocess.Popen(self.enter(*command), **how)
        self.helpers.append(process)
        return process

    def connect(self, port, timeout=10.0):
        """A socket in its network. A thread alone enters it: the driver stays where it is."""
        box = []

        def work():
            with open(f"/proc/{(self.dir / 'pid').read_text().strip()}/ns/net", encoding="ascii") as ns:
                if ctypes.CDLL(None, use_errno=True).setns(ns.fileno(), CLONE_NEWNET) == 0:
                    try:
                        box.append(socket.create_connection(("127.0.0.1", port), timeout))
                    except OSError:
                        pass
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return box[0] if box else None

    # Load.

    def load(self, sessions, seconds=None, *options, messages=None):
        """Runs smtpload in the server's network; its result as a dictionary of numbers."""
        amount = ["-n", messages] if messages else ["-t", f"{seconds:.1f}"]
        out = subprocess.run(self.enter(self.build / "bench/smtpload", "-s", sessions, *amount, "-u", USERS,
                                        "-l", MESSAGE_OCTETS, "-r", "u%d@bench.test", *options),
                             stdout=subprocess.PIPE, text=True, check=False).stdout
        return fields(out)

    def warm_up(self, sessions, seconds, *options):
        """Until every session was served: Postfix starts its processes one after the other."""
        return self.load(sessions, max(0.3, seconds), "-A", *options)

    def command_load(self, n, parallel, *options_and_command):
        """cmdload inside its root, as user u0."""
        program = self.dir / "upper" / "cmdload"
        if not program.exists():
            sys.exit(f"bench: {self.name}: no {program}")
        out = subprocess.run(self.in_root("/cmdload", "-n", n, "-p", parallel, "-u", FIRST_UID, *options_and_command),
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False).stdout
        return fields(out)

    # Counters.

    def cpu_seconds(self):
        text = self.call("cpu").strip()
        return float(text) if text else None

    def pss_kb(self):
        text = self.call("pss").strip()
        return int(text) if text else None


class Mailboxes:
    """Where local mail ends. amount() grows with what arrives; settle() waits for the rest."""
    SILENCE_S = 30  # mail that has not moved for so long will not come

    def __init__(self, peer):
        self.peer = peer

    def look(self):
        """Octets in all mailboxes, and when the last of them was written."""
        octets, newest = 0, 0.0
        for entry in os.scandir(self.peer.dir / "mail"):
            if ".lock" not in entry.name:
                try:
                    st = entry.stat()
                except FileNotFoundError:
                    continue
                octets += st.st_size
                newest = max(newest, st.st_mtime)
        return octets, newest

    def amount(self):
        return self.look()[0]

    def settle(self, n):
        """Waits until n messages are there in all, or nothing moves any more; how many are, and since when."""
        last, moved, there, newest = -1, time.monotonic(), -1, 0.0
        while there < n and time.monotonic() - moved < self.SILENCE_S:
            octets, newest = self.look()
            if octets != last:
                last, moved = octets, time.monotonic()
            elif there < 0 or octets >= n * MESSAGE_OCTETS:  # counting reads everything: not while mail arrives
                there = int(self.peer.call("delivered"))
            time.sleep(0.1)
        return there, newest


class Sink:
    """nullsmtp in the server's network, on every address: the next host of all relayed mail."""
    SILENCE_S = 30

    def __init__(self, peer):
        peer.helper(peer.build / "bench/nullsmtp", "-a", "0.0.0.0", "-p", SINK_PORT)
        self.socket = None
        for _ in range(100):
            self.socket = peer.connect(SINK_PORT)
            if self.socket:
                break
            time.sleep(0.05)
        else:
            sys.exit("bench: the sink does not listen")
        self.reply()

    def reply(self):
        text = b""
        while not text.endswith(b"\n"):
            part = self.socket.recv(4096)
            if not part:
                sys.exit("bench: the sink is gone")
            text += part
        return text.decode()

    def counts(self):
        self.socket.sendall(b"XCOUNT\r\n")
        return fields(self.reply())

    def amount(self):
        return self.counts()["recipients"]

    def settle(self, n):
        """Waits until n recipients were served in all; how many were, and when the last."""
        last, moved = -1, time.monotonic()
        while True:
            counts = self.counts()
            if counts["recipients"] != last:
                last, moved = counts["recipients"], time.monotonic()
            if last >= n or time.monotonic() - moved >= self.SILENCE_S:
                return int(last), counts["last_s"]
            time.sleep(0.01)


class Calls:
    """System calls and sync calls of all processes of a server, counted by the kernel (perf, by control group), which
    disturbs nothing. Without perf, or without the right to it, there are no counts."""

    def __init__(self, peer, scratch):
        self.out = scratch / "perf.out"
        self.out.unlink(missing_ok=True)
        self.process = None
        group = peer.dir / "cgroup"
        if not group.exists():
            return
        events = ["raw_syscalls:sys_enter"] + [f"syscalls:sys_enter_{name}" for name in SYNC_CALLS]
        name = Path(group.read_text().strip()).name
        try:
            self.process = subprocess.Popen(
                ["perf", "stat", "-a", "-x,", "-o", self.out, "-e", ",".join(events), "-G",
                 ",".join([name] * len(events))], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except FileNotFoundError:
            return
        time.sleep(0.2)  # until it counts

    def stop(self):
        """(all calls, sync calls), or None."""
        if not self.process:
            return None
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        if not self.out.exists():
            return None
        counts = {}
        for line in self.out.read_text().splitlines():
            words = line.split(",")
            if len(words) > 2 and words[0].isdigit():
                counts[words[2]] = int(words[0])
        if "raw_syscalls:sys_enter" not in counts:
            return None
        return (counts["raw_syscalls:sys_enter"],
                sum(n for name, n in counts.items() if name.startswith("syscalls:")))
