# SPDX-License-Identifier: Apache-2.0
"""mail(1): variables that change rows, texts, addressees and the start, and the commands about whole folders."""
import re

import pytest
from mail_command import Mail, message
from test_mail_folder import box, session, subjects


@pytest.fixture
def mail(tmp_path):
    mail = Mail(tmp_path)
    yield mail
    mail.close()


ROW = '  1 author1@example.org   Thu Jan  2 03:01   9/187   "subject 1"'


@pytest.mark.parametrize("variable, row", [
    ("attrlist=.", ">." + ROW),
    ("datefield", ">N" + ROW.replace("Thu Jan  2 03:01", "Wed Feb  5 10:11")),
    ("headline=%>%a%3m %-8f|%8f|%l/%o %s", '>N  1 author1@|author1@|9/187 subject 1'),
    ("headline=%S %d%%%q%", '"subject 1" Thu Jan  2 03:01:05 2020%q'),
    ("headline=%90s|", " " * 80)])
def test_the_row(mail, variable, row):
    mail.mailbox.write_text(message(1, header="Date: Wed, 5 Feb 2020 12:11:00 +0200\n"))
    name, _, value = variable.partition("=")
    done = session(mail, f"set {name}='{value}'" if value else f"set {name}", "h", "x")
    assert done.out.split("\n")[-2] == row.rstrip(), done.out


def test_head_and_tail(mail):
    (mail.home / ".mailrc").write_text(r"set MAILX_HEAD='Hello,\n' MAILX_TAIL='\tBye'" + "\n")
    mail.run("-s", "s", "root", stdin="text")
    mail.mailbox.write_text(box(1))
    session(mail, "set quote", "r 1", "x", words=["-~"])
    first, second = mail.sent()
    assert first.body == "Hello,\n\ntext\n\tBye\n"
    assert second.body.startswith("Hello,\n\n") and second.body.endswith("\tBye\n")


@pytest.mark.parametrize("limit, encoding", [("500", "7bit"), ("50", "quoted-printable"), ("5000", "7bit")])
def test_long_lines(mail, limit, encoding):
    mail.run("-S", f"maximum-unencoded-line-length={limit}", "root", stdin="x" * 100 + "\n")
    [sent] = mail.sent()
    assert sent.message["Content-Transfer-Encoding"] == encoding
    assert sent.message.get_content() == "x" * 100 + "\n"


def test_emptystart(mail):
    terminal = mail.terminal("-S", "emptystart", "-S", "newmail")
    terminal.expect("No mail for user1")
    terminal.expect("& ")
    terminal.line("p 1")
    terminal.expect("& ")
    mail.mailbox.write_text(box(1))
    terminal.line("echo")
    terminal.line("echo")
    terminal.expect("Loaded 1 new message")
    terminal.line("d 1")
    terminal.line("q")
    assert terminal.end() == 0 and (not mail.mailbox.exists() or subjects(mail.mailbox) == [])
    assert session(mail, "q", words=["-S", "emptystart"]).returncode == 0


def test_askattach(mail):
    (mail.home / "notes.txt").write_text("notes\n")
    terminal = mail.terminal("-s", "s", "-S", "askattach", "root")
    terminal.type("text\n.\n")
    terminal.expect("Attach: ")
    terminal.line("missing")
    terminal.expect("cannot attach \"missing\"")
    terminal.expect("Attach: ")
    terminal.line("notes.txt")
    terminal.expect("Attach: ")
    terminal.line("")
    assert terminal.end() == 0
    [sent] = mail.sent()
    assert [part.get_filename() for part in sent.message.iter_attachments()] == ["notes.txt"]


@pytest.mark.parametrize("name", ["subject", "with 8-bit ü"])
def test_forward_as_attachment(mail, name):
    original = message(1, body=f"text {name}\n>From here\n", header="Status: RO\nDelivered-To: me\n")
    mail.mailbox.write_text(original)
    session(mail, "set forward-as-attachment", "forward 1 root", "look", "~.", "x", words=["-~"])
    [sent] = mail.sent()
    [part] = [part for part in sent.message.walk() if part.get_content_type() == "message/rfc822"]
    inner = part.get_content()
    assert inner["Subject"] == "subject 1" and inner["Status"] is None and inner["Delivered-To"] is None
    assert inner.get_payload(decode=True).decode().startswith(f"text {name}\n")
    assert sent.message["Subject"] == "Fwd: subject 1"


