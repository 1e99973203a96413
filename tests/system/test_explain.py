# SPDX-License-Identifier: Apache-2.0
"""postrider explain: where mail would go, as the running daemon decides it; and who is told what."""
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from support.fake_dns import FakeDns
from support.system import wait_for

ALIASES = """\
postmaster: root
root: payam
lpic1: root
team: user1, user2@localhost, \\payam,
  "|/bin/true --flag", /tmp/archive, user1
owner-team: payam
request: :include:{list}
gone: :fail: 5.7.1 no more
later: :defer: come back
hole: /dev/null
a: b
b: a
far: someone@[192.0.2.7]
"""


@pytest.fixture
def system(mail_system):
    members = mail_system.write_list("members", "user2\n# none\nuser1@localhost, |evil\n")
    mail_system.write(mail_system.aliases_file, ALIASES.format(list=members))
    mail_system.newaliases()
    mail_system.write_home("user1", ".forward", "user2, \\user1\n\"|/usr/bin/vacation user1\"\n:fail: x\n")
    return mail_system


def explain(system, *words, user="root", status=0):
    done = system.postrider("explain", *words, user=user, check=False)
    assert done.returncode == status, (done.stdout, done.stderr)
    assert done.stderr == ""
    return done.stdout


def deliveries(system, *words, user="root", status=0):
    answer = json.loads(explain(system, "--json", *words, user=user, status=status))
    return [(one["kind"], one.get("target", one.get("reason", "")), one.get("user", "")) for one in answer["deliveries"]]


def test_each_decision_names_its_file_and_line(system):
    text = explain(system, "lpic1")
    at = {name: n for n, line in enumerate(ALIASES.splitlines(), 1) for name in [line.partition(":")[0]]}
    aliases, mailbox = system.aliases_file, system.mail_dir / "payam"
    expected = [
        r"^lpic1$",
        r"^  no domain, so the origin is added: centos7-1\.localdomain is this host: the origin \(.*/etc/mailname\)$",
        r"^  canonical form: lpic1@centos7-1\.localdomain$",
        rf'^  alias "lpic1"  \[{aliases}:{at["lpic1"]}\]$',
        rf'^    root  \[{aliases}:{at["lpic1"]}\]$',
        rf'^      alias "root"  \[{aliases}:{at["root"]}\]$',
        rf'^        payam  \[{aliases}:{at["root"]}\]$',
        r'^          no alias "payam"$',
        r"^          payam@centos7-1\.localdomain$",
        r"^            user payam is in ",
        rf"^            there is no {system.home('payam')}/\.forward$",
        rf"^            => mailbox {mailbox}$",
        r"^RCPT of a client from outside is answered: 250 2\.1\.5 Ok$",
    ]
    lines = text.splitlines()
    assert len(lines) == len(expected), text
    for line, pattern in zip(lines, expected):
        assert re.search(pattern, line), (line, pattern)


def test_ways_and_ends(system):
    mail = system.mail_dir
    vacation = ("command", "/usr/bin/vacation user1", "user1")
    rows = [
        ("user2", 0, [("mailbox", f"{mail}/user2", "user2")]),
        ("USER2@LocalHost", 0, [("mailbox", f"{mail}/user2", "user2")]),
        ("user1+ext", 0, [("mailbox", f"{mail}/user2", "user2"), ("mailbox", f"{mail}/user1", "user1"), vacation]),
        ("team", 0, [("mailbox", f"{mail}/user2", "user2"), ("mailbox", f"{mail}/payam", "payam"),
                     ("command", "/bin/true --flag", "nobody"), ("file", "/tmp/archive", "nobody"),
                     ("mailbox", f"{mail}/user1", "user1"), vacation]),
        ("request", 0, [("mailbox", f"{mail}/user2", "user2"), ("mailbox", f"{mail}/user1", "user1"), vacation]),
        ("gone", 67, [("fail", "no more", "")]),
        ("later", 75, [("defer", "come back", "")]),
        ("hole", 0, [("discard", "", "")]),
        ("a", 67, [("fail", "alias loop: a -> b -> a", "")]),
        ("nosuch", 67, [("fail", 'unknown user: "nosuch"', "")]),
        ("x@y@z", 67, [("fail", "malformed address: the domain is malformed", "")]),
        ("abuse", 0, [("mailbox", f"{mail}/payam", "payam")]),
        ("far", 0, [("relay", "[192.0.2.7]", "")]),
    ]
    for address, status, want in rows:
        assert sorted(deliveries(system, address, status=status)) == sorted(want), address


