# SPDX-License-Identifier: Apache-2.0
"""End to end into one mailbox."""
from driver.bench import first_round_only, Mailboxes, measure
from driver.samples import Metric

TITLE = "End to end into one mailbox"
SERVERS = ["postfix", "exim", "postrider"]
METRICS = [
    Metric("end_to_end", "end to end/s", ("postfix", "exim")),
    Metric("rate", "accepted/s", ("postfix", "exim")),
    Metric("at_last", "% delivered at the last 250"),
    Metric("cpu", "CPU s per 1,000", ("postfix",)),
    Metric("calls", "system calls per message"),
    Metric("per_sync", "messages per sync"),
]
NOTE = """All mail goes to one user. Exim is measured in the first round, for a fifth of the time, because a minute would pass
before the rest is delivered."""


def run(bench):
    with bench.serving("deliver", SERVERS) as peers:
        for n in bench.rounds:
            for peer in bench.turns(first_round_only(peers, n, "exim"), n):
                seconds = bench.seconds / (5 if peer.name == "exim" else 1)
                measure(bench, peer, "50 sessions", n, 50, destination=Mailboxes(peer), options=("-u", "1"),
                        seconds=seconds)
