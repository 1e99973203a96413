# SPDX-License-Identifier: Apache-2.0
"""mail opens an mbox of 100,000 messages: beside a plain scan for lines, and other readers."""
import subprocess
import time

from driver.readers import unpacked_readers
from driver.samples import Metric

TITLE = "`mail` opens an mbox of 100,000 messages, 400 MB"
SERVERS = ["postrider"]
METRICS = [Metric("seconds", "s", ("line scan", "grep", "s-nail", "bsd-mailx"))]
NOTE = """`mail -n -N -f`, left again at once, beside `sed -n '$='` (reads line after line), `grep -c '^From '` (finds the
separators and nothing else) and the same in s-nail and bsd-mailx, on the same file, which is in memory for all."""


def write_mbox(path, n):
    line = "abcdefghijkl" * 6 + "\n"
    with open(path, "w", encoding="ascii") as out:
        for i in range(n):
            out.write(f"From sender@load.test Thu Jan  1 00:00:00 2026\nFrom: Load <sender@load.test>\n"
                      f"Message-ID: <{i}@load.test>\nDate: Thu, 01 Jan 2026 00:00:00 +0000\nSubject: one of many\n\n")
            out.write(line * 52 + "\n")


def timed(command):
    """Through a pipe: grep stops at the first match when its output is /dev/null."""
    began = time.monotonic()
    done = subprocess.run(command, input="x\n", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    return time.monotonic() - began, done


def run(bench):
    if not bench.names(SERVERS):
        return
    n_messages = bench.scaled(100_000, 10_000)
    mbox = bench.scratch / "mbox"
    write_mbox(mbox, n_messages)
    commands = {"line scan": ["sed", "-n", "$=", mbox], "grep": ["grep", "-c", "^From ", mbox],
                **{name: [*start, "-n", "-N", "-f", mbox] for name, start in unpacked_readers(bench.scratch).items()},
                "postrider": [bench.build / "src/mailx/mail", "-n", "-N", "-f", mbox]}
    for n in [-1, *bench.rounds]:  # the first brings the file into memory
        for name, command in commands.items():
            seconds, done = timed(command)
            if n >= 0:
                bench.add(f"{n_messages:,} messages", name, n, {"seconds": seconds},
                          trouble=[f"exit {done.returncode}: {done.stderr}" if done.returncode else ""])
    mbox.unlink()
