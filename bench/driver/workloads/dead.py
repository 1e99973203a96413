# SPDX-License-Identifier: Apache-2.0
"""What 50,000 messages for a dead destination cost the other mail."""
import time

from driver.bench import load_trouble, Mailboxes, measure
from driver.samples import Metric

TITLE = "50,000 messages deferred to one dead destination"
SERVERS = ["postrider"]
METRICS = [
    Metric("end_to_end", "other mail: end to end/s"),
    Metric("kept", "of what it is without them"),
    Metric("rate", "accepted/s"),
    Metric("at_last", "% delivered at the last 250"),
    Metric("cpu", "CPU s per 1,000"),
    Metric("deferred_octets", "octets of memory per deferred message"),
]
NOTE = """The destination refuses every connection. Other mail: 50 sessions to 100 mailboxes, without and with the 50,000, in
turn; `queue.retry_min` is 30 s instead of 5 minutes, so that attempts fall into the measured time."""


def fill(peer, wanted):
    """Until nothing is under way any more: all were tried once, or wait for the one that is."""
    before = peer.pss_kb()
    trouble = load_trouble(peer.load(50, None, "-r", "u%d@[10.9.9.9]", messages=wanted))
    last, still_since, deadline = -1.0, time.monotonic(), time.monotonic() + 30
    while time.monotonic() < deadline and time.monotonic() - still_since < 0.5:
        time.sleep(0.1)
        cpu = peer.cpu_seconds() or 0.0
        if cpu - last > 0.02:
            last, still_since = cpu, time.monotonic()
    after = peer.pss_kb()
    return (after - before) * 1024 / wanted if after else None, trouble


def run(bench):
    wanted = bench.scaled(50_000, 5_000)
    seconds = max(bench.seconds, 3.0)
    with bench.serving("retry", SERVERS) as peers:
        for peer in peers:
            for n in bench.rounds:
                alone = measure(bench, peer, "without", n, 50, destination=Mailboxes(peer), seconds=seconds)
                octets, trouble = fill(peer, wanted)
                beside = measure(bench, peer, f"with {wanted:,}", n, 50, destination=Mailboxes(peer), seconds=seconds)
                beside.metrics["kept"] = beside.metrics["end_to_end"] / alone.metrics["end_to_end"]
                beside.metrics["deferred_octets"] = octets
                beside.trouble += trouble
