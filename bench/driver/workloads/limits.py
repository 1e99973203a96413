# SPDX-License-Identifier: Apache-2.0
"""What machine and disk allow at all: the load generator without a server, the disk without mail."""
import os
import time

from driver.samples import Metric

TITLE = "The machine's own limits"
SERVERS = ["nullsmtp"]
METRICS = [Metric("rate", "messages/s"), Metric("per_sync", "messages per sync", each=False)]
NOTE = """*nullsmtp* says yes and keeps nothing: the limit of the generator, which shares the cores with the server. *disk*:
4 KB records in a file written beforehand, one fdatasync for each batch, one writer, no network."""
RECORD = bytes(4096)


def disk_rate(path, batch, seconds):
    fd = os.open(path, os.O_RDWR)
    size, at, n, began = os.fstat(fd).st_size, 0, 0, time.monotonic()
    while time.monotonic() - began < seconds:
        os.pwrite(fd, RECORD * batch, at)
        os.fdatasync(fd)
        at = (at + len(RECORD) * batch) % (size - len(RECORD) * batch)
        n += batch
    os.close(fd)
    return n / (time.monotonic() - began)


def run(bench):
    seconds = min(1.5, bench.seconds)
    log = bench.scratch / "limit"
    with open(log, "wb") as out:
        for _ in range(64):
            out.write(bytes(1 << 20))
        os.fsync(out.fileno())
    with bench.serving("held", SERVERS) as peers:
        for n in bench.rounds:
            for peer in peers:
                for sessions in (1, 50, 200):
                    result = peer.load(sessions, seconds)
                    bench.add(f"{sessions} sessions" if sessions > 1 else "1 session", peer.name, n,
                              {"rate": result["rate"]})
            for batch in (1, 10, 50):
                bench.add(f"batches of {batch}", "disk", n, {"rate": disk_rate(log, batch, seconds / 2),
                                                             "per_sync": batch})
    log.unlink()
