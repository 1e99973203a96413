# SPDX-License-Identifier: Apache-2.0
"""What the queue does with lists, forwards that go in circles, bounces without a reader, and much mail at once."""
import pytest

from support.fake_smtp import FakeSmtp
from support.system import HOST_NAME, wait_for

pytestmark = pytest.mark.sanitize
EMPTY = "Mail queue is empty\n"


def set_aliases(system, text):
    system.write(system.aliases_file, f"root: payam\npostmaster: root\n{text}")
    system.newaliases()


def wait_empty(system, patience_s=60):
    wait_for(lambda: system.mailq() == EMPTY, "an empty queue", patience_s)


def test_an_alias_may_lead_elsewhere(postrider_with):
    with FakeSmtp() as elsewhere:
        system = postrider_with({"relay.host": f"[127.0.0.1]:{elsewhere.port}"})
        set_aliases(system, "far: someone@far.example\nboth: someone@far.example, user2\n")
        system.sendmail("user1", "far", message="Subject: to far\n\n")
        system.sendmail("user1", "both", message="Subject: to both\n\n")
        wait_empty(system)
    assert len(elsewhere.messages) == 2
    for got in elsewhere.messages:
        assert (got.sender, got.recipients) == (f"user1@{HOST_NAME}", ["someone@far.example"])
    assert [m["Subject"] for m in system.messages("user2")] == ["to both"]


def test_a_list_with_an_item_that_cannot_be_read_repeats_nothing(sandbox):
    sandbox.expect_error("the list /no/such/list cannot be used")
    set_aliases(sandbox, "list: user2, :include:/no/such/list\n")
    sandbox.sendmail("user1", "list", message="Subject: for the list\n\n")
    sandbox.wait_messages("user2")
    for n in range(1, 4):
        sandbox.wait_log(r"to=<list@.*status=deferred", n)
        if n < 3:
            sandbox.sendmail("root", "-q")
    listed = sandbox.mailq()
    assert f"list@{HOST_NAME}" in listed and "/no/such/list" in listed and "user2" not in listed
    assert len(sandbox.messages("user2")) == 1


def test_two_who_forward_to_each_other_lose_nothing(sandbox):
    sandbox.write_home("user1", ".forward", "user2\n")
    sandbox.write_home("user2", ".forward", "user1\n")
    for n in range(10):
        sandbox.sendmail("payam", "user1", "user2", message=f"Subject: {n}\n\n")
        sandbox.sendmail("payam", "user1", message=f"Subject: one {n}\n\n")
    wait_empty(sandbox)
    found = {m["Subject"] for user in ["user1", "user2"] for m in sandbox.messages(user)}
    assert found == {str(n) for n in range(10)} | {f"one {n}" for n in range(10)}


def test_a_bounce_that_nobody_takes_is_roots(sandbox):
    sandbox.sendmail("user1", "-f", "nobody-there@localhost", "nobody-here@localhost", message="Subject: lost\n\n")
    wait_empty(sandbox)
    [copy] = sandbox.messages("payam")
    assert copy["Subject"].startswith("Postmaster Copy") and copy["Return-Path"] == "<>"
    assert "nobody-there@" in copy.as_string()


def test_a_list_of_twenty_thousand_ends(sandbox):
    members = [f"unknown-{n}" if n % 2 else f"user1+{n}" for n in range(20000)]
    set_aliases(sandbox, "many: " + ",\n ".join([*members, "user2"]) + "\n")
    sandbox.sendmail("payam", "many", message="Subject: for many\n\n")
    wait_empty(sandbox, 180)
    assert len(sandbox.messages("user2")) == 1 and sandbox.messages("user1")
    bounce = "".join(m.as_string() for m in sandbox.messages("payam"))
    assert bounce.count("Action: failed") == 10000


def test_many_large_mails_arrive_whole(sandbox):
    users = [f"reader{n}" for n in range(30)]
    passwd = sandbox.etc / "users"
    line = next(line for line in passwd.read_text().splitlines() if line.startswith("user1:"))
    passwd.write_text(passwd.read_text() + "".join(line.replace("user1", user) + "\n" for user in users))
    for user in users:
        sandbox.home(user).mkdir()
    body = "".join(f"{n:099d}\r\n" for n in range(2000))
    with sandbox.smtp() as client:
        for n in range(300):
            client.sendmail("a@elsewhere.example", f"{users[n % 30]}@localhost", f"Subject: {n}\r\n\r\n{body}")
    wait_empty(sandbox, 180)
    for k, user in enumerate(users):
        got = sandbox.messages(user)
        assert sorted(int(m["Subject"]) for m in got) == list(range(k, 300, 30))
        assert all(m.get_payload().strip() == body.replace("\r\n", "\n").strip() for m in got)


def test_mail_at_rest_keeps_all_it_knows_over_a_restart(postrider_with):
    refusal = "451 4.2.1 mailbox busy, come again"
    with FakeSmtp(replies={"RCPT": lambda path: refusal if "late" in path else "250 2.1.5 Ok"}) as elsewhere:
        system = postrider_with({"relay.host": f"[127.0.0.1]:{elsewhere.port}", "queue.max_active": "2"})
        for n in range(6):
            system.sendmail("user1", f"late{n}@far.example", f"soon{n}@far.example", message=f"Subject: {n}\n\n")
        system.wait_log(r"to=<late.*status=deferred", 6)
        system.wait_log(r"to=<soon.*status=sent", 6)
        before = system.mailq()
        assert before.count("come again") == 6 and "soon" not in before
        assert [n for n in range(6) if f"late{n}@far.example" in before] == list(range(6))
        system.restart()
        assert system.mailq() == before
        elsewhere.replies["RCPT"] = "250 2.1.5 Ok"
        system.sendmail("root", "-q")
        wait_empty(system)
    got = sorted(path for message in elsewhere.messages for path in message.recipients)
    assert got == sorted(f"{kind}{n}@far.example" for n in range(6) for kind in ["late", "soon"])


def test_a_long_list_does_not_stop_in_the_middle(sandbox):
    """A client that reads at once, while nothing else happens in the queue."""
    n = 90000
    to = ",\n ".join(f"u{i}@far.example" for i in range(n))
    sandbox.sendmail("user1", "-t", message=f"To: {to}\nSubject: many\n\nmany\n")
    sandbox.wait_log("far.example is held off")
    assert sandbox.mailq().count("@far.example") >= n
