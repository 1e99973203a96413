# SPDX-License-Identifier: Apache-2.0
"""One message to 5,000 recipients at one remote host."""
from driver.bench import load_trouble
from driver.peer import Sink
from driver.samples import Metric

TITLE = "One message to 5,000 remote recipients"
SERVERS = ["postfix", "exim", "postrider"]
METRICS = [
    Metric("all_s", "s until the sink has all", ("postfix", "exim")),
    Metric("accepted_s", "s until the 250"),
    Metric("transactions", "messages at the sink", each=False),
    Metric("cpu_s", "CPU s"),
]
NOTE = """One SMTP session, RCPT commands pipelined, counted from the connect."""
N = 5000


def run(bench):
    with bench.serving("deliver", SERVERS) as peers:
        sinks = {peer.name: Sink(peer) for peer in peers}
        for n in [-1, *bench.rounds]:  # the first is a warm-up
            for peer in bench.turns(peers, n):
                sink, before = sinks[peer.name], sinks[peer.name].counts()
                cpu = peer.cpu_seconds()
                result = peer.load(1, None, "-P", "-m", N, "-u", N, "-r", "r%d@[10.1.0.1]", messages=1)
                there, last = sink.settle(before["recipients"] + N)
                if n < 0:
                    continue
                missing = int(before["recipients"] + N - there)
                bench.add(f"{N:,} recipients", peer.name, n,
                          {"all_s": max(last - result["began_s"], result["seconds"]),
                           "accepted_s": result["seconds"],
                           "transactions": sink.counts()["messages"] - before["messages"],
                           "cpu_s": cpu is not None and peer.cpu_seconds() - cpu or None},
                          trouble=load_trouble(result) + [f"{missing} missing" if missing else ""])
