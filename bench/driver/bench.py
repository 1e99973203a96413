# SPDX-License-Identifier: Apache-2.0
"""What a workload is given: the servers, how long and how often, and where the samples go; and the measured run that
most of them make."""
import contextlib
import os
import shutil
import time

from driver.peer import Calls, FIRST_UID, Mailboxes, MESSAGE_OCTETS
from driver.samples import Sample

HALF = 0.5  # acceptance while delivering counts when so much is delivered at the last 250


class Bench:
    def __init__(self, args, scratch, peers, series):
        self.args = args
        self.rounds = [args.round] if args.round is not None else list(range(args.rounds))
        self.seconds, self.is_quick, self.began = args.seconds, args.quick, time.monotonic()
        self.build, self.scratch = args.build, scratch
        self.all_peers = peers  # {name: Peer}
        self.series = series

    def scaled(self, n, quick):
        return quick if self.is_quick else n

    def names(self, servers):
        return [name for name in servers if name in self.args.peers]

    @contextlib.contextmanager
    def serving(self, mode, servers):
        """Those of the servers that are wanted, started; stopped afterwards."""
        peers = [self.all_peers[name] for name in self.names(servers)]
        try:
            for peer in peers:
                peer.start(mode)
            yield peers
            for peer in peers if mode != "files" else []:
                peer.call("empty")  # the next workload begins with nothing
        finally:
            for peer in peers:
                peer.stop()

    def turns(self, peers, n_round, shift=0):
        """In turning order, so that whatever else the machine does hits all of them."""
        turn = (n_round + shift) % max(1, len(peers))
        return peers[turn:] + peers[:turn]

    def add(self, point, server, n_round, metrics, void=(), trouble=()):
        sample = Sample(point, server, n_round, {k: v for k, v in metrics.items() if v is not None}, list(void),
                        [t for t in trouble if t])
        self.series.samples.append(sample)
        values = ", ".join(f"{k} {v:,.4g}" for k, v in sample.metrics.items())
        print(f"{time.monotonic() - self.began:6.1f} s {self.series.workload}: round {n_round + 1}, {point}, {server}: "
              f"{values}"
              + "".join(f"; TROUBLE: {t}" for t in sample.trouble), flush=True)
        return sample

    def message_file(self, peer, octets=MESSAGE_OCTETS):
        """A message in the server's root, as /message, and cmdload beside it. Before the server is started."""
        upper = peer.dir / "upper"
        text = "From: Load <sender@load.test>\nTo: Users <users@load.test>\nSubject: one of many\n\n"
        lines = (octets - len(text)) // 73
        (upper / "message").write_text(text + ("abcdefghijkl" * 6 + "\n") * lines)
        shutil.copy(self.build / "bench/cmdload", upper / "cmdload")


def load_trouble(result):
    return [f"{result.get(what, 0):.0f} {what}" for what in ("refused", "stuck") if result.get(what)]


def measure(bench, peer, point, n_round, sessions, *, destination=None, copies=1, options=(), seconds=None):
    """Warm-up, one measured run, until all copies of it have arrived at the destination; without one, acceptance alone.
    Queue and mailboxes are emptied afterwards."""
    seconds = seconds or bench.seconds
    before = destination.settle(0)[0] if destination else 0
    warm = peer.warm_up(sessions, seconds / 8, *options)
    arrived = destination.settle(before + int(warm["done"]) * copies)[0] if destination else 0
    amount = destination.amount() if destination else 0
    os.sync()
    calls, cpu = Calls(peer, bench.scratch), peer.cpu_seconds()
    result = peer.load(sessions, seconds, *options)
    at_end, done = destination.amount() if destination else 0, int(result["done"])
    metrics = {"rate": result["rate"], "p50_ms": result["p50_ms"], "p99_ms": result["p99_ms"],
               "mbps": result["mbps"], "gencpu_s": result["gencpu_s"] / max(1, done) * 1000}
    void, trouble = [], load_trouble(result)
    if destination and done:
        there, newest = destination.settle(arrived + done * copies)
        n = min(done * copies, max(1, there - arrived))
        if n < done * copies:
            trouble.append(f"{done * copies - n} missing")
        metrics["at_last"] = 100 * (at_end - amount) / max(1, destination.amount() - amount) * n / (done * copies)
        metrics["end_to_end"] = n / max(result["seconds"], newest - result["began_s"])
        if metrics["at_last"] < 100 * HALF:
            void.append("rate")
    counts = calls.stop()
    if done and cpu is not None:
        metrics["cpu"] = (peer.cpu_seconds() - cpu) / done * 1000
        metrics["pss_mb"] = peer.pss_kb() / 1024
    if done and counts:
        metrics["calls"] = counts[0] / done
        metrics["per_sync"] = done / counts[1] if counts[1] else 0
        if not counts[1]:
            trouble.append("NO SYNC")
    peer.call("empty")
    return bench.add(point, peer.name, n_round, metrics, void, trouble)


def first_round_only(peers, n_round, *slow):
    """The slow ones take part once: they are no anchor there, and would take most of the time."""
    return [p for p in peers if n_round == 0 or p.name not in slow]




