# SPDX-License-Identifier: Apache-2.0
"""A million messages: memory, listing, and a new start on them."""
import time

from driver.bench import load_trouble
from driver.queue_depth import banner_and_mail, FAR, list_queue
from driver.samples import Metric

TITLE = "1,000,000 queued messages"
SERVERS = ["postrider"]
IS_ONE_ROUND = True
METRICS = [
    Metric("fill_rate", "filled at messages/s"),
    Metric("pss_mb", "PSS MB"),
    Metric("octets_each", "octets of memory per message"),
    Metric("disk_gb", "GB on disk"),
    Metric("first_ms", "mailq: ms to the first"),
    Metric("whole_s", "mailq: s for all"),
    Metric("banner_s", "restart: s to the banner"),
    Metric("accepted_s", "s to the first 250"),
    Metric("scheduled_s", "s until all are in the queue"),
    Metric("restart_pss_mb", "PSS MB then"),
]
NOTE = """4 KB each, for 1,000 destinations, delivery held. Memory is that of all processes, per message what the queue adds to
it. Restart: the daemon is stopped in order; time counts from its start, some 30 ms of shell included, to a client's
banner and 250, and until `postrider status` counts all messages. One run."""


def messages_in_queue(peer):
    for line in peer.run_in_root("/usr/sbin/postrider", "status").stdout.splitlines():
        if line.startswith("queue: "):
            return int(line.split()[1])
    return -1


def restart(peer, wanted):
    peer.call("halt")
    began = time.monotonic()
    peer.call("resume")
    banner, accepted = banner_and_mail(peer, began)
    while messages_in_queue(peer) < wanted and time.monotonic() - began < 60:
        time.sleep(0.02)
    return banner, accepted, time.monotonic() - began


def run(bench):
    wanted = bench.scaled(1_000_000, 50_000)
    with bench.serving("held", SERVERS) as peers:
        for peer in peers:
            before = peer.pss_kb()
            result = peer.load(50, None, *FAR, messages=wanted)
            time.sleep(1.5)  # what was only on its way is gone
            full = peer.pss_kb()
            disk = sum(f.stat().st_blocks * 512 for f in (peer.dir / "spool").rglob("*") if f.is_file())
            metrics, lines, _ = list_queue(peer)
            trouble = load_trouble(result) + [f"only {lines} lines" if lines < wanted else ""]
            metrics["first_ms"] = min(metrics["first_ms"], list_queue(peer)[0]["first_ms"])
            if full:
                metrics.update(pss_mb=full / 1024, octets_each=(full - before) * 1024 / wanted)
            banner, accepted, scheduled = restart(peer, wanted)
            if accepted is None:
                trouble.append("no mail accepted after the restart")
            if messages_in_queue(peer) < wanted:
                trouble.append("not all there after the restart")
            metrics.update(fill_rate=result["rate"], disk_gb=disk / 1e9, banner_s=banner, accepted_s=accepted,
                           scheduled_s=scheduled, restart_pss_mb=(peer.pss_kb() or 0) / 1024)
            bench.add(f"{wanted:,} messages", peer.name, 0, metrics, trouble=trouble)
