# SPDX-License-Identifier: Apache-2.0
"""What sendmail makes of what it is given, by table: the header, the text, addresses, mistakes, odd surroundings."""
import re
import signal
import subprocess

import pytest

from support.system import HOST_NAME, wait_for

EMPTY = "Mail queue is empty\n"
ADDED = ["Message-ID: *", "Date: *", "From: *"]
ME = f"user1@{HOST_NAME}"


def from_is(value, rest=()):
    return [*rest, "Message-ID: *", "Date: *", f"From: {value}"]


# Options, standard input; the header's lines ("*": anything) and the text as they arrive.
TEXTS = [
    ([], b"Subject: a\n\nbody\n", from_is(ME, ["Subject: a"]), b"body\n"),
    ([], b"", from_is(ME), b""),
    ([], b"\n", from_is(ME), b""),
    ([], b"hello\nworld\n", from_is(ME), b"hello\nworld\n"),
    ([], b"no colon\nTo: x\n\ny\n", from_is(ME), b"no colon\nTo: x\n\ny\n"),
    ([], b"Subject: a\nno colon\n", from_is(ME, ["Subject: a"]), b"no colon\n"),
    ([], b"Subject: a", from_is(ME, ["Subject: a"]), b""),
    ([], b"Subject: a\n\nno end", from_is(ME, ["Subject: a"]), b"no end\n"),
    # what is there stays, byte for byte
    ([], b"from: x@y\nDATE: then\nmessage-id : <z>\nSubject:  two\n\tfolded \nX-Y:z\n\n",
     ["from: x@y", "DATE: then", "message-id : <z>", "Subject:  two", "\tfolded ", "X-Y:z"], b""),
    ([], "Subject: gr\u00fc\u00df\n\n\u00fc\n".encode(), from_is(ME, ["Subject: gr\u00fc\u00df"]), "\u00fc\n".encode()),
    ([], b"Subject: gr\xfc\xdf\n\n\xfc\n", from_is(ME, ["Subject: gr\udcfc\udcdf"]), b"\xfc\n"),
    ([], b"Subject: a\n\n" + b"x" * 100000 + b"\n", from_is(ME, ["Subject: a"]), b"x" * 100000 + b"\n"),
    ([], b"Subject: a\n\n\x00\x01\x1b\x7f\n", from_is(ME, ["Subject: a"]), b"\x00\x01\x1b\x7f\n"),
    # what never goes on
    ([], b"To: a@b\nBcc: b,\n c@d\nbcc: d\nReturn-Path: <x@y>\nContent-Length: 7\nSubject: a\n\nBcc: stays\n",
     from_is(ME, ["To: a@b", "Subject: a"]), b"Bcc: stays\n"),
    ([], b"From me Mon Jan  1 00:00:00 2001\n>From you Mon\nSubject: a\n\nb\n", from_is(ME, ["Subject: a"]), b"b\n"),
    # a message that is sent again
    ([], b"To: a@b\nResent-To: c@d\nResent-Bcc: e@f\n\nb\n",
     ["To: a@b", "Resent-To: c@d", "Resent-Message-ID: *", "Resent-Date: *", f"Resent-From: {ME}"], b"b\n"),
    ([], b"Resent-From: x@y\nResent-Date: then\nResent-Message-ID: <z>\n\nb\n",
     ["Resent-From: x@y", "Resent-Date: then", "Resent-Message-ID: <z>"], b"b\n"),
    # line ends: the first one decides
    ([], b"Subject: a\r\n\r\nb\r\n.x\r\n", from_is(ME, ["Subject: a"]), b"b\n.x\n"),
    ([], b"Subject: a\r\n\r\nb\nc\r\n", from_is(ME, ["Subject: a"]), b"b\nc\n"),
    ([], b"Subject: a\n\nb\r\nc\r\n", from_is(ME, ["Subject: a"]), b"b\r\nc\r\n"),
    # the end
    ([], b"Subject: a\n\nb\n.\nc\n", from_is(ME, ["Subject: a"]), b"b\n"),
    ([], b"Subject: a\r\n\r\nb\r\n.\r\nc\r\n", from_is(ME, ["Subject: a"]), b"b\n"),
    ([], b"Subject: a\n\nb\n..\n.c\n.", from_is(ME, ["Subject: a"]), b"b\n..\n.c\n"),
    (["-i"], b"Subject: a\n\nb\n.\nc\n", from_is(ME, ["Subject: a"]), b"b\n.\nc\n"),
    (["-oi"], b"Subject: a\n\nb\n.\n", from_is(ME, ["Subject: a"]), b"b\n.\n"),
    # the sender's name
    (["-F", "Jo Doe"], b"\n", from_is(f"Jo Doe <{ME}>"), b""),
    (["-FJ. Doe, \"x\""], b"\n", from_is(f'"J. Doe, \\"x\\"" <{ME}>'), b""),
    (["-F", "J\u00f6rg"], b"\n", from_is(f"=?UTF-8?Q?J=C3=B6rg?= <{ME}>"), b""),
    (["-F", "a\nBcc: evil@x\n\nb"], b"\n", from_is(f'"a Bcc: evil@x  b" <{ME}>'), b""),
    (["-F", "a\rX: y\x00"[:-1]], b"\n", from_is(f'"a X: y" <{ME}>'), b""),
    (["-F", ""], b"\n", from_is(ME), b""),
    # the sender
    (["-f", "x@y.example"], b"\n", from_is("x@y.example"), b""),
    (["-f", "payam"], b"\n", from_is(f"payam@{HOST_NAME}"), b""),
    (["-f", "J <x@y.example>"], b"\n", from_is("x@y.example"), b""),
    (["-f", ""], b"\n", from_is(f"MAILER-DAEMON@{HOST_NAME}"), b""),
    (["-f", "<>"], b"\n", from_is(f"MAILER-DAEMON@{HOST_NAME}"), b""),
    (["-r", "x@y.example", "-F", "X"], b"\n", from_is("X <x@y.example>"), b""),
]
TRACE = re.compile(rb"From \S+  [^\n]*\nReturn-Path: [^\n]*\nX-Original-To: user2\+(\d+)@[^\n]*\nDelivered-To: [^\n]*\n"
                   rb"Received: [^\n]*\n(?:\t[^\n]*\n)*")


