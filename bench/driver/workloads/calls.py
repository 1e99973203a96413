# SPDX-License-Identifier: Apache-2.0
"""Which system calls a delivered message takes: strace in separate short runs."""
import signal
import subprocess
import time

from driver.bench import load_trouble, Mailboxes
from driver.samples import Metric

TITLE = "System calls by name"
SERVERS = ["postfix", "postrider"]
IS_ONE_ROUND = True
METRICS = [Metric("all", "system calls per message")]
NOTE = """`strace -c -f` attached to all processes, 10 sessions to 100 mailboxes; the calls that make up most of them.
strace slows a server down and makes its batches smaller: the undisturbed totals stand above."""
N_SHOWN = 8
SHOWS_ALL = True


def counted(peer, n):
    """{call: number} while n messages go through."""
    out = peer.dir / "strace.out"
    pids = (peer.dir / "cgroup").read_text().strip() + "/cgroup.procs"
    with open(pids, encoding="ascii") as f:
        options = [word for pid in f.read().split() for word in ("-p", pid)]
    process = subprocess.Popen(["strace", "-c", "-f", "-q", "-U", "calls,name", "-S", "calls", "-o", out, *options],
                               stderr=subprocess.DEVNULL)
    time.sleep(1)  # until it has all of them
    mailboxes = Mailboxes(peer)
    there = mailboxes.settle(0)[0]
    result = peer.load(10, None, messages=n)
    mailboxes.settle(there + n)
    process.send_signal(signal.SIGINT)
    process.wait()
    counts = {}
    for line in out.read_text().splitlines():
        words = line.split()
        if len(words) == 2 and words[0].isdigit() and words[1] != "total":
            counts[words[1]] = int(words[0])
    return counts, result


def run(bench):
    n = bench.scaled(2000, 500)
    with bench.serving("deliver", SERVERS) as peers:
        for peer in peers:
            if not (peer.dir / "cgroup").exists():
                continue  # without a control group it is not known which processes are the server's
            peer.warm_up(10, 0.5)
            counts, result = counted(peer, n)
            top = sorted(counts.items(), key=lambda item: -item[1])[:N_SHOWN]
            bench.add("10 sessions", peer.name, 0, {"all": sum(counts.values()) / n,
                                                    **{name: count / n for name, count in top}},
                      trouble=load_trouble(result))
