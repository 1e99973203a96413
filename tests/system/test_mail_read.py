# SPDX-License-Identifier: Apache-2.0
"""mail(1) reads: the screens of the reference transcript byte by byte, message lists, what is shown and how."""
import base64
import re

import pytest
from mail_command import FIRST, SECOND, Mail, message

BANNER = "Postrider mail version 0.1.0.  Type ? for help.\n"


@pytest.fixture
def mail(tmp_path):
    mail = Mail(tmp_path, user="payam")
    yield mail
    mail.close()


def test_reference_screens_of_the_first_message(mail):
    mail.mailbox.write_text(FIRST)
    terminal = mail.terminal()
    terminal.expect("& ")
    terminal.line("1")
    terminal.expect("& ")
    terminal.line("d")
    terminal.expect("& ")
    terminal.line("q")
    assert terminal.end() == 0
    assert terminal.all == BANNER + f'''"{mail.mailbox}": 1 message 1 new
>N  1 user1@centos7-1.loca  Wed Feb 19 05:10  19/{len(FIRST)}   "test lpic1"
& 1
Message  1:
From user1@centos7-1.localdomain  Wed Feb 19 05:10:35 2020
Return-Path: <user1@centos7-1.localdomain>
X-Original-To: lpic1@localhost
Delivered-To: lpic1@localhost.localdomain
Date: Wed, 19 Feb 2020 05:10:35 -0500
To: lpic1@localhost.localdomain
Subject: test lpic1
User-Agent: Heirloom mailx 12.5 7/5/10
Content-Type: text/plain; charset=us-ascii
From: user1@centos7-1.localdomain
Status: R

Hi this is my first email.
I am sending it to lpic1 email address.

& d
& q
'''
    assert mail.mailbox.read_bytes() == b""


def test_reference_screens_of_the_forwarded_message(mail):
    mail.mailbox.write_text(SECOND)
    terminal = mail.terminal()
    terminal.expect("& ")
    terminal.line("1")
    terminal.expect("& ")
    terminal.line("d")
    terminal.expect("& ")
    terminal.line("q")
    assert terminal.end() == 0
    size = f"{SECOND.count(chr(10))}/{len(SECOND)}"
    assert terminal.all == BANNER + f'''"{mail.mailbox}": 1 message 1 new
>N  1 payam@centos7-1.loca  Wed Feb 19 06:33  {size}   "mail to user1"
& 1
Message  1:
From payam@centos7-1.localdomain  Wed Feb 19 06:33:28 2020
Return-Path: <payam@centos7-1.localdomain>
X-Original-To: user1@localhost
Delivered-To: user2@centos7-1.localdomain
Delivered-To: user1@localhost.localdomain
Date: Wed, 19 Feb 2020 06:33:27 -0500
To: user1@localhost.localdomain
Subject: mail to user1
User-Agent: Heirloom mailx 12.5 7/5/10
Content-Type: text/plain; charset=us-ascii
From: payam@centos7-1.localdomain
Status: R


& d
& q
'''


@pytest.mark.parametrize("words", [[], ["-u", "payam"], ["-H"]])
def test_no_mail(mail, words):
    for content in (None, ""):
        if content is not None:
            mail.mailbox.write_text(content)
        done = mail.run(*words)
        assert (done.returncode, done.out) == (1, "No mail for payam\n")
    assert mail.mailbox.read_bytes() == b""


def test_existence_is_told_by_the_status(mail):
    assert mail.run("-e").returncode == 1
    assert not mail.mailbox.exists()
    mail.mailbox.write_text(FIRST)
    done = mail.run("-e")
    assert (done.returncode, done.out, done.err) == (0, "", "")
    assert mail.run("-e", "-L", ":r").returncode == 1
    assert mail.mailbox.read_text() == FIRST


def test_summary_alone_changes_nothing(mail):
    mail.mailbox.write_text(FIRST + message(2) + message(3, header="Status: RO\n"))
    before = mail.mailbox.stat()
    done = mail.run("-H")
    assert done.out.splitlines() == [
        f'>N  1 user1@centos7-1.loca  Wed Feb 19 05:10  19/{len(FIRST)}   "test lpic1"',
        f' N  2 author2@example.org   Thu Jan  2 03:02   8/{len(message(2))}   "subject 2"',
        f'    3 author3@example.org   Thu Jan  2 03:03   9/{len(message(2)) + len("Status: RO ")}   "subject 3"',
    ]
    after = mail.mailbox.stat()
    assert (before.st_mtime_ns, before.st_ino, before.st_size) == (after.st_mtime_ns, after.st_ino, after.st_size)


