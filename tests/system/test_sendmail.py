# SPDX-License-Identifier: Apache-2.0
"""sendmail, mailq and postrider-drop as programs and people call them, by table; mostly in the sandbox."""
import json
import re

import pytest

from support.fake_smtp import FakeSmtp
from support.system import HOST_NAME, free_port, wait_for

EMPTY = "Mail queue is empty\n"
TERMINAL = "\x1b]0;evil\x07 \x1b[2J \udcff\x9b31m caf\u00e9"  # escapes, no UTF-8, a C1 control, and what is harmless


def is_fit_for_a_terminal(data):
    text = data.decode("utf-8")  # nothing else may be there
    return not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)


# ---- what others wrote


def test_nothing_that_others_wrote_commands_the_terminal(postrider_with):
    port = free_port()
    system = postrider_with({"relay.host": f"[127.0.0.1]:{port}"})
    with FakeSmtp(port=port, replies={"RCPT": f"450 4.2.0 later {TERMINAL}"}):
        system.sendmail("user1", "-f", "j\u00f6rg@far.example", "m\u00fcller@far.example")
        wait_for(lambda: "4.2.0" in system.mailq(), "the answer in mailq")
    ident = system.mailq().splitlines()[1].split()[0].rstrip("*!#")
    for words in (["mailq"], ["postqueue", "-p"], ["postrider", "queue", "list"], ["postrider", "queue", "show", ident],
                  ["postrider", "queue", "why"], ["postrider", "trace", ident]):
        shown = system.run("root", words, text=False, stdin=b"").stdout
        assert is_fit_for_a_terminal(shown), f"{words}: {shown}"
        assert b"later" in shown and "m\u00fcller".encode() in shown and "caf\u00e9".encode() in shown, words


def test_a_complaint_about_a_header_commands_no_terminal(sandbox):
    done = sandbox.run("user1", ["sendmail", "-t"], stdin=b"To: <\x1b[2Ja\xff\n\n", text=False, check=False)
    assert done.returncode == 65 and b"header" in done.stderr and is_fit_for_a_terminal(done.stderr)


# ---- postrider-drop


def test_drop_of_nothing_leaves_nothing(sandbox):
    sandbox.stop()
    done = sandbox.run("user1", ["postrider-drop"], check=False)
    assert done.returncode == 65 and "sendmail(8)" in done.stderr
    assert not list((sandbox.dir / "spool/drop").iterdir())


# ---- the queue, by Exim's and Sendmail's names


@pytest.fixture
def deferring(postrider_with):
    """Everything for elsewhere waits."""
    return postrider_with({"relay.host": f"[127.0.0.1]:{free_port()}"})


def queued(system, n=1):
    """Ids of the mail in the queue, when it is n and all of it was tried."""
    def ids():
        rows = [json.loads(line) for line in system.run("root", ["postqueue", "-j"]).stdout.splitlines()]
        tried = all("delay_reason" in rcpt for row in rows for rcpt in row["recipients"])
        return len(rows) == n and tried and [row["queue_id"] for row in rows]
    return wait_for(ids, f"{n} mails in the queue")


def marks(system):
    return {line[:15]: line[15] for line in system.mailq().splitlines() if re.match("[0-9A-F]{15}", line)}


