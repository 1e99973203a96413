# SPDX-License-Identifier: Apache-2.0
"""The log role: one line per event in a file that may be rotated; nobody can forge a line."""
import os
import re
from pathlib import Path

from support.system import wait_for


def log_file(sandbox):
    return Path(sandbox.dir) / "log" / "postrider.log"


def test_lines_are_those_of_classic_syslog_files(sandbox):
    sandbox.sendmail("user1", "user2")
    sandbox.wait_messages("user2", 1)
    sandbox.wait_log("status=sent")
    for line in sandbox.log().splitlines():
        assert re.match(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ postrider/\w+\[\d+\]: \S", line), line
    assert re.search(r"postrider/queue\[\d+\]: [0-9A-F]{15}: to=<user2@\S+>, relay=local, delay=[\d.e+-]+, "
                     r"dsn=2\.0\.0, status=sent \(", sandbox.log())


def test_a_rotated_file_is_opened_anew(sandbox):
    old = log_file(sandbox)
    os.rename(old, f"{old}.1")
    wait_for(old.exists, "a new log file")
    sandbox.sendmail("user1", "user2")
    sandbox.wait_messages("user2", 1)
    sandbox.wait_log("status=sent")
    assert "status=sent" not in Path(f"{old}.1").read_text()


def test_control_characters_stay_in_their_line(sandbox):
    with sandbox.network(), sandbox.smtp() as smtp:
        smtp.helo("client.test")
        smtp.docmd("MAIL FROM:<a@client.test>")
        smtp.docmd("RCPT TO:<nobody\x1b[31mhere@localhost>")
    assert "\x1b" not in sandbox.log()
