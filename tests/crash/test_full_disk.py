# SPDX-License-Identifier: Apache-2.0
"""A full disk: new mail is put off, what was accepted is still delivered, and accepting resumes by itself.

The spool has a small file system of its own, in the mount namespace of a host made for the test.
"""
import re
import smtplib

import pytest

from support.system import wait_for

SPOOL = "/var/spool/postrider"
BODY = "a line of a mail that takes room on the disk\n" * 2000  # 90 kB: some hundred of them fill it
LIMIT = 2000  # far more mails than fit


@pytest.fixture(params=["ext4", "tmpfs"])
def small_disk(request, bare_host):
    """A host whose spool has 24 MB."""
    root = bare_host
    root.run("root", ["mkdir", "-p", SPOOL])
    if request.param == "tmpfs":
        root.run("root", ["mount", "-t", "tmpfs", "-o", "size=24m,mode=0711", "none", SPOOL])
    else:
        root.run("root", ["truncate", "-s", "24m", "/tmp/disk"])
        root.run("root", ["/usr/sbin/mkfs.ext4", "-q", "-O", "^has_journal", "-m", "0", "/tmp/disk"])
        if root.run("root", ["mount", "-o", "loop", "/tmp/disk", SPOOL], check=False).returncode:
            pytest.skip("no loop devices here")
    root.setup()
    yield root
    root.stop()
    root.run("root", ["umount", SPOOL])


def configure(system, paused):
    system.configure({"queue.segment_size": "1m", "queue.reserve": "4m", "queue.paused": "yes" if paused else "no"})


def mail(number):
    return f"Subject: number {number}\n\n{BODY}last line of {number}\n"


def fill(system):
    """Sends until it is refused; how many were accepted."""
    with system.smtp() as client:
        client.ehlo()
        for number in range(LIMIT):
            client.mail("user1@localhost")
            client.rcpt("user2@localhost")
            try:
                code, text = client.data(mail(number).replace("\n", "\r\n").encode())
            except smtplib.SMTPDataError as refused:
                code, text = refused.smtp_code, refused.smtp_error
            if code != 250:
                assert code == 452 and text.startswith(b"4.3.1 "), (code, text)
                return number
    raise AssertionError(f"{LIMIT} mails were accepted")


def accepted(system):
    """One more mail by SMTP: whether it was taken."""
    with system.smtp() as client:
        try:
            client.sendmail("user1@localhost", "payam@localhost", "Subject: again\r\n\r\n")
        except (smtplib.SMTPDataError, smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused) as refused:
            assert getattr(refused, "smtp_code", 452) == 452
            return False
    return True


def all_delivered(system, n):
    text = system.mailbox_text("user2")
    return all(f"\nlast line of {number}\n" in text for number in range(n)) and text.count("\nlast line of ") == n


def test_refuses_delivers_resumes(small_disk):
    system = small_disk
    system.expect_error("No space left|disk")
    configure(system, paused=True)
    system.start()
    n = fill(system)
    assert n > 50
    done = system.sendmail("user1", "payam", check=False)
    assert done.returncode == 75 and re.search("452 4.3.1", done.stderr), done
    configure(system, paused=False)
    system.postrider("reload")
    wait_for(lambda: all_delivered(system, n), f"{n} mails in user2's mailbox", 60)
    wait_for(lambda: accepted(system), "mail to be accepted again", 60)
    system.wait_messages("payam")
    wait_for(lambda: system.mailq() == "Mail queue is empty\n", "an empty queue")


def test_restarts_on_a_full_disk(small_disk):
    """Not only our own reserve is gone: another program took the last byte; and everything is killed."""
    system = small_disk
    system.expect_error("No space left|disk|killed")
    configure(system, paused=True)
    system.start()
    n = fill(system)
    system.run("root", ["sh", "-c", f"cat /dev/zero >{SPOOL}/filler"], check=False)
    system.kill9_all()
    configure(system, paused=False)
    system.start()
    wait_for(lambda: all_delivered(system, n), f"{n} mails in user2's mailbox", 60)
    system.run("root", ["rm", f"{SPOOL}/filler"])
    wait_for(lambda: accepted(system), "mail to be accepted again", 60)
    system.restart()
    assert system.mailq() == "Mail queue is empty\n"
    assert all_delivered(system, n)


def test_mail_for_the_drop_directory_is_put_off(small_disk):
    """With the daemon down and the disk full sendmail says so; nothing half is left."""
    system = small_disk
    configure(system, paused=False)
    system.run("root", ["sh", "-c", f"cat /dev/zero >{SPOOL}/filler"], check=False)
    done = system.sendmail("user1", "payam", check=False)
    assert done.returncode == 75 and done.stderr
    assert system.run("root", ["ls", "-A", f"{SPOOL}/drop"]).stdout == ""
    system.run("root", ["rm", f"{SPOOL}/filler"])
    system.sendmail("user1", "payam")
    system.start()
    system.wait_messages("payam")


def test_a_full_mailbox_disk_defers(bare_host):
    """The mailbox stays as it was, the mail stays in the queue, and goes when there is room."""
    system = bare_host
    system.run("root", ["mount", "-t", "tmpfs", "-o", "size=300k,mode=2775,gid=mail", "none", "/var/mail"])
    system.setup()
    configure(system, paused=False)
    system.start()
    for number in range(5):
        system.sendmail("user1", "user2", message=mail(number))
    listed = wait_for(lambda: (text := system.mailq()) and "No space left on device" in text and text,
                      "the reason in mailq")
    assert "user2@" in listed
    whole = system.messages("user2")
    assert whole and all(re.search(r"^last line of \d$", one.get_payload(), re.M) for one in whole)
    system.run("root", ["mount", "-o", "remount,size=3m", "/var/mail"])
    system.sendmail("root", "-q", message="")
    wait_for(lambda: all_delivered(system, 5), "the rest in user2's mailbox")
