# SPDX-License-Identifier: Apache-2.0
"""Programs that send mail, as Debian packages them: whoever gets it looks at sender, recipients, header and text."""
import configparser
import re
import subprocess

import pytest

from support.system import HOST_NAME, wait_for

ADDRESS = {user: f"{user}@{HOST_NAME}" for user in ["root", "user1", "user2", "payam"]}


def is_from(message, user):
    """The reverse-path; the From field is each program's own."""
    return message["Return-Path"] == f"<{ADDRESS[user]}>"


def directory(town, path, *options):
    town.run("root", ["install", "-d", *options, path])


# ---- daemons


def test_cron(town):
    """What a job prints is mailed to its user, or to MAILTO; one that prints nothing sends nothing."""
    directory(town, "/var/spool/cron/crontabs")
    town.write("/etc/crontab", "@reboot payam echo of the system\n")
    town.write("/var/spool/cron/crontabs/user1",
               "@reboot echo out; echo err >&2\n@reboot true\nMAILTO=user2\n@reboot echo to another\n")
    crontab = "/var/spool/cron/crontabs/user1"
    town.run("root", ["chown", "user1", crontab])
    town.run("root", ["chmod", "600", crontab])
    daemon = town.popen("root", ["/usr/sbin/cron", "-f"], stdin=subprocess.DEVNULL)
    try:
        (system,), (own,), (other,) = town.mail_of("payam"), town.mail_of("user1"), town.mail_of("user2")
    finally:
        daemon.kill()
        daemon.wait()
    assert own["From"] == "root (Cron Daemon)" and own["Subject"].startswith("Cron <user1@")
    assert own.get_payload().splitlines() == ["out", "err"] and own["X-Cron-Env"]
    assert system.get_payload() == "of the system\n" and other.get_payload() == "to another\n"
    assert own["To"] == "user1" and other["To"] == "user2"
    assert own["Content-Type"].startswith("text/plain; charset=")
    assert is_from(own, "root") or is_from(own, "user1")


def test_at_and_batch(town):
    """A job's output, and its end when asked for with -m, is mailed to its user."""
    directory(town, "/var/spool/cron/atjobs", "-o", "daemon", "-g", "daemon", "-m", "1770")
    directory(town, "/var/spool/cron/atspool", "-o", "daemon", "-g", "daemon", "-m", "1770")
    town.run("root", ["install", "-o", "daemon", "-g", "daemon", "-m", "600", "/dev/null", "/var/spool/cron/atjobs/.SEQ"])
    daemon = town.popen("root", ["/usr/sbin/atd", "-f", "-l", "1000", "-b", "1"], stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: town.path("/run/atd.pid").exists(), "atd")
        town.run("user1", ["/usr/bin/at", "now"], stdin="echo from at\n")
        (first,) = town.mail_of("user1")
        town.run("user1", ["/usr/bin/at", "-m", "now"], stdin="true\n")
        town.mail_of("user1", 2)
        town.run("user1", ["/usr/bin/batch"], stdin="echo from batch\n")
        mails = town.mail_of("user1", 3)
    finally:
        daemon.kill()
        daemon.wait()
    assert first.get_payload() == "from at\n" and first["To"] == "user1"
    assert re.match(r"Output from your job\s+\d+", first["Subject"])
    assert is_from(first, "user1") and mails[2].get_payload() == "from batch\n"


def test_anacron(town):
    directory(town, "/var/spool/anacron")
    town.write("/etc/anacrontab", "1 0 job echo from anacron\n")
    town.run("root", ["/usr/sbin/anacron", "-d", "-f", "-n", "-S", "/var/spool/anacron"])
    (mail,) = town.mail_of("payam")  # root's
    assert mail.get_payload() == "from anacron\n" and mail["From"].startswith("Anacron <root")
    assert "Anacron job 'job'" in mail["Subject"] and is_from(mail, "root")


# ---- programs that people run


