# SPDX-License-Identifier: Apache-2.0
"""A minute of steady load to 100 mailboxes: does what was accepted keep arriving."""
from driver.bench import Mailboxes, measure
from driver.samples import Metric

TITLE = "60 s of steady load to 100 mailboxes"
SERVERS = ["postfix", "postrider"]
IS_ONE_ROUND = True
METRICS = [
    Metric("rate", "accepted/s", ("postfix",)),
    Metric("end_to_end", "end to end/s", ("postfix",)),
    Metric("at_last", "% delivered at the last 250"),
    Metric("cpu", "CPU s per 1,000", ("postfix",)),
    Metric("pss_mb", "PSS MB"),
    Metric("p99_ms", "p99 ms"),
]
NOTE = """One run of 60 s each, 50 sessions, the same rules as above."""


def run(bench):
    seconds = bench.scaled(60.0, 5.0)
    for name in reversed(bench.names(SERVERS)):  # one after the other: each would need its memory for the files alone
        with bench.serving("deliver", [name]) as peers:
            measure(bench, peers[0], "50 sessions", 0, 50, destination=Mailboxes(peers[0]), seconds=seconds)