def arrived(system):
    """Number of the row to the rest of the message."""
    text = system.path(system.mail_dir / "user2").read_bytes()
    starts = list(TRACE.finditer(text))
    ends = [m.start() for m in starts[1:]] + [len(text)]
    return {int(m[1]): text[m.end():end] for m, end in zip(starts, ends)}


def is_as_wanted(header, wanted):
    lines = header.decode(errors="surrogateescape").split("\n")
    return len(lines) == len(wanted) and all(
        line.startswith(want[:-1]) if want.endswith(": *") else line == want for line, want in zip(lines, wanted))


@pytest.mark.setgid
@pytest.mark.parametrize("is_up", [True, False], ids=["up", "down"])
def test_texts(sandbox, is_up):
    if not is_up:
        sandbox.stop()
    for n, (options, text, _, _) in enumerate(TEXTS):
        sandbox.run("user1", ["sendmail", *options, f"user2+{n}"], stdin=text, text=False)
    if not is_up:
        sandbox.start()
    wait_for(lambda: sandbox.mailq() == EMPTY, "an empty queue")
    got = arrived(sandbox)
    for n, (options, text, wanted, body) in enumerate(TEXTS):
        header, _, rest = got[n].partition(b"\n\n")
        assert is_as_wanted(header, wanted), f"row {n}: {options} {text}: {header}"
        assert rest == re.sub(rb"^From ", b">From ", body, flags=re.M) + b"\n", f"row {n}: {options} {text}: {rest}"


# Options and recipients, the header; who gets it.
RECIPIENTS = [
    (["user1", "user2"], "", {"user1", "user2"}),
    (["user1,user2"], "", {"user1", "user2"}),
    (['"Doe, J" <user1@localhost>, user2 (two)'], "", {"user1", "user2"}),
    (["user1, ,user2,"], "", {"user1", "user2"}),
    (["friends: user1, user2;"], "", {"user1", "user2"}),
    (["<user1>"], "", {"user1"}),
    (["user1", "USER1@localhost", "user1"], "", {"user1"}),
    (["--", "user1"], "", {"user1"}),
    (["user1"], "To: user2\nCc: payam\n", {"user1"}),
    (["-t"], "To: user1\nCc: payam\nBcc: user2\n", {"user1", "payam", "user2"}),
    (["-t"], 'To: "J, D" <user1>,\n user2\nSubject: x\nTO: payam\n', {"user1", "user2", "payam"}),
    (["-t", "user2"], "To: user1\n", {"user1", "user2"}),
    (["-t"], "To: undisclosed-recipients:;\nBcc: user1\n", {"user1"}),
    (["-t"], "To: user1\nResent-To: user2\n", {"user2"}),
    (["-t"], "To: user1\nResent-Bcc: user2\nResent-From: user1\n", {"user2"}),
    (["-t"], "To: user1\nResent-From: user2\n", {"user1"}),
    (["-t", "payam"], "To: user1\nResent-Cc: user2\n", {"user2", "payam"}),
]


