# SPDX-License-Identifier: Apache-2.0
"""The everyday scenario: what people and programs do with a host's mail, all through the commands, in both forms."""
import re
import smtplib
import shutil

import pytest

from support.fake_smtp import FakeSmtp
from support.system import HOST_NAME, free_port, wait_for

pytestmark = pytest.mark.sanitize


def subjects(system, user):
    return sorted(m["Subject"] for m in system.messages(user))


def wait_subjects(system, user, wanted):
    wait_for(lambda: set(wanted) <= set(subjects(system, user)), f"{wanted} in {user}'s mailbox")


def quiet(done):
    return (done.stdout, done.stderr) == ("", "")


# ---- 1. aliases


def test_newaliases_is_silent_and_writes_the_table(mail_system):
    table = mail_system.path(mail_system.aliases_file.with_name("aliases.db"))
    table.unlink(missing_ok=True)
    assert quiet(mail_system.newaliases())
    assert table.stat().st_size > 0


def test_pseudo_accounts_lead_to_who_reads_roots_mail(mail_system):
    mail_system.newaliases()
    for name in ["root", "postmaster", "MAILER-DAEMON", "nobody", "lpic1"]:
        mail_system.sendmail("user1", f"{name}@localhost", message=f"Subject: for {name}\n\n")
    wait_subjects(mail_system, "payam", [f"for {n}" for n in ["root", "postmaster", "MAILER-DAEMON", "nobody", "lpic1"]])
    assert not mail_system.messages("lpic1") and not mail_system.messages("root")


def test_an_edit_takes_effect_by_itself(mail_system):
    mail_system.newaliases()
    table = mail_system.path(mail_system.aliases_file.with_name("aliases.db"))
    before = table.stat().st_mtime_ns
    mail_system.write(mail_system.aliases_file, "postmaster: root\nroot: payam\nlpic1: user2\n")
    wait_for(lambda: table.stat().st_mtime_ns > before, "a new alias table")
    mail_system.sendmail("user1", "lpic1", message="Subject: edited\n\n")
    wait_subjects(mail_system, "user2", ["edited"])


def test_a_broken_edit_keeps_the_last_good_table_and_says_so(mail_system):
    mail_system.newaliases()
    mail_system.write(mail_system.aliases_file, "this line has no colon\n")
    wait_for(lambda: "aliases:" in mail_system.postrider("status").stdout, "the problem in `postrider status`")
    mail_system.wait_log(rf"warning: aliases: {mail_system.aliases_file}: .*\b1: expected")
    mail_system.sendmail("user1", "lpic1", message="Subject: still\n\n")
    wait_subjects(mail_system, "payam", ["still"])
    done = mail_system.newaliases(check=False)
    assert done.returncode == 65 and ":1: " in done.stderr


# ---- 2. writing and reading


def test_mail_is_typed_and_read(mail_system):
    with mail_system.terminal("user1", ["mail", "lpic1@localhost"]) as writer:
        writer.expect("Subject: ")
        writer.line("test lpic1")
        writer.line("Hi this is my first email.")
        writer.line("I am sending it to lpic1 email address.")
        writer.line(".")
        assert writer.finish() == 0
    mail_system.wait_messages("payam")
    with mail_system.terminal("payam", ["mail"]) as reader:
        banner = reader.expect(r"& ")
        where = re.escape(str(mail_system.mail_dir / "payam"))
        assert re.search(rf'Type \? for help\.\n"{where}": 1 message 1 new\n', banner), banner
        assert re.search(r'\n>N  1 user1@centos7-1\.loca  \w{3} \w{3} [ \d]\d \d\d:\d\d +\d+/\d+ +"test lpic1"\n', banner)
        reader.line("1")
        shown = reader.expect(r"\n& ")
        assert re.search(
            r"Message  1:\n"
            rf"From user1@{HOST_NAME}  \w{{3}} \w{{3}} [ \d]\d \d\d:\d\d:\d\d \d{{4}}\n"
            rf"Return-Path: <user1@{HOST_NAME}>\n"
            r"X-Original-To: lpic1@localhost\n"
            r"Delivered-To: lpic1@localhost\.localdomain\n"
            r"Date: .*\n"
            r"To: lpic1@localhost\.localdomain\n"
            r"Subject: test lpic1\n"
            r"User-Agent: .*\n"
            r"Content-Type: text/plain; charset=us-ascii\n"
            rf"From: user1@{HOST_NAME}\n"
            r"Status: R\n"
            r"\n"
            r"Hi this is my first email\.\n"
            r"I am sending it to lpic1 email address\.\n", shown), shown
        reader.line("d")
        reader.expect(r"& ")
        reader.line("q")
        assert reader.finish() == 0
    assert not mail_system.messages("payam")


def test_end_of_file_ends_the_text_too(mail_system):
    with mail_system.terminal("user1", ["mail", "user2"]) as writer:
        writer.expect("Subject: ")
        writer.line("by control-D")
        writer.line("text")
        writer.end_of_file()
        assert writer.finish() == 0
    wait_subjects(mail_system, "user2", ["by control-D"])


