# SPDX-License-Identifier: Apache-2.0
"""mail opens an mbox of 100,000 messages: beside a plain scan for lines."""
import subprocess
import time

from driver.samples import Metric

TITLE = "`mail` opens an mbox of 100,000 messages, 400 MB"
SERVERS = ["postrider"]
METRICS = [Metric("seconds", "s", ("line scan", "grep"))]
NOTE = """`mail -n -N -f`, left again at once, beside `sed -n '$='` (reads line after line) and `grep -c '^From '` (finds the
separators and nothing else) on the same file, which is in memory for all."""


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
    for n in [-1, *bench.rounds]:  # the first brings the file into memory
        scan, _ = timed(["sed", "-n", "$=", mbox])
        search, _ = timed(["grep", "-c", "^From ", mbox])
        opened, done = timed([bench.build / "src/mailx/mail", "-n", "-N", "-f", mbox])
        if n < 0:
            continue
        point = f"{n_messages:,} messages"
        bench.add(point, "line scan", n, {"seconds": scan})
        bench.add(point, "grep", n, {"seconds": search})
        bench.add(point, "postrider", n, {"seconds": opened},
                  trouble=[f"exit {done.returncode}: {done.stderr}" if done.returncode else ""])
    mbox.unlink()
