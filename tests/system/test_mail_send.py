# SPDX-License-Identifier: Apache-2.0
"""mail(1) sends: from pipes and options, as scripts and cron jobs do."""
import re

import pytest
from mail_command import Mail

REFERENCE_ORDER = ["Date", "To", "Subject", "User-Agent", "MIME-Version", "Content-Type",
                   "Content-Transfer-Encoding", "From"]


@pytest.fixture
def mail(tmp_path):
    mail = Mail(tmp_path)
    yield mail
    mail.close()


def test_header_order_of_the_reference(mail):
    assert mail.run("-s", "test lpic1", "lpic1@localhost", stdin="Hi\n").returncode == 0
    sent = mail.only_sent()
    assert sent.arguments == ["-i", "--", "lpic1@localhost"]
    assert sent.names == REFERENCE_ORDER
    assert re.match(r"\w{3}, +\d+ \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}$", sent.message["Date"])
    assert sent.header.split("\n", 1)[1] == (
        "To: lpic1@localhost.localdomain\nSubject: test lpic1\nUser-Agent: Postrider mail 0.1.0\nMIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=us-ascii\nContent-Transfer-Encoding: 7bit\nFrom: user1@host.example.net")
    assert sent.body == "Hi\n"


def test_nothing_is_said_when_all_is_well(mail):
    done = mail.run("-s", "x", "root", stdin="text\n")
    assert (done.returncode, done.out, done.err) == (0, "", "")


@pytest.mark.parametrize("words, addresses", [
    (["a@example.org"], ["a@example.org"]),
    (["a@example.org", "b@example.org"], ["a@example.org", "b@example.org"]),
    (["a@example.org,b@example.org"], ["a@example.org", "b@example.org"]),
    (["a b"], ["a", "b"]),
    (["Foo Bar <f@example.org>, b@example.org"], ["f@example.org", "b@example.org"]),
    (['"Bar, Foo" <f@example.org>'], ["f@example.org"]),
    (["a@example.org", "A@example.org"], ["a@example.org"]),
    (["-c", "c@example.org", "-b", "d@example.org,e@example.org", "a"],
     ["a", "c@example.org", "d@example.org", "e@example.org"]),
    (["a", "-c", "c@example.org"], ["a", "c@example.org"]),
    (["--", "-x@example.org"], ["-x@example.org"]),
    (["-b", "only@example.org"], ["only@example.org"]),
    (["a", "--", "b", "c"], ["a", "b", "c"]),
])
def test_addressees(mail, words, addresses):
    done = mail.run("-s", "x", *words, stdin="text\n")
    assert done.returncode == 0, done.err
    assert mail.only_sent().addresses == addresses


def test_blind_copies_are_not_in_the_text(mail):
    mail.run("-s", "x", "-b", "secret@example.org", "a@example.org", stdin="text\n")
    assert "secret" not in mail.only_sent().text


@pytest.mark.parametrize("words, stdin, status, said", [
    (["-s", "x"], "text", 64, "no addressee"),
    (["-a", "/nonexistent", "root"], "text", 66, "/nonexistent"),
    (["root", "-a", "/nonexistent"], "text", 66, "nothing was sent"),
    (["-A", "/nonexistent", "root"], "text", 66, "/nonexistent"),
    (["-a", "/tmp", "root"], "text", 66, "directory"),
    (["-q", "/nonexistent", "root"], "text", 66, "/nonexistent"),
    (["-s", "x", "|cmd"], "text", 64, "commands"),
    (["-s", "x", "/tmp/file"], "text", 64, "files"),
    (["-s", "x", "+folder"], "text", 64, "files"),
    (["-s", "x", "a@b@c"], "text", 64, "a@b@c"),
    (["-s", "x", "<unclosed@example.org"], "text", 64, "no address"),
    (["-r", "not an address", "root"], "text", 64, "-r"),
    (["--nonsense", "root"], "text", 64, "usage:"),
    (["-k", "root"], "text", 64, "usage:"),
    (["-t"], "Subject: x\n\ntext", 64, "no addressee"),
    (["-S", "=x", "root"], "text", 64, "-S"),
    (["-s", "x", "-f", "file"], "text", 64, "together"),
])
def test_mistakes_send_nothing_and_say_why(mail, words, stdin, status, said):
    done = mail.run(*words, stdin=stdin)
    assert done.returncode == status
    assert said in done.err
    assert mail.sent() == []


