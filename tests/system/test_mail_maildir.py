# SPDX-License-Identifier: Apache-2.0
"""mail(1) and folders that are no plain file: Maildirs, also as the system mailbox, and compressed ones; crashes."""
import bz2
import gzip
import lzma
import re
import subprocess

import pytest
from mail_command import Mail, message
from test_mail_folder import box, failing_at, killed_at, needs_trace, numbered_calls, session, subjects

PACKERS = {"gz": gzip, "bz2": bz2, "xz": lzma}


@pytest.fixture
def mail(tmp_path):
    mail = Mail(tmp_path)
    yield mail
    mail.close()


def content(number, body="text\n", sender=None):
    """The message as a file of a Maildir."""
    return message(number, body=body, sender=sender).split("\n", 1)[1][:-1]


def make_maildir(path, files):
    for part in ("cur", "new", "tmp"):
        (path / part).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def files(path):
    return {f"{part}/{file.name}": file.read_text() for part in ("cur", "new") for file in (path / part).iterdir()}


def numbers(path):
    return sorted(int(re.search(r"^Subject: subject (\d+)$", text, re.M)[1]) for text in files(path).values())


def three(path):
    return make_maildir(path, {"cur/1582107035.1:2,S": content(1), "new/1582107036.2": content(2),
                               "cur/1582107037.3:2,FPa": content(3)})


def test_a_maildir_is_read_like_any_folder(mail):
    box = three(mail.home / "box")
    done = session(mail, "h", "p 2", "/subject 3", "x", words=["-f", box])
    rows = [line for line in done.out.splitlines() if re.match(r"[ >]. +\d+ author", line)]
    assert [re.sub(r" +", " ", row) for row in rows] == [
        ' 1 author1@example.org Wed Feb 19 10:10 6/98 "subject 1"',
        '>N 2 author2@example.org Wed Feb 19 10:10 6/98 "subject 2"',
        ' F 3 author3@example.org Wed Feb 19 10:10 6/98 "subject 3"'], done.out
    assert "Message  2:\nFrom author2@example.org  Wed Feb 19 10:10:36 2020\n" in done.out
    assert files(box) == files(three(mail.home / "other")) and done.returncode == 0


def test_leaving_changes_names_and_nothing_else(mail):
    box = three(mail.home / "box")
    done = session(mail, "d 1", "p 2", "unflag 3", "q", words=["-f", box])
    assert f'"{box}" complete\n' in done.out and done.returncode == 0
    assert files(box) == {"cur/1582107036.2:2,S": content(2), "cur/1582107037.3:2,Pa": content(3)}


def test_the_home_mailbox_is_the_system_mailbox(mail):
    (mail.sandbox / "etc" / "postrider.conf").write_text("[local]\nhome_mailbox = Maildir/\n")
    (mail.sandbox / "etc" / "users").write_text(f"user1:x:0:0::{mail.home}:/bin/sh\n"
                                                f"user2:x:0:0::{mail.directory}/two:/bin/sh\n")
    assert mail.run(stdin="").out == "No mail for user1\n"
    assert mail.run("-e").returncode == 1
    three(mail.home / "Maildir")
    three(mail.directory / "two" / "Maildir")
    assert mail.run("-e").returncode == 0
    shown = mail.run("-N", stdin="x\n").out
    assert re.search(r'^"\S+/home/Maildir/": 3 messages 1 new 2 unread$', shown, re.M), shown
    assert "Saved 1 message in mbox\nHeld 2 messages in" in session(mail, "set nohold", "p 1", "q").out
    assert subjects(mail.home / "mbox") == [1]
    assert '/two/Maildir/": 3 messages' in mail.run("-u", "user2", "-N", stdin="x\n").out


def test_new_mail_is_taken_in(mail):
    box = three(mail.home / "box")
    terminal = mail.terminal("-f", box)
    terminal.expect("& ")
    (box / "new" / "1582107040.4").write_text(content(4))
    terminal.line("")
    terminal.line("")
    terminal.expect("Loaded 1 new message")
    terminal.expect('N  4 author4@example.org')
    terminal.line("d 4")
    terminal.line("q")
    assert terminal.end() == 0 and numbers(box) == [1, 2, 3]


def test_two_readers_at_once(mail):
    box = make_maildir(mail.home / "box", {f"new/158210703{n}.{n}": content(n) for n in (1, 2, 3, 4)})
    ours, theirs = (mail.terminal("-N", "-f", box) for _ in range(2))
    for terminal, lines in ((ours, ["flag 1", "answered 2", "d 3"]), (theirs, ["p 1", "draft 2", "d 4"])):
        terminal.expect("& ")
        for line in lines:
            terminal.line(line)
            terminal.expect("& ")
    for terminal in (ours, theirs):
        terminal.line("q")
        assert terminal.end() == 0, terminal.all
    assert files(box) == {"cur/1582107031.1:2,FS": content(1), "cur/1582107032.2:2,DR": content(2)}


