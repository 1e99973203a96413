# SPDX-License-Identifier: Apache-2.0
"""Bodies of 1 MB beside a plain write of the same disk."""
import os
import time

from driver.bench import measure
from driver.samples import Metric

TITLE = "1 MB bodies"
SERVERS = ["postfix", "exim", "postrider", "probe"]
METRICS = [
    Metric("mbps", "MB/s accepted", ("dd", "postfix", "exim")),
    Metric("cpu", "CPU s per 1,000"),
    Metric("per_sync", "messages per sync"),
    Metric("p50_ms", "p50 ms", each=False),
    Metric("p99_ms", "p99 ms", each=False),
]
NOTE = """Delivery held, 20 sessions. *dd* writes 256 MiB in blocks of 1 MiB into a new file and calls fsync once, in the same
round; the probe overwrites a log that exists."""
OCTETS = 1 << 20


def plain_write(bench):
    """As dd if=/dev/zero bs=1M conv=fsync: MB/s."""
    path, block, n = bench.scratch / "dd", bytes(OCTETS), bench.scaled(256, 64)
    os.sync()
    began = time.monotonic()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for _ in range(n):
        os.write(fd, block)
    os.fsync(fd)
    seconds = time.monotonic() - began
    os.close(fd)
    path.unlink()
    return n * OCTETS / seconds / 1e6


def run(bench):
    with bench.serving("held", SERVERS) as peers:
        for n in bench.rounds:
            bench.add("20 sessions", "dd", n, {"mbps": plain_write(bench)})
            for peer in bench.turns(peers, n):
                measure(bench, peer, "20 sessions", n, 20, options=("-l", OCTETS))