def test_git_send_email(town):
    """A patch to two people and a copy, with a sender of its own."""
    town.run("user1", ["git", "init", "-q", "work"])
    town.write_home("user1", ".gitconfig", "[user]\nname = User Öne\nemail = one@example.org\n[init]\ndefaultBranch = main\n")
    work = town.home("user1") / "work"
    for words in [["commit", "-q", "--allow-empty", "-m", "root"], ["commit", "-q", "--allow-empty", "-m", "Änderung"]]:
        town.run("user1", ["git", *words], cwd=work)
    town.write_home("user1", "work/0001.patch", "From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n"
                    "From: User One <one@example.org>\nDate: Mon, 1 Jan 2024 00:00:00 +0000\nSubject: [PATCH] change\n\n"
                    "It changes.\n---\n x | 1 +\n\n-- \n2.39\n")
    done = town.run("user1", ["git", "send-email", "--quiet", "--confirm=never", "--suppress-cc=all", f"--to={ADDRESS['user2']}", f"--to={ADDRESS['payam']}",
                              f"--bcc={ADDRESS['user1']}", "--envelope-sender=payam", "0001.patch"], cwd=work)
    assert done.stderr == ""
    (mail,), (second,), (blind,) = town.mail_of("user2"), town.mail_of("payam"), town.mail_of("user1")
    assert mail["Subject"] == "[PATCH] change" and mail["Bcc"] is None and blind["Bcc"] is None
    assert "one@example.org" in mail["From"] and is_from(mail, "payam")
    assert mail["Message-ID"] == second["Message-ID"] == blind["Message-ID"]
    assert "\nIt changes.\n---\n" in mail.get_payload()


def test_mutt(town):
    town.write_home("user1", ".muttrc", 'set realname="User One" use_envelope_from=yes dsn_notify="failure,delay" dsn_return=hdrs\n')
    town.write_home("user1", "notes.txt", "attached\n")
    done = town.run("user1", ["/usr/bin/mutt", "-s", "from mutt", "-c", "payam", "-b", "lpic1", "-a", "notes.txt", "--", "user2"],
                    stdin="text\n")
    assert done.stderr == ""
    (mail,) = town.mail_of("user2")
    copies = town.mail_of("payam")  # lpic1 is an alias that ends there: one copy
    assert mail["Subject"] == "from mutt" and mail["Bcc"] is None and mail["From"].startswith("User One <user1@")
    assert is_from(mail, "user1") and mail.is_multipart() and len(copies) == 1
    assert mail.get_payload(1).get_payload(decode=True) == b"attached\n"


@pytest.mark.parametrize("program", ["/usr/bin/bsd-mailx", "/usr/bin/s-nail"])
def test_mailx(town, program):
    done = town.run("user1", [program, "-s", "from mailx", "-c", "payam", "user2"], stdin="text\n.\nmore\n")
    assert done.stderr == ""
    (mail,) = town.mail_of("user2")
    assert mail["Subject"] == "from mailx" and is_from(mail, "user1") and mail["Cc"].startswith("payam")
    assert mail.get_payload().startswith("text\n") and len(town.mail_of("payam")) == 1


def test_s_nail_with_a_sender(town):
    town.run("user1", ["/usr/bin/s-nail", "-r", "payam@example.org", "-s", "as another", "user2"], stdin="text\n")
    (mail,) = town.mail_of("user2")
    assert mail["From"] == "payam@example.org" and mail["Return-Path"] == "<payam@example.org>"


@pytest.mark.parametrize("way", [["--server", "127.0.0.1"], ["--pipe", "/usr/sbin/sendmail -bs"]])
def test_swaks(town, way):
    done = town.run("user1", ["swaks", *way, "--helo", "client.example", "--from", "a@example.org", "--to", "user2,payam",
                              "--header", "Subject: from swaks", "--body", ".dot\n"])
    assert "250 2.0.0" in done.stdout
    (mail,), (other,) = town.mail_of("user2"), town.mail_of("payam")
    assert mail["Subject"] == other["Subject"] == "from swaks" and mail["Return-Path"] == "<a@example.org>"
    assert ".dot" in mail.get_payload() and "..dot" not in mail.get_payload()


# ---- programs that report


def test_logwatch(town):
    directory(town, "/var/cache/logwatch")
    town.write("/var/log/auth.log", "Jan  2 03:04:05 host sudo:  payam : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id\n")
    town.run("root", ["/usr/share/logwatch/scripts/logwatch.pl", "--output", "mail", "--mailto", "user2", "--service", "sudo",
                      "--range", "all", "--format", "text", "--detail", "high"])
    (mail,) = town.mail_of("user2")
    assert mail["Subject"].startswith("Logwatch for ") and mail["From"] == "root" and is_from(mail, "root")
    text = mail.get_payload(decode=True).decode()
    assert "/usr/bin/id" in text and "Logwatch End" in text


