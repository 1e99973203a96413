# SPDX-License-Identifier: Apache-2.0
"""Proof of sync order: no 250 and no exit 0 before the disk has the mail's last byte.

A whole mail system runs under strace while mail comes in by SMTP, by sendmail, and by sendmail with the daemon down.
The trace is one file in the order of what happened: a system call's end stands in it before anything that its process,
or another one that heard of it, could do next. Every fdatasync and fsync is delayed, so that an answer that does not
wait for its sync comes out before it and not just sometimes.

The rules are tested too: the same transactions run again with the syncs taken out (strace puts a harmless call in their
place and reports success), and then the rules must find that.
"""
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest
from support.system import Sandbox, wait_for
from support.terminal import PATIENCE_S

LARGE = 400 * 1024  # beyond 256 KiB content gets a file of its own
MESSAGES_DEF = Path(__file__).resolve().parents[2] / "src/ipc/messages.def"

# ---- a trace, read ----

CALLS = ("write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,fsync,fdatasync,syncfs,rename,renameat,renameat2,link,"
         "linkat,unlink,unlinkat,execve,execveat,exit_group")
SYNCS = ("fsync", "fdatasync")
FILE_WRITES = ("write", "writev", "pwrite64", "pwritev", "pwritev2")
SOCKET_WRITES = ("write", "writev", "sendto", "sendmsg")
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
VECTOR = re.compile(r'iov_base="((?:\\x[0-9a-f]{2})*)"')
DESCRIPTOR = re.compile(r"^\d+<((?:\\x[0-9a-f]{2})+|[A-Za-z0-9-]+:\[.*?\])>")
DIRECTORY = re.compile(r"(?:AT_FDCWD|\d+)<((?:\\x[0-9a-f]{2})*)>, ")
FINISHED = re.compile(r"^(\w+)\((.*)\)\s+= (-?\d+|\?)(?: .*?)?(\(INJECTED\))?(?: \(DELAYED\))?$")
UNFINISHED = re.compile(r"^(\w+)\((.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")


def unhex(text):
    return bytes.fromhex(text.replace("\\x", ""))


@dataclass
class Call:
    """One system call: begin and end are line numbers of the trace; end is None when it never came back."""
    pid: int
    name: str
    arguments: str
    begin: int
    end: int | None = None
    result: int | None = None
    is_injected: bool = False

    @property
    def is_done(self):
        return self.end is not None and self.result is not None and self.result >= 0 and not self.is_injected

    @property
    def on(self):
        """The file or socket behind the first argument."""
        found = DESCRIPTOR.match(self.arguments)
        if not found:
            return ""
        return unhex(found.group(1)).decode() if found.group(1).startswith("\\x") else found.group(1)

    @property
    def data(self):
        """What was written, as far as the call took it."""
        found = VECTOR.findall(self.arguments) or STRING.findall(self.arguments)[:1]
        return b"".join(unhex(part) for part in found)[:max(self.result or 0, 0)]

    @property
    def names(self):
        """Full paths of a rename, link or unlink, in the order of its arguments."""
        texts = [unhex(text).decode() for text in STRING.findall(self.arguments)]
        places = [unhex(place).decode() for place in DIRECTORY.findall(self.arguments)]
        places += [""] * (len(texts) - len(places))
        return [os.path.join(place, text) for place, text in zip(places, texts)]


class Trace:
    """The calls in the order of their beginnings."""

    def __init__(self, path):
        self.calls, begun = [], {}
        for number, line in enumerate(Path(path).read_text(encoding="ascii", errors="replace").splitlines()):
            pid, _, rest = line.partition(" ")
            rest = rest.strip()
            if match := UNFINISHED.match(rest):
                begun[pid] = Call(int(pid), match.group(1), match.group(2), number)
                self.calls.append(begun[pid])
            elif match := RESUMED.match(rest):
                call = begun.pop(pid)
                self.finish(call, f"{call.name}({call.arguments}{match.group(2)}", number)
            elif rest[:1].isalpha():
                call = Call(int(pid), "", "", number)
                self.finish(call, rest, number)
                self.calls.append(call)

    @staticmethod
    def finish(call, text, number):
        match = FINISHED.match(text)
        assert match, f"line {number + 1} of the trace is not understood: {text[:200]}"
        call.name, call.arguments = match.group(1), match.group(2)
        call.end = number
        call.result = None if match.group(3) == "?" else int(match.group(3))
        call.is_injected = bool(match.group(4))

    def writes(self, folder, needle):
        """Completed writes of these bytes to a file whose path contains that."""
        return [call for call in self.calls
                if call.name in FILE_WRITES and call.is_done and folder in call.on and needle in call.data]

    def renames(self, folder):
        return [call for call in self.calls if call.name.startswith("rename") and call.is_done
                and len(call.names) == 2 and folder in call.names[1]]

    def synced_after(self, call, path=None):
        """The first completed sync of the file that began after the call; None: there is none."""
        path = path or call.on
        return next((sync for sync in self.calls if sync.name in SYNCS and sync.is_done and sync.on == path
                     and sync.begin > call.end), None)

    def sent(self, kind):
        """What left by each socket of that kind: {socket: [(call, data)]}."""
        streams = {}
        for call in self.calls:
            if call.name in SOCKET_WRITES and call.end is not None and call.on.startswith(kind):
                streams.setdefault(call.on, []).append((call, call.data))
        return streams


