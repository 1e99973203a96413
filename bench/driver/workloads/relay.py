# SPDX-License-Identifier: Apache-2.0
"""Relay end to end: to one next host, and to a thousand."""
from driver.bench import first_round_only, measure
from driver.peer import Sink
from driver.samples import Metric

TITLE = "Relay end to end"
SERVERS = ["postfix", "exim", "postrider"]
METRICS = [
    Metric("end_to_end", "end to end/s", ("postfix", "exim")),
    Metric("rate", "accepted/s", ("postfix", "exim")),
    Metric("at_last", "% delivered at the last 250"),
    Metric("cpu", "CPU s per 1,000", ("postfix",)),
    Metric("calls", "system calls per message"),
    Metric("per_sync", "messages per sync"),
    Metric("p99_ms", "p99 ms", each=False),
]
NOTE = """Recipients are address literals, `u@[10.1.N.M]`, one or a thousand of them, all served by one sink on the loopback
of the server's network (nullsmtp): no DNS is asked by anybody. End to end counts until the sink has the last. Exim is
measured in the first round."""
POINTS = {"one destination": ("-r", "u%d@[10.1.0.1]"), "1,000 destinations": ("-r", "u@[10.1.%a]", "-u", "1000")}


def run(bench):
    with bench.serving("deliver", SERVERS) as peers:
        sinks = {peer.name: Sink(peer) for peer in peers}
        for n in bench.rounds:
            for i, (point, options) in enumerate(POINTS.items()):
                for peer in bench.turns(first_round_only(peers, n, "exim"), n, i):
                    measure(bench, peer, point, n, 50, destination=sinks[peer.name], options=options)
