# SPDX-License-Identifier: Apache-2.0
"""Reports end to end: who is told what of which outcome, and that every report is what the RFCs say.

The matrix is NOTIFY by what becomes of the mail (outcomes below). Each mail of it has a sender of its own, so that all
are under way at once and each report is known by its reader. check_report() holds every report against RFC 3464, 6522
and 6533, with Python's parser of mail.
"""
import email
import email.policy
import re

import pytest

from support.fake_smtp import EXTENSIONS, FakeSmtp
from support.system import HOST_NAME, wait_for

pytestmark = pytest.mark.sanitize
WITHOUT_DSN = [word for word in EXTENSIONS if word != "DSN"]
EMPTY = "Mail queue is empty\n"
PER_MESSAGE = ["Reporting-MTA", "X-Postrider-Queue-ID", "X-Postrider-Sender", "Original-Envelope-Id", "Arrival-Date"]
PER_RECIPIENT = ["Original-Recipient", "Final-Recipient", "Action", "Status", "Remote-MTA", "Diagnostic-Code",
                 "Last-Attempt-Date", "Will-Retry-Until"]
CLASSES = {"failed": "5", "delayed": "4", "delivered": "2", "relayed": "2", "expanded": "2"}


class Fields(dict):
    """One block of a delivery status."""

    def __init__(self, block, known):
        for name, value in block.items():
            assert name in known, name
            assert name not in self, f"{name} is there twice"
            assert value.strip() == value and "\n" not in value.replace("\n ", " "), (name, value)
            self[name] = value.replace("\n ", " ")
        in_order = [name for name in known if name in self]
        assert list(self) == in_order, list(self)


class Report:
    """A mail that is a report, taken apart and checked."""

    def __init__(self, raw):
        self.mail = mail = email.message_from_bytes(raw.replace(b"\r\n", b"\n"), policy=email.policy.compat32)
        assert mail["From"] == f"MAILER-DAEMON@{HOST_NAME} (Mail Delivery System)"
        assert mail["Auto-Submitted"] in ("auto-replied", "auto-generated")
        for name in ["Date", "Message-ID", "Subject", "To", "MIME-Version", "Content-Type"]:
            assert len(mail.get_all(name, [])) == 1, name
        assert mail.get_content_type() == "multipart/report" and not mail.defects
        self.parts = mail.get_payload()
        assert len(self.parts) == 3 and not any(part.defects for part in self.parts)
        self.text = self.parts[0].get_payload(decode=True).decode(self.parts[0].get_content_charset())
        assert self.parts[0].get_content_type() == "text/plain"
        kind = self.parts[1].get_content_type()
        assert kind == "message/" + mail.get_param("report-type")
        boundary = b"\n--" + mail.get_boundary().encode()
        self.bodies = [part.split(b"\n\n", 1)[1] for part in raw.replace(b"\r\n", b"\n").split(boundary)[1:4]]
        for part, body in zip(self.parts, self.bodies):
            assert part["Content-Transfer-Encoding"] == (None if body.isascii() else "8bit"), body
        assert mail["Content-Transfer-Encoding"] == (None if raw.isascii() else "8bit")
        self.read_status()
        assert all(len(line) <= 998 for line in raw.splitlines())

    def read_status(self):
        part = self.bodies[1].decode()
        blocks = [email.message_from_string(block) for block in part.strip().split("\n\n")]
        self.message = Fields(blocks[0], PER_MESSAGE)
        self.recipients = [Fields(block, PER_RECIPIENT) for block in blocks[1:]]
        assert self.message["Reporting-MTA"] == f"dns; {HOST_NAME}" and "Arrival-Date" in self.message
        assert self.recipients
        for r in self.recipients:
            assert re.fullmatch(r"(rfc822|utf-8); \S+", r["Final-Recipient"])
            assert re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", r["Status"]) and r["Status"][0] == CLASSES[r["Action"]]
            assert ("Will-Retry-Until" in r) == (r["Action"] == "delayed")
            assert re.match(r"(smtp|X-Postrider|x-unix); \S", r["Diagnostic-Code"])

    @property
    def actions(self):
        return {r["Action"] for r in self.recipients}

    @property
    def original_type(self):
        return self.parts[2].get_content_type()

    @property
    def original(self):
        return self.bodies[2]


def wait_empty(system):
    wait_for(lambda: system.mailq() == EMPTY, "an empty queue", 60)


