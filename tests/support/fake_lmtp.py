# SPDX-License-Identifier: Apache-2.0
"""An LMTP server for tests (RFC 2033), at a TCP port or a Unix socket; see fake_smtp.py for what it is told and keeps.

    with FakeLmtp(path="/run/lmtp", replies={"CONTENT": lambda rcpt: "552 5.2.2 full" if rcpt == ... else "250 2.0.0 ok"}):

The reply to CONTENT is given for each recipient; a message has those that were told 2xx.
"""
import copy
import os
import socket

from support.fake_smtp import FakeSmtp, Message, Session


class LmtpSession(Session):
    def command(self, line):
        verb = line.partition(" ")[0].upper()
        if verb == "LHLO":
            self.server.commands.append(line)
            self.say("EHLO")
        elif verb in ("EHLO", "HELO"):
            self.server.commands.append(line)
            self.send(verb, "500 5.5.1 this is LMTP")
        elif verb == "DATA" and not self.message.recipients:
            self.server.commands.append(line)
            self.send(verb, "503 5.5.1 no recipients")
        else:
            super().command(line)

    def judge(self):
        message, self.message = self.message, Message()
        verdicts = [(path, self.server.reply_to("CONTENT", path)) for path in message.recipients]
        kept = copy.copy(message)
        kept.recipients = [path for path, text in verdicts if text.startswith("2")]
        if kept.recipients:
            self.server.messages.append(kept)
        for _, text in verdicts:
            self.send("CONTENT", text)


class FakeLmtp(FakeSmtp):
    """With path: at that socket; root alone may connect to it."""

    session_type = LmtpSession

    def __init__(self, path=None, **kwargs):
        super().__init__(**kwargs)
        self.path = path

    def listen(self):
        if self.path is None:
            super().listen()
            return
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        os.chmod(self.path, 0o600)
        self.listener.listen(200)

    def __exit__(self, *exception):
        super().__exit__(*exception)
        if self.path is not None:
            os.unlink(self.path)
