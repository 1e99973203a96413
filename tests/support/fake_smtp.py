# SPDX-License-Identifier: Apache-2.0
"""An SMTP server for tests that keeps what it is given and answers as it is told, however wrongly.

    with FakeSmtp(replies={"RCPT": "550 5.1.1 no such user"}) as server:
        ... [localhost]:{server.port} ...
    server.messages[0].recipients

The sockets are opened by the thread that enters the context, so that it may be in a network namespace of its own.
"""
import socket
import threading
import time
from dataclasses import dataclass, field

CLOSE = "<close>"  # as a reply, or at the end of one: the connection ends
SILENT = "<silent>"  # as a reply: nothing is said any more

EXTENSIONS = ("PIPELINING", "8BITMIME", "SIZE 104857600", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")

USUAL = {
    "CONNECT": "220 fake.test ESMTP",
    "HELO": "250 fake.test",
    "MAIL": "250 2.1.0 Ok",
    "RCPT": "250 2.1.5 Ok",
    "DATA": "354 End data with <CR><LF>.<CR><LF>",
    "CONTENT": "250 2.0.0 Ok: queued as FAKE",
    "RSET": "250 2.0.0 Ok",
    "NOOP": "250 2.0.0 Ok",
    "QUIT": "221 2.0.0 Bye" + CLOSE,
}


@dataclass
class Message:
    """One accepted mail. content has CRLF line ends, without dot stuffing and without the final dot."""

    sender: str = ""
    mail_parameters: list = field(default_factory=list)
    recipients: list = field(default_factory=list)
    rcpt_parameters: list = field(default_factory=list)  # one list for each recipient
    content: bytes = b""


class Ended(Exception):
    """The conversation is over."""


def split_path(argument):
    """'FROM:<a@b> SIZE=1' -> ('a@b', ['SIZE=1'])"""
    path, _, rest = argument.partition(":")[2].strip().partition(">")
    return path.lstrip("<"), rest.split()


class Session:
    """One connection, in a thread of its own."""

    def __init__(self, server, connection):
        self.server, self.connection = server, connection
        self.lines = connection.makefile("rb")
        self.message = Message()

    def send(self, verb, text):
        time.sleep(self.server.delays.get(verb, 0))
        if text == SILENT:
            while self.lines.readline():
                pass
            raise Ended
        words = text.removesuffix(CLOSE)
        if words:
            self.connection.sendall(words.replace("\n", "\r\n").encode(errors="surrogateescape") + b"\r\n")
        if text.endswith(CLOSE):
            raise Ended

    def say(self, verb, argument=""):
        """Answers a verb; says whether that was a good answer."""
        text = self.server.reply_to(verb, argument)
        self.send(verb, text)
        return text[:1] in ("2", "3")

    def read_content(self):
        lines = []
        while (line := self.lines.readline()) != b".\r\n":
            if not line:
                raise Ended
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    def command(self, line):
        self.server.commands.append(line)
        verb, _, argument = line.partition(" ")
        verb = verb.upper()
        if verb not in USUAL and verb != "EHLO":
            self.connection.sendall(b"502 5.5.2 what?\r\n")
            return
        if verb == "DATA":
            if self.say("DATA"):
                self.message.content = self.read_content()
                self.judge()
            return
        is_good = self.say(verb, argument)
        if verb == "MAIL" and is_good:
            self.message = Message()
            self.message.sender, self.message.mail_parameters = split_path(argument)
        elif verb == "RCPT" and is_good:
            path, parameters = split_path(argument)
            self.message.recipients.append(path)
            self.message.rcpt_parameters.append(parameters)
        elif verb == "RSET":
            self.message = Message()

    def judge(self):
        """The mail is kept before the answer: who hears 250 may look for it at once."""
        message, self.message = self.message, Message()
        text = self.server.reply_to("CONTENT") if message.recipients else "554 5.5.1 no valid recipients"
        if text.startswith("2"):
            self.server.messages.append(message)
        self.send("CONTENT", text)

    def run(self):
        try:
            self.say("CONNECT")
            while line := self.lines.readline():
                self.command(line.rstrip(b"\r\n").decode("utf-8", "surrogateescape"))
        except (Ended, OSError):
            pass
        finally:
            self.lines.close()
            self.connection.close()
            self.server.forget(self)


class FakeSmtp:
    """replies: verb -> text, a list of texts (one for each time, the last one repeats), or a function of the argument.

    Verbs: CONNECT, EHLO, HELO, MAIL, RCPT, DATA, CONTENT (the verdict on a mail), RSET, NOOP, QUIT. delays: verb -> seconds
    before its reply. messages, commands (lines as they came) and n_connections may be read at any time.
    """

    session_type = Session

    def __init__(self, port=0, replies=None, extensions=EXTENSIONS, delays=None, address="127.0.0.1"):
        self.address, self.port = address, port
        self.replies, self.extensions, self.delays = dict(replies or {}), list(extensions), dict(delays or {})
        self.messages, self.commands, self.n_connections = [], [], 0
        self.sessions, self.lock = set(), threading.Lock()
        self.times = {}

    def reply_to(self, verb, argument=""):
        usual = USUAL.get(verb) or "\n".join(
            [f"250{'-' if self.extensions else ' '}fake.test"]
            + [f"250{' ' if word is self.extensions[-1] else '-'}{word}" for word in self.extensions])
        reply = self.replies.get(verb, usual)
        if callable(reply):
            return reply(argument)
        if isinstance(reply, str):
            return reply
        with self.lock:
            n = self.times[verb] = self.times.get(verb, -1) + 1
        return reply[min(n, len(reply) - 1)]

    def forget(self, session):
        with self.lock:
            self.sessions.discard(session)

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.n_connections += 1
            session = self.session_type(self, connection)
            with self.lock:
                self.sessions.add(session)
            threading.Thread(target=session.run, daemon=True).start()

    def listen(self):
        self.listener = socket.create_server((self.address, self.port), backlog=200)
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        self.listen()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        with self.lock:
            sessions = list(self.sessions)
        for session in sessions:
            try:
                session.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # closed already