def test_addressees_that_are_files_and_commands(mail):
    done = mail.run("-s", "s", "/tmp/x", "|cat", stdin="text\n")
    assert done.returncode == 64 and "only with the variable `expandaddr'" in done.err and mail.sent() == []
    (mail.home / "mail").mkdir()
    done = mail.run("-s", "s", "-S", "expandaddr", "-S", "folder=mail", "root", "./copy", "+list", "|cat > piped; echo a, b",
                    stdin="text\nFrom me\n")
    assert done.returncode == 0, done.err
    [sent] = mail.sent()
    assert sent.addresses == ["root"] and sent.message["To"] == "root@host.example.net"
    for file in ("copy", "mail/list"):
        text = (mail.home / file).read_text()
        assert text.startswith("From user1 ") and text.endswith("\n\ntext\n>From me\n\n"), text
    assert (mail.home / "piped").read_text().endswith("\n\ntext\nFrom me\n")
    done = mail.run("-S", "expandaddr", "|exit 3", stdin="text\n")
    assert done.returncode == 69 and "its exit status is not 0" in done.err and len(mail.sent()) == 1
    assert "text" in (mail.home / "dead.letter").read_text()


def test_a_message_never_names_files_or_commands(mail):
    mail.mailbox.write_text(message(1).replace("From: author1@example.org", "From: |touch evil") +
                            message(2).replace("From: author2@example.org", "From: /home/file"))
    session(mail, "set expandaddr", "R 1", "text", "~.", "R 2", "text", "~.", "x", words=["-~"])
    assert not (mail.home / "evil").exists()
    assert all("|" not in " ".join(sent.addresses) for sent in mail.sent())


def test_move(mail):
    mail.mailbox.write_text(box(1, 2, 3))
    session(mail, "move 1 2 there", "u 2", "Move 3", "q")
    assert subjects(mail.home / "there") == [1, 2]
    assert subjects(mail.home / "author3") == [3] and subjects(mail.mailbox) == [2]


def test_remove_and_rename(mail):
    mail.mailbox.write_text(box(1))
    session(mail, "c 1 one", "c 1 two/", "c 1 three", "rename one new", "rename two moved", "remove three", "q")
    assert sorted(path.name for path in mail.home.iterdir()) == ["moved", "new"]
    done = session(mail, "rename moved new", f"remove {mail.home}/new", "remove nothing", "rename a", "remove", "q",
                   words=["-f", "new"])
    assert [re.sub(r'"[^"]*/', '"', line) for line in done.err.splitlines()] == [
        'cannot rename "moved" to "new": File exists', '"new" is the folder that is open; change to another one first',
        'cannot remove "nothing": No such file or directory', "Say which folder and its new name: rename file file",
        "Say which folders: remove file ..."]
    session(mail, "remove moved", "q")
    assert not (mail.home / "moved").exists()


def test_removing_is_asked_for(mail):
    mail.mailbox.write_text(box(1))
    (mail.home / "one").write_text(box(2))
    terminal = mail.terminal()
    for answer, is_there in (("n", True), ("y", False)):
        terminal.expect("& ")
        terminal.line("remove one")
        terminal.expect('Remove "one" (y/n)? ')
        terminal.line(answer)
        terminal.line("echo done")
        terminal.expect("echo done\n")
        terminal.expect("done\n")
        assert (mail.home / "one").exists() == is_there


@pytest.mark.parametrize("script, after, problem", [
    ("s/text/other/", message(1, body="other\n", header="Status: RO\n"), ""),
    ("s/^Subject:.*/Subject: subject 1\\nX-New: yes/",
     message(1, header="Status: RO\n").replace("Message-Id", "X-New: yes\nMessage-Id"), ""),
    ("$d", message(1, body="", header="Status: RO\n"), ""),
    ("1d", message(1, header="Status: RO\n"), "must begin with its From line and have no other"),
    ("$s/^/\\nFrom a@b Thu Jan  2 03:01:05 2020\\n/", message(1, header="Status: RO\n"), "and have no other")],
    ids=["text", "header", "shorter", "no From line", "two messages"])
def test_writebackedited(mail, script, after, problem):
    mail.mailbox.write_text(message(1) + message(2))
    editor = mail.home / "editor"
    editor.write_text(f"#!/bin/sh\nexec sed -i -e '{script}' \"$1\"\n")
    editor.chmod(0o755)
    done = session(mail, f"set writebackedited EDITOR={editor}", "e 1", "q")
    assert problem in done.err and bool(problem) == bool(done.err), done.err
    text = mail.mailbox.read_text()
    assert re.sub(r"\n+$", "\n\n", text.split("From author2")[0]) == re.sub(r"\n+$", "\n\n", after), text
    assert subjects(mail.mailbox) == [1, 2]
    text = mail.mailbox.read_text()
    assert "changes to messages are not kept" in session(mail, "set EDITOR='sed -i s/text/kept/'", "e 2", "x").err
    assert mail.mailbox.read_text() == text


def test_sorting_changes_numbers_only(mail):
    mail.mailbox.write_text(box(3, 1, 2))
    done = session(mail, "sort subject", "f *", "sort weight", "d 1", "q", words=["-S", "noheader"])
    assert re.findall(r"subject (\d)", done.out) == ["1", "2", "3"]
    assert '"weight" is nothing to sort by; there are arrival, date, from' in done.err
    assert subjects(mail.mailbox) == [3, 2]
