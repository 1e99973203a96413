# SPDX-License-Identifier: Apache-2.0
"""mail(1) at a terminal: prompts, tilde escapes, editors, interrupts, answers."""
import os
import re
import signal
import time

import pytest
from mail_command import FIRST, Mail


@pytest.fixture
def mail(tmp_path):
    mail = Mail(tmp_path)
    yield mail
    mail.close()


@pytest.mark.parametrize("term", ["dumb", "xterm"])
@pytest.mark.parametrize("end", [".\n", "\x04", "~.\n"])
def test_typed_as_in_the_reference(mail, term, end):
    terminal = mail.terminal("lpic1@localhost", TERM=term)
    terminal.expect("Subject: ")
    terminal.line("test lpic1")
    terminal.expect("test lpic1\n")
    terminal.line("Hi this is my first email.")
    terminal.line("I am sending it to lpic1 email address.")
    terminal.expect("email address.\n")
    terminal.type(end)
    terminal.expect("EOT\n")
    assert terminal.end() == 0
    sent = mail.only_sent()
    assert sent.addresses == ["lpic1@localhost"]
    assert sent.message["Subject"] == "test lpic1"
    assert sent.body == "Hi this is my first email.\nI am sending it to lpic1 email address.\n"


def test_screen_of_the_reference(mail):
    terminal = mail.terminal("lpic1@localhost")
    terminal.expect("Subject: ")
    terminal.line("test lpic1")
    terminal.line("Hi this is my first email.")
    terminal.line(".")
    assert terminal.end() == 0
    assert terminal.all == "Subject: test lpic1\nHi this is my first email.\n.\nEOT\n"


def test_nothing_typed(mail):
    terminal = mail.terminal("user1@localhost")
    terminal.expect("Subject: ")
    terminal.line("mail to user1")
    terminal.type("\x04")
    assert terminal.end() == 0
    assert terminal.all == "Subject: mail to user1\nEOT\nNull message body; hope that's ok\n"
    assert mail.only_sent().body == ""


def compose(mail, *lines, words=("root",), status=0, subject=True, **env):
    """Types the lines; what appears."""
    terminal = mail.terminal(*words, **env)
    if subject:
        terminal.expect("Subject: ")
        terminal.line("subject")
    for line in lines:
        terminal.line(line)
    assert terminal.end() == status, terminal.all
    return terminal.all


def test_questions(mail):
    terminal = mail.terminal("-S", "askcc", "-S", "askbcc", "root")
    for prompt, answer in (("Subject: ", "s"), ("Cc: ", "c@example.org"), ("Bcc: ", "b@example.org")):
        terminal.expect(prompt)
        terminal.line(answer)
    terminal.line(".")
    assert terminal.end() == 0
    assert mail.only_sent().addresses == ["root", "c@example.org", "b@example.org"]


def test_questions_at_the_end(mail):
    terminal = mail.terminal("-s", "s", "-S", "askcc", "-S", "askatend", "root")
    terminal.line("text")
    terminal.line(".")
    terminal.expect("Cc: ")
    terminal.line("c@example.org")
    assert terminal.end() == 0
    assert "EOT" not in terminal.all
    assert mail.only_sent().addresses == ["root", "c@example.org"]


def test_subject_given_or_not_asked_for(mail):
    for words in (["-s", "s", "root"], ["-s", "", "root"], ["-S", "noask", "root"]):
        assert "Subject:" not in compose(mail, "text", ".", words=words, subject=False)
    assert [sent.message["Subject"] for sent in mail.sent()] == ["s", None, None]


def test_dot_is_text_without_the_variable(mail):
    compose(mail, ".", "~.", words=["-S", "nodot", "root"])
    compose(mail, ".", "~.", words=["-n", "root"])
    assert [sent.body for sent in mail.sent()] == [".\n", ".\n"]


def test_end_of_file_can_be_ignored(mail):
    terminal = mail.terminal("-s", "s", "-S", "ignoreeof", "root")
    terminal.type("\x04")
    terminal.expect('Use "." to terminate letter')
    terminal.line(".")
    assert terminal.end() == 0