def test_what_explain_says_is_what_happens(system):
    """Mail goes where the dry run said, and the dry run itself makes none."""
    addresses = ["team", "user1", "request", "lpic1", "postmaster"]
    wanted = set()
    for address in addresses:
        for kind, target, _user in deliveries(system, address):
            if kind == "mailbox":
                wanted.add((address, target))
    assert all(not system.messages(user) for user in ["user1", "user2", "payam"])
    assert "Mail queue is empty" in system.mailq()
    assert " status=" not in system.log()
    for address in addresses:
        system.sendmail("user2", address, message=f"Subject: {address}\n\nx\n")
    expected = {user: sorted(a for a, target in wanted if target.endswith("/" + user))
                for user in ["user1", "user2", "payam"]}
    for user, subjects in expected.items():
        got = wait_for(lambda u=user, n=len(subjects): (m := system.messages(u)) and len(m) >= n and m, f"mail of {user}")
        assert sorted(m["Subject"] for m in got) == subjects


def test_unsafe_forward_is_told_as_delivery_sees_it(system):
    rows = [
        ("not/a/file", lambda p: (p.unlink(), p.mkdir()), "is not a regular file"),
        ("others write", lambda p: os.chmod(p, 0o666), "may be written by others: chmod go-w"),
        ("a link", lambda p: (p.unlink(), p.symlink_to("other")), "is a symbolic link, which is not followed"),
        ("a filter", lambda p: p.write_text("# Exim filter\n"), "is an Exim or Sieve filter, which is not supported"),
    ]
    path = (system.path if system.is_host else Path)(f"{system.home('user2')}/.forward")
    for name, spoil, why in rows:
        system.write_home("user2", ".forward", "payam\n")
        spoil(path)
        text = explain(system, "user2")
        assert f"{system.home('user2')}/.forward is ignored: it {why}" in text, (name, text)
        assert f"=> mailbox {system.mail_dir}/user2" in text, name
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def test_rcpt_answers_and_senders(system):
    assert "answered: 550 5.7.1 <gone@centos7-1.localdomain>: Recipient address rejected: no more" in explain(
        system, "gone", status=67)
    assert "answered: 451 4.2.1 <later@" in explain(system, "later", status=75)
    assert "answered: 554 5.7.1 <far@[192.0.2.7]>: Relay access denied" in explain(system, "far@[192.0.2.7]")
    owned = json.loads(explain(system, "--json", "--from", "boss@example.org", "team"))
    assert {one["reverse_path"] for one in owned["deliveries"]} == {"owner-team@centos7-1.localdomain"}
    plain = json.loads(explain(system, "--from", "<boss@example.org>", "--json", "user2"))
    assert [one["reverse_path"] for one in plain["deliveries"]] == ["boss@example.org"]


def test_hosts_of_a_domain_and_the_relay_host(postrider_with, tmp_path):
    zone = {"mx.example": {"MX": ["20 two.mx.example.", "10 one.mx.example."]},
            "one.mx.example": {"A": ["127.0.0.11"]}, "two.mx.example": {"A": ["127.0.0.12"]}}
    with FakeDns(zone) as dns:
        (tmp_path / "resolv.conf").write_text(dns.resolv_conf)
        system = postrider_with({"smtp.resolv_conf": tmp_path / "resolv.conf", "smtp.port": "2525"})
        text = explain(system, "someone@mx.example")
        assert "the MX hosts of mx.example, port 2525" in text
        assert re.findall(r"(?:to be tried:|then) (\S+)", text) == [
            "one.mx.example[127.0.0.11]:2525", "two.mx.example[127.0.0.12]:2525"]
        assert "=> returned: 5.1.2" in explain(system, "someone@none.example", status=67)
        system.configure({"relay.host": "[127.0.0.9]:2526"})
        system.postrider("reload")
        line = system.config_file.read_text().splitlines().index("host = [127.0.0.9]:2526") + 1
        wait_for(lambda: f"next hop [127.0.0.9]:2526: relay.host  [{system.config_file}:{line}]"
                 in explain(system, "someone@mx.example"), "the relay host")
        assert "to be tried: 127.0.0.9[127.0.0.9]:2526" in explain(system, "someone@mx.example")