def test_status_line_counts_as_the_tradition_does(mail):
    mail.mailbox.write_text(message(1) + message(2, header="Status: O\n") + message(3, header="Status: RO\n"))
    out = mail.run(stdin="x\n").out
    assert f'"{mail.mailbox}": 3 messages 1 new 2 unread\n' in out
    assert [row[:2] for row in out.splitlines()[2:]] == [">N", " U", "  "]


def commands(mail, *lines, words=()):
    """What is printed behind the start when these are typed, from a pipe."""
    done = mail.run("-N", "-S", "quiet", *words, stdin="".join(line + "\n" for line in lines))
    return done.out.split("\n", 1)[1], done.err


def shown(text):
    """Numbers of the messages that were shown."""
    return [int(number) for number in re.findall(r"^Message +(\d+):$", text, re.M)]


@pytest.fixture
def ten(mail):
    mail.mailbox.write_text("".join(message(n) for n in range(1, 11)))
    return mail


@pytest.mark.parametrize("spec, numbers", [
    ("3", [3]), ("2-4", [2, 3, 4]), ("8-$", [8, 9, 10]), ("*", list(range(1, 11))), ("$", [10]), ("^", [1]),
    (".", [1]), ("+", [2]), ("3 5 3", [3, 5]), ("author7", [7]), ("/SUBJECT 10", None), ('"/SUBJECT 10"', [10]),
    ("/subject", list(range(1, 11))), (":n", list(range(1, 11))), ("1-3 author2", [2]), ("4-6 :u", [4, 5, 6]),
    ("EXAMPLE.ORG", list(range(1, 11))), (".-3", [1, 2, 3]), ("^-2", [1, 2]),
])
def test_message_lists(ten, spec, numbers):
    out, err = commands(ten, "p " + spec, "x")
    if numbers is None:
        assert shown(out) == [10] and not err  # /SUBJECT and the number 10: both must fit
    else:
        assert shown(out) == numbers and not err


@pytest.mark.parametrize("line, problem", [
    ("p 11", "11: Invalid message number"), ("p 0", "0: Invalid message number"),
    ("p 3-99", "99: Invalid message number"), ("p nobody", "No applicable messages"), ("p :r", "No applicable messages"),
    ("p /nothing", "No applicable messages"), ("p -", "Referencing before 1"), ("p :y", ":y: the letters are"),
    ("p 3x", "3x: not a range"), ("p 5-3", "No applicable messages"), ('p "x', "no end"),
    ("frobnicate", 'Unknown command: "frobnicate"'), ("u 1", "Inappropriate message"), ("99", "Invalid message number"),
    ("q now", "Nothing may follow"), ("p 99999999999999999999", "Invalid message number"),
])
def test_mistakes_leave_the_session_going(ten, line, problem):
    out, err = commands(ten, line, "p 2", "x")
    assert problem in err
    assert shown(out) == [2]


@pytest.mark.parametrize("lines, numbers", [
    (["n", "n", "n"], [1, 2, 3]), (["3", "n"], [3, 4]), (["d", "n"], [2]), (["p", "d", "n"], [1, 2]),
    (["d2", "1", "n"], [1, 3]), (["p*"], list(range(1, 11))), (["dp"], [2]), (["d 1-9", "p"], [10]),
    (["d *", "u *", "n"], [10]), (["t 4", "+"], [4, 5]), (["5", "-"], [5, 4]), (["p5", "d", "p"], [5, 6]),
    (["$", "n", "n"], [10]), (["d 2", "u 2", "n"], [2]), (["type 2", "print 3", "Type 4", "P5"], [2, 3, 4, 5]),
    (["top 3"], [3]), (["next 4", "next"], [4, 5]), (["f 3", "n"], [3]),
])
def test_current_message(ten, lines, numbers):
    out, err = commands(ten, *lines, "x")
    assert shown(out) == numbers and not err


def test_current_message_at_the_start(mail):
    mail.mailbox.write_text(message(1, header="Status: RO\n") + message(2, header="Status: O\n") + message(3))
    assert shown(commands(mail, "p", "x")[0]) == [3]
    mail.mailbox.write_text(message(1, header="Status: RO\n") + message(2, header="Status: O\n"))
    assert shown(commands(mail, "p", "x")[0]) == [2]


def test_an_empty_line_is_next_for_a_person(ten):
    terminal = ten.terminal()
    for number in (1, 2):
        terminal.expect("& ")
        terminal.line("")
        terminal.expect(f"Message  {number}:")
    terminal.expect("& ")
    terminal.line("x")
    assert terminal.end() == 0