def test_recipients(sandbox):
    users = ["user1", "user2", "payam"]
    for n, (words, header, _) in enumerate(RECIPIENTS):
        sandbox.sendmail("user1", *words, message=f"X-Row: {n}\n{header}\n")
    wait_for(lambda: sandbox.mailq() == EMPTY, "an empty queue")
    boxes = {user: [m for m in sandbox.messages(user) if m["X-Row"]] for user in users}
    for n, (words, header, wanted) in enumerate(RECIPIENTS):
        got = [user for user in users for m in boxes[user] if m["X-Row"] == str(n)]
        assert sorted(got) == sorted(wanted), f"row {n}: {words} {header!r}"
        assert all(m["Bcc"] is None and m["Resent-Bcc"] is None for user in users for m in boxes[user])


# Words, standard input; exit status, what is said.
MISTAKES = [
    ([], "\n", 64, r"no recipient: name one, or use -t"),
    ([""], "\n", 64, r'no recipient in ""'),
    ([",", " "], "\n", 64, r"no recipient in"),
    (["-t"], "Subject: x\n\n", 65, r"no recipients in To, Cc or Bcc"),
    (["-t"], "Subject: x\n\nTo: user1\n", 65, r"no recipients in To, Cc or Bcc"),
    (["-t"], "To: undisclosed-recipients:;\n\n", 65, r"no recipients in"),
    (["-t"], "To: user1\nResent-To: \n\n", 65, r"no recipients in"),
    (["-t"], "To: user1, <a b@c>\n\n", 65, r'header: ".*a b@c'),
    (["user1", "a b@c"], "\n", 65, r'recipient: "a b@c"'),
    (["user1", "@"], "\n", 65, r"recipient: "),
    (["user1\nBcc: user2"], "\n", 65, r"recipient: "),
    (["user1", "-v"], "\n", 65, r"-v: options come before the recipients"),
    (["-f", "a b", "user1"], "\n", 65, r"sender a b: "),
    (["-f", "a@b\nX: y", "user1"], "\n", 65, r"sender a@b X: y: "),
    (["-f", "a@b, c@d", "user1"], "\n", 65, r"sender a@b, c@d: must be one address"),
    (["-f", "a" * 2000 + "@b", "user1"], "\n", 65, r"sender a+"),
    (["-N", "always", "user1"], "\n", 64, r"-N always: use never, or"),
    (["-N", "never,delay", "user1"], "\n", 64, r"-N never,delay: use never, or"),
    (["-R", "some", "user1"], "\n", 64, r"-R some: use full or hdrs"),
    (["-V", "a b", "user1"], "\n", 64, r"-V a b: not an envelope id"),
    (["-B", "9BIT", "user1"], "\n", 64, r"-B 9BIT: use 7BIT or 8BITMIME"),
    (["user1"], "x" * 3000, 69, r"the message is larger than 2048 bytes \(message.max_size\); nothing was sent"),
    (["-oeq", "a b@c"], "\n", 65, None),
    (["-C", "/etc/x", "-Z"], "\n", 64, r"unknown option -Z"),
]


def test_mistakes(postrider_with):
    system = postrider_with({"message.max_size": "2k"})
    for words, text, status, said in MISTAKES:
        done = system.sendmail("user1", *words, message=text, check=False)
        assert done.returncode == status, f"{words}: {done.returncode}: {done.stderr}"
        assert done.stderr == "" if said is None else re.match(f"sendmail: {said}", done.stderr), f"{words}: {done.stderr}"
        assert done.stdout == ""
    assert system.mailq() == EMPTY and not system.messages("user1")


# ---- who, and under which circumstances

# As a shell's commands; SENDMAIL is called in them.
SURROUNDINGS = {
    "as it is": "sendmail -f '' user2",
    "umask 777": "umask 777; sendmail -f '' user2",
    "no environment": "exec env -i /usr/sbin/sendmail -f '' user2",
    "unreadable directory": "mkdir /tmp/d; cd /tmp/d && chmod 0 . && sendmail -f '' user2; s=$?; rmdir /tmp/d; exit $s",
    "directory that is gone": "mkdir /tmp/d; cd /tmp/d && rmdir /tmp/d && sendmail -f '' user2",
    "closed output": "sendmail -f '' user2 >&- 2>&-",
    "full output": "sendmail -f '' user2 >/dev/full 2>/dev/full",
    "closed input": "sendmail -f '' user2 <&-",
    "all closed": "sendmail -f '' user2 <&- >&- 2>&-",
    "small files": "ulimit -S -f 0; sendmail -f '' user2",
    "few descriptors": "ulimit -n 12; sendmail -f '' user2",
    "ignored signals": "trap '' HUP INT TERM PIPE CHLD; sendmail -f '' user2",
}


