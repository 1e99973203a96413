# SPDX-License-Identifier: Apache-2.0
"""mailq at 50,000 messages, beside Postfix; Exim at 10,000."""
from driver.bench import load_trouble
from driver.queue_depth import FAR, list_queue
from driver.samples import Metric

TITLE = "mailq"
SERVERS = ["postfix", "exim", "postrider"]
IS_ONE_ROUND = True  # of filling; the listings take turns in it
METRICS = [
    Metric("whole_s", "s for all", ("postfix", "exim")),
    Metric("first_ms", "ms to the first message", ("postfix", "exim")),
    Metric("lines", "lines", each=False),
    Metric("pss_mb", "PSS MB", each=False),
]
NOTE = """Held mail for 1,000 destinations. The command is `mailq`, its output is read by a program. Exim has 10,000 messages
and is compared with Postrider at 10,000."""
MODERATE = 10_000


def run(bench):
    deep = bench.scaled(50_000, 5_000)
    with bench.serving("held", SERVERS) as peers:
        depth = dict.fromkeys((p.name for p in peers), 0)
        for wanted in (min(MODERATE, deep // 2), deep):
            active = [p for p in peers if wanted == deep or p.name != "postfix"]
            active = [p for p in active if wanted < deep or p.name != "exim"]
            trouble = {}
            for peer in active:
                result = peer.load(50, None, *FAR, messages=wanted - depth[peer.name])
                depth[peer.name], trouble[peer.name] = wanted, load_trouble(result)
            for n in range(bench.args.rounds):
                for peer in bench.turns(active, n):
                    metrics, lines, _ = list_queue(peer)
                    metrics.update(lines=lines, pss_mb=(peer.pss_kb() or 0) / 1024)
                    short = f"only {lines} lines" if lines < wanted else ""
                    bench.add(f"{wanted:,} messages", peer.name, n, metrics, trouble=trouble[peer.name] + [short])