# ---- 3. .forward


def test_forward_leads_to_another_user(mail_system):
    mail_system.write_home("user1", ".forward", "user2\n")
    mail_system.mail("payam", "-s", "mail to user1", "user1@localhost")
    [got] = mail_system.wait_messages("user2")
    assert got["X-Original-To"] == "user1@localhost"
    assert got.get_all("Delivered-To") == [f"user2@{HOST_NAME}", "user1@localhost.localdomain"]
    done = mail_system.mail("user1", check=False)
    assert "No mail for user1" in done.stdout + done.stderr


def test_forward_with_a_copy(mail_system):
    mail_system.write_home("user1", ".forward", "\\user1, user2\n")
    mail_system.mail("payam", "-s", "for both", "user1")
    wait_subjects(mail_system, "user2", ["for both"])
    wait_subjects(mail_system, "user1", ["for both"])


# ---- 4. sending from the command line


def test_mail_from_a_file_and_from_a_pipe(mail_system):
    mail_system.mail("payam", "-s", "from a file", "user1", stdin="first line\nlast line\n")
    [got] = mail_system.wait_messages("user1")
    assert got["Subject"] == "from a file" and got.get_payload() == "first line\nlast line\n"
    mail_system.run("payam", ["sh", "-c", "echo text | mail -s 'from a pipe' user2"])
    [got] = mail_system.wait_messages("user2")
    assert got["Subject"] == "from a pipe" and got.get_payload() == "text\n"


@pytest.mark.parametrize("order", ["before", "after"])
def test_an_attachment_arrives_as_it_was(mail_system, order):
    content = bytes(range(256)) * 400 + b"From here\r\n.\r\nlast"
    mail_system.write_home("payam", "data.bin", "").write_bytes(content)
    attach = ["-a", mail_system.home("payam") / "data.bin"]
    words = [*attach, "user1"] if order == "before" else ["user1", *attach]
    mail_system.mail("payam", "-s", "with a file", *words, stdin="see the file\n")
    [got] = mail_system.wait_messages("user1")
    text, attached = got.get_payload()
    assert "see the file" in text.get_payload()
    assert attached.get_filename() == "data.bin" and attached.get_payload(decode=True) == content


def test_several_addressees(mail_system):
    mail_system.mail("payam", "-s", "to all", "-c", "lpic1", "user1", "user2@localhost", stdin="text\n")
    for user in ["user1", "user2", "payam"]:
        wait_subjects(mail_system, user, ["to all"])


@pytest.mark.parametrize("words", [["-s", "to nobody"], ["-s", "no file", "-a", "/no/such/file", "user1"]])
def test_a_mistake_is_told_and_nothing_is_sent(mail_system, words):
    done = mail_system.mail("payam", *words, stdin="text\n", check=False)
    assert done.returncode != 0 and done.stderr
    assert "Mail queue is empty" in mail_system.mailq()
    assert not mail_system.messages("user1")


def test_a_file_that_does_not_exist_stops_the_shell_not_the_mail(mail_system):
    done = mail_system.run("payam", ["sh", "-c", "mail -s x user1 < /no/such/file"], check=False)
    assert done.returncode != 0 and not mail_system.messages("user1")


# ---- 5. mail for elsewhere


def test_unreachable_mail_waits_and_goes_when_told(mail_system):
    port = free_port()
    mail_system.configure({"relay.host": f"[127.0.0.1]:{port}"})
    mail_system.restart()
    assert mail_system.mailq() == "Mail queue is empty\n"
    mail_system.mail("payam", "-s", "far away", "someone@far.example", stdin="text\n")
    listed = wait_for(lambda: (text := mail_system.mailq()) and "(" in text and text, "the reason in mailq")
    assert re.fullmatch(
        r"-Queue ID- +--Size-- +-+Arrival Time-+ +-Sender/Recipient-+\n"
        rf"[0-9A-F]{{10,16}}[* ] +\d+ \w{{3}} \w{{3}} [ \d]\d \d\d:\d\d:\d\d +payam@{HOST_NAME}\n"
        r" *\(connect to .*[Rr]efused\)\n"
        r" +someone@far\.example\n"
        r"\n"
        r"-- \d+ Kbytes in 1 Request\.\n", listed), listed
    with mail_system.network(), FakeSmtp(port=port) as elsewhere:
        mail_system.sendmail("root", "-q")
        wait_for(lambda: elsewhere.messages, "the mail at its destination")
        wait_for(lambda: mail_system.mailq() == "Mail queue is empty\n", "an empty queue")
    [got] = elsewhere.messages
    assert b"Subject: far away\r\n" in got.content
    assert (got.sender, got.recipients) == (f"payam@{HOST_NAME}", ["someone@far.example"])


