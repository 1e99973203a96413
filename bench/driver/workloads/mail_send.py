# SPDX-License-Identifier: Apache-2.0
"""What `mail` costs more than the sendmail it calls: a message of one line, a sendmail that only reads."""
import statistics
import subprocess
import time

from driver.readers import unpacked_readers
from driver.samples import Metric

TITLE = "`mail` sends a message: beside the sendmail call alone"
SERVERS = ["postrider"]
METRICS = [Metric("ms", "median ms", ("s-nail", "bsd-mailx")), Metric("more_ms", "ms more than sendmail")]
NOTE = """`echo text | mail -s subject user` with a `sendmail` that reads its input and ends, beside that program alone: the
difference is what `mail` costs, its start included."""


def median_ms(command, n):
    times = []
    for _ in range(n):
        began = time.monotonic()
        subprocess.run(command, input=b"text\n", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        times.append(1000 * (time.monotonic() - began))
    return statistics.median(times)


def run(bench):
    if not bench.names(SERVERS):
        return
    sendmail = bench.scratch / "reading-sendmail"
    sendmail.write_text("#!/bin/sh\nexec cat >/dev/null\n")
    sendmail.chmod(0o755)
    n_each = bench.scaled(200, 20)
    commands = {name: [*start, "-n", f"-Smta={sendmail}", "-s", "subject", "root"]
                for name, start in unpacked_readers(bench.scratch).items() if name == "s-nail"}
    commands["postrider"] = [bench.build / "src/mailx/mail", "-n", f"-Ssendmail={sendmail}", "-s", "subject", "root"]
    for n in bench.rounds:
        alone = median_ms([sendmail, "-i", "root"], n_each)
        bench.add("one message", "sendmail alone", n, {"ms": alone})
        for name, command in commands.items():
            ms = median_ms(command, n_each)
            bench.add("one message", name, n, {"ms": ms, "more_ms": ms - alone})
    sendmail.unlink()