@pytest.mark.setgid
def test_surroundings(host):
    def send_all():
        for user in ["root", "user1"]:
            for name, script in SURROUNDINGS.items():
                done = host.run(user, ["sh", "-c", script], stdin="Subject: x\n\n", check=False)
                assert done.returncode == 0, f"{name} as {user}: {done.returncode} {done.stderr}"
                assert done.stderr == "", f"{name} as {user}: {done.stderr}"

    send_all()
    done = host.run("user1", ["setpriv", "--no-new-privs", "sendmail", "-f", "", "user2"], stdin="\n")
    assert done.stderr == ""
    host.stop()
    send_all()
    done = host.run("user1", ["setpriv", "--no-new-privs", "sendmail", "user2"], stdin="\n", check=False)
    assert done.returncode == 75 and "postriderd is not running, and the mail could not be left" in done.stderr
    done = host.run("user1", ["sh", "-c", "ulimit -f 0; exec sendmail user2"], stdin="\n", check=False)
    assert done.returncode == 75 and "File too large" in done.stderr
    host.start()
    wait_for(lambda: host.mailq() == EMPTY, "an empty queue")
    uids = {"0": 0, host.run("user1", ["id", "-u"]).stdout.strip(): 0}
    for message in host.messages("user2"):
        uids[re.search(r"from userid (\d+)\)", message["Received"])[1]] += 1
    assert list(uids.values()) == [2 * len(SURROUNDINGS), 2 * len(SURROUNDINGS) + 1]


@pytest.mark.setgid
def test_more_connections_than_a_user_may_have(host):
    """Mail takes the other way then; a question is to be asked again."""
    host.configure({"queue.paused": "yes", "queue.max_per_uid": "1000"})
    host.restart()
    waiting = host.popen("user1", ["sh", "-c", "for n in $(seq 100); do sendmail -odi payam & done; wait"],
                         stdin=subprocess.DEVNULL)
    wait_for(lambda: host.sendmail("root", "-bpc").stdout == "100\n", "a hundred mails whose senders wait")
    assert host.sendmail("user1", "user2", message="Subject: through the drop\n\n").stderr == ""
    for words in [["mailq"], ["postrider", "queue", "list"]]:
        done = host.run("user1", words, check=False)
        assert done.returncode == 75 and "too many connections of this user" in done.stderr
    host.configure()
    host.postrider("reload")
    assert waiting.wait() == 0
    assert host.wait_messages("user2")[0]["Subject"] == "through the drop"
    assert len(host.messages("payam")) == 100


# Who, a shell's commands, exit status, what is said; the daemon runs, or does not.
STATUSES_UP = [
    ("user1", "sendmail user2 </", 74, "standard input: Is a directory"),
    ("user1", "mailq >/dev/full", 74, "standard output cannot be written: No space left"),
    ("user1", "sendmail --help >/dev/full", 74, "standard output cannot be written: No space left"),
    ("user1", "sendmail -bP >/dev/full", 74, "standard output cannot be written: No space left"),
    ("user1", "sendmail -C /etc/postrider/postrider.conf user2", 77, "-C /etc/postrider/postrider.conf: only root"),
    ("user1", "sendmail -qI010C5D6161923A1", 66, "no such mail in the queue"),
    ("user1", "newaliases", 77, "run newaliases as root"),
    ("user1", "sendmail user2; sendmail user2; sendmail user2", 75, r"Too many messages in a minute \(queue.max_per_uid\)"),
    ("root", "sendmail -bi -oA/no/such/file", 66, "/no/such/file"),
    ("root", "sendmail -C /no/such/file user2", 66, "-C /no/such/file: No such file or directory"),
    ("root", "cd /etc/postrider; chmod 0646 postrider.conf; postrider config check; s=$?; chmod 0644 postrider.conf; exit $s",
     0, "everybody may write /etc/postrider/postrider.conf, and so become root: chmod o-w "),
    ("root", "sendmail -Mf 010C5D6161923A1", 66, "no such mail in the queue"),
]
STATUSES_DOWN = [
    ("user1", "mailq", 69, "postriderd is not running"),
    ("user1", "sendmail -q", 69, "postriderd is not running"),
    ("user1", "sendmail -bpc", 69, "postriderd is not running"),
    ("root", "sendmail -M 010C5D6161923A1", 75, "postriderd cannot be asked: No such file or directory"),
    ("user1", "exec prlimit --nproc=0 sendmail user2", 71, "Resource temporarily unavailable"),
    ("root", "chmod 0700 /var/spool/postrider/drop; chown root /var/spool/postrider/drop; "
             "setpriv --reuid=user1 --regid=user1 --clear-groups sendmail user2", 75, "`postrider setup` mends that\n.*could not be left for its next start"),
    ("root", "mount -t tmpfs -o size=1m none /var/spool/postrider/drop; chmod 1777 /var/spool/postrider/drop; "
             "sendmail user2; s=$?; umount /var/spool/postrider/drop; exit $s", 75, "the disk is full"),
    ("root", "chown user1 /etc/postrider; postriderd -b; postrider stop; s=$?; chown root /etc/postrider; exit $s",
     0, "its owner, who is not root, may write /etc/postrider, and so become root: chown root "),
    ("root", "echo '[main]\nx = y' >/etc/postrider/postrider.conf; newaliases", 78, "postrider.conf:2: "),
]