def test_help_and_version(mail):
    assert mail.run("--help").out.startswith("usage: mail")
    assert mail.run("--version").out == "Postrider mail version 0.1.0\n"
    assert mail.run("-V").returncode == 0


@pytest.mark.parametrize("option", ["-s", "-r", "-c", "-b", "-a", "--append", "-M"])
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_no_option_puts_lines_into_the_header(mail, option, end):
    good = {"-s": "s", "-r": "r@example.org", "-c": "c@example.org", "-b": "b@example.org", "-a": "X-A: a",
            "--append": "X-A: a", "-M": "text/plain"}[option]
    mail.run("-s", "x", option, f"{good}{end}Injected: yes{end}{end}more", "root", stdin="text\n")
    for sent in mail.sent():  # refusing is as good
        assert not re.search(r"^(Injected|more)", sent.text, re.M), sent.text
        assert set(sent.names) <= {*REFERENCE_ORDER, "X-A", "Cc"}


def test_attachment_name_puts_no_lines_into_the_header(mail):
    name = mail.home / "x\nInjected: yes\n.txt"
    name.write_text("content\n")
    assert mail.run("-A", name, "root", stdin="text\n").returncode == 0
    assert not re.search(r"^Injected", mail.only_sent().text, re.M)


CONTENTS = {
    "text": b"one\ntwo\n", "no end": b"one\ntwo", "empty": b"", "crlf": b"one\r\ntwo\r\n", "from": b"From here\nto there\n",
    "dots": b".\n..\n.x\n", "binary": bytes(range(256)) * 50, "utf8": "grün\nÄ\n".encode(), "long": b"x" * 5000 + b"\n",
    "boundary": b"--=-x\n--\n", "blank ends": b"a  \nb\t\n\n\n", "latin1": "grün\n".encode("latin-1"),
}


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("extension", [".txt", ".bin", ""])
@pytest.mark.parametrize("after", [False, True])
def test_attachment_arrives_byte_exact(mail, name, extension, after):
    file = mail.home / ("a file" + extension)
    file.write_bytes(CONTENTS[name])
    words = ["root", "-a", file] if after else ["-a", file, "root"]
    assert mail.run("-s", "x", *words, stdin="the text\n").returncode == 0
    sent = mail.only_sent()
    parts = list(sent.message.iter_parts())
    assert parts[0].get_content() == "the text\n"
    assert parts[1].get_payload(decode=True) == CONTENTS[name]
    assert parts[1].get_filename() == "a file" + extension
    assert parts[1].get_content_disposition() == "attachment"
    assert max(map(len, sent.bytes.split(b"\n"))) <= 998
    assert not re.search(r"^From ", sent.body, re.M)


def test_several_attachments_and_names(mail):
    names = ["grün.txt", 'with "quotes".pdf', "x" * 120 + ".bin"]
    for name in names:
        (mail.home / name).write_bytes(b"\0" + name.encode())
    assert mail.run(*[word for name in names for word in ("-a", name)], "root", stdin="").returncode == 0
    parts = list(mail.only_sent().message.iter_parts())[1:]
    assert [part.get_filename() for part in parts] == names
    assert [part.get_payload(decode=True) for part in parts] == [b"\0" + name.encode() for name in names]
    assert parts[1].get_content_type() == "application/pdf"


def test_the_letter_a_means_file_or_field(mail):
    (mail.home / "Reply-To: x").write_text("content")
    done = mail.run("-v", "-a", "X-Test: yes", "-a", "Reply-To: x", "root", stdin="text\n")
    assert done.returncode == 0
    assert '"X-Test: yes": a header field' in done.err and "attached as the file" in done.err
    sent = mail.only_sent()
    assert sent.message["X-Test"] == "yes" and sent.message["Reply-To"] is None
    assert sent.arguments[:2] == ["-i", "-v"]


