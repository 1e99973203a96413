# SPDX-License-Identifier: Apache-2.0
"""How programs that are not run here call sendmail: their command lines, as their sources have them."""
import pytest

from support.system import HOST_NAME

HERE = HOST_NAME
FULL = "From: Program <program@example.org>\nTo: user2, payam@localhost\nSubject: {name}\n\nText.\n.\nmore\n"

# name, user, arguments, text, who gets it, reverse-path, From field
CALLS = [
    ("cronie", "root", "-FCronDaemon -i -odi -oem -oi -t -f root",
     "From: \"(Cron Daemon)\" <root>\nTo: user2\nSubject: {name}\n\nText.\n.\nmore\n", "user2", f"root@{HERE}",
     '"(Cron Daemon)" <root>'),
    ("systemd", "root", "-t", "To: user2\nFrom: systemd <root@host>\nSubject: {name}\n\nText.\n", "user2", f"root@{HERE}",
     "systemd <root@host>"),  # without -i: a dot would end it
    ("mailman 2", "user1", "-oi -f list-bounces@example.org user2 payam", FULL, "user2 payam", "list-bounces@example.org",
     "Program <program@example.org>"),
    ("debbugs", "user1", "-odb -oi -f debbugs@example.org -- user2", FULL, "user2", "debbugs@example.org",
     "Program <program@example.org>"),
    ("reportbug", "user1", "-f user1@example.org -oi -oem user2", FULL, "user2", "user1@example.org",
     "Program <program@example.org>"),
    ("Emacs", "user1", "-oi -f user1 -odb -oem -t", FULL, "user2 payam", f"user1@{HERE}", "Program <program@example.org>"),
    ("nagios", "user1", "-oi -oem -t", FULL, "user2 payam", f"user1@{HERE}", "Program <program@example.org>"),
    ("Bugzilla", "user1", "-t -i -oi -fbugs@example.org", FULL, "user2 payam", "bugs@example.org", "Program <program@example.org>"),
    ("Perl's MIME::Lite", "user1", "-t -oi -oem", FULL, "user2 payam", f"user1@{HERE}", "Program <program@example.org>"),
    ("Python's Trac", "user1", "-i -f trac@example.org -- user2 payam", FULL, "user2 payam", "trac@example.org",
     "Program <program@example.org>"),
    ("Ruby's mail", "user1", "-i -f program@example.org -- user2 payam", FULL, "user2 payam", "program@example.org",
     "Program <program@example.org>"),
    ("nmh", "user1", "-m -t -i", FULL, "user2 payam", f"user1@{HERE}", "Program <program@example.org>"),
    ("pine", "user1", "-bs", None, "user2", "user1@example.org", "Program <program@example.org>"),
    ("sympa", "user1", "-oi -odi -oem -N NEVER -f list@example.org -- user2", FULL, "user2", "list@example.org",
     "Program <program@example.org>"),
    ("Nextcloud", "user1", "-t -i -fcloud@example.org", FULL, "user2 payam", "cloud@example.org", "Program <program@example.org>"),
    ("a bare call", "user1", "user2", "Text.\n", "user2", f"user1@{HERE}", f"user1@{HERE}"),
]


def dialogue(name):
    text = FULL.format(name=name).replace("\n.\n", "\n..\n")
    return ("EHLO localhost\r\nMAIL FROM:<user1@example.org>\r\nRCPT TO:<user2>\r\nDATA\r\n" + text.replace("\n", "\r\n")
            + ".\r\nQUIT\r\n")


def test_call_lines(town):
    """All at once, each told from the others by its name."""
    for name, user, arguments, text, *_ in CALLS:
        done = town.run(user, ["/usr/lib/sendmail", *arguments.split()], stdin=dialogue(name) if text is None else text.format(name=name))
        assert done.stderr == "" and (done.stdout == "" or text is None), name
    town.wait_empty()
    for name, _, _, text, recipients, reverse_path, sender in CALLS:
        for user in ["user1", "user2", "payam"]:
            mails = [m for m in town.messages(user) if m["Subject"] == (name if text != "Text.\n" else None)]
            assert len(mails) == (user in recipients.split()), (name, user)
            for mail in mails:
                assert mail["Return-Path"] == f"<{reverse_path}>", name
                assert mail["From"] == sender, name
                whole = (text or FULL).partition("\n\n")[2] or text
                assert mail.get_payload() == whole, name


@pytest.mark.parametrize("arguments, text, status", [
    ("-t", "Subject: nobody\n\n", 65),
    ("-oi -t --no-such-option", "To: user2\n\n", 64),
    ("-f", "", 64),
    ("", "Subject: nobody\n\n", 64),
])
def test_what_callers_get_wrong(town, arguments, text, status):
    done = town.run("user1", ["/usr/lib/sendmail", *arguments.split()], stdin=text, check=False)
    assert done.returncode == status and done.stderr
    assert town.mail_of("user2", 0) == []