def bounce_to(system, user):
    [bounce] = system.wait_messages(user)
    assert bounce["Return-Path"] == "<>"
    assert bounce.get_content_type() == "multipart/report"
    assert bounce.get_param("report-type") == "delivery-status"
    text, status, original = bounce.get_payload()
    assert status.get_content_type() == "message/delivery-status"
    return text.get_payload(), re.sub(r"\n[ \t]+", " ", status.as_string()), original.as_string()


def test_an_unknown_user_comes_back(mail_system):
    mail_system.sendmail("user1", "nobody-here@localhost", message="Subject: lost\n\ntext\n")
    text, status, original = bounce_to(mail_system, "user1")
    assert "nobody-here@localhost" in text
    assert re.search(r"^Action: failed$", status, re.M) and re.search(r"^Status: 5\.1\.1$", status, re.M)
    assert "Subject: lost" in original


def test_a_refusal_elsewhere_comes_back(mail_system):
    port = free_port()
    mail_system.configure({"relay.host": f"[127.0.0.1]:{port}"})
    mail_system.restart()
    with mail_system.network(), FakeSmtp(port=port, replies={"RCPT": "550 5.1.1 no such person here"}):
        mail_system.sendmail("user1", "nobody@far.example", message="Subject: lost\n\ntext\n")
        text, status, original = bounce_to(mail_system, "user1")
    assert "no such person here" in " ".join(text.split())
    assert re.search(r"^Status: 5\.1\.1$", status, re.M) and "no such person here" in status
    assert "Subject: lost" in original


# ---- 6. SMTP


def test_smtp_from_a_program(mail_system):
    with mail_system.smtp() as client:
        client.sendmail("a@elsewhere.example", ["user1@localhost", f"user2@{HOST_NAME}"],
                        "Subject: by SMTP\r\n\r\n.dots\r\n..stay\r\n")
    for user in ["user1", "user2"]:
        [got] = mail_system.wait_messages(user)
        assert got["Subject"] == "by SMTP" and got.get_payload() == ".dots\n..stay\n"
        assert got["Return-Path"] == "<a@elsewhere.example>"


def test_swaks(mail_system):
    if not shutil.which("swaks"):
        pytest.skip("swaks is not installed")
    mail_system.run("payam", ["swaks", "--server", f"127.0.0.1:{mail_system.smtp_port}", "--to", "user1@localhost",
                              "--from", "a@elsewhere.example", "--header", "Subject: by swaks"])
    wait_subjects(mail_system, "user1", ["by swaks"])


def test_strangers_may_not_relay(mail_system):
    mail_system.configure({"smtpd.trusted_networks": "192.0.2.0/24"})
    mail_system.restart()
    with mail_system.smtp() as client:
        client.ehlo()
        client.mail("a@elsewhere.example")
        code, text = client.rcpt("someone@far.example")
        assert code in (550, 554) and re.match(rb"5\.7\.1 .*[Rr]elay", text)
        assert client.rcpt("user1@localhost")[0] == 250
        code, text = client.rcpt("nobody-here@localhost")
        assert code == 550 and text.startswith(b"5.1.1 ")


# ---- 7. kill -9, and a daemon that is down


def test_nothing_acknowledged_is_lost_when_all_is_killed(mail_system):
    mail_system.sendmail("payam", "user1", message="Subject: by sendmail\n\n")
    mail_system.kill9_all()
    mail_system.start()
    with mail_system.smtp() as client:
        client.sendmail("a@elsewhere.example", "user2@localhost", "Subject: by SMTP\r\n\r\n")
        mail_system.kill9_all()
        client.sock.close()
        client.sock = client.file = None
    mail_system.start()
    wait_subjects(mail_system, "user1", ["by sendmail"])
    wait_subjects(mail_system, "user2", ["by SMTP"])


@pytest.mark.setgid
def test_mail_sent_while_the_daemon_is_down(mail_system):
    mail_system.stop()
    mail_system.sendmail("payam", "user1", message="Subject: in the drop\n\ntext\n")
    mail_system.mail("user2", "-s", "by mail", "user1", stdin="text\n")
    assert not mail_system.messages("user1")
    mail_system.start()
    wait_subjects(mail_system, "user1", ["by mail", "in the drop"])
    senders = {m["Subject"]: m["Return-Path"] for m in mail_system.messages("user1")}
    assert senders["in the drop"] == f"<payam@{HOST_NAME}>" or not mail_system.is_host
    assert len(senders) == 2


def test_sendmail_without_new_privileges(mail_system):
    mail_system.run("payam", ["setpriv", "--no-new-privs", "sendmail", "user1"], stdin="Subject: unprivileged\n\n")
    wait_subjects(mail_system, "user1", ["unprivileged"])


def test_smtp_refuses_with_the_client_still_able_to_go_on(mail_system):
    with mail_system.smtp() as client, pytest.raises(smtplib.SMTPRecipientsRefused):
        client.sendmail("a@elsewhere.example", "nobody-here@localhost", "Subject: x\r\n\r\n")
