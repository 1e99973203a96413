# SPDX-License-Identifier: Apache-2.0
"""Sessions that do nothing: memory of each, and what they cost the others."""
import subprocess

from driver.bench import Mailboxes, measure
from driver.peer import fields
from driver.samples import Metric

TITLE = "Idle sessions"
SERVERS = ["postfix", "exim", "postrider"]
METRICS = [
    Metric("kb_each", "PSS kB per session", ("postfix", "exim")),
    Metric("reached", "sessions reached", each=False),
    Metric("pss_mb", "PSS MB in all", each=False),
    Metric("end_to_end", "other mail: end to end/s"),
    Metric("kept", "of what it is without them"),
]
NOTE = """Sessions after EHLO. PSS is that of all processes, per session what the sessions add to it. Other mail: 50 sessions to
100 mailboxes, without and with the idle ones, in turn. Socket memory of the kernel is in no column."""


def hold(peer, n):
    """Opens n sessions and keeps them: the process, and how many were reached."""
    process = peer.helper(peer.build / "bench/smtpload", "-s", n, "-w", "60", "-H", stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True)
    return process, int(fields(process.stdout.readline()).get("idle", 0))


def release(process):
    process.stdin.close()
    process.wait()


def memory(bench, peer, n_round, n):
    before = peer.pss_kb()
    process, reached = hold(peer, n)
    after = peer.pss_kb()
    release(process)
    metrics = {"reached": reached}
    if after:
        metrics.update(kb_each=(after - before) / max(1, reached), pss_mb=after / 1024)
    bench.add(f"{n:,} sessions", peer.name, n_round, metrics, trouble=[f"only {reached}" if reached < n else ""])


def throughput(bench, peer, n_round, n):
    alone = measure(bench, peer, "other mail, no idle sessions", n_round, 50, destination=Mailboxes(peer))
    process, reached = hold(peer, n)
    # The queue is emptied by a new start, which ends the sessions: after the run.
    beside = measure(bench, peer, f"other mail, {reached:,} idle sessions", n_round, 50, destination=Mailboxes(peer))
    beside.metrics["kept"] = beside.metrics["end_to_end"] / alone.metrics["end_to_end"]
    release(process)


def run(bench):
    few, many = bench.scaled((1_000, 10_000), (100, 1_000))
    with bench.serving("idle", SERVERS) as peers:
        for peer in peers if 0 in bench.rounds else []:
            peer.warm_up(10, 0.5)
            peer.call("empty")
            peer.warm_up(2, 0.3)
            memory(bench, peer, 0, few)
        for peer in (p for p in peers if p.name == "postrider"):
            if 0 in bench.rounds:
                memory(bench, peer, 0, many)
            for n in bench.rounds:
                throughput(bench, peer, n, many)
