# SPDX-License-Identifier: Apache-2.0
"""Debian's pflogsumm reads our log, and its sums are right."""
import re
import subprocess

import pytest
from packages import Unavailable, unpacked

from support.system import free_port


@pytest.fixture
def packages():
    """Without a host: nothing of them but a script is run."""
    try:
        return unpacked()
    except Unavailable as why:
        pytest.skip(f"Debian's packages cannot be had here: {why}")


def test_pflogsumm_counts_right(postrider_with, packages):
    system = postrider_with({"relay.host": f"[127.0.0.1]:{free_port()}"})
    system.write_home("user2", ".forward", "payam\n")
    system.sendmail("user1", "payam")
    system.sendmail("user1", "user2")  # forwarded, and delivered
    system.sendmail("user1", "nobody-here")  # bounced, and the bounce delivered
    system.sendmail("user1", "someone@far.example")  # deferred
    with system.network(), system.smtp() as smtp:
        smtp.sendmail("a@client.test", ["user1", "payam"], "Subject: two\n\nbody\n")
        smtp.helo("client.test")
        smtp.docmd("MAIL FROM:<a@client.test>")
        assert smtp.docmd("RCPT TO:<nobody-here@localhost>")[0] == 550
    for user, n in [("user1", 2), ("payam", 3)]:
        system.wait_messages(user, n)
    system.wait_log("status=deferred")
    system.stop()
    done = subprocess.run([packages / "usr/sbin/pflogsumm", "--syslog-name=postrider", system.log_file], text=True, capture_output=True,
                          check=True)
    totals = dict(reversed(pair) for pair in re.findall(r"^ +(\d+) +(\w+)", done.stdout.split("Per-")[0], re.M))
    wanted = {"received": 5, "delivered": 5, "forwarded": 1, "deferred": 1, "bounced": 1, "rejected": 1, "senders": 2,
              "recipients": 2}
    assert {word: int(totals[word]) for word in wanted} == wanted, done.stdout
    assert re.search(r"unknown user", done.stdout.split("message bounce detail")[1]), done.stdout
    assert "nobody-here@localhost" in done.stdout.split("message reject detail")[1], done.stdout
