# SPDX-License-Identifier: Apache-2.0
"""Commands, files, Maildirs and lists, of aliases and of ~/.forward, as people use them; in the sandbox and as a host."""
import os
import re

import pytest

from support.system import HOST_NAME, wait_for

EMPTY = "Mail queue is empty\n"


def set_aliases(system, text):
    system.write(system.aliases_file, f"root: payam\npostmaster: root\n{text}")
    system.newaliases()


def wait_empty(system):
    wait_for(lambda: system.mailq() == EMPTY, "an empty queue")


def test_a_pipe_of_an_alias(mail_system):
    set_aliases(mail_system, 'ticket: "|cat > /tmp/postrider-ticket.$QUEUE_ID; echo 4.2.2 come again; exit 1"\n')
    mail_system.sendmail("user1", "ticket", message="Subject: broken\n\nprinter\n")
    mail_system.wait_log(r"to=<ticket@.*dsn=4\.2\.2, status=deferred \(exit status 1 of the command: .*come again")
    assert "come again" in mail_system.mailq()
    set_aliases(mail_system, "ticket: user2\n")  # a stuck message follows the repaired alias
    mail_system.sendmail("root", "-q")
    assert mail_system.wait_messages("user2")[0]["Subject"] == "broken"
    wait_empty(mail_system)


def test_a_failing_pipe_bounces_with_its_output(mail_system):
    set_aliases(mail_system, 'ticket: "|echo no printers here; exit 77"\n')
    mail_system.sendmail("user1", "ticket", message="Subject: broken\n\n")
    bounce = mail_system.wait_messages("user1")[0]
    assert "Undelivered" in bounce["Subject"]
    code = re.search(r"^Diagnostic-Code: ((?:.|\n )*)$", bounce.as_string(), re.M)[1].replace("\n ", " ")
    assert code == ('x-unix; permission denied (exit status 77 of the command): "echo no printers here; exit 77". '
                    "Command output: no printers here")
    assert "5.7.0" in bounce.as_string()


def test_a_pipe_of_forward_beside_a_copy(mail_system):
    mail_system.write_home("user1", ".forward", '\\user1, "|sed -n s/^Subject:.//p >> $HOME/subjects"\n')
    for n in range(3):
        mail_system.sendmail("payam", "user1", message=f"Subject: number {n}\n\n")
    wait_empty(mail_system)
    assert sorted(m["Subject"] for m in mail_system.messages("user1")) == ["number 0", "number 1", "number 2"]
    assert sorted(mail_system.read_home("user1", "subjects").split("\n")) == ["", "number 0", "number 1", "number 2"]


def test_one_failing_item_repeats_no_other(mail_system):
    set_aliases(mail_system, 'team: user2, "|exit 75"\n')
    mail_system.sendmail("user1", "team", message="Subject: once\n\n")
    for n in range(1, 4):
        mail_system.wait_log(r"to=<team@.*status=deferred \(temporary failure", n)
        if n < 3:
            mail_system.sendmail("root", "-q")
    assert len(mail_system.messages("user2")) == 1


def test_lists_that_files_hold(mail_system):
    path = mail_system.write_list("members", "user1\nuser2, payam # all\nUSER1@localhost\n|/bin/false\n")
    set_aliases(mail_system, f"all: :include:{path}\nowner-all: payam\n")
    mail_system.sendmail("user1", "all", message="Subject: to all\n\n")
    for user in ("user1", "user2", "payam"):
        assert mail_system.wait_messages(user)[0]["Return-Path"] == f"<owner-all@{HOST_NAME}>"
    wait_empty(mail_system)
    assert [len(mail_system.messages(u)) for u in ("user1", "user2", "payam")] == [1, 1, 1]
    mail_system.write_list("members", "user2\n")  # read when mail comes: nothing to rebuild
    mail_system.sendmail("user1", "all", message="Subject: fewer\n\n")
    wait_for(lambda: len(mail_system.messages("user2")) == 2, "the second message")
    wait_empty(mail_system)
    assert len(mail_system.messages("payam")) == 1


def test_a_missing_list_waits_and_says_so(mail_system):
    mail_system.expect_error(r"the list /no/such/list cannot be used: No such file .*queue\.misconfigured_lifetime")
    set_aliases(mail_system, "all: :include:/no/such/list\n")
    mail_system.sendmail("user1", "all", message="Subject: to all\n\n")
    mail_system.wait_log(r"status=deferred \(.*/no/such/list.*No such file")
    assert mail_system.messages("user1") == []


def test_a_list_that_includes_its_alias_ends(mail_system):
    path = mail_system.write_list("members", "user2\nall\n")
    set_aliases(mail_system, f"all: :include:{path}\n")
    mail_system.sendmail("user1", "all", message="Subject: round\n\n")
    assert "lead to each other" in " ".join(mail_system.wait_messages("user1")[0].as_string().split())
    wait_empty(mail_system)
    assert [m["Subject"] for m in mail_system.messages("user2")] == ["round"]


def test_the_file_of_an_extension(mail_system):
    mail_system.write_home("user1", ".forward+lists", "user2\n")
    mail_system.sendmail("payam", "user1+lists", message="Subject: list\n\n")
    mail_system.sendmail("payam", "user1+other", message="Subject: other\n\n")
    wait_empty(mail_system)
    assert [m["Subject"] for m in mail_system.messages("user2")] == ["list"]
    assert [m["Subject"] for m in mail_system.messages("user1")] == ["other"]


@pytest.mark.parametrize("name", ["archive", "Maildir/"])
def test_files_of_forward(mail_system, name):
    home = mail_system.home("user1")
    mail_system.write_home("user1", ".forward", f"{home}/{name}, user2\n")
    mail_system.sendmail("payam", "user1", message="Subject: kept\n\nFrom me\n")
    assert mail_system.wait_messages("user2")[0]["Subject"] == "kept"
    wait_empty(mail_system)
    if name == "archive":
        text = mail_system.read_home("user1", "archive")
    else:
        (file,) = mail_system.list_home("user1", "Maildir/new")
        text = mail_system.read_home("user1", f"Maildir/new/{file}")
    assert "Subject: kept" in text and (">From me" in text) == (name == "archive")


def test_slow_commands_of_one_user_stop_no_other(sandbox):
    """More than one user may have at a time; they run until the file goes."""
    wait = sandbox.home("user1") / "wait"
    wait.touch()
    sandbox.write_home("user1", ".forward", f'"|while [ -e {wait} ]; do sleep 0.1; done"\n')
    sandbox.write_home("user2", ".forward", '"|cat >got"\n')
    try:
        with sandbox.smtp() as client:
            for _ in range(105):
                client.sendmail("a@far.example", ["user1"], "Subject: slow\n\nslow\n")
            sandbox.wait_log("forwarded as the user's .forward says", 105)
            client.sendmail("a@far.example", ["user2"], "Subject: quick\n\nquick\n")
        sandbox.wait_log(r"to=<user2@.*status=sent \(delivered to command")
    finally:
        wait.unlink()
    sandbox.wait_log(r"to=<user1@.*status=sent \(delivered to command", 105)


def test_a_command_may_send_mail(mail_system):
    mail_system.write_home("user1", ".forward", f'"|{mail_system.program("sendmail")} -i -f user1 user2"\n')
    mail_system.sendmail("payam", "user1", message="Subject: sent on\n\n")
    got = mail_system.wait_messages("user2")[0]
    assert got["Subject"] == "sent on" and got["Return-Path"] == f"<user1@{HOST_NAME}>"
    wait_empty(mail_system)
