# SPDX-License-Identifier: Apache-2.0
"""Mail from everywhere at once, for a mail system that is being killed; and the next host, which takes some of it."""
import contextlib
import os
import random
import re
import smtplib
import socketserver
import threading
import time

from ledger import REMOTE, Promise, compose

BODY_FILE_LINES = 12000  # content above 256 KiB has a file of its own

# address: where its mail must arrive
DESTINATIONS = {
    "user1": {"user1"}, "user2": {"user2"}, "payam": {"payam"},
    "lpic1": {"payam"},                       # alias of root, alias of payam
    "everyone": {"user1", "user2", "payam"},  # a list of the aliases file
    "goer": {"user2"},                        # ~/.forward: user2
    "keeper": {"keeper", "payam"},            # ~/.forward: \keeper, payam
    "far@remote.example": {REMOTE},
}
USERS = ["user1", "user2", "payam", "keeper", "goer", "root"]  # those who have a mailbox, or must not get mail into it


def prepare(system, next_host_port):
    """Aliases, .forward files, a relay host; before the daemon starts."""
    for user in ("goer", "keeper"):
        add_user(system, user)
    system.write(system.aliases_file, system.path(system.aliases_file).read_text() + "everyone: user1, user2, payam\n")
    system.write_home("goer", ".forward", "user2\n")
    system.write_home("keeper", ".forward", "\\keeper, payam\n")
    system.configure({"relay.host": f"[127.0.0.1]:{next_host_port}", "queue.retry_min": "1s", "queue.retry_max": "2s",
                      "smtp.idle_time": "1s"})


def add_user(system, user):
    if system.is_host:
        system.run("root", ["useradd", "--create-home", "--shell", "/bin/bash", user])
        return
    system.home(user).mkdir()
    with open(system.etc / "users", "a", encoding="ascii") as users:
        users.write(f"{user}:x:{os.getuid()}:{os.getgid()}:{user}:{system.home(user)}:/bin/sh\n")


class NextHost:
    """An SMTP server that takes most mail, and sometimes says 451 or just closes; what it took is in the ledger."""

    def __init__(self, system, ledger, seed):
        rng, host = random.Random(seed), self

        class Session(socketserver.StreamRequestHandler):
            timeout = 60

            def handle(self):
                with contextlib.suppress(OSError):
                    host.serve(self, rng, ledger)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True
            request_queue_size = 128

        self.is_moody, self.is_closed = True, False
        with system.network():
            self.server = Server(("127.0.0.1", 0), Session)
            self.port = self.server.server_address[1]
            threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def serve(self, session, rng, ledger):
        def say(text):
            session.wfile.write(text.encode() + b"\r\n")

        say("220 next.example ESMTP")
        recipients = 0
        while line := session.rfile.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                say("250-next.example\r\n250-PIPELINING\r\n250 SIZE 100000000")
            elif verb == b"RCPT" and (self.is_closed or self.is_moody and rng.random() < 0.15):
                say("451 4.2.1 not in the mood")
            elif verb == b"DATA" and not recipients:
                say("503 5.5.1 nobody to send it to")
            elif verb == b"DATA":
                say("354 go on")
                if not self.take(session, say, rng, ledger):
                    return
            elif verb == b"QUIT":
                say("221 bye")
                return
            else:
                recipients = recipients + 1 if verb == b"RCPT" else 0
                say("250 2.0.0 ok")

    def take(self, session, say, rng, ledger):
        """False: the connection is over."""
        lines = []
        while (line := session.rfile.readline()) != b".\r\n":
            if not line:
                return False
            lines.append(line[1:] if line.startswith(b".") else line)
        mood = rng.random() if self.is_moody else 1
        if mood < 0.1:
            return False
        if mood < 0.2:
            say("451 4.3.0 not now")
            return True
        ledger.handed_over(b"".join(lines).decode().replace("\r\n", "\n"), time.monotonic())
        say("250 2.0.0 taken")
        return True

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Load:
    """Threads that send until close(); each mail that was acknowledged is in the ledger."""

    def __init__(self, system, ledger, seed, sessions=3, senders=2):
        self.system, self.ledger = system, ledger
        self.is_over = threading.Event()
        work = [self.smtp_session] * sessions + [self.sendmail] * senders
        self.threads = [threading.Thread(target=self.run, args=(one, f"{seed}.{number}"))
                        for number, one in enumerate(work)]
        for thread in self.threads:
            thread.start()

    def run(self, work, name):
        try:
            work(name, random.Random(name))
        except Exception as problem:  # a thread that dies silently would make the test pass
            self.ledger.problem(f"load {name}: {problem!r}")

    def mails(self, name, rng):
        """Endless: (id, recipients, where it must arrive, text)."""
        number = 0
        while not self.is_over.is_set():
            number += 1
            ident = f"{name}.{number}"
            addresses = rng.sample(sorted(DESTINATIONS), rng.choices([1, 2, 3], [8, 2, 1])[0])
            places = frozenset().union(*(DESTINATIONS[address] for address in addresses))
            lines = BODY_FILE_LINES if rng.random() < 0.01 else rng.choice([1, 10, 50, 300])
            recipients = [address if "@" in address else address + "@localhost" for address in addresses]
            yield ident, recipients, places, compose(ident, rng, lines)

    def smtp_session(self, name, rng):
        mails = self.mails(name, rng)
        while not self.is_over.is_set():
            try:
                with self.system.smtp() as client:
                    client.ehlo()
                    while mail := next(mails, None):
                        self.by_smtp(client, *mail)
            except (OSError, smtplib.SMTPException):
                time.sleep(0.02)  # killed; a mail whose fate is unknown was not promised

    def by_smtp(self, client, ident, recipients, places, text):
        replies = [client.mail("user1@localhost")] + [client.rcpt(address) for address in recipients]
        if all(code == 250 for code, _ in replies):
            replies.append(client.data(text.replace("\n", "\r\n").encode()))
        code, said = next((reply for reply in replies if reply[0] != 250), replies[-1])
        said = said.decode()
        if code == 250:
            self.ledger.promise(ident, Promise(time.monotonic(), places, "SMTP " + said.split()[-1]))
            return
        self.ledger.refuse(f"SMTP {code} {said[:60]}")
        if code >= 500:
            self.ledger.problem(f"{ident}: {code} {said}")
        client.rset()
        time.sleep(0.05)

    def sendmail(self, name, rng):
        for ident, recipients, places, text in self.mails(name, rng):
            done = self.system.run("user1", ["sendmail", "-oi", *recipients], stdin=text, check=False)
            if done.returncode == 0:
                self.ledger.promise(ident, Promise(time.monotonic(), places, "sendmail"))
                continue
            self.ledger.refuse(f"sendmail {done.returncode} {done.stderr.strip()[:80]}")
            if done.returncode != 75:
                self.ledger.problem(f"{ident}: sendmail gave {done.returncode}: {done.stderr}")

    def close(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()


def is_drained(system):
    """Nothing is queued, and nothing waits in the drop directory."""
    drop = system.path("/var/spool/postrider/drop" if system.is_host else system.dir / "spool/drop")
    return system.mailq() == "Mail queue is empty\n" and not [name for name in drop.iterdir() if name.name[0] != "."]


def history(system, ident, how):
    """What the log says of a mail, for the reader of a failure."""
    queue_id = how.split()[-1]
    lines = [line for line in system.log().splitlines() if re.search(rf"\b{queue_id}\b|{re.escape(ident)}\b", line)]
    return "\n".join(lines[:20])
