# SPDX-License-Identifier: Apache-2.0
"""End to end through aliases: of one user each, and of lists of ten."""
import subprocess
import time

from driver.bench import first_round_only, Mailboxes, measure
from driver.samples import Metric

TITLE = "Local delivery through aliases"
SERVERS = ["postfix", "exim", "postrider"]
METRICS = [
    Metric("end_to_end", "deliveries/s, end to end", ("postfix", "exim")),
    Metric("rate", "accepted/s", ("postfix", "exim")),
    Metric("at_last", "% delivered at the last 250"),
    Metric("cpu", "CPU s per 1,000 mails", ("postfix",)),
    Metric("calls", "system calls per message"),
]
NOTE = """50 sessions, to 100 aliases of one user each (the plain delivery of the same stands above), and to 10 lists of ten
users. Exim is measured in the first round, for a fifth of the time."""
LIST = 10


def write_aliases(peer, lines):
    subprocess.run(peer.enter("sh", "-c", 'cat >"$1"', "-", peer.dir / "root/etc/aliases", mounts=True),
                   input="".join(line + "\n" for line in ["postmaster: u0", *lines]), text=True, check=True)
    peer.run_in_root("/usr/bin/newaliases")


def run(bench):
    one_each = [f"name{i}: u{i}" for i in range(100)]
    lists = [f"list{i}: " + ", ".join(f"u{LIST * i + k}" for k in range(LIST)) for i in range(LIST)]
    with bench.serving("deliver", SERVERS) as peers:
        for peer in peers:
            write_aliases(peer, one_each + lists)
        time.sleep(3)  # until all have seen it
        for n in bench.rounds:
            for i, (point, copies, options) in enumerate((
                    ("one user each", 1, ("-r", "name%d@bench.test")),
                    ("lists of ten", LIST, ("-r", "list%d@bench.test", "-u", str(LIST))))):
                for peer in bench.turns(first_round_only(peers, n, "exim"), n, i):
                    seconds = bench.seconds / (5 if peer.name == "exim" else 1)
                    measure(bench, peer, point, n, 50, destination=Mailboxes(peer), copies=copies, options=options,
                            seconds=seconds)
        for peer in peers:  # other workloads use the same root
            write_aliases(peer, [])