def test_addressee_escapes(mail):
    compose(mail, "~t a@example.org b@example.org", "~c c@example.org", "~b d@example.org", "~s new subject",
            "~R r@example.org", "text", ".")
    sent = mail.only_sent()
    assert sent.addresses == ["root", "a@example.org", "b@example.org", "c@example.org", "d@example.org"]
    assert sent.message["Subject"] == "new subject" and sent.message["Reply-To"] == "r@example.org"
    assert "d@example.org" not in sent.text and sent.body == "text\n"


def test_header_questions_keep_what_was_there(mail):
    terminal = mail.terminal("-s", "sub", "root")
    terminal.line("~h")
    for prompt, answer in (("To: root", ", other@example.org"), ("Subject: sub", "ject"), ("Cc: ", "c@example.org"),
                           ("Bcc: ", "")):
        terminal.expect(prompt)
        terminal.line(answer)
    terminal.expect("(continue)")
    terminal.line(".")
    assert terminal.end() == 0
    sent = mail.only_sent()
    assert sent.addresses == ["root", "other@example.org", "c@example.org"]
    assert sent.message["Subject"] == "subject"


def test_header_questions_need_a_person(mail):
    done = mail.run("-~", "root", stdin="~h\nfirst\nsecond\n")
    assert "~h and ~H ask a person; use ~t, ~s, ~c and ~b" in done.err
    assert mail.only_sent().body == "first\nsecond\n" and mail.only_sent().addresses == ["root"]


def test_print_escape(mail):
    out = compose(mail, "text", "~p", ".")
    assert "-------\nMessage contains:\nTo: root\nSubject: subject\n\ntext\n(continue)\n" in out


def test_file_escapes(mail):
    (mail.home / "file").write_text("from file\n")
    (mail.home / "dead.letter").write_text("from dead\n")
    out = compose(mail, "~r file", "~< file", "~d", "~r !echo command", "~<!echo again", "~r missing", "~w copy", ".")
    assert '"file" 1/10\n' in out and 'cannot read "missing"' in out and '"copy" [New file] 5/' in out
    text = "from file\nfrom file\nfrom dead\ncommand\nagain\n"
    assert mail.only_sent().body == text and (mail.home / "copy").read_text() == text


def test_filter_escape(mail):
    compose(mail, "one", "two", "~| tr a-z A-Z", "~| false", "~| true", ".")
    assert mail.only_sent().body == "ONE\nTWO\n"


def test_attachment_escape(mail):
    (mail.home / "file").write_bytes(b"\0content")
    out = compose(mail, "~@ file missing", "text", ".")
    assert 'cannot attach "missing"' in out
    parts = list(mail.only_sent().message.iter_parts())
    assert [part.get_payload(decode=True) for part in parts] == [b"text\n", b"\0content"]


def test_editors(mail):
    compose(mail, "one", "~e", "~v", ".", EDITOR="sed -i s/one/two/", VISUAL="sed -i s/two/three/")
    compose(mail, "one", "~e", ".", EDITOR="false")
    assert [sent.body for sent in mail.sent()] == ["three\n", "one\n"]


def test_editor_with_header(mail):
    compose(mail, "one", "~e", ".", words=["-S", "editheaders", "root"],
            EDITOR="sed -i -e 's/^Subject:.*/Subject: edited/' -e 's/^To:.*/&, x@example.org/' -e s/one/two/")
    sent = mail.only_sent()
    assert sent.message["Subject"] == "edited" and sent.addresses == ["root", "x@example.org"] and sent.body == "two\n"


def test_other_escapes(mail):
    out = compose(mail, "~!echo shell", "~: set sign='me\\nhere'", "~a", "~i sign", "~?", "~~tilde", "~k", "~f", ".")
    assert "shell\n!" in out and "end of the text: send" in out and "Unknown tilde escape" in out
    assert "no folder is open" in out
    assert mail.only_sent().body == "me\nhere\nme\nhere\n~tilde\n"


def test_escape_character(mail):
    compose(mail, "~p", "!s new", ".", words=["-S", "escape=!", "root"])
    compose(mail, "~p", ".", words=["-S", "escape=", "root"])
    first, second = mail.sent()
    assert first.body == "~p\n" and first.message["Subject"] == "new"
    assert second.body == "~p\n"