def test_own_fields_take_the_place_of_generated_ones(mail):
    mail.run("-a", "Content-Type: text/html; charset=utf-8", "-a", "From: Other <o@example.org>",
             "-a", "Subject: own", "-a", "Cc: c@example.org", "-a", "User-Agent: none", "-s", "x", "root",
             stdin="<p>ü</p>\n")
    sent = mail.only_sent()
    assert sent.message["Content-Type"] == 'text/html; charset="utf-8"'
    assert sent.message["From"] == "Other <o@example.org>"
    assert sent.message["User-Agent"] == "none"
    assert sent.addresses == ["root", "c@example.org"]
    assert len(sent.names) == len(set(sent.names))


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_utf8_in_every_locale(mail, locale):
    text = "Grüße aus Köln: 你好\n"
    subject = "Grüße " * 20 + "你好"
    assert mail.run("-s", subject, "root", stdin=text, LC_ALL=locale).returncode == 0
    sent = mail.only_sent()
    assert sent.message["Subject"].replace("\n", "") == subject
    assert sent.message["Content-Type"] == 'text/plain; charset="utf-8"'
    assert sent.message["Content-Transfer-Encoding"] == "8bit"
    assert sent.message.get_content() == text
    assert max(map(len, sent.header.split("\n"))) <= len("Subject: ") + 75
    for word in re.findall(r"=\?[^?]+\?.\?[^?]*\?=", sent.header):
        assert len(word) <= 75


@pytest.mark.parametrize("text, charset, encoding", [
    (b"ascii\n", "us-ascii", "7bit"),
    (b"", "us-ascii", "7bit"),
    (b"escape \x1b[31m bell \x07\n", "us-ascii", "7bit"),
    (b"no line end", "us-ascii", "7bit"),
    (b"carriage\rreturn\n", "us-ascii", "quoted-printable"),
    (b"x" * 2000 + b"\n", "us-ascii", "quoted-printable"),
    (b"nul \0 byte\n", "us-ascii", "base64"),
    (b"latin gr\xfcn\n", "unknown-8bit", "8bit"),
    ("ü".encode() * 1000 + b"\n", "utf-8", "quoted-printable"),
])
def test_text_stays_text(mail, text, charset, encoding):
    assert mail.run("-s", "x", "root", stdin=text).returncode == 0
    sent = mail.only_sent()
    assert sent.message.get_content_type() == "text/plain"
    assert sent.message.get_content_charset() == charset
    assert sent.message["Content-Transfer-Encoding"] == encoding
    wanted = text if text.endswith(b"\n") or not text else text + b"\n"
    assert sent.message.get_payload(decode=True) == wanted


def test_sender(mail):
    assert mail.run("-r", "Grün Bär <g@example.org>", "root", stdin="x\n").returncode == 0
    sent = mail.only_sent()
    assert sent.arguments == ["-i", "-f", "g@example.org", "--", "root"]
    assert str(sent.message["From"]) == "Grün Bär <g@example.org>"


def test_author_from_the_variable(mail):
    mail.run("-S", "from=Me <me@example.com>", "-S", "replyto=other@example.com", "root", stdin="x\n")
    sent = mail.only_sent()
    assert str(sent.message["From"]) == "Me <me@example.com>"
    assert sent.message["Reply-To"] == "other@example.com"
    assert "-f" not in sent.arguments


def test_template(mail):
    text = ("To: a@example.org,\n b@example.org\nCc: c@example.org\nBcc: d@example.org\nSubject: from template\n"
            "X-Custom: kept\n\nthe text\n")
    assert mail.run("-t", "e@example.org", stdin=text).returncode == 0
    sent = mail.only_sent()
    assert sorted(sent.addresses) == sorted(["e@example.org"] + [f"{c}@example.org" for c in "abcd"])
    assert "d@example.org" not in sent.text
    assert sent.message["Subject"] == "from template" and sent.message["X-Custom"] == "kept"
    assert sent.body == "the text\n"


def test_text_from_a_file(mail):
    (mail.home / "start").write_text("first\n")
    mail.run("-q", "start", "-s", "x", "root", stdin="second\n")
    assert mail.only_sent().body == "first\nsecond\n"


def test_empty_text(mail):
    assert mail.run("-E", "-s", "x", "root", stdin="").returncode == 0
    assert mail.sent() == []
    assert mail.run("-s", "x", "root", stdin="").returncode == 0
    assert mail.only_sent().body == ""


def test_escapes_from_a_pipe_are_text(mail):
    mail.run("-s", "x", "root", stdin="~q\n.\n~s new\n")
    assert mail.only_sent().body == "~q\n.\n~s new\n"


