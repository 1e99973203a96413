# SPDX-License-Identifier: Apache-2.0
"""Drives mail(1) as a person does, through a terminal, and as scripts do, through pipes.

Everything happens below one directory: mailboxes, home, and a `sendmail' that writes down what it gets.
"""
import email
import email.policy
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from pathlib import Path

BUILD = Path(os.environ.get("POSTRIDER_BUILD", "build/asan"))
PROGRAM = BUILD / "src" / "mailx" / "mail"
PATIENCE_S = 20  # on a busy machine; nothing takes so long when it is right

SENDMAIL = """#!/bin/sh
n=0
while [ -e "$SENT/$n" ]; do n=$((n + 1)); done
mkdir "$SENT/$n"
for word in "$@"; do printf '%s\\n' "$word"; done > "$SENT/$n/arguments"
cat > "$SENT/$n/message"
exit ${SENDMAIL_STATUS:-0}
"""

# The message of the reference transcript, as a delivery leaves it.
FIRST = """From user1@centos7-1.localdomain  Wed Feb 19 05:10:35 2020
Return-Path: <user1@centos7-1.localdomain>
X-Original-To: lpic1@localhost
Delivered-To: lpic1@localhost.localdomain
Received: by centos7-1.localdomain (Postfix, from userid 1000)
\tid 6E85461E470C; Wed, 19 Feb 2020 05:10:35 -0500 (EST)
Date: Wed, 19 Feb 2020 05:10:35 -0500
To: lpic1@localhost.localdomain
Subject: test lpic1
User-Agent: Heirloom mailx 12.5 7/5/10
MIME-Version: 1.0
Content-Type: text/plain; charset=us-ascii
Content-Transfer-Encoding: 7bit
Message-Id: <20200219101035.6E85461E470C@centos7-1.localdomain>
From: user1@centos7-1.localdomain

Hi this is my first email.
I am sending it to lpic1 email address.

"""
SECOND = """From payam@centos7-1.localdomain  Wed Feb 19 06:33:28 2020
Return-Path: <payam@centos7-1.localdomain>
X-Original-To: user1@localhost
Delivered-To: user2@centos7-1.localdomain
Delivered-To: user1@localhost.localdomain
Received: by centos7-1.localdomain (Postfix)
\tid 1; Wed, 19 Feb 2020 06:33:28 -0500 (EST)
Date: Wed, 19 Feb 2020 06:33:27 -0500
To: user1@localhost.localdomain
Subject: mail to user1
User-Agent: Heirloom mailx 12.5 7/5/10
Content-Type: text/plain; charset=us-ascii
From: payam@centos7-1.localdomain


"""


def message(number, subject=None, sender=None, body="text\n", header=""):
    """A small message in mbox form."""
    sender = sender or f"author{number}@example.org"
    return (f"From {sender}  Thu Jan  2 03:{number % 60:02d}:05 2020\nFrom: {sender}\nTo: me@example.net\n"
            f"Subject: {subject or f'subject {number}'}\nMessage-Id: <{number}@example.org>\n{header}\n{body}\n")


class Sent:
    """One message that `sendmail' was given."""

    def __init__(self, directory):
        self.arguments = (directory / "arguments").read_text().split("\n")[:-1]
        self.bytes = (directory / "message").read_bytes()
        self.text = self.bytes.decode("utf-8", "replace")
        self.header, _, self.body = self.text.partition("\n\n")
        self.message = email.message_from_bytes(self.bytes, policy=email.policy.default)

    @property
    def addresses(self):
        return self.arguments[self.arguments.index("--") + 1:]

    @property
    def names(self):
        """Of the header's fields, in order."""
        return re.findall(r"^([!-9;-~]+):", self.header, re.M)


class Terminal:
    """A person at a terminal of 24 lines and 80 columns."""

    def __init__(self, command, env, cwd, size=(24, 80)):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))

        def own_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=cwd,
                                        preexec_fn=own_terminal, close_fds=True)
        os.close(theirs)
        self.fd = ours
        self.all = ""      # what has appeared
        self.seen_to = 0   # up to where expect() has looked

    def _read(self, deadline):
        ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise AssertionError(f"nothing more within {PATIENCE_S} s after: {self.all!r}")
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # the other end is closed
            return False
        self.all += data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "")
        return bool(data)

    def expect(self, text):
        """Waits until text appears after what was expected before; returns what stood between."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.all[self.seen_to:]:
            if not self._read(deadline):
                raise AssertionError(f"{text!r} did not appear, the program has ended: {self.all!r}")
        at = self.all.index(text, self.seen_to)
        between = self.all[self.seen_to:at]
        self.seen_to = at + len(text)
        return between

    def type(self, text):
        os.write(self.fd, text.encode())

    def line(self, text):
        self.type(text + "\n")

    def end(self):
        """Waits for the end; the exit status."""
        deadline = time.monotonic() + PATIENCE_S
        while self._read(deadline):
            pass
        status = self.process.wait(PATIENCE_S)
        os.close(self.fd)
        return status

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Mail:
    def __init__(self, directory, user="user1"):
        self.directory = directory
        self.home = directory / "home"
        self.sent_dir = directory / "sent"
        self.sandbox = directory / "sandbox"
        self.terminals = []
        for each in (self.home, self.sent_dir, self.sandbox / "etc", self.sandbox / "mail", directory / "bin"):
            each.mkdir(parents=True)
        program = directory / "bin" / "sendmail"
        program.write_text(SENDMAIL)
        program.chmod(0o755)
        (self.sandbox / "etc" / "mailname").write_text("host.example.net\n")
        self.user = user
        self.env = {
            "POSTRIDER_SANDBOX": str(self.sandbox), "HOME": str(self.home), "LOGNAME": user, "USER": user,
            "PATH": f"{directory / 'bin'}:/usr/bin:/bin", "SENT": str(self.sent_dir), "TERM": "dumb",
            "LC_ALL": "C.UTF-8", "TZ": "UTC",
        }
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    @property
    def mailbox(self):
        return self.sandbox / "mail" / self.user

    def command(self, *words):
        return [str(PROGRAM.resolve()), *map(str, words)]

    def run(self, *words, stdin="", **env):
        """Runs it between pipes."""
        data = stdin if isinstance(stdin, bytes) else stdin.encode()
        done = subprocess.run(self.command(*words), input=data, capture_output=True, env={**self.env, **env},
                              cwd=self.home, timeout=PATIENCE_S * 3)
        done.out, done.err = (stream.decode("utf-8", "replace") for stream in (done.stdout, done.stderr))
        assert "Sanitizer" not in done.err and "runtime error" not in done.err, done.err
        return done

    def terminal(self, *words, size=(24, 80), **env):
        terminal = Terminal(self.command(*words), {**self.env, **env}, self.home, size)
        self.terminals.append(terminal)
        return terminal

    def sent(self):
        """What was sent, in order."""
        return [Sent(each) for each in sorted(self.sent_dir.iterdir(), key=lambda path: int(path.name))]

    def only_sent(self):
        sent = self.sent()
        assert len(sent) == 1
        return sent[0]

    def close(self):
        for terminal in self.terminals:
            terminal.kill()