def test_pages_of_the_summary(mail):
    mail.mailbox.write_text("".join(message(n) for n in range(1, 26)))
    out, err = commands(mail, "h", "z", "z", "z", "z-", "z-", "z-", "z$", "z^", "h 13", "x", words=["-S", "screen=10"])
    pages = re.split(r"On (?:first|last) screenful of messages\n", out)

    def numbers(text):
        return [int(n) for n in re.findall(r"^.. +(\d+) ", text, re.M)]

    assert numbers(pages[0]) == list(range(1, 26))
    assert numbers(pages[1]) == list(range(11, 21)) + list(range(1, 11))
    assert numbers(pages[2]) == list(range(21, 26)) + list(range(1, 11)) + list(range(11, 21))
    assert not err


def test_summary_without_deleted_messages(ten):
    out, _ = commands(ten, "d 2-9", "h", "x")
    assert [line[:5] for line in out.splitlines()] == [" N  1", ">N 10"]


def test_sizes_and_numbers(ten):
    out, _ = commands(ten, "size 1-2", "= 4", "=", "x")
    assert out == f"1: 8/{len(message(1))}\n2: 8/{len(message(2))}\n4\n1\n"


def test_header_fields(mail):
    mail.mailbox.write_text(FIRST)
    assert "Received:" not in commands(mail, "p", "x")[0]
    assert "Received:" in commands(mail, "P", "x")[0]
    out, _ = commands(mail, "retain subject date", "p", "x")
    assert re.findall(r"^([\w-]+):", out, re.M) == ["Date", "Subject"]
    out, _ = commands(mail, "unignore received", "ignore To", "p", "x")
    assert "Received:" in out and "\nTo:" not in out
    assert "Message-Id: <2020" in commands(mail, "show", "x")[0]


def test_status_line_follows_the_marks(mail):
    mail.mailbox.write_text(message(1, header="Status: O\nX-Status: F\n"))
    assert "\nStatus: RO\nX-Status: F\n" in commands(mail, "p", "x")[0]
    assert "\nX-Status: AF\n" in commands(mail, "answered", "p", "x")[0]


HARMFUL = ["\x1b[31m", "\x1b]0;title\x07", "\x07", "\x08", "\x7f", "\x0c", "\x9b31m".encode("utf-8").decode(), "\u202e",
           "\u2066", "\u200f", "\ufeff", "\x00", "\r bare", "\U000e0041"]


@pytest.mark.parametrize("bad", HARMFUL)
@pytest.mark.parametrize("how", ["plain", "8bit", "base64", "header", "encoded", "sender", "filename", "html"])
def test_nothing_harmful_reaches_the_terminal(mail, bad, how):
    text = f"before {bad} after\n"
    header, body, sender, subject = "", "x\n", "a@example.org", "s"
    if how == "plain":
        body = text
    elif how == "8bit":
        header, body = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n", text
    elif how in ("base64", "html"):
        kind = "plain" if how == "base64" else "html"
        header = f"Content-Type: text/{kind}; charset=utf-8\nContent-Transfer-Encoding: base64\n"
        body = base64.b64encode(text.encode()).decode() + "\n"
    elif how == "header":
        subject = text.strip()
    elif how == "encoded":
        subject = "=?utf-8?B?" + base64.b64encode(text.encode()).decode() + "?="
    elif how == "sender":
        sender = f'"{bad}" <a@example.org>'
    else:
        name = "=?utf-8?B?" + base64.b64encode(text.encode()).decode() + "?="
        header = f'Content-Type: application/pdf; name="{name}"\nContent-Disposition: attachment\n'
    mail.mailbox.write_bytes(
        (f"From a  Thu Jan  2 03:04:05 2020\nFrom: {sender}\nSubject: {subject}\n{header}\n{body}\n").encode())
    done = mail.run("-S", "showname", stdin="h\np\nP\nshow\ntop\nf\nx\n")
    out = done.out + done.err
    for character in out:
        assert character == "\n" or character == "\t" or (
            character >= " " and not "\x7f" <= character <= "\x9f"), f"{character!r} in {out!r}"
    for character in "\u202e\u2066\u200f\ufeff\U000e0041":
        assert character not in out


def mime(kind, *parts):
    return (f'MIME-Version: 1.0\nContent-Type: multipart/{kind}; boundary="b"\n',
            "".join(f"--b\n{part}\n" for part in parts) + "--b--\n")