class Mails:
    """A system whose relay host is everything else: it keeps reports to *@told.example, and answers recipients by name."""

    def __init__(self, postrider_with, extensions, more=None):
        def answer(argument):
            if "gone@" in argument:
                return "550 5.1.1 no such user, says\tthe host"
            if "later@" in argument:
                return "450 4.2.1 come back"
            return "250 2.1.5 Ok"
        self.server = FakeSmtp(replies={"RCPT": answer}, extensions=extensions)
        self.server.__enter__()
        self.system = postrider_with({"relay.host": f"[127.0.0.1]:{self.server.port}", **(more or {})})
        self.n = 0

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.server.__exit__(*exception)

    def send(self, to, mail=(), rcpt=(), content="Subject: original\n\nthe text\n", sender=None):
        """By SMTP, in a transaction of its own; the address that reports go to."""
        self.n += 1
        sender = sender or f"n{self.n}@told.example"
        with self.system.smtp() as client:
            assert client.ehlo()[0] == 250 and client.has_extn("dsn")
            code, words = client.mail(sender, list(mail))
            assert code == 250, words
            for one in [to] if isinstance(to, str) else to:
                code, words = client.rcpt(one, list(rcpt))
                assert code == 250, words
            body = content.encode() if isinstance(content, str) else content
            assert client.data(body.replace(b"\n", b"\r\n"))[0] == 250
        return sender

    def reports_to(self, address):
        return [Report(m.content) for m in list(self.server.messages) if m.sender == "" and m.recipients == [address]]

    def relayed(self, address):
        return [m for m in list(self.server.messages) if m.sender and address in m.recipients]


# What becomes of a mail: recipient, whether the next host has DSN, and which actions are reported when all are asked
# for. None: the action belongs to somebody else than the sender.
ALIASES = """\
root: payam
postmaster: root
one: user1
far: fine@elsewhere.example
several: user1, user2
broken: user1, gone@elsewhere.example
staff: user1, gone@elsewhere.example
owner-staff: keeper@told.example
"""
OUTCOMES = {
    # name: (recipient, next host has DSN, reported of success, reported of failure)
    "mailbox": ("user1@localhost", True, "delivered", None),
    "relayed": ("fine@elsewhere.example", False, "relayed", None),
    "passed on": ("fine@elsewhere.example", True, None, None),
    "refused": ("gone@elsewhere.example", True, None, "failed"),
    "alias": ("one@localhost", True, "delivered", None),
    "alias elsewhere": ("far@localhost", False, "relayed", None),
    "alias passed on": ("far@localhost", True, None, None),
    "several": ("several@localhost", True, "expanded", None),
    "several, one fails": ("broken@localhost", True, "expanded", "failed"),
    "list": ("staff@localhost", True, "delivered", None),
    "forward": ("user2@localhost", False, "relayed", None),
    "forward passed on": ("user2@localhost", True, None, None),
    "forward and keep": ("lpic1@localhost", True, "expanded", None),
}
NOTIFY = [None, "NEVER", "SUCCESS", "FAILURE", "DELAY", "SUCCESS,FAILURE,DELAY"]


@pytest.mark.parametrize("has_dsn", [True, False])
def test_notify_by_outcome(postrider_with, has_dsn):
    with Mails(postrider_with, EXTENSIONS if has_dsn else WITHOUT_DSN) as mails:
        system = mails.system
        system.write(system.aliases_file, ALIASES)
        system.newaliases()
        system.write_home("user2", ".forward", "fine@elsewhere.example\n")
        system.write_home("lpic1", ".forward", "\\lpic1, fine@elsewhere.example\n")
        sent = []
        for name, (to, with_dsn, of_success, of_failure) in OUTCOMES.items():
            for notify in NOTIFY if with_dsn == has_dsn else []:
                rcpt = [f"NOTIFY={notify}"] if notify else []
                want = {of_success} if "SUCCESS" in (notify or "") else set()
                want |= {of_failure} if notify is None or "FAILURE" in notify else set()
                sent.append((name, notify, want - {None}, mails.send(to, ["ENVID=e+2B1"], rcpt)))
        wait_empty(system)
        for name, notify, want, sender in sent:
            reports = mails.reports_to(sender)
            assert sorted(a for r in reports for a in r.actions) == sorted(want), (name, notify)
            for r in reports:
                assert r.message["Original-Envelope-Id"] == "e+1", (name, notify)
        owners = mails.reports_to("keeper@told.example")
        assert len(owners) == (len(NOTIFY) if has_dsn else 0)
        for r in owners:
            assert r.actions == {"failed"} and "Original-Envelope-Id" not in r.message
            assert [x["Final-Recipient"] for x in r.recipients] == ["rfc822; gone@elsewhere.example"]


