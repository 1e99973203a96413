# SPDX-License-Identifier: Apache-2.0
"""newaliases with a million entries."""
import subprocess
import time

from driver.samples import Metric

TITLE = "newaliases, 1,000,000 entries"
SERVERS = ["postfix", "postrider"]
METRICS = [Metric("seconds", "s", ("postfix",))]
NOTE = """From the start of the command to its end, the table on disk. No daemon runs meanwhile. Exim compiles no table."""


def run(bench):
    n_entries = bench.scaled(1_000_000, 100_000)
    text = bench.scratch / "aliases"
    with open(text, "w", encoding="ascii") as out:
        out.write("postmaster: u0\n")
        out.writelines(f"name{i:07}: u{i % 100}\n" for i in range(n_entries))
    with bench.serving("files", SERVERS) as peers:
        for peer in peers:
            subprocess.run(peer.enter("cp", text, peer.dir / "root/etc/aliases", mounts=True), check=True)
        for n in [-1, *bench.rounds]:  # the first is a warm-up
            for peer in bench.turns(peers, n):
                began = time.monotonic()
                done = peer.run_in_root("/usr/bin/newaliases")
                seconds = time.monotonic() - began
                if n >= 0:
                    bench.add(f"{n_entries:,} entries", peer.name, n, {"seconds": seconds},
                              trouble=[f"exit {done.returncode}: {done.stdout}" if done.returncode else ""])
        for peer in peers:  # other workloads use the same root
            subprocess.run(peer.enter("sh", "-c", 'echo "postmaster: u0" >"$1"', "-", peer.dir / "root/etc/aliases",
                                      mounts=True), check=True)
            peer.run_in_root("/usr/bin/newaliases")