@pytest.mark.setgid
def test_exit_statuses(host):
    host.configure({"queue.max_per_uid": "2"})
    host.restart()
    for rows in [STATUSES_UP, STATUSES_DOWN]:
        for user, script, status, said in rows:
            done = host.run(user, ["sh", "-c", script], stdin="\n", check=False)
            assert done.returncode == status, f"{script}: {done.returncode} {done.stderr}"
            assert re.search(said, done.stderr), f"{script}: {done.stderr}"
        host.stop()


def test_the_sender_is_the_real_user(host):
    host.run("root", ["usermod", "--comment", "Ursula & One, Room 7", "user1"])
    lies = {"LOGNAME": "root", "USER": "payam", "HOME": "/root"}
    host.sendmail("user1", "user2", message="Subject: gecos\n\n", env=lies)
    host.sendmail("user1", "user2", message="Subject: name\n\n", env={**lies, "NAME": "From Environment"})
    host.sendmail("user1", "-F", "Given", "user2", message="Subject: given\n\n", env={"NAME": "From Environment"})
    host.sendmail("root", "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "user2", message="Subject: cron\n\n")
    by = {m["Subject"]: (m["From"], m["Return-Path"]) for m in host.wait_messages("user2", 4)}
    assert by == {"gecos": (f"Ursula User1 One <{ME}>", f"<{ME}>"), "name": (f"From Environment <{ME}>", f"<{ME}>"),
                  "given": (f"Given <{ME}>", f"<{ME}>"),
                  "cron": (f"CronDaemon <root@{HOST_NAME}>", f"<root@{HOST_NAME}>")}


@pytest.mark.parametrize("is_up", [True, False], ids=["up", "down"])
def test_killed_midway_sends_nothing(sandbox, is_up):
    if not is_up:
        sandbox.stop()
    for number in [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP]:
        process = sandbox.popen("user1", ["sendmail", "-t", "user2"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write(b"To: user2\n\n" + b"first half\n" * 100000)
        process.stdin.flush()
        process.send_signal(number)
        assert process.wait() == -number
        process.stdin.close()
        process.stderr.close()
    assert not list((sandbox.dir / "spool/drop").iterdir())
    if not is_up:
        sandbox.start()
    assert sandbox.mailq() == EMPTY and not sandbox.messages("user2")


def test_errors_go_to_the_system_log_too(host):
    """/dev of that host alone; a program of the test's stands for the logger."""
    host.run("root", ["sh", "-ec", "mkdir /tmp/dev; mount -t tmpfs none /tmp/dev; cd /tmp/dev; "
                                   "for f in null zero random urandom full; do touch $f; mount --bind /dev/$f $f; done; "
                                   "mount --move /tmp/dev /dev"])
    logger = host.popen("root", ["/usr/bin/python3", "-c", "import socket, os\n"
                                 "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.bind('/dev/log')\n"
                                 "os.chmod('/dev/log', 0o666)\nprint('ready', flush=True)\n"
                                 "print(s.recv(4096).decode(), flush=True)"], stdout=subprocess.PIPE, text=True)
    assert logger.stdout.readline() == "ready\n"
    done = host.sendmail("user1", "-L", "nightly", "-oeq", "a b@c", check=False)
    assert done.returncode == 65 and done.stderr == ""
    assert re.search(r'nightly\[\d+\]: recipient: "a b@c": ', logger.stdout.readline())
    assert logger.wait() == 0
    logger.stdout.close()