def test_mailbox_settings(postrider_with):
    system = postrider_with({"local.home_mailbox": "Maildir/"})
    assert deliveries(system, "user2") == [("mailbox", f"{system.home('user2')}/Maildir/", "user2")]
    system.configure({"local.mailbox_command": "/usr/bin/procmail -t"})
    system.postrider("reload")
    wait_for(lambda: deliveries(system, "user2") == [("command", "/usr/bin/procmail -t", "user2")], "the command")
    assert "local.mailbox_command delivers in the mailbox's place" in explain(system, "user2")
    system.configure({"local.mailbox_transport": "lmtp:inet:127.0.0.1:24"})
    system.postrider("reload")
    wait_for(lambda: deliveries(system, "user2") == [("mailbox", "lmtp:inet:127.0.0.1:24", "user2")], "the transport")
    assert "the mailbox user2@centos7-1.localdomain is kept by local.mailbox_transport" in explain(system, "user2")


def test_an_ordinary_user_sees_his_own_files_only(host):
    host.write(host.aliases_file, "both: user1, user2\nroot: payam\n")
    host.newaliases()
    host.write_home("user1", ".forward", "payam\n", mode=0o600)
    host.write_home("user2", ".forward", "secret@[192.0.2.8], \"|/bin/secret\"\n", mode=0o600)
    own = explain(host, "user1", user="user1")
    assert "/home/user1/.forward is used" in own and "=> user payam" in own
    other = explain(host, "user2", user="user1")
    assert "what becomes of it is not shown: you are not user2" in other
    assert "secret" not in other and ".forward" not in other and "/var/mail" not in other
    mixed = explain(host, "both", user="user1")
    assert "/home/user1/.forward:1" in mixed and "you are not user2" in mixed and "secret" not in mixed
    assert "secret@[192.0.2.8]" in explain(host, "user2")
    # aliases that may not be read are not told either
    host.run("root", ["chmod", "0640", str(host.aliases_file)])
    text = explain(host, "both", user="user1", status=75)
    assert "what the alias stands for is not shown: /etc/aliases may not be read by everyone" in text
    assert "user2" not in text
    assert "=> mailbox /var/mail/payam" in explain(host, "root")


def test_questions_count_as_messages(host):
    """So that nobody keeps the daemon busy with them; administrators are exempt."""
    host.configure({"queue.max_per_uid": "3"})
    host.postrider("reload")
    wait_for(lambda: host.postrider("config", "get", "queue.max_per_uid").stderr == "", "the reload")
    answers = [host.postrider("explain", "user1", user="user1", check=False) for _ in range(4)]
    assert [one.returncode for one in answers] == [0, 0, 0, 75]
    assert "too many questions and messages in a minute (queue.max_per_uid)" in answers[3].stderr
    assert host.sendmail("user1", "-bv", "user2", message="", check=False).returncode == 75
    assert all(explain(host, "user1") for _ in range(5))


def test_the_claimed_name_proves_nothing(host):
    """The worker compares the uid that the kernel vouched for, whatever a client says who it is."""
    host.write_home("user2", ".forward", "secret@example.org\n", mode=0o600)
    uid = int(host.run("root", ["id", "-u", "user1"]).stdout)
    host.write("/run/passwd", f"root:x:0:0::/root:/bin/sh\nuser2:x:{uid}:{uid}::/home/user1:/bin/sh\n")
    done = host.run("root", ["unshare", "--mount", "sh", "-c",
                             f"mount --bind /run/passwd /etc/passwd; exec setpriv --reuid={uid} --regid={uid} "
                             "--clear-groups postrider explain user2"], check=False)
    assert "not shown: it is not yours" in done.stdout, (done.stdout, done.stderr)
    assert "secret" not in done.stdout


def test_bounds(sandbox):
    everybody = ", ".join(f"nobody{n}@localhost" for n in range(3000))
    sandbox.write(sandbox.aliases_file, f"many: {everybody}\n")
    sandbox.newaliases()
    answer = json.loads(explain(sandbox, "--json", "many", status=67))
    assert len(answer["deliveries"]) == 1000
    assert any(step["text"] == "and more, which is not shown" for step in answer["steps"])