def test_what_the_next_host_is_told(postrider_with):
    with Mails(postrider_with, EXTENSIONS) as mails:
        mails.system.write(mails.system.aliases_file, ALIASES + "members: fine@elsewhere.example\n"
                           "owner-members: keeper@told.example\n")
        mails.system.newaliases()
        mails.send("fine@elsewhere.example", ["RET=HDRS", "ENVID=a+20b"], ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;x+2By@z"])
        mails.send("far@localhost", ["RET=FULL"], ["NOTIFY=NEVER"])
        mails.send("members@localhost", ["RET=HDRS", "ENVID=mine"], ["NOTIFY=NEVER", "ORCPT=rfc822;mine@x"])
        wait_empty(mails.system)
        # In the order of the senders n1, n2, owner-members: deliveries overtake one another.
        first, second, third = sorted(mails.relayed("fine@elsewhere.example"), key=lambda message: message.sender)
    assert {"RET=HDRS", "ENVID=a+20b"} <= set(first.mail_parameters)
    assert first.rcpt_parameters == [["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;x+2By@z"]]
    assert "RET=FULL" in second.mail_parameters
    assert second.rcpt_parameters == [["NOTIFY=NEVER", "ORCPT=rfc822;far@localhost"]]
    # A list is the end: nothing of what its sender asked for goes on.
    assert third.sender == f"owner-members@{HOST_NAME}" and third.rcpt_parameters == [[]]
    assert not any(word.startswith(("RET=", "ENVID=")) for word in third.mail_parameters)


BODY = "\n".join(f"line {n}" for n in range(20000)) + "\n"


@pytest.mark.parametrize("ret, body, kind, is_cut", [
    (None, "short\n", "message/rfc822", False), ("FULL", "short\n", "message/rfc822", False),
    ("HDRS", "short\n", "text/rfc822-headers", False), ("FULL", BODY, "message/rfc822", True),
    ("HDRS", BODY, "text/rfc822-headers", False)], ids=["usual", "full", "hdrs", "long", "long, hdrs"])
def test_what_comes_back(postrider_with, ret, body, kind, is_cut):
    header = "Subject: original\nMessage-ID: <one@two>\nX-Long: " + "x" * 900 + "\n"
    with Mails(postrider_with, EXTENSIONS, {"queue.bounce_size": "10000"}) as mails:
        sender = mails.send("gone@elsewhere.example", [f"RET={ret}"] if ret else [], content=header + "\n" + body)
        wait_empty(mails.system)
        [report] = mails.reports_to(sender)
    [r] = report.recipients
    assert report.original_type == kind and b"X-Long: " + b"x" * 900 in report.original
    assert (body[:12].encode() in report.original) == (ret != "HDRS")
    assert ("is long" in report.text) == is_cut and len(report.original) < 12000
    if is_cut:
        assert re.search(rb"\nline \d+\n*$", report.original)
    assert report.mail["References"] == report.mail["In-Reply-To"] == "<one@two>"
    assert report.mail["Subject"] == "Undelivered Mail Returned to Sender"
    assert r["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user, says the host"
    assert r["Remote-MTA"] == "dns; 127.0.0.1" and r["Status"] == "5.1.1"
    assert "There is no such address there" in report.text and report.message["X-Postrider-Queue-ID"] in report.text


def test_a_boundary_in_the_original_is_no_boundary(postrider_with):
    """Who knows how boundaries are made can know one only before it is made; all near ones are tried."""
    with Mails(postrider_with, EXTENSIONS) as mails:
        sender = mails.send("gone@elsewhere.example")
        wait_empty(mails.system)
        boundary = mails.reports_to(sender)[0].mail.get_boundary()
        number, when = boundary.split(".")
        lines = "".join(f"--{int(number, 16) + n:015X}.{int(when) + s}\nAction: delivered\n\n--{int(number, 16) + n:015X}."
                        f"{int(when) + s}--\n" for n in range(8) for s in range(30))
        sender = mails.send("gone@elsewhere.example", content="Subject: original\n\n" + lines)
        wait_empty(mails.system)
        [report] = mails.reports_to(sender)
    assert report.actions == {"failed"} and lines.encode() in report.original


@pytest.mark.parametrize("smtputf8, sender, header, extensions, want", [
    # 8-bit without SMTPUTF8 comes back as it was
    (False, None, b"Subject: \xe4\n", EXTENSIONS, ("message/rfc822", "delivery-status")),
    (True, None, "Subject: grüße\n".encode(), EXTENSIONS, ("message/global", "delivery-status")),
    (True, "jürgen@told.example", "Subject: grüße\n".encode(), EXTENSIONS, ("message/global", "global-delivery-status")),
])
def test_what_is_not_ascii(postrider_with, smtputf8, sender, header, extensions, want):
    content = header + b"\nbody \xc3\xbc\n"
    with Mails(postrider_with, extensions) as mails:
        sender = mails.send("gone@elsewhere.example", ["BODY=8BITMIME"] + ["SMTPUTF8"] * smtputf8, content=content,
                            sender=sender)
        wait_empty(mails.system)
        [report] = mails.reports_to(sender)
        [sent] = [m for m in mails.server.messages if m.sender == ""]
    assert (report.original_type, report.mail.get_param("report-type")) == want
    assert header in report.original and b"body \xc3\xbc\n" in report.original
    assert ("SMTPUTF8" in sent.mail_parameters) == (not sender.isascii())
    assert "BODY=8BITMIME" in sent.mail_parameters


def test_a_reader_whose_host_lacks_smtputf8(postrider_with):
    """Its ASCII address is enough to tell a sender of SMTPUTF8 mail; who has another cannot be told there."""
    with Mails(postrider_with, [word for word in EXTENSIONS if word != "SMTPUTF8"]) as mails:
        content = "Subject: grüße\n\nü\n"
        sender = mails.send("gone@elsewhere.example", ["BODY=8BITMIME", "SMTPUTF8"], content=content)
        wait_empty(mails.system)
        [report] = mails.reports_to(sender)
        assert report.recipients[0]["Status"] == "5.6.7" and report.original_type == "message/global"
        mails.send("gone@elsewhere.example", ["BODY=8BITMIME", "SMTPUTF8"], content=content, sender="jürgen@told.example")
        wait_empty(mails.system)
        [copy] = mails.system.messages("payam")
        assert copy["Subject"] == "Postmaster Copy: Undelivered Mail" and "5.6.7" in copy.as_string()


def test_a_delay_is_told_with_the_time_it_ends(postrider_with):
    with Mails(postrider_with, EXTENSIONS, {"queue.delay_warning": "1s", "queue.retry_min": "2s"}) as mails:
        told = mails.send(["later@elsewhere.example", "later@other.example"])
        silent = [mails.send("later@elsewhere.example", rcpt=[f"NOTIFY={word}"]) for word in ["NEVER", "FAILURE,SUCCESS"]]
        [report] = wait_for(lambda: mails.reports_to(told), "a warning")
        mails.system.restart()
        mails.system.sendmail("root", "-q")
        mails.system.wait_log(r"later@elsewhere.example.*status=deferred", 9)
        assert len(mails.reports_to(told)) == 1
        assert not any(mails.reports_to(address) for address in silent)
    assert report.actions == {"delayed"} and len(report.recipients) == 2
    assert report.mail["Subject"] == "Delayed Mail (still being retried)"
    assert report.original_type == "text/rfc822-headers" and "You need not" not in report.text
    assert report.recipients[0]["Diagnostic-Code"] == "smtp; 450 4.2.1 come back"


def test_sendmail_asks_for_reports(postrider_with):
    """-N, -R and -V, to another host and to a mailbox."""
    with Mails(postrider_with, EXTENSIONS) as mails:
        system = mails.system
        for to in ["fine@elsewhere.example", "user2", "gone@elsewhere.example"]:
            system.sendmail("user1", "-N", "success,failure", "-R", "hdrs", "-V", "my+2Bid", "-f", "me@told.example", to)
        system.sendmail("user1", "-N", "never", "-f", "me@told.example", "gone@elsewhere.example")
        wait_empty(system)
        [passed] = mails.relayed("fine@elsewhere.example")
        reports = mails.reports_to("me@told.example")
    assert {"RET=HDRS", "ENVID=my+2Bid"} <= set(passed.mail_parameters)
    assert "NOTIFY=SUCCESS,FAILURE" in passed.rcpt_parameters[0]
    assert sorted(action for r in reports for action in r.actions) == ["delivered", "failed"]
    assert {r.original_type for r in reports} == {"text/rfc822-headers"}
    assert {r.message["Original-Envelope-Id"] for r in reports} == {"my+id"}
