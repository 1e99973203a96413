# SPDX-License-Identifier: Apache-2.0
"""The command: sendmail -i user < message."""
from driver.bench import first_round_only, Mailboxes
from driver.samples import Metric

TITLE = "`sendmail -i user < message`"
SERVERS = ["postfix", "exim", "postrider"]
METRICS = [
    Metric("p50_ms", "median ms", ("postfix", "exim")),
    Metric("p99_ms", "p99 ms", each=False),
    Metric("rate", "commands/s"),
]
NOTE = """From the fork to the end of the command, run as an ordinary user: exit 0 means durable. *To the mailbox*: until
the mail is there, one command after the other, which for the parallel row is the time of all divided by their number. Exim is measured in the first round."""
COMMAND = ["-i", "/message", "/usr/sbin/sendmail", "-i"]


def measure(bench, peer, n_round, point, n, parallel, user, *options):
    mailboxes = Mailboxes(peer)
    there = mailboxes.settle(0)[0]
    peer.command_load(parallel, parallel, *COMMAND, user)  # warm-up
    there = mailboxes.settle(there + parallel)[0]
    result = peer.command_load(n, parallel, *options, *COMMAND, user)
    arrived, newest = mailboxes.settle(there + n)
    trouble = [f"{result['failed']:.0f} failed" if result["failed"] else "",
               f"{there + n - arrived} missing" if arrived != there + n else ""]
    bench.add(point, peer.name, n_round, {k: result[k] for k in ("p50_ms", "p99_ms", "rate")}, trouble=trouble)
    if parallel > 1:
        bench.add(f"{point}, to the mailbox", peer.name, n_round,
                  {"p50_ms": (newest - result["began_s"]) / n * 1000, "rate": n / (newest - result["began_s"])})


def run(bench):
    for name in bench.names(SERVERS):
        bench.message_file(bench.all_peers[name])
    n_all = bench.scaled(100, 20)
    with bench.serving("deliver", SERVERS) as peers:
        for n in bench.rounds:
            for peer in bench.turns(first_round_only(peers, n, "exim"), n):
                measure(bench, peer, n, "one after the other", n_all, 1, "u1")
                measure(bench, peer, n, "one after the other, to the mailbox", n_all // 2, 1, "u1", "-m",
                        "/var/mail/u1")
                measure(bench, peer, n, "20 in parallel", 2 * n_all, 20, "u2")
                peer.call("empty")