def show(mail, header, body, *lines):
    mail.mailbox.write_bytes(message(1, body="@\n", header=header).encode().replace(
        b"@\n\n", (body if isinstance(body, bytes) else body.encode()) + b"\n"))
    out, err = commands(mail, "retain subject", *lines, "p", "x")
    assert not err
    return out.split("Subject: subject 1\n\n", 1)[1]


@pytest.mark.parametrize("header, body, text", [
    ("Content-Type: text/plain; charset=utf-8\n", "grün\n", "grün\n\n"),
    ("Content-Type: text/plain; charset=iso-8859-1\n", b"gr\xfcn\n", "grün\n\n"),
    ("Content-Type: text/plain; charset=koi8-r\n", "привет\n".encode("koi8-r"), "привет\n\n"),
    ("Content-Type: text/plain; charset=nonsense\n", b"gr\xfcn\n", "gr?n\n\n"),
    ("", b"gr\xfcn\n", "grün\n\n"),
    ("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n", "gr=C3=BCn=\n e\n",
     "grün e\n\n"),
    ("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n", "Z3LDvG4K\n", "grün\n\n"),
    ("Content-Type: text/html\n", "<p>one<br>two &amp; <b>three</b></p><script>x</script><ul><li>a<li>b</ul>\n",
     "one\ntwo & three\n\n* a\n* b\n\n"),
])
def test_texts_are_decoded(mail, header, body, text):
    assert show(mail, header, body) == text


def test_alternatives_show_the_plain_text(mail):
    parts = ["Content-Type: text/html\n\n<b>html</b>", "Content-Type: text/plain\n\nplain"]
    assert show(mail, *mime("alternative", *parts)) == "plain\n\n"
    assert show(mail, *mime("alternative", *parts[:1])) == "html\n\n"
    both = show(mail, *mime("alternative", *parts), "set print-alternatives")
    assert "html" in both and "plain" in both


def test_attachments_are_a_line(mail):
    header, body = mime(
        "mixed", "Content-Type: text/plain\n\nthe text\n",
        'Content-Type: application/pdf; name="a.pdf"\nContent-Transfer-Encoding: base64\n\nAAECAw==\n',
        "Content-Type: message/rfc822\n\nFrom: x@example.org\nSubject: inner\n\ninner text\n")
    assert show(mail, header, body) == (
        'the text\n[-- Attachment 1: "a.pdf", application/pdf, 4 bytes --]\n'
        "From: x@example.org\nSubject: inner\n\ninner text\n\n")


def test_deep_nesting_ends(mail):
    body = "".join(f'Content-Type: multipart/mixed; boundary="{n}"\n\n--{n}\n' for n in range(200))
    assert mail.run(stdin="x\n").returncode == 1
    show(mail, "MIME-Version: 1.0\n" + body.split("\n", 1)[0] + "\n", body.split("\n\n", 1)[1])


def test_wide_characters_keep_the_columns(mail):
    mail.mailbox.write_text(
        message(1, subject="=?utf-8?B?" + base64.b64encode(("漢字" * 40).encode()).decode() + "?=", sender="a@b") +
        message(2, subject="é" * 100, sender="a@b"))
    rows = mail.run("-H").out.splitlines()
    assert all(row.endswith('"') for row in rows)
    width = sum(2 if "\u4e00" <= c <= "\u9fff" else 1 for c in rows[0])
    assert width in (79, 80) and len(rows[1]) == 80


def test_ascii_terminal_gets_question_marks(mail):
    mail.mailbox.write_text(message(1, subject="grün"))
    terminal = mail.terminal("-H", LC_ALL="C")
    assert terminal.end() == 0
    assert '"gr?n"' in terminal.all
    assert '"grün"' in mail.run("-H", LC_ALL="C").out  # no terminal: a script gets all of it


def test_pipe_and_shell(mail):
    mail.mailbox.write_text(FIRST)
    out, _ = commands(mail, '| "grep -c ^Hi"', "!echo one", "set bang", "!! two", "x")
    assert out == "1\none\n!\none two\n!\n"


