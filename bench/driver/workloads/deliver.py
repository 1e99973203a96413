# SPDX-License-Identifier: Apache-2.0
"""Acceptance while delivering to 100 mailboxes, until the last is there."""
from driver.bench import first_round_only, Mailboxes, measure
from driver.samples import Metric

TITLE = "Acceptance while delivering to 100 mailboxes"
SERVERS = ["postfix", "exim", "postrider"]
METRICS = [
    Metric("rate", "accepted/s", ("postfix", "exim")),
    Metric("end_to_end", "end to end/s", ("postfix", "exim")),
    Metric("at_last", "% delivered at the last 250"),
    Metric("cpu", "CPU s per 1,000", ("postfix",)),
    Metric("calls", "system calls per message"),
    Metric("per_sync", "messages per sync"),
    Metric("pss_mb", "PSS MB", each=False),
    Metric("p50_ms", "p50 ms", each=False),
    Metric("p99_ms", "p99 ms", each=False),
]
NOTE = """*End to end* counts until the last mail is in its mailbox. Acceptance counts only when at least half of the mail is
there as the last 250 goes out; otherwise it stands in parentheses, and a ratio to such a run is marked ≥, because that run
postponed work. CPU, calls and syncs are those of acceptance and delivery together. Exim is measured in the first round."""


def run(bench):
    sessions_list = bench.args.sessions or bench.scaled([1, 10, 50, 200], [50])
    with bench.serving("deliver", SERVERS) as peers:
        for n in bench.rounds:
            for i, sessions in enumerate(sessions_list):
                for peer in bench.turns(first_round_only(peers, n, "exim"), n, i):
                    measure(bench, peer, f"{sessions} sessions" if sessions > 1 else "1 session", n, sessions,
                            destination=Mailboxes(peer))