def test_giving_up(mail):
    out = compose(mail, "precious", "~q", status=1)
    assert "dead.letter" in out
    dead = mail.home / "dead.letter"
    assert dead.read_text() == "To: root\nSubject: subject\n\nprecious\n"
    assert dead.stat().st_mode & 0o777 == 0o600
    compose(mail, "other", "~x", status=1)
    assert "precious" in dead.read_text()
    compose(mail, "third", "~q", words=["-S", "nosave", "root"], status=1)
    assert "precious" in dead.read_text()
    compose(mail, "fourth", "~q", words=["-S", "DEAD=~/elsewhere", "root"], status=1)
    assert "fourth" in (mail.home / "elsewhere").read_text()
    assert mail.sent() == []


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_two_interrupts_give_up(mail, term):
    terminal = mail.terminal("-s", "s", "root", TERM=term)
    terminal.line("precious")
    terminal.expect("precious")
    time.sleep(0.2)  # the terminal takes the line away before the program has read it
    terminal.type("\x03")
    terminal.expect("(Interrupt -- one more to kill letter)")
    terminal.line("more")
    terminal.expect("more\n")
    time.sleep(0.2)
    terminal.type("\x03")
    terminal.expect("(Interrupt -- one more to kill letter)")
    terminal.type("\x03")
    assert terminal.end() == 1
    assert (mail.home / "dead.letter").read_text().endswith("precious\nmore\n")
    assert mail.sent() == []


def test_interrupts_can_be_ignored(mail):
    terminal = mail.terminal("-s", "s", "-S", "ignore", "root")
    terminal.line("text")
    terminal.expect("text\n")
    time.sleep(0.2)
    terminal.type("\x03")
    terminal.expect("@")
    terminal.line(".")
    assert terminal.end() == 0
    assert mail.only_sent().body == "text\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_save_the_text(mail, number):
    terminal = mail.terminal("-s", "s", "root")
    terminal.line("precious")
    terminal.expect("precious\n")
    time.sleep(0.2)
    os.kill(terminal.process.pid, number)
    assert terminal.end() == 1
    assert "precious" in (mail.home / "dead.letter").read_text()
    assert mail.sent() == []


QUESTION = ("From sender@example.org  Thu Jan  2 03:04:05 2020\nFrom: Some One <sender@example.org>\n"
            "To: user1@host.example.net, Other <other@example.org>, user1@localhost\n"
            "Cc: third@example.org, ME@ALT.example.org\nSubject: question\nMessage-Id: <3@example.org>\n"
            "References: <1@example.org> <2@example.org>\n\nfirst line\nsecond line\n\n")


def answer(mail, *lines, content=QUESTION, words=()):
    mail.mailbox.write_text(content)
    terminal = mail.terminal(*words)
    terminal.expect("& ")
    for line in lines:
        terminal.line(line)
    terminal.expect("EOT")
    terminal.expect("& ")
    terminal.line("x")
    assert terminal.end() == 0
    return terminal.all


def test_reply_to_all(mail):
    answer(mail, "alternates me@alt.example.org", "r", "answer", ".")
    sent = mail.only_sent()
    assert sent.addresses == ["sender@example.org", "other@example.org", "third@example.org"]
    assert sent.message["To"] == "sender@example.org, other@example.org"
    assert sent.message["Cc"] == "third@example.org"
    assert sent.message["Subject"] == "Re: question"
    assert sent.message["In-Reply-To"] == "<3@example.org>"
    assert sent.message["References"] == "<1@example.org> <2@example.org> <3@example.org>"
    assert sent.body == "> first line\n> second line\nanswer\n"


@pytest.mark.parametrize("lines, words, addresses", [
    (["R"], [], ["sender@example.org"]),
    (["set flipr", "r"], [], ["sender@example.org"]),
    (["set Replyall", "R"], [], ["sender@example.org", "other@example.org", "third@example.org", "ME@ALT.example.org"]),
    (["set metoo", "r"], [], ["sender@example.org", "user1@host.example.net", "other@example.org", "user1@localhost",
                              "third@example.org", "ME@ALT.example.org"]),
    (["set flipr", "replyall"], [], ["sender@example.org", "other@example.org", "third@example.org",
                                     "ME@ALT.example.org"]),
    (["replysender 1"], [], ["sender@example.org"]),
])
def test_whom_a_reply_reaches(mail, lines, words, addresses):
    answer(mail, *lines, ".", words=words)
    assert mail.only_sent().addresses == addresses