# ---- promises ----

def message_number(name):
    """The type numbers of IPC messages follow from the order of messages.def; 0 is no message."""
    text = MESSAGES_DEF.read_text(encoding="ascii")
    return 1 + re.findall(r"^MSG\((\w+),", text, re.M).index(name)


def smtp_promises(trace):
    """(queue id, call) of every 250 that smtpd wrote for the end of DATA."""
    return [(int(queued, 16), call) for stream in trace.sent("TCP").values() for call, data in stream
            for queued in re.findall(rb"^250 .*queued as ([0-9A-F]{10,16})\r$", data, re.M)]


def frames(stream):
    """(type, payload, call that completed it) of a socket's framed messages; none when it carries no frames."""
    pending = b""
    for call, data in stream:
        pending += data
        while len(pending) >= 8:
            length, kind = int.from_bytes(pending[:4], "little"), int.from_bytes(pending[4:6], "little")
            if not 0 < kind < 200 or length > 8 << 20:
                return
            if len(pending) < 8 + length:
                break
            yield kind, pending[8:8 + length], call
            pending = pending[8 + length:]


def queue_promises(trace):
    """(queue id, call) of every MAIL_RESULT with 250 that queue wrote to smtpd or a command."""
    wanted = message_number("MAIL_RESULT")
    for stream in trace.sent("UNIX").values():
        for kind, payload, call in frames(stream):
            if kind == wanted and int.from_bytes(payload[16:18], "little") == 250:
                yield int.from_bytes(payload[8:16], "little"), call


def exits(trace, program):
    """exit_group(0) of each process that ran the program."""
    wanted = re.compile(r"(?:^|/)" + re.escape(program) + "$")
    pids = {call.pid for call in trace.calls if call.name.startswith("exec") and call.is_done
            and any(wanted.search(unhex(text).decode()) for text in STRING.findall(call.arguments)[:1])}
    return [call for call in trace.calls
            if call.pid in pids and call.name == "exit_group" and call.arguments == "0"]


# ---- rules: each gives a list of sentences that say what was done too early ----

def too_early(trace, needle, promise, what):
    """The log record with these bytes is written, then synced, then the promise is given."""
    writes = trace.writes("/log/", needle)
    if not writes:
        return [f"{what}: no record of it was ever written"]
    synced = [sync for sync in map(trace.synced_after, writes) if sync and sync.end < promise.begin]
    return [] if synced else [f"{what}: promised in line {promise.begin + 1}, and no completed sync of the log since "
                              f"its record (line {writes[0].end + 1}) stands before that"]


def id_bytes(queue_id):
    return queue_id.to_bytes(8, "little")


def check_acceptance(trace):
    """Every promise of the daemon, to whomever."""
    return [problem for queue_id, call in [*smtp_promises(trace), *queue_promises(trace)]
            for problem in too_early(trace, id_bytes(queue_id), call, f"mail {queue_id:015X}")]


def check_last_byte(trace, mail):
    """The same by the mail's last bytes, and by what the client saw."""
    answers = [call for queue_id, call in [*smtp_promises(trace), *queue_promises(trace)] if queue_id == mail.queue_id]
    assert answers, f"the trace shows no answer to {mail.name}"
    return [problem for answer in answers for problem in too_early(trace, mail.last_bytes, answer, mail.name)]


def in_order(what, steps):
    """Each step (name, call or None) ends before the next begins."""
    problems = [f"{what}: no {name}" for name, call in steps if call is None]
    found = [(name, call) for name, call in steps if call is not None]
    return problems + [f"{what}: {later[0]} began before {earlier[0]} was complete"
                       for earlier, later in zip(found, found[1:])
                       if earlier[1].end is None or earlier[1].end > later[1].begin]


def last_write(trace, path):
    return [call for call in trace.calls if call.name in FILE_WRITES and call.is_done and call.on == path][-1]


def check_named_file(trace, what, needle, folder, then):
    """Content, sync of the file, its name, sync of the directory; then what relies on it."""
    writes = trace.writes(folder, needle)
    assert writes, f"{what}: its content was not written below {folder}"
    last = last_write(trace, writes[-1].on)
    sync = trace.synced_after(last)
    rename = next((call for call in trace.renames(folder) if call.names[0] == last.on), None)
    directory = rename and trace.synced_after(rename, os.path.dirname(rename.names[1]))
    return in_order(what, [("write of the last byte", last), ("sync of the file", sync), ("rename", rename),
                           ("sync of the directory", directory), *then])