def test_removing_a_maildir_does_not_follow_links(mail):
    other = mail.home / "other"
    other.mkdir()
    (other / "mine").write_text("mine\n")
    box = make_maildir(mail.home / "box", {})
    (box / "cur").rmdir()
    (box / "cur").symlink_to(other)
    mail.mailbox.write_text(message(1))
    done = session(mail, "remove box", "x")
    assert "cannot remove" in done.err and (other / "mine").read_text() == "mine\n"


def test_saving_to_a_maildir(mail):
    mail.mailbox.write_text(box(1, 2) + message(3, body=">From the start\n"))
    done = session(mail, "p 1", "flag 1", "s 1 made/", "s 2 made", "c 3 made", "q")
    assert '"made/" [New file]' in done.out and '"made" [Appended]' in done.out
    assert numbers(mail.home / "made") == [1, 2, 3]
    flags = {name.partition(":2,")[2]: text for name, text in files(mail.home / "made").items()}
    assert "subject 1" in flags["FS"] and len(flags) == 2  # the others are old and not read
    assert any(text.endswith("\n\nFrom the start\n") for text in files(mail.home / "made").values())
    assert subjects(mail.mailbox) == [3]
    session(mail, "c * back", "x", words=["-f", mail.home / "made"])
    assert subjects(mail.home / "back") == [1, 2, 3]
    assert "\n>From the start\n" in (mail.home / "back").read_text()


def test_newfolders_makes_maildirs(mail):
    mail.mailbox.write_text(box(1))
    session(mail, "set newfolders=maildir folder=mail", "! mkdir ../home/mail", "s 1 +list", "q")
    assert numbers(mail.home / "mail" / "list") == [1]


def test_mbox_may_be_a_maildir(mail):
    archive = make_maildir(mail.home / "archive", {})
    for n, append in enumerate(("append", "noappend"), 1):
        mail.mailbox.write_text(box(n))
        done = session(mail, f"set nohold MBOX={archive} {append}", "p", "q")
        assert "Saved 1 message in mbox" in done.out
    assert numbers(archive) == [1, 2]


@pytest.mark.parametrize("words, problem", [
    (["-f", "empty"], "neither a mailbox file nor a Maildir"),
    (["-f", "bad.gz"], "could not be unpacked: is the program for it installed, and the file whole?")])
def test_what_is_no_folder_is_said(mail, words, problem):
    (mail.home / "empty").mkdir()
    (mail.home / "bad.gz").write_bytes(gzip.compress(box(1).encode())[:-9])
    done = mail.run(*words)
    assert problem in done.err and done.returncode == 1


def test_saving_into_a_directory_that_is_no_maildir(mail):
    mail.mailbox.write_text(box(1))
    (mail.home / "other").mkdir()
    done = session(mail, "s 1 other", "q")
    assert 'cannot write "other": it is a directory, and no Maildir' in done.err
    assert subjects(mail.mailbox) == [1] and list((mail.home / "other").iterdir()) == []


@pytest.mark.parametrize("suffix", PACKERS)
def test_compressed_folders(mail, suffix):
    path, packer = mail.home / f"folder.{suffix}", PACKERS[suffix]
    path.write_bytes(packer.compress(box(1, 2, 3).encode()))
    path.chmod(0o640)
    done = session(mail, "p 2", "d 1", "q", words=["-f", path])
    assert f'"{path}" complete\n' in done.out and "\ntext\n" in done.out, done.out + done.err
    assert packer.decompress(path.read_bytes()).decode() == message(2, header="Status: RO\n") + message(
        3, header="Status: O\n")
    assert path.stat().st_mode & 0o7777 == 0o640
    mail.mailbox.write_text(box(4))
    assert "[Appended]" in session(mail, f"s 1 {path.name}", "q").out
    assert re.findall(r"subject (\d)", packer.decompress(path.read_bytes()).decode()) == ["2", "3", "4"]


def test_a_compressed_folder_that_another_program_changed_stays(mail):
    path = mail.home / "folder.gz"
    path.write_bytes(gzip.compress(box(1, 2).encode()))
    done = session(mail, "d 1", f"! cp {path} c && cat c >> {path}", "q", words=["-f", path])
    assert "another program rewrote it meanwhile" in done.err and done.returncode == 1
    assert re.findall(r"subject (\d)", gzip.decompress(path.read_bytes()).decode()) == ["1", "2", "1", "2"]