def test_write_and_its_safe_names(mail):
    names = ["plain.txt", "../up.txt", "/abs.txt", "|cmd", ".hidden", "a/b/c.txt", "..", "plain.txt"]
    header, body = mime("mixed", "Content-Type: text/plain\n\nthe text\n", *[
        f'Content-Type: application/octet-stream; name="{name}"\nContent-Transfer-Encoding: base64\n\nAAEC\n'
        for name in names])
    mail.mailbox.write_text(message(1, body=body, header=header))
    (mail.home / "up.txt").write_text("mine")
    before = set(mail.directory.iterdir())
    out, err = commands(mail, "w text", "x")
    assert not err
    assert (mail.home / "text").read_text() == "the text\n"
    assert (mail.home / "up.txt").read_text() == "mine"
    written = {path.name for path in mail.home.iterdir()} - {"text", "up.txt"}
    assert written == {"plain.txt", "plain.txt.1", "up.txt.1", "abs.txt", "cmd", "hidden", "c.txt", "attachment"}
    assert set(mail.directory.iterdir()) == before
    assert all((mail.home / name).read_bytes() == b"\0\1\2" for name in written)


def test_reading_a_file(mail):
    (mail.home / "folder").write_text(message(1))
    (mail.home / "mbox").write_text(message(2))
    assert "subject 1" in mail.run("-f", "-N", "folder", stdin="f\nx\n").out
    assert "subject 2" in mail.run("-f", stdin="x\n").out
    done = mail.run("-f", "nothing")
    assert done.returncode == 1 and "no such file" in done.err
    (mail.home / "junk").write_text("no mailbox\n")
    done = mail.run("-f", "junk")
    assert done.returncode == 1 and "no mailbox" in done.err
    assert mail.run("-f", mail.home).returncode == 1
    assert mail.run("-f", "/dev/null", stdin="x\n").returncode == 0


def test_anothers_mailbox(mail):
    (mail.sandbox / "mail" / "other").write_text(message(1))
    assert "subject 1" in mail.run("-u", "other", stdin="x\n").out
    assert mail.run("-u", "nobody").out == "No mail for nobody\n"


def test_change_of_folder(mail):
    mail.mailbox.write_text(message(1))
    (mail.home / "other").write_text(message(2))
    out, err = commands(mail, "file other", "p", "file #", "file %", "file nothing", "p", "x", words=["-S", "folder=."])
    assert shown(out) == [1, 1]
    assert "cannot open" in err
    assert f'"other": 1 message' in out and str(mail.mailbox) in out


def test_help_lists_every_command(mail):
    mail.mailbox.write_text(message(1))
    out, _ = commands(mail, "?", "x")
    for name in ("print", "reply", "save", "undelete", "alternates", "source"):
        assert re.search(rf"^{name}\b.*\w", out, re.M)
    out, _ = commands(mail, "list", "x")
    assert out.startswith("print, type, Print")


def test_pager(mail):
    mail.mailbox.write_text(message(1, body="line\n" * 100))
    terminal = mail.terminal(PAGER="sed 's/^/paged: /'")
    terminal.expect("& ")
    terminal.line("p")
    terminal.expect("paged: line")
    terminal.expect("& ")
    terminal.line("unset crt")
    terminal.expect("& ")
    terminal.line("p")
    assert "paged" not in terminal.expect("& ")
    terminal.line("x")
    assert terminal.end() == 0


def test_line_editing_and_history(mail):
    mail.mailbox.write_text(message(1) + message(2))
    terminal = mail.terminal(TERM="xterm")
    terminal.expect("& ")
    terminal.line("p 1")
    terminal.expect("subject 1")
    terminal.expect("& ")
    terminal.type("p 9\x7f2\n")
    terminal.expect("subject 2")
    terminal.expect("& ")
    terminal.type("\x1b[A\x1b[A\n")  # up, up
    terminal.expect("subject 1")
    terminal.expect("& ")
    terminal.line("x")
    assert terminal.end() == 0


def test_interrupt_at_the_prompt(mail):
    mail.mailbox.write_text(message(1))
    for term in ("dumb", "xterm"):
        terminal = mail.terminal(TERM=term)
        terminal.expect("& ")
        terminal.type("something\x03")
        terminal.expect("& ")
        terminal.line("p")
        terminal.expect("text")
        terminal.expect("& ")
        terminal.line("x")
        assert terminal.end() == 0


def test_new_mail_is_taken_in(mail):
    mail.mailbox.write_text(message(1))
    terminal = mail.terminal()
    terminal.expect("& ")
    with open(mail.mailbox, "a", encoding="utf-8") as box:
        box.write(message(2))
    terminal.line("p 1")
    terminal.expect("New mail has arrived.\nLoaded 1 new message\n N  2 author2@example.org")
    terminal.expect("& ")
    terminal.line("p 2")
    terminal.expect("subject 2")
    terminal.expect("& ")
    terminal.line("x")
    assert terminal.end() == 0