def test_escapes_from_a_pipe_when_asked_for(mail):
    mail.run("-~", "-s", "x", "root", stdin="one\n~s new\n~c c@example.org\n~~two\n~.\nignored\n")
    sent = mail.only_sent()
    assert sent.body == "one\n~two\n" and sent.message["Subject"] == "new"
    assert sent.addresses == ["root", "c@example.org"]


def test_aliases_and_types(mail):
    (mail.home / ".mailrc").write_text("alias team a@example.org 'B C <b@example.org>' loop\nalias loop team\n")
    assert mail.run("-M", "text/html", "team", stdin="<b>ü</b>\n").returncode == 0
    sent = mail.only_sent()
    assert sent.addresses == ["a@example.org", "b@example.org", "team"]
    assert sent.message["Content-Type"] == 'text/html; charset="utf-8"'


def test_failing_transport_keeps_the_text(mail):
    done = mail.run("-s", "lost?", "-b", "b@example.org", "root", stdin="precious\n", SENDMAIL_STATUS="75")
    assert done.returncode == 75
    assert "status 75" in done.err and "dead.letter" in done.err
    dead = mail.home / "dead.letter"
    assert dead.stat().st_mode & 0o777 == 0o600
    assert dead.read_text().startswith("To: root\nBcc: b@example.org\nSubject: lost?\n\nprecious\n")
    assert "status 75" in dead.read_text()


def test_missing_transport(mail):
    done = mail.run("-S", "sendmail=/nonexistent/sendmail", "root", stdin="precious\n")
    assert done.returncode == 72 and "/nonexistent/sendmail" in done.err
    assert "precious" in (mail.home / "dead.letter").read_text()


def test_dead_letter_in_a_device(mail):
    done = mail.run("root", stdin="x\n", SENDMAIL_STATUS="1", DEAD="/dev/null")
    assert done.returncode == 69
    assert open("/dev/null", "rb").read() == b""


def test_transport_by_variable(mail):
    other = mail.directory / "other mailer"
    other.write_text((mail.directory / "bin" / "sendmail").read_text())
    other.chmod(0o755)
    for name in ("sendmail", "mta"):
        assert mail.run("-S", f"{name}={other}", "root", stdin="x\n", PATH="/usr/bin:/bin").returncode == 0
    assert len(mail.sent()) == 2


def test_record(mail):
    assert mail.run("-S", "record=sent-mail", "-s", "one", "root", stdin="From me\n>From you\n").returncode == 0
    assert mail.run("-S", "record=sent-mail", "-s", "two", "root", stdin="x\n").returncode == 0
    kept = (mail.home / "sent-mail").read_text()
    assert kept.startswith("From user1 ") and "\n>From me\n>>From you\n\nFrom user1 " in kept
    assert mail.run("-H", "-f", "sent-mail").out.count("\n") == 2


def test_record_under_the_first_recipients_name(mail):
    mail.run("-F", "-s", "x", "someone@example.org", stdin="x\n")
    assert "Subject: x" in (mail.home / "someone").read_text()


def test_debug_sends_nothing(mail):
    done = mail.run("-d", "-s", "x", "root", stdin="x\n")
    assert done.returncode == 0 and "sendmail -i -- root" in done.err and "Subject: x" in done.err
    assert mail.sent() == []


def test_signature(mail):
    (mail.home / "sig").write_text("-- \nme\n")
    mail.run("-S", "signature=~/sig", "root", stdin="text")
    assert mail.only_sent().body == "text\n-- \nme\n"


def test_quoted_printable_when_asked_for(mail):
    mail.run("-S", "encoding=quoted-printable", "root", stdin="grün\n")
    assert mail.only_sent().body == "gr=C3=BCn\n"


def test_first_charset_that_fits(mail):
    mail.run("-S", "sendcharsets=iso-8859-1,utf-8", "root", stdin="grün\n")
    mail.run("-S", "sendcharsets=iso-8859-1,utf-8", "root", stdin="你好\n")
    first, second = mail.sent()
    assert first.message.get_content_charset() == "iso-8859-1" and b"gr\xfcn" in first.bytes
    assert second.message.get_content_charset() == "utf-8"


def test_origin_falls_back(mail):
    (mail.sandbox / "etc" / "mailname").unlink()
    (mail.sandbox / "etc" / "postrider.conf").write_text("[main]\norigin = conf.example.net\n")
    mail.run("root", stdin="x\n")
    assert mail.only_sent().message["From"] == "user1@conf.example.net"