def check_body_file(trace, mail):
    """A large mail: its file is durable under its name before the record that refers to it; then the record."""
    record = trace.writes("/log/", id_bytes(mail.queue_id))[0]
    return check_named_file(trace, mail.name, mail.last_bytes, "/bodies/", [("record", record)])


def check_drop(trace, mail):
    """Mail left for the daemon's start; postrider-drop's exit 0, then sendmail's."""
    helper, sendmail = exits(trace, "postrider-drop"), exits(trace, "sendmail")
    after = next((call for call in sendmail if helper and call.begin > helper[-1].begin), None)
    return check_named_file(trace, mail.name, mail.last_bytes, "/drop/",
                            [("exit 0 of postrider-drop", helper[-1] if helper else None),
                             ("exit 0 of sendmail", after)])


def check_drop_taken(trace, mail):
    """The file in the drop directory goes only when the log has its mail."""
    name = trace.renames("/drop/")[-1].names[1]
    gone = [call for call in trace.calls
            if call.name.startswith("unlink") and call.is_done and call.names[:1] == [name]]
    assert gone, f"{mail.name}: its file is still in the drop directory"
    return too_early(trace, mail.last_bytes, gone[0], f"{mail.name}, as it was taken in")


def check_mailbox(trace, mail):
    """What the log says of a delivery, it says after the mailbox was synced."""
    writes = trace.writes("/mail/", mail.last_bytes)
    assert writes, f"{mail.name} did not get to its mailbox"
    synced = [call for call in trace.calls if (call.name == "syncfs" or call.name in SYNCS and call.on == writes[0].on)
              and call.is_done and call.begin > writes[0].end]
    records = trace.writes("/log/", id_bytes(mail.queue_id))
    later = [call for call in records if call.begin > records[0].end]
    return in_order(f"{mail.name}, in its mailbox", [
        ("write of the last byte", writes[0]), ("sync of the mailbox", synced[0] if synced else None),
        ("record of the delivery", later[0] if later else None)])


# ---- a mail system under strace ----

@dataclass
class Mail:
    name: str
    last_bytes: bytes
    queue_id: int = 0


def strace_command(trace, injections):
    """strace may look into our processes although they are not dumpable: as root, or as root of a user namespace."""
    command = ["strace", "-f", "-yy", "-xx", "-s", str(16 << 20), "-e", "trace=" + CALLS, "-o", str(trace)]
    for injection in injections:
        command += ["-e", "inject=" + injection]
    return (["unshare", "-r"] if os.geteuid() else []) + command