def test_exims_verbs(deferring):
    for n in range(3):
        deferring.sendmail("user1", f"u{n}@far.example", message=f"Subject: number {n}\nX-N: {n}\n\nbody {n}\n.From\n")
    a, b, c = queued(deferring, 3)
    assert deferring.sendmail("root", "-Mf", a, b).stdout == f"Message {a} is now frozen\nMessage {b} is now frozen\n"
    assert marks(deferring) == {a: "!", b: "!", c: " "}
    assert deferring.sendmail("root", "-Mt", a).stdout == f"Message {a} is no longer frozen\n"
    queued(deferring, 3)
    assert deferring.sendmail("root", "-M", b, c).stdout == ""  # thaws, too
    queued(deferring, 3)
    assert "!" not in marks(deferring).values()
    header = deferring.sendmail("root", "-Mvh", b).stdout
    assert header.startswith("Received: by ") and "\nSubject: number 1\nX-N: 1\n" in header and "body" not in header
    assert deferring.sendmail("root", "-Mvb", b).stdout == "body 1\n.From\n"
    assert re.search(r"deferred .*u2@far\.example", deferring.sendmail("root", "-Mvl", c).stdout)
    assert deferring.sendmail("root", "-Mrm", a, c).stdout == f"Message {a} has been removed\nMessage {c} has been removed\n"
    assert deferring.sendmail("root", "-Mg", b).stdout == f"Message {b} is returned to its sender\n"
    [bounce] = deferring.wait_messages("user1")
    text = " ".join(bounce.as_string().split())
    # When the attempt of -M is still under way it is the last one.
    assert re.search(r"(returned by the administrator; the last attempt|gave up after .* seconds?): .*connect to", text), text
    assert "Subject: number 1" in text
    wait_for(lambda: deferring.mailq() == EMPTY, "an empty queue")
    assert len(deferring.messages("user1")) == 1


def test_giving_up_what_is_held_and_was_never_tried(sandbox):
    sandbox.configure({"queue.paused": "yes"})
    sandbox.postrider("reload")
    sandbox.sendmail("user1", "user2", "u@far.example", message="Subject: returned\n\n")
    [ident] = marks(sandbox)
    sandbox.sendmail("root", "-Mf", ident)
    sandbox.sendmail("root", "-Mg", ident)
    sandbox.configure()
    sandbox.postrider("reload")
    [bounce] = sandbox.wait_messages("user1")
    assert bounce.as_string().count("returned by the administrator") >= 2
    assert not sandbox.messages("user2")
    wait_for(lambda: sandbox.mailq() == EMPTY, "an empty queue")


@pytest.mark.parametrize("verb", ["-M", "-Mf", "-Mt", "-Mrm", "-Mg", "-Mvh", "-Mvb", "-Mvl"])
def test_exims_verbs_and_mail_that_is_not_there(sandbox, verb):
    done = sandbox.sendmail("root", verb, "010C5D6161923A1", check=False)
    assert done.returncode == 66 and "010C5D6161923A1: " in done.stderr and done.stdout == ""


def test_exims_verbs_are_the_administrators(host):
    host.configure({"relay.host": f"[127.0.0.1]:{free_port()}"})
    host.restart()
    host.sendmail("user1", "u@far.example", message="Subject: mine\n\nsecret\n")
    [ident] = queued(host)
    for verb in ["-M", "-Mf", "-Mt", "-Mrm", "-Mg", "-Mvh", "-Mvb"]:
        done = host.sendmail("user2", verb, ident, check=False)
        assert done.returncode == 77 and "root" in done.stderr + done.stdout or "administrator" in done.stderr, verb
        assert "secret" not in done.stdout
    queued(host)
    host.run("root", ["groupadd", "mailadmins"])
    host.run("root", ["usermod", "-G", "mailadmins", "user2"])
    host.configure({"relay.host": f"[127.0.0.1]:{free_port()}", "security.admin_group": "mailadmins"})
    host.restart()
    assert host.sendmail("user2", "-Mrm", ident).stdout == f"Message {ident} has been removed\n"


