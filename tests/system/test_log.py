# SPDX-License-Identifier: Apache-2.0
"""The log role: one line per event in a file that may be rotated; nobody can forge a line."""
import os
import re
import socket
import threading
from pathlib import Path

import pytest

from support.system import HOST_NAME, Sandbox, wait_for


def log_file(sandbox):
    return Path(sandbox.dir) / "log" / "postrider.log"


def test_lines_are_those_of_classic_syslog_files(sandbox):
    sandbox.sendmail("user1", "user2")
    sandbox.wait_messages("user2", 1)
    sandbox.wait_log(": removed")
    for line in sandbox.log().splitlines():
        assert re.match(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ postrider/\w+\[\d+\]: \S", line), line
    mail, delays = re.search(r"postrider/queue\[\d+\]: ([0-9A-F]{15}): to=<user2@\S+>, relay=local, delay=\d[\d.]*, "
                             r"delays=(\d[\d./]*), dsn=2\.0\.0, status=sent \(", sandbox.log()).groups()
    assert len(delays.split("/")) == 4
    said = re.findall(rf"postrider/(\w+)\[\d+\]: {mail}: (\S+)", sandbox.log())
    # the first two under the names that analysers look for
    assert [program for program, _ in said] == ["pickup", "cleanup", "queue", "queue", "queue"]
    assert re.search(rf"pickup\[\d+\]: {mail}: uid=\d+ from=<user1@{HOST_NAME}>$", sandbox.log(), re.M)
    assert f"{mail}: message-id={sandbox.messages('user2')[0]['Message-ID']}\n" in sandbox.log()


def test_a_mail_without_message_id_says_so(sandbox):
    with sandbox.network(), sandbox.smtp() as smtp:
        smtp.sendmail("a@client.test", ["user2"], "Subject: nameless\n\nbody\n")
    sandbox.wait_log(r"cleanup\[\d+\]: [0-9A-F]{15}: message-id=<>\n")


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


# ---- syslog

# A /dev of its own with the test's socket as /dev/log; arguments: directory of the sandbox.
OWN_DEV = """
mkdir "$1/dev"
mount -t tmpfs -o mode=755 none "$1/dev"
for name in null zero urandom random; do touch "$1/dev/$name"; mount --bind "/dev/$name" "$1/dev/$name"; done
mkdir "$1/dev/shm"
ln -s "$1/syslog" "$1/dev/log"
mount --rbind "$1/dev" /dev
exec "$1/bin/postriderd" --sandbox "$1"
"""
# RFC 3164: facility mail with a level of ours, and no host.
SYSLOG_LINE = r"<(19|2[0-3])>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d postrider/\w+\[\d+\]: \S"


class Syslogd:
    """Appends what it is sent to the file that is the sandbox's log."""

    def __init__(self, sandbox):
        sandbox.log_file.parent.mkdir(exist_ok=True)
        self.file = open(sandbox.log_file, "a", buffering=1, encoding="utf-8")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(sandbox.dir / "syslog"))
        self.reads = threading.Event()
        self.reads.set()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while line := self.socket.recv(65536).decode():
            self.file.write(line + "\n")
            self.reads.wait()

    def close(self):
        self.reads.set()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
            ours.sendto(b"", self.socket.getsockname())
        self.thread.join()
        self.socket.close()
        self.file.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root (for a /dev of its own)")
def test_syslog(keeper):
    sandbox = keeper.add(Sandbox())
    sandbox.configure({"log.target": "syslog"})
    syslogd = Syslogd(sandbox)
    try:
        sandbox.newaliases()
        sandbox._launch(["unshare", "--mount", "sh", "-ec", OWN_DEV, "sh", sandbox.dir])
        sandbox.sendmail("user1", "user2")
        sandbox.wait_log("status=sent")
        syslogd.reads.clear()  # its socket fills up; mail does not wait for it
        for n in range(20):
            sandbox.sendmail("user1", "user2")
        sandbox.wait_messages("user2", 21)
        syslogd.reads.set()
        sandbox.sendmail("user1", "user2")
        sandbox.wait_log(r"<20>.* postrider/log\[\d+\]: warning: [1-9]\d* log lines were dropped")
        sandbox.stop()
    finally:
        syslogd.close()
    for line in sandbox.log().splitlines():
        assert re.match(SYSLOG_LINE, line), line