def test_a_disk_that_is_full_for_the_packing_program(mail):
    mail.mailbox.write_text(box(1))
    before = gzip.compress(box(2).encode())
    (mail.home / "packed.gz").write_bytes(before)
    (mail.directory / "bin" / "gzip").write_text('#!/bin/sh\ncase $1 in *d*) exec /usr/bin/gzip "$@" ;; esac\n'
                                                 'printf part; exit 1\n')
    (mail.directory / "bin" / "gzip").chmod(0o755)
    done = session(mail, "s 1 packed.gz", "q")
    assert "the program that packs it is not installed or failed" in done.err
    assert (mail.home / "packed.gz").read_bytes() == before and subjects(mail.mailbox) == [1]
    done = session(mail, "d 1", "q", words=["-f", mail.home / "packed.gz"])
    assert "it could not be compressed" in done.err and done.returncode == 1
    assert sorted(path.name for path in mail.home.iterdir()) == ["packed.gz"]
    assert (mail.home / "packed.gz").read_bytes() == before


LEAVE = ["d 1", "p 2", "d 4", "q"]


@needs_trace
@pytest.mark.parametrize("break_at", [killed_at, failing_at], ids=["crash", "full disk"])
def test_trouble_at_every_write_to_a_maildir_loses_nothing(mail, break_at):
    path, words = mail.home / "box", ["-N", "-S", "quiet", "-f", str(mail.home / "box")]

    def prepare():
        subprocess.run(["rm", "-rf", str(path)], check=True)
        make_maildir(path, {f"new/158210703{n}.{n}": content(n) for n in (1, 2, 3, 4, 5)})

    calls = numbered_calls(mail, prepare, words, LEAVE)
    assert calls.count("rename") + calls.count("renameat") + calls.count("renameat2") == 3, calls
    for position, call in enumerate(calls):
        if break_at is failing_at and call == "write":
            continue
        prepare()
        break_at(mail, call, calls[:position + 1].count(call), words, LEAVE)
        found = files(path)
        assert set(numbers(path)) >= {2, 3, 5}, (position, call, found)
        assert all(text == content(int(re.search(r"subject (\d)", text)[1])) for text in found.values()), position


@needs_trace
def test_a_file_system_without_renames_that_replace_nothing(mail):
    box = make_maildir(mail.home / "box", {"new/1582107031.1": content(1), "new/1582107032.2": content(2)})
    subprocess.run(["strace", "-qq", "-e", "trace=renameat2", "-e", "inject=renameat2:error=EINVAL", "-o", "/dev/null",
                    *mail.command("-N", "-f", box)], input=b"p 1\nflag 2\nq\n", cwd=mail.home, capture_output=True,
                   env={**mail.env, "ASAN_OPTIONS": "detect_leaks=0"}, check=True)
    assert files(box) == {"cur/1582107031.1:2,S": content(1), "cur/1582107032.2:2,F": content(2)}


@needs_trace
@pytest.mark.parametrize("target", ["made/", "packed.gz"])
@pytest.mark.parametrize("break_at", [killed_at, failing_at], ids=["crash", "full disk"])
def test_trouble_at_every_write_of_a_save_loses_nothing(mail, break_at, target):
    words, lines = ["-N", "-S", "quiet"], [f"s 1 2 {target}", "q"]

    def prepare():
        subprocess.run(f"rm -rf made packed.gz* {mail.mailbox}*", shell=True, cwd=mail.home, check=True)
        mail.mailbox.write_text(box(1, 2, 3))
        (mail.home / "packed.gz").write_bytes(gzip.compress(box(9).encode()))

    def saved():
        if target == "made/":
            return numbers(mail.home / "made") if (mail.home / "made" / "new").exists() else []
        done = subprocess.run(["gzip", "-cd", "packed.gz"], cwd=mail.home, capture_output=True, check=False)
        return [int(n) for n in re.findall(r"subject (\d)", done.stdout.decode()) if n != "9"]

    calls = numbered_calls(mail, prepare, words, lines)
    for position, call in enumerate(calls):
        if break_at is failing_at and call in ("write", "unlink", "unlinkat"):
            continue
        prepare()
        break_at(mail, call, calls[:position + 1].count(call), words, lines)
        for lock in mail.mailbox.parent.glob("*.lock*"):
            lock.unlink()
        mail.run("-N", stdin="x\n")  # finishes what a journal holds
        kept = subjects(mail.mailbox) if mail.mailbox.exists() else []
        assert {1, 2, 3} <= set(kept) | set(saved()), (position, call, kept, saved())
        if target == "packed.gz":
            start = subprocess.run("gzip -cdq packed.gz", shell=True, cwd=mail.home, capture_output=True, check=False)
            assert "subject 9" in start.stdout.decode(), (position, call)