def test_listing_and_counting_what_is_chosen(deferring):
    assert deferring.sendmail("root", "-bpc").stdout == "0\n"
    deferring.sendmail("user1", "-f", "one@here.example", "u@far.example")
    deferring.sendmail("user1", "-f", "two@here.example", "v@near.example")
    a, b = queued(deferring, 2)
    assert deferring.sendmail("root", "-bpc").stdout == "2\n"
    assert set(marks(deferring)) == {a, b}
    for words, ident in [(["mailq", b], b), (["sendmail", "-bp", a], a), (["mailq", "-qRfar.example"], a),
                         (["mailq", "-qStwo@here.example"], b), (["sendmail", "-bp", f"-qI{b}"], b)]:
        shown = deferring.run("root", words).stdout
        assert ident in shown and shown.endswith(" in 1 Request.\n") and shown.count("here.example") == 1, words
    assert deferring.run("root", ["mailq", "-qRno.example"]).stdout == EMPTY
    done = deferring.run("root", ["mailq", a, "010C5D6161923A1"], check=False)
    assert done.returncode == 66 and a in done.stdout and "010C5D6161923A1: no such mail in the queue" in done.stderr
    deferring.stop()  # the spool itself is asked
    assert deferring.sendmail("root", "-bpc").stdout == "2\n"
    assert "-- 0 Kbytes in 1 Request.\n" in deferring.run("root", ["mailq", b]).stdout
    assert "two@here.example" in deferring.run("root", ["mailq", "-qRnear.example"]).stdout
    done = deferring.run("root", ["mailq", "010C5D6161923A1"], check=False)
    assert done.returncode == 66 and "010C5D6161923A1: no such mail in the queue" in done.stderr


def test_settings(sandbox):
    whole = sandbox.sendmail("user1", "-bP").stdout
    assert f"main.host_name = {HOST_NAME}\n" in whole and whole.count("\n") > 50
    assert sandbox.sendmail("user1", "-bP", "queue.retry_min", "main.node").stdout.splitlines() == [
        "queue.retry_min = 3600s", "main.node = 1"]
    done = sandbox.sendmail("user1", "-bP", "queue.retry", check=False)
    assert done.returncode == 65 and "queue.retry: no such setting" in done.stderr


@pytest.mark.parametrize("words", [["sendmail", "-bV"], ["sendmail", "-d0.1"], ["sendmail", "-V"], ["sendmail", "--version"],
                                   ["mailq", "--version"], ["sendmail", "-d0.1", "-bp", "-t"]])
def test_version(sandbox, words):
    sandbox.write(sandbox.config_file, "nonsense\n")  # is not even read
    done = sandbox.run("user1", words)
    assert re.fullmatch(r"Postrider \d+\.\d+\.\d+\n", done.stdout) and done.stderr == ""


@pytest.mark.parametrize("name, told", [("sendmail", ["-odq", "-Mrm", "-qR", "sendmail(8)"]), ("mailq", ["mailq(1)", "!"]),
                                        ("newaliases", ["newaliases(1)", "-oA"])])
def test_help_and_unknown_options(sandbox, name, told):
    done = sandbox.run("user1", [name, "--help"])
    assert done.stdout.startswith(f"usage: {name} ") and all(word in done.stdout for word in told) and done.stderr == ""
    done = sandbox.run("user1", [name, "-Z"], check=False)
    assert done.returncode == 64 and done.stdout == ""
    assert done.stderr.startswith(f"{name}: unknown option -Z\nusage: {name} ")


# ---- when and whence


def test_queue_only_waits_for_the_next_run(sandbox):
    sandbox.sendmail("user1", "-odq", "user2", message="Subject: later\n\n")
    sandbox.sendmail("user1", "-O", "DeliveryMode=deferred", "user2", message="Subject: later, too\n\n")
    sandbox.sendmail("user1", "-odb", "user2", message="Subject: now\n\n")
    assert [m["Subject"] for m in sandbox.wait_messages("user2")] == ["now"]
    wait_for(lambda: len(marks(sandbox)) == 2, "two that wait")
    sandbox.sendmail("user1", "-q")
    assert sorted(m["Subject"] for m in sandbox.wait_messages("user2", 3)) == ["later", "later, too", "now"]


def test_a_start_is_a_run_of_the_queue(sandbox):
    sandbox.sendmail("user1", "-odq", "user2")
    sandbox.kill9_all()
    sandbox.start()
    sandbox.wait_messages("user2")