def test_reply_to_field_wins(mail):
    answer(mail, "r", ".", content=QUESTION.replace("Subject:", "Reply-To: list@example.org\nSubject:"))
    assert mail.only_sent().addresses[0] == "list@example.org"
    assert "sender@example.org" not in mail.only_sent().header


def test_reply_subject_once_and_decoded(mail):
    answer(mail, "R", ".", content=QUESTION.replace("question", "=?utf-8?Q?Re:_gr=C3=BCn?="))
    assert mail.only_sent().message["Subject"] == "Re: grün"


def test_addresses_in_messages_are_only_addresses(mail):
    (mail.home / ".mailrc").write_text("alias sender everyone@example.org\n")
    bad = QUESTION.replace("Cc: third@example.org", "Cc: |cmd, /tmp/x, +folder, sender, -oQ/tmp")
    answer(mail, "set noquote", "r", ".", content=bad)
    sent = mail.only_sent()
    assert sent.arguments[:2] == ["-i", "--"]
    assert sent.addresses == ["sender@example.org", "other@example.org", "sender", "-oQ/tmp", "ME@ALT.example.org"]


def test_answered_messages_are_marked(mail):
    mail.mailbox.write_text(QUESTION)
    terminal = mail.terminal()
    for line, then in (("r", "second line"), (".", "& "), ("h", ">A  1 "), ("q", "Held 1 message")):
        terminal.line(line)
        terminal.expect(then)
    assert terminal.end() == 0
    assert "\nX-Status: A\n" in mail.mailbox.read_text()


def test_quoting_escapes(mail):
    answer(mail, "set noquote", "R", "~m", "~f", "~M 1", "end", ".")
    body = mail.only_sent().body
    head = "From sender@example.org  Thu Jan  2 03:04:05 2020\nFrom: Some One <sender@example.org>\n"
    assert body.startswith("> " + head.replace("\n", "\n> ", 1))
    assert "\n" + head in body and "> first line\n" in body and "\nfirst line\n" in body
    assert body.count("References:") == 1 and "> References: <1@example.org>" in body
    assert body.endswith("end\n")


def test_mail_command(mail):
    answer(mail, "alias team a@example.org b@example.org", "mail team", "the subject", "text", ".")
    sent = mail.only_sent()
    assert sent.addresses == ["a@example.org", "b@example.org"] and sent.message["Subject"] == "the subject"


def test_forward(mail):
    answer(mail, "fwd 1 next@example.org", "see below", ".")
    sent = mail.only_sent()
    assert sent.addresses == ["next@example.org"] and sent.message["Subject"] == "Fwd: question"
    assert "From: Some One <sender@example.org>" in sent.body and "first line\nsecond line\n" in sent.body


def test_resend(mail):
    mail.mailbox.write_text(FIRST)
    done = mail.run(stdin="resend 1 next@example.org\nx\n")
    assert done.err == ""
    sent = mail.only_sent()
    assert sent.addresses == ["next@example.org"]
    assert sent.message["Resent-To"] == "next@example.org"
    assert sent.message["Resent-From"] == "user1@host.example.net"
    assert "Delivered-To" not in sent.header and "Return-Path" not in sent.header
    assert sent.message["Subject"] == "test lpic1" and sent.body.startswith("Hi this is")


def test_followup_is_recorded(mail):
    mail.mailbox.write_text(QUESTION)
    assert mail.run("-~", stdin="F 1\ntext\n~.\nx\n").err == ""
    assert mail.only_sent().addresses == ["sender@example.org"]
    assert "Re: question" in (mail.home / "sender").read_text()


def test_a_script_answers(mail):
    mail.mailbox.write_text(QUESTION)
    mail.run("-#", stdin="set noquote\nR 1\nthe answer\n~.\nd\nq\n")
    assert mail.only_sent().body == "the answer\n"
    assert mail.mailbox.read_text() == ""


def test_long_reference_chains_are_cut(mail):
    ids = " ".join(f"<{n}@example.org>" for n in range(100))
    content = QUESTION.replace("<1@example.org> <2@example.org>", ids)
    answer(mail, "R", ".", content=content)
    references = mail.only_sent().message["References"].split()
    assert len(references) == 21 and references[0] == "<0@example.org>" and references[-1] == "<3@example.org>"
    assert re.fullmatch(r"[\x20-\x7e\n]*", mail.only_sent().header)