class TracedSystem(Sandbox):
    """Daemon and commands are started by one traced shell: their calls are in one trace, in order."""

    def __init__(self, injections):
        super().__init__()
        self.trace_file = self.dir / "trace"
        self.mails = {}
        command = [*strace_command(self.trace_file, injections), "/bin/sh"]
        self.shell = subprocess.Popen(command, text=True, cwd=self.dir, env=self.env("user1"),
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run_traced(self, command):
        """Runs it in the traced shell; its exit status."""
        self.shell.stdin.write(command + "\necho status $?\n")
        self.shell.stdin.flush()
        for line in self.shell.stdout:
            if line.startswith("status "):
                return int(line.split()[1])
        raise AssertionError(f"the traced shell ended at: {command}")

    def start(self):
        status = self.run_traced(f"{self.dir}/bin/postriderd -b --sandbox {self.dir} >>start.log 2>&1")
        assert status == 0, (self.dir / "start.log").read_text()

    def stop(self):
        if self.processes():
            self.postrider("stop")
            wait_for(lambda: not self.processes(), "the end of the daemon")

    def close(self):
        """What was traced."""
        try:
            self.stop()
            self.shell.stdin.close()
            self.shell.wait(PATIENCE_S)
            return Trace(self.trace_file)
        finally:
            super().close()

    def new_mail(self, name, user, size):
        last = f"the last bytes of {name}"
        self.mails[name] = Mail(name, last.encode() + b"\n")
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "user1@localhost", f"{user}@localhost", name
        message.set_content("line of a mail that is large\n" * (size // 29) + last + "\n")
        return message.as_bytes()

    def by_smtp(self, names, user="user1", size=0):
        """All in one session; the text of the 250 says the queue id."""
        with self.smtp() as session:
            session.ehlo()
            for name in names:
                session.mail("user1@localhost")
                session.rcpt(f"{user}@localhost")
                code, text = session.data(self.new_mail(name, user, size).replace(b"\n", b"\r\n"))
                assert code == 250, text
                self.mails[name].queue_id = int(text.decode().split()[-1], 16)

    def by_sendmail(self, name, user="user1"):
        """Its queue id is learned later, from the trace."""
        (self.dir / "message").write_bytes(self.new_mail(name, user, 0))
        status = self.run_traced(f"sendmail -oi {user}@localhost <message 2>sendmail.log")
        assert status == 0, (self.dir / "sendmail.log").read_text()

    def wait_delivered(self, user, *names):
        wait_for(lambda: all(self.mails[name].last_bytes.decode() in self.mailbox_text(user) for name in names),
                 f"{names} in the mailbox of {user}")


def learn_queue_ids(trace, mails):
    """Mail of sendmail: the id stands in the record that holds its last bytes, 24 bytes into the record's header."""
    known = {mail.queue_id for mail in mails.values()}
    for queue_id, call in queue_promises(trace):
        for mail in mails.values():
            if not mail.queue_id and queue_id not in known and any(
                    id_bytes(queue_id) in write.data for write in trace.writes("/log/", mail.last_bytes)[:1]):
                mail.queue_id = queue_id
                known.add(queue_id)


def everyday(system):
    """Every way in, each with the mail it brings."""
    system.start()
    system.by_smtp(["by smtp 1", "by smtp 2", "by smtp 3"])
    system.by_sendmail("by sendmail")
    system.by_smtp(["large by smtp"], "user2", LARGE)
    system.wait_delivered("user1", "by smtp 3", "by sendmail")
    system.wait_delivered("user2", "large by smtp")
    system.stop()
    system.by_sendmail("left in the drop directory")
    system.start()
    system.wait_delivered("user1", "left in the drop directory")


def run_traced(injections):
    """The trace of the everyday transactions, and their mails."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    system = TracedSystem(injections)
    try:
        everyday(system)
    finally:
        trace = system.close()
    learn_queue_ids(trace, system.mails)
    return trace, system.mails


@pytest.fixture(scope="module")
def slow_disk():
    """Every sync takes 20 ms longer than it does."""
    return run_traced(["fdatasync,fsync:delay_enter=20000"])


@pytest.fixture(scope="module")
def no_sync():
    """Every sync is replaced by a call that does nothing and says success."""
    return run_traced(["fdatasync,fsync,syncfs:syscall=getpid:retval=0"])


# ---- tests ----

SMALL = ["by smtp 1", "by smtp 2", "by smtp 3", "by sendmail"]


def test_no_promise_before_the_sync(slow_disk):
    trace, mails = slow_disk
    assert len(smtp_promises(trace)) == 4
    assert len(list(queue_promises(trace))) == 5  # to smtpd, and to sendmail
    assert check_acceptance(trace) == []


@pytest.mark.parametrize("name", SMALL)
def test_sync_covers_the_last_byte(slow_disk, name):
    trace, mails = slow_disk
    assert check_last_byte(trace, mails[name]) == []


def test_sendmail_exits_after_the_sync(slow_disk):
    trace, mails = slow_disk
    assert too_early(trace, mails["by sendmail"].last_bytes, exits(trace, "sendmail")[0], "exit 0 of sendmail") == []


def test_body_file_is_durable_before_its_record(slow_disk):
    trace, mails = slow_disk
    assert check_body_file(trace, mails["large by smtp"]) == []


def test_drop_file_is_durable_before_exit(slow_disk):
    trace, mails = slow_disk
    assert check_drop(trace, mails["left in the drop directory"]) == []


def test_drop_file_stays_until_the_log_has_it(slow_disk):
    trace, mails = slow_disk
    assert check_drop_taken(trace, mails["left in the drop directory"]) == []


@pytest.mark.parametrize("name", ["by smtp 1", "by sendmail", "large by smtp"])
def test_mailbox_is_synced_before_the_delivery_is_recorded(slow_disk, name):
    trace, mails = slow_disk
    assert check_mailbox(trace, mails[name]) == []


def test_rules_notice_missing_syncs(no_sync):
    """Without it the tests above would prove nothing."""
    trace, mails = no_sync
    assert len(smtp_promises(trace)) == 4
    assert len(check_acceptance(trace)) == 9
    for name in SMALL:
        assert check_last_byte(trace, mails[name])
    assert too_early(trace, mails["by sendmail"].last_bytes, exits(trace, "sendmail")[0], "exit 0 of sendmail")
    drop, large = mails["left in the drop directory"], mails["large by smtp"]
    assert check_drop_taken(trace, drop)
    for problems in (check_drop(trace, drop), check_body_file(trace, large)):
        assert any("no sync of the file" in text for text in problems)
        assert any("no sync of the directory" in text for text in problems)
    assert any("no sync of the mailbox" in text for text in check_mailbox(trace, mails["by smtp 1"]))