@pytest.mark.parametrize("words", [["-odi"], ["-odf"], ["-O", "DeliveryMode=interactive"]])
def test_interactive_ends_after_the_first_attempt(sandbox, words):
    sandbox.sendmail("user1", *words, "user2", "nobody-here", message="Subject: at once\n\n")
    assert [m["Subject"] for m in sandbox.messages("user2")] == ["at once"]


def test_interactive_does_not_wait_for_what_is_deferred(deferring):
    deferring.sendmail("user1", "-odi", "u@far.example")
    assert "Connection refused" in deferring.mailq()
    deferring.sendmail("user1", "-odi", "v@far.example")  # its next hop rests already
    deferring.sendmail("root", "-Mf", *marks(deferring))
    deferring.stop()
    deferring.sendmail("user1", "-odi", "user2")  # nobody is there to wait for


def received_of(system, user, subject):
    message = next(m for m in system.messages(user) if m["Subject"] == subject)
    return " ".join(message["Received"].split())


@pytest.mark.setgid
def test_where_the_mail_came_from(host):
    words = ["-oMr", "http", "-oMa", "192.0.2.1", "-oMs", "web.example", "-oMi", "2001:db8::1", "user2"]
    by = rf"by {HOST_NAME} "
    host.sendmail("root", *words, message="Subject: root\n\n")
    host.sendmail("user1", *words, message="Subject: user\n\n")
    host.sendmail("user1", "-p", "ESMTP:far.example", "user2", message="Subject: protocol\n\n")
    host.sendmail("user1", "-p", "internal", "user2", message="Subject: no report\n\n")
    host.wait_messages("user2", 4)
    host.sendmail("root", *words[:-1], "-odi", "-bs", message="EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<user2>\r\nDATA\r\n"
                  "Subject: root, piped\r\n\r\n.\r\n")
    assert len(host.messages("user2")) == 5
    host.stop()
    host.sendmail("root", *words, message="Subject: root, dropped\n\n")
    host.sendmail("user1", *words, message="Subject: user, dropped\n\n")
    host.start()
    host.wait_messages("user2", 7)
    for subject in ["root", "root, piped", "root, dropped"]:
        assert re.match(rf"from web\.example \(\[192\.0\.2\.1\]\) {by}\(\[IPv6:2001:db8::1\]\) "
                        r"\(Postrider, from userid 0\) with http id [0-9A-F]+; ", received_of(host, "user2", subject))
    for subject in ["user", "user, dropped"]:
        assert re.match(rf"{by}\(Postrider, from userid \d+\) with http id ", received_of(host, "user2", subject))
    assert " with ESMTP id " in received_of(host, "user2", "protocol")
    assert " with " not in received_of(host, "user2", "no report")
    host.configure({"queue.paused": "yes"})
    host.restart()
    host.sendmail("root", *words)
    shown = host.postrider("queue", "show", *marks(host)).stdout
    for line in [r"by +http", r"client +192\.0\.2\.1", r"name +web\.example", r"login +uid 0"]:
        assert re.search(rf"^ +{line}$", shown, re.M), shown


@pytest.mark.parametrize("words, said", [(["-oMa", "somewhere"], "-oMa somewhere: is no IP address"),
                                         (["-oMi", "1.2.3"], "-oMi 1.2.3: is no IP address"),
                                         (["-oMr", "a b"], "-oMr a b: must be one word of ASCII"),
                                         (["-p", "smtp:a\nb"], "-oMs a b: must be one word of ASCII")])
def test_words_about_the_client_are_checked(sandbox, words, said):
    done = sandbox.sendmail("root", *words, "user2", check=False)
    assert done.returncode == 64 and said in done.stderr


