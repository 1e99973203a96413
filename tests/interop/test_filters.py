# SPDX-License-Identifier: Apache-2.0
"""Debian's procmail, maildrop and vacation, and commands of one's own, where aliases and .forward name them."""
import socket
import threading

import pytest

from support.system import HOST_NAME, wait_for

FILTER = """\
:0
* ^Subject:.*list
lists

:0
* ^Subject:.*go on
! payam

:0
* ^Subject:.*no
{
  EXITCODE=77
  :0
  /dev/null
}
"""

# As its manual page tells users to write it.
PROCMAIL = "\"|IFS=' ' && exec /usr/bin/procmail -f- || exit 75 #user1\"\n"


def send(town, subject, to="user1"):
    town.sendmail("user2", to, message=f"Subject: {subject}\n\nFrom me\n")


def check_procmail(town):
    """A mailbox of its own, the usual one, sendmail called by it, and a refusal."""
    town.write_home("user1", ".procmailrc", FILTER)
    for subject in ["my list", "hello", "go on", "no"]:
        send(town, subject)
    (forwarded,) = town.mail_of("payam")
    (kept,) = town.mail_of("user1")
    (bounce,) = town.mail_of("user2")
    assert kept["Subject"] == "hello" and forwarded["Subject"] == "go on"
    assert forwarded["Return-Path"] == f"<user1@{HOST_NAME}>"  # it calls sendmail as the user
    assert "5.7.0" in bounce.as_string() and "Undelivered" in bounce["Subject"]
    listed = town.read_home("user1", "lists")
    assert listed.startswith(f"From user2@{HOST_NAME}  ") and "Subject: my list" in listed and ">From me" in listed
    assert listed.count("\nReceived: ") == 1 and listed.count("\nDelivered-To: ") == 1


def test_procmail_in_forward(town):
    town.write_home("user1", ".forward", PROCMAIL)
    check_procmail(town)


@pytest.mark.parametrize("command", ["/usr/bin/procmail", '/usr/bin/procmail -a "$EXTENSION"'])
def test_procmail_as_mailbox_command(town, command):
    town.use({"local.mailbox_command": command})
    check_procmail(town)
    send(town, "for root", to="root")  # aliased to payam, who has procmail without a filter
    assert town.mail_of("payam", 2)[1]["Subject"] == "for root"


def test_procmail_in_aliases(town):
    town.write("/etc/procmailrc.ticket", "DEFAULT=/var/tmp/ticket\n")
    town.write(town.aliases_file, 'root: payam\npostmaster: root\nticket: "|/usr/bin/procmail -m /etc/procmailrc.ticket"\n')
    town.newaliases()
    send(town, "printer", to="ticket")
    box = town.path("/var/tmp/ticket")
    wait_for(lambda: box.exists() and "Subject: printer" in box.read_text(), "the ticket")
    town.wait_empty()
    assert box.owner() == "nobody"  # local.command_user


def test_maildrop(town):
    """It takes the From_ line for a part of the mail, whoever hands that over, and quotes it."""
    town.write_home("user1", ".mailfilter", mode=0o600,
                    text='if (/^Subject:.*list/)\n{\n  to "$HOME/lists"\n}\nto "/var/mail/user1"\n')
    town.write_home("user1", ".forward", '"|/usr/bin/maildrop"\n')
    send(town, "my list")
    send(town, "hello")
    town.mail_of("user1")
    assert "\nSubject: hello\n" in town.mailbox_text("user1")
    assert "Subject: my list" in town.read_home("user1", "lists")


def test_vacation(town):
    """It answers once, to the person, from nobody; lists and bounces hear nothing."""
    town.write_home("user1", ".vacation.msg", "Subject: away\n\nBack on Monday.\n")
    town.run("user1", ["/usr/bin/vacation", "-i"])
    town.write_home("user1", ".forward", '\\user1, "|/usr/bin/vacation user1"\n')
    for n in range(2):
        town.sendmail("user2", "user1", message=f"To: user1@{HOST_NAME}\nSubject: question {n}\n\n?\n")
    town.sendmail("payam", "user1", message=f"To: user1@{HOST_NAME}\nPrecedence: list\nSubject: list\n\n")
    town.sendmail("payam", "-f", "", "user1", message=f"To: user1@{HOST_NAME}\nSubject: report\n\n")
    (answer,) = town.mail_of("user2")
    assert answer["Subject"] == "away" and "Back on Monday." in answer.get_payload()
    assert answer["Return-Path"] == "<>" or answer.get_from().startswith(("user1@", "MAILER-DAEMON"))
    assert answer["From"].find("user1") >= 0
    assert sorted(m["Subject"] for m in town.mail_of("user1", 4)) == ["list", "question 0", "question 1", "report"]
    assert town.mail_of("payam", 0) == []


def test_a_pipe_that_opens_a_socket(town):
    """Commands run outside of the sandbox: what they do is their user's business."""
    got = []
    with town.network():
        listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20)

    def take():
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as stream:
            got.append(stream.read())

    thread = threading.Thread(target=take)
    thread.start()
    port = listener.getsockname()[1]
    town.write_home("user1", "send", "import socket, sys\n"
                    f"s = socket.create_connection(('127.0.0.1', {port}))\ns.sendall(sys.stdin.buffer.read())\n")
    town.write_home("user1", ".forward", '"|python3 $HOME/send"\n')
    send(town, "by the wire")
    thread.join(30)
    listener.close()
    assert got and b"Subject: by the wire" in got[0]
    town.wait_empty()


def test_a_pipe_that_calls_sendmail(town):
    """Its mail is its user's, whoever sent the first one."""
    town.write_home("user1", ".forward",
                    '"|(echo \'Subject: again\'; echo; cat) | /usr/sbin/sendmail -i payam && /usr/sbin/sendmail -i lpic1 </dev/null"\n')
    send(town, "once")
    again, empty = sorted(town.mail_of("payam", 2), key=lambda m: m["Subject"] or "z")
    assert again["Subject"] == "again" and "Subject: once" in again.get_payload()
    assert again["Return-Path"] == f"<user1@{HOST_NAME}>" and "from userid" in again["Received"]
    assert empty.get_payload().strip() == ""
