# SPDX-License-Identifier: Apache-2.0
"""Durable acceptance with delivery held, at 1, 10, 50 and 200 sessions."""
from driver.bench import first_round_only, measure
from driver.samples import Metric

TITLE = "Durable acceptance, delivery held"
SERVERS = ["postfix", "exim", "postrider", "probe"]
METRICS = [
    Metric("rate", "accepted/s", ("postfix", "exim", "probe")),
    Metric("cpu", "CPU s per 1,000"),
    Metric("calls", "system calls per message"),
    Metric("per_sync", "messages per sync"),
    Metric("pss_mb", "PSS MB", each=False),
    Metric("p50_ms", "p50 ms", each=False),
    Metric("p99_ms", "p99 ms", each=False),
]
NOTE = """Mail is accepted durably and stays queued (Postfix: `check_client_access static:HOLD`; Exim: `queue_only`;
Postrider: `[queue] paused = yes`). *probe* is a bare SMTP responder with a group commit, no queue, no routing, no log: the
ceiling of this disk. Exim is measured in the first round."""


def run(bench):
    sessions_list = bench.args.sessions or bench.scaled([1, 10, 50, 200], [50])
    with bench.serving("held", SERVERS) as peers:
        for n in bench.rounds:
            for i, sessions in enumerate(sessions_list):
                for peer in bench.turns(first_round_only(peers, n, "exim"), n, i):
                    measure(bench, peer, f"{sessions} sessions" if sessions > 1 else "1 session", n, sessions)