def test_only_addresses_ask_for_smtputf8(postrider_with):
    port = free_port()
    system = postrider_with({"relay.host": f"[127.0.0.1]:{port}"})
    with FakeSmtp(port=port) as elsewhere:
        for sender, rcpt, subject in [("a@b", "u@far.example", "plain"), ("a@b", "u@far.example", "gr\u00fc\u00df"),
                                      ("a@b", "\u00fc@far.example", "to"), ("\u00fc@b", "u@far.example", "from")]:
            system.sendmail("user1", "-f", sender, rcpt, message=f"Subject: {subject}\n\n")
            wait_for(lambda: system.mailq() == EMPTY, "an empty queue")
        system.stop()
        system.sendmail("user1", "-f", "a@b", "\u00fc@far.example", message="Subject: dropped\n\n")
        system.start()
        wait_for(lambda: len(elsewhere.messages) == 5, "five mails")
    got = {re.search(rb"Subject: ([^\r]*)", m.content)[1].decode(): m.mail_parameters for m in elsewhere.messages}
    assert {subject for subject, words in got.items() if "SMTPUTF8" in words} == {"to", "from", "dropped"}
    assert "BODY=8BITMIME" in got["gr\u00fc\u00df"] and "BODY=8BITMIME" not in got["plain"]


# ---- SMTP on standard input


def test_smtp_session(sandbox):
    dialogue = ["EHLO me", "MAIL FROM:<user1> RET=HDRS ENVID=e1", "RCPT TO:<user2> NOTIFY=SUCCESS ORCPT=rfc822;u+2Bx@y",
                "RCPT TO:<@>", "VRFY x", "NOOP", "HELP", "EXPN x", "STARTTLS", "FOO", "DATA", "Subject: by pipe\r\n\r\n..dot\r\n.", "RSET",
                "RCPT TO:<user2>", "QUIT"]
    done = sandbox.sendmail("user1", "-bs", message="".join(line + "\r\n" for line in dialogue), text=True)
    codes = [line[:3] for line in done.stdout.splitlines() if line[3:4] != "-"]
    assert codes == ["220", "250", "250", "250", "501", "252", "250", "214", "502", "502", "500", "354", "250", "250", "503", "221"]
    assert {"SMTPUTF8", "DSN", "8BITMIME", "PIPELINING"} <= {line[4:] for line in done.stdout.splitlines()}
    [got] = sandbox.wait_messages("user2")
    assert got["Subject"] == "by pipe" and got.get_payload() == ".dot\n"
    [report] = sandbox.wait_messages("user1")
    text = report.as_string()
    assert "Original-Envelope-Id: e1" in text and re.search(r"Original-Recipient: rfc822; ?u\+(2B)?x@y", text), text


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_batch_smtp(sandbox, end):
    batch = ["HELO x", "MAIL FROM:<a@b.example>", "RCPT TO:<user1>", "RCPT TO:<user2>", "DATA", "Subject: one", "", "..x",
             ".", "MAIL FROM:<>", "RCPT TO:<user1>", "DATA", "Subject: two", "", "."]
    done = sandbox.sendmail("user1", "-bS", message=end.join(batch) + end)
    assert (done.stdout, done.stderr) == ("", "")
    assert sorted(m["Subject"] for m in sandbox.wait_messages("user1", 2)) == ["one", "two"]
    [got] = sandbox.wait_messages("user2")
    assert got.get_payload() == ".x\n" and got["Return-Path"] == "<a@b.example>"


def test_batch_smtp_tells_what_went_wrong(sandbox):
    done = sandbox.sendmail("user1", "-bS", check=False,
                            message="MAIL FROM:<a@b>\nRCPT TO:<user1\nRCPT TO:<user2>\nDATA\nSubject: x\n\n.\nFOO\n")
    assert done.returncode == 65 and done.stdout == ""
    assert re.match(r"sendmail: command 2: 501 5\.\d\.\d .*\nsendmail: command 5: 500 5\.5\.\d .*\n$", done.stderr)
    sandbox.wait_messages("user2")
    done = sandbox.sendmail("user1", "-bS", check=False, message="MAIL FROM:<a@b>\nRCPT TO:<user1>\nDATA\nSubject: x\n")
    assert done.returncode == 75 and "ended within the message" in done.stderr
    assert sandbox.mailq() == EMPTY and not sandbox.messages("user1")