@pytest.mark.sanitize
def test_roles_that_die_meanwhile_cost_an_answer_and_no_more(sandbox):
    everybody = ", ".join(f"user{n % 2 + 1}+x{n}" for n in range(300))
    sandbox.write(sandbox.aliases_file, f"all: {everybody}\n")
    sandbox.newaliases()
    sandbox.expect_error(r"(local|lookup)\[\d+\] was killed by signal 9; starting another")
    queue = sandbox.role_pids("queue")
    for role in ["local", "lookup", "local"]:
        asking = sandbox.popen("root", [sandbox.program("postrider"), "explain", "--json", "all"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        sandbox.kill_role(role)
        out, err = asking.communicate(timeout=60)
        assert asking.returncode in (0, 75) and (err or json.loads(out)["deliveries"]), (role, out, err)
        sandbox.wait_ready(role)
    assert sandbox.role_pids("queue") == queue
    wait_for(lambda: sandbox.postrider("explain", "user1", check=False).returncode == 0, "the roles")


def test_wrong_words_and_no_daemon(sandbox):
    for words in [[], ["--what", "a"], ["a", "b"], ["--from"], [""]]:
        done = sandbox.postrider("explain", *words, check=False)
        assert done.returncode == 64 and "usage: postrider explain" in done.stderr, words
    sandbox.stop()
    done = sandbox.postrider("explain", "user1", check=False)
    assert done.returncode == 69 and "postriderd is not running" in done.stderr


def test_sendmail_verifies(system):
    mail = [
        (["user2"], 0, ["user2... deliverable: mailer local, user user2"]),
        (["lpic1"], 0, ["lpic1... deliverable: mailer local, user payam"]),
        (["User Two <user2>, nosuch@localhost", "later"], 67,
         ["user2... deliverable: mailer local, user user2", "nosuch@localhost... User unknown",
          "later... deferred: 4.2.1 come back"]),
        (["later", "user2"], 75,
         ["later... deferred: 4.2.1 come back", "user2... deliverable: mailer local, user user2"]),
        (["gone"], 67, ["gone... undeliverable: 5.7.1 no more"]),
        (["hole"], 0, ["hole... deliverable: mailer *file*, user /dev/null"]),
        (["far"], 0, ["far... deliverable: mailer smtp, host [192.0.2.7], user someone@[192.0.2.7]"]),
        (["x@[192.0.2.8]"], 0, ["x@[192.0.2.8]... deliverable: mailer smtp, host [192.0.2.8], user x@[192.0.2.8]"]),
        (["bad\x1b[2J@x y"], 67, ["bad [2J@x y... undeliverable: 5.1.3 malformed address: the part before the @ is empty or "
                                  "has a character that needs quotes"]),
    ]
    for words, status, lines in mail:
        done = system.sendmail("user1", "-bv", *words, message="", check=False)
        assert (done.returncode, done.stdout.splitlines()) == (status, lines), (words, done)
    several = system.sendmail("root", "-bv", "team", message="").stdout.splitlines()
    assert "team@centos7-1.localdomain... deliverable: mailer prog, user /bin/true --flag" in several
    assert "team@centos7-1.localdomain... deliverable: mailer *file*, user /tmp/archive" in several
    assert system.sendmail("user1", "-bv", check=False).returncode == 64
    assert "Mail queue is empty" in system.mailq()


def test_sendmail_verifies_with_a_report(system):
    done = system.sendmail("user2", "-bv", "-v", "lpic1", "nosuch", message="", check=False)
    assert done.returncode == 67
    report = system.wait_messages("user2")[0]
    assert report["Subject"] == "Mail Delivery Status Report" and report["Return-Path"] == "<>"
    assert report["Auto-Submitted"] == "auto-generated"
    assert 'alias "lpic1"' in report.get_payload() and '=> returned: 5.1.1 unknown user: "nosuch"' in report.get_payload()


def test_sendmail_tests_addresses(system):
    one = system.sendmail("root", "-bt", "lpic1", message="").stdout
    assert one == explain(system, "lpic1")
    typed = "lpic1\n\n# a remark\n/parse user2\n3,0 nosuch\n/quit\npayam\n"
    done = system.sendmail("root", "-bt", message=typed, check=False)
    assert done.returncode == 67
    assert [line for line in done.stdout.splitlines() if line[0] not in " R"] == ["lpic1", "user2", "nosuch"]
    for words in [["-bh"], ["-bH"], ["-bh", "192.0.2.1"]]:
        assert (done := system.sendmail("user1", *words, message="")).stdout == "" == done.stderr
    for word in ["-be", "-bf", "-brt", "-brw", "-bnq", "-bw", "-bmalware"]:
        done = system.sendmail("user1", word, message="", check=False)
        assert done.returncode == 64 and f"{word}: no such mode" in done.stderr, word


def test_sendmail_cannot_ask_a_daemon_that_is_down(sandbox):
    sandbox.stop()
    for words in [["-bv", "user1"], ["-bt", "user1"]]:
        done = sandbox.sendmail("user1", *words, message="", check=False)
        assert done.returncode == 69 and "postriderd is not running" in done.stderr, words