def test_smartd(town):
    """What smartd starts when a disk fails: its script, Debian's runner, and mail(1)."""
    town.run("root", ["/bin/sh", "/usr/share/smartmontools/smartd_warning.sh"], env={
        "SMARTD_MAILER": "/usr/share/smartmontools/smartd-runner", "SMARTD_ADDRESS": "root", "SMARTD_FAILTYPE": "Health",
        "SMARTD_MESSAGE": "Device: /dev/sda, FAILED SMART self-check", "SMARTD_DEVICEINFO": "Disk", "SMARTD_PREVCNT": "0"})
    (mail,) = town.mail_of("payam")
    assert mail["Subject"].startswith("SMART error (Health) detected on host: ") and is_from(mail, "root")
    assert "FAILED SMART self-check" in mail.get_payload() and mail["To"].startswith("root")


def test_fail2ban(town):
    """What its action "sendmail" runs for a ban, with the words that it fills in."""
    rules = configparser.RawConfigParser()
    rules.read([town.path(f"/etc/fail2ban/action.d/{name}.conf") for name in ["sendmail-common", "sendmail"]])
    line = rules["Definition"]["actionban"].replace("<mailcmd>", rules["Init"]["mailcmd"]).replace("%%", "%")
    words = {"name": "sshd", "ip": "192.0.2.1", "failures": "5", "fq-hostname": HOST_NAME, "dest": "user2",
             "sender": "fail2ban", "sendername": "Fail2Ban"}
    for word, value in words.items():
        line = line.replace(f"<{word}>", value)
    assert "/usr/sbin/sendmail -f" in line
    town.run("root", ["/bin/bash", "-c", line])
    (mail,) = town.mail_of("user2")
    assert mail["Subject"] == f"[Fail2Ban] sshd: banned 192.0.2.1 from {HOST_NAME}" and mail["From"] == "Fail2Ban <fail2ban>"
    assert mail["Return-Path"] == f"<fail2ban@{HOST_NAME}>" and mail.get_payload().startswith("Hi,\n")


def test_mdadm(town):
    """An array that fails is not to be had here: its call line stands in the program, and is made as it is."""
    program = town.path("/usr/sbin/mdadm").read_bytes()
    assert b"/usr/sbin/sendmail -t\0" in program and b"From: %s monitoring <root@%s>" in program
    town.run("root", ["/bin/sh", "-c", "/usr/sbin/sendmail -t"],
             stdin=f"From: mdadm monitoring <root@{HOST_NAME}>\nTo: root\nSubject: DegradedArray event on /dev/md0:{HOST_NAME}\n\n"
                   "This is an automatically generated mail message.\n")
    (mail,) = town.mail_of("payam")
    assert mail["Subject"].startswith("DegradedArray event") and is_from(mail, "root")


def test_php(town):
    """mail() of a page; the fifth argument goes to sendmail as options."""
    code = r"""exit(mail('user2', 'from PHP', "one\r\n.\r\ntwo", "From: Page <page@example.org>\r\nCc: payam",
               '-fbounces@example.org') ? 0 : 1);"""
    town.run("user1", ["/usr/bin/php8.2", "-n", "-r", code])
    (mail,), (copy,) = town.mail_of("user2"), town.mail_of("payam")
    assert mail["Return-Path"] == "<bounces@example.org>" and mail["From"] == "Page <page@example.org>"
    assert mail["Subject"] == copy["Subject"] == "from PHP" and mail["To"] == "user2"
    assert mail.get_payload().split() == ["one", ".", "two"]


def test_sudo(town):
    """It tells root of somebody who may not."""
    town.write("/etc/sudoers", "Defaults !authenticate, mail_no_user, mailto = payam\nroot ALL=(ALL) ALL\n")
    town.path("/etc/sudoers").chmod(0o440)
    refused = town.run("user1", ["/usr/bin/sudo", "-n", "id"], check=False)
    assert refused.returncode != 0
    (mail,) = town.mail_of("payam")
    assert "SECURITY information" in mail["Subject"] and "user1 : user NOT in sudoers" in mail.get_payload()
    assert mail["To"] == "payam" and mail["Return-Path"].startswith("<")
