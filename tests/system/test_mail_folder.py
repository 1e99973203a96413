# SPDX-License-Identifier: Apache-2.0
"""mail(1) and the mailbox: what leaving does, saving, locks, mail that arrives meanwhile, crashes, full disks."""
import fcntl
import os
import re
import resource
import shutil
import struct
import subprocess
import threading
import time

import pytest
from mail_command import FIRST, Mail, message


@pytest.fixture
def mail(tmp_path):
    mail = Mail(tmp_path)
    yield mail
    mail.close()


def box(*numbers, header=""):
    return "".join(message(n, header=header) for n in numbers)


def subjects(path):
    return [int(n) for n in re.findall(r"^Subject: subject (\d+)$", path.read_text(), re.M)]


def session(mail, *lines, words=(), **env):
    done = mail.run("-N", "-S", "quiet", *words, stdin="".join(line + "\n" for line in lines), **env)
    return done


def test_leaving_without_looking_makes_new_messages_old(mail):
    mail.mailbox.write_text(box(1, 2))
    done = session(mail, "q")
    assert done.out.endswith(f"Held 2 messages in {mail.mailbox}\n") and done.returncode == 0
    assert mail.mailbox.read_text() == box(1, 2, header="Status: O\n")


def test_status_lines_follow_what_was_done(mail):
    mail.mailbox.write_text(message(1) + message(2, header="X-A: b\nStatus: O\nX-B: c\n") + message(3) + message(4))
    session(mail, "p 1", "p 2", "new 3", "flag 4", "q")
    text = mail.mailbox.read_text()
    assert text == (message(1, header="Status: RO\n") + message(2, header="X-A: b\nStatus: RO\nX-B: c\n") + message(3) +
                    message(4, header="Status: O\nX-Status: F\n"))


def test_exit_leaves_the_file_as_it_is(mail):
    mail.mailbox.write_text(box(1, 2, 3))
    before = mail.mailbox.stat()
    for end in ("x", "ex", "exit", "xit"):
        session(mail, "p 1", "d 2", "s 3 file", end)
        after = mail.mailbox.stat()
        assert mail.mailbox.read_text() == box(1, 2, 3)
        assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


@pytest.mark.parametrize("end", ["q", "quit", None])
def test_deleted_messages_go(mail, end):
    mail.mailbox.write_text(box(1, 2, 3))
    session(mail, "d 2", *([end] if end else []))
    assert subjects(mail.mailbox) == [1, 3]


@pytest.mark.parametrize("words, in_box, in_mbox", [
    (["-S", "nohold"], [2, 3], [1]),
    (["-S", "hold"], [1, 2, 3], []),
    (["-n"], [2, 3], [1]),
])
def test_messages_that_were_read(mail, words, in_box, in_mbox):
    mail.mailbox.write_text(box(1, 2) + box(3, header="Status: RO\n"))
    done = session(mail, "p 1", "q", words=words)
    assert subjects(mail.mailbox) == in_box
    mbox = mail.home / "mbox"
    assert (subjects(mbox) if mbox.exists() else []) == in_mbox
    assert ("Saved 1 message in mbox\n" in done.out) == bool(in_mbox)


def test_hold_and_mbox_commands(mail):
    mail.mailbox.write_text(box(1, 2, 3))
    session(mail, "p *", "hold 1", "mbox 2", "q", words=["-S", "nohold"])
    assert subjects(mail.mailbox) == [1] and subjects(mail.home / "mbox") == [2, 3]
    session(mail, "mbox 1", "q", words=["-S", "hold"])
    assert subjects(mail.home / "mbox") == [2, 3, 1]
    mail.mailbox.write_text(box(4))
    session(mail, "p", "q", words=["-S", "nohold", "-S", "noappend"])
    assert subjects(mail.home / "mbox") == [4, 2, 3, 1]


def test_mbox_that_cannot_be_written_keeps_all(mail):
    mail.mailbox.write_text(box(1, 2))
    done = session(mail, "p 1", "d 2", "q", words=["-S", "nohold", "-S", "MBOX=/nonexistent/mbox"])
    assert done.returncode == 1 and "/nonexistent/mbox" in done.err and "nothing was changed" in done.err
    assert mail.mailbox.read_text() == box(1, 2)


def test_save_and_copy(mail):
    mail.mailbox.write_text(box(1, 2, 3))
    done = session(mail, "s 1 file", "copy 2 file", "f 3", "s", "f 1-3", "q")
    first = message(1, header="Status: O\n")
    assert f'"file" [New file] {first.count(chr(10))}/{len(first)}' in done.out
    assert '"file" [Appended]' in done.out
    assert re.findall(r"^.(.)  \d author", done.out, re.M) == ["N", "*", "N", "*"]
    assert subjects(mail.mailbox) == [2]
    assert subjects(mail.home / "file") == [1, 2] and subjects(mail.home / "mbox") == [3]
    session(mail, "s 1 other", "q", words=["-S", "keepsave"])
    assert subjects(mail.mailbox) == [2]


def test_one_word_is_the_file(mail):
    mail.mailbox.write_text(box(1, 2, 3))
    session(mail, "s 3", "x")
    assert subjects(mail.home / "3") == [1]


def test_save_puts_an_empty_line_before_from(mail):
    mail.mailbox.write_text(box(1))
    (mail.home / "file").write_text(box(9).rstrip("\n"))
    session(mail, "s file", "x")
    assert (mail.home / "file").read_text().count("\n\nFrom ") == 1
    assert len(mail.run("-H", "-f", "file").out.splitlines()) == 2


def test_save_fields(mail):
    mail.mailbox.write_text(FIRST)
    session(mail, "saveignore received", "s file", "x")
    text = (mail.home / "file").read_text()
    assert "Received" not in text and "\tid " not in text and "Message-Id" in text


@pytest.mark.parametrize("target", ["/dev/full", "/nonexistent/file", "/proc/self/status"])
def test_a_failed_save_loses_nothing(mail, target):
    mail.mailbox.write_text(box(1, 2))
    done = session(mail, f"s 1 {target}", "f 1", "q")
    assert f'cannot write "{target}"' in done.err
    assert ">N  1 " in done.out
    assert subjects(mail.mailbox) == [1, 2]


def test_saving_into_the_open_folder_is_refused(mail):
    mail.mailbox.write_text(box(1))
    assert "folder that is open" in session(mail, f"s {mail.mailbox}", "x").err
    (mail.home / "link").symlink_to(mail.mailbox)
    assert "folder that is open" in session(mail, "s link", "x").err


def test_save_by_author(mail):
    mail.mailbox.write_text(message(1, sender="some.one@example.org") + message(2, sender='"../x"@example.org'))
    done = session(mail, "S 1", "C 2", "x")
    assert subjects(mail.home / "some.one") == [1], done.err
    assert not (mail.directory / "x").exists()


@pytest.mark.parametrize("author", ['%user2', "*", "~", "&", "#"])
def test_save_by_an_author_who_looks_like_another_file(mail, author):
    (mail.home / "only-file").write_text("mine\n")
    other = mail.mailbox.with_name("user2")
    other.write_text(box(9))
    mail.mailbox.write_text(message(1, sender=f"{author}@example.org"))
    done = session(mail, "S 1", "x")
    name = author.replace(author[0], "_", 1)
    assert done.out.endswith(f'"{name}" [New file] 9/{len(message(1, sender=f"{author}@example.org")) + 10}\n'), done.out
    assert subjects(mail.home / name) == [1]
    assert (mail.home / "only-file").read_text() == "mine\n" and other.read_text() == box(9)


def test_save_by_an_author_with_control_characters(mail):
    mail.mailbox.write_text(message(1, sender='"a\x1b[31m\x9b\u202eb"@example.org'))
    done = session(mail, "S 1", "x")
    assert '""a__31m__b"" [New file]' in done.out
    assert subjects(mail.home / '"a__31m__b"') == [1]


def test_file_folders_keep_what_was_read(mail):
    file = mail.home / "folder"
    file.write_text(box(1, 2, 3))
    os.chmod(file, 0o640)
    done = session(mail, "p 1", "d 2", "q", words=["-f", "folder"])
    assert done.out.endswith('"folder" complete\n')
    assert subjects(file) == [1, 3] and file.stat().st_mode & 0o777 == 0o640
    assert not (mail.home / "mbox").exists()


def test_names_of_folders_are_shown_without_control_characters(mail):
    (mail.home / "a\x1b[31m").write_text(box(1, 2))
    done = session(mail, "c 1 'b\x1b[31m'", "d 2", "q", words=["-f", "a\x1b[31m"])
    assert '"b?[31m" [New file]' in done.out and '"a?[31m" complete' in done.out
    assert '"a?[31m": 2 messages' in done.out and "\x1b" not in done.out + done.err


def test_symbolic_links_stay(mail):
    (mail.home / "real").write_text(box(1, 2))
    (mail.home / "folder").symlink_to("real")
    session(mail, "d 1", "q", words=["-f", "folder"])
    assert (mail.home / "folder").is_symlink() and subjects(mail.home / "real") == [2]


def test_hard_links_stay(mail):
    (mail.home / "real").write_text(box(1, 2))
    os.link(mail.home / "real", mail.home / "folder")
    session(mail, "d 1", "q", words=["-f", "folder"])
    assert subjects(mail.home / "real") == [2] and (mail.home / "real").stat().st_nlink == 2


def test_the_system_mailbox_keeps_its_inode(mail):
    mail.mailbox.write_text(box(1, 2, 3))
    inode = mail.mailbox.stat().st_ino
    session(mail, "d 2", "p 1", "q")
    session(mail, "d *", "q")
    assert mail.mailbox.stat().st_ino == inode and mail.mailbox.read_bytes() == b""
    mail.mailbox.write_text(box(1))
    session(mail, "d *", "q", words=["-n"])
    assert not mail.mailbox.exists()


def test_nothing_is_left_lying_about(mail):
    mail.mailbox.write_text(box(1, 2, 3))
    session(mail, "d 2", "s 1 file", "q")
    assert [p.name for p in mail.mailbox.parent.iterdir()] == ["user1"]
    assert {p.name for p in mail.home.iterdir()} == {"file"}


def test_read_only(mail):
    mail.mailbox.write_text(box(1, 2))
    done = session(mail, "p 1", "q", words=["-R"])
    assert "[Read only]" in done.out and done.returncode == 0
    done = session(mail, "d 1", "q", words=["-R"])
    assert done.returncode == 1 and "read-only" in done.err
    assert mail.mailbox.read_text() == box(1, 2)


def test_mail_that_arrives_meanwhile_stays(mail):
    mail.mailbox.write_text(box(1, 2))
    terminal = mail.terminal("-S", "nonewmail")
    terminal.expect("& ")
    terminal.line("d 1")
    terminal.expect("& ")
    with open(mail.mailbox, "a", encoding="utf-8") as file:
        file.write(message(3))
    terminal.line("q")
    terminal.expect("New mail has arrived.")
    assert terminal.end() == 0
    assert subjects(mail.mailbox) == [2, 3]
    assert mail.mailbox.read_text().endswith(message(3))


def test_from_lines_inside_texts(mail):
    tricky = message(1, body="From the start\n\nFrom here on\n\nFrom nobody  Someday\nend\n")
    mail.mailbox.write_text(tricky + message(2))
    assert len(mail.run("-H").out.splitlines()) == 2


def test_another_program_rewrote_the_folder(mail):
    mail.mailbox.write_text(box(1, 2, 3))
    terminal = mail.terminal()
    terminal.expect("& ")
    mail.mailbox.write_text(box(3, 4, 5, 6))
    terminal.line("p 1")
    terminal.expect("another program changed")
    terminal.expect("& ")
    terminal.line("d 2")
    terminal.expect("& ")
    terminal.line("q")
    terminal.expect("was not changed")
    terminal.expect("& ")
    terminal.line("x")
    assert terminal.end() == 0
    assert mail.mailbox.read_text() == box(3, 4, 5, 6)


def hold_lock(path, kind, seconds, held):
    if kind == "dotlock":
        lock = path.with_name(path.name + ".lock")
        lock.write_text(f"{os.getpid()}\n")
        held.set()
        time.sleep(seconds)
        lock.unlink()
        return
    with open(path, "r+b") as file:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK if hasattr(fcntl, "F_OFD_SETLK") else 37,
                    struct.pack("hhllhh", fcntl.F_WRLCK, 0, 0, 0, 0, 0))
        held.set()
        time.sleep(seconds)


@pytest.mark.parametrize("kind", ["dotlock", "fcntl"])
def test_a_lock_is_waited_for(mail, kind):
    mail.mailbox.write_text(box(1))
    held = threading.Event()
    thread = threading.Thread(target=hold_lock, args=(mail.mailbox, kind, 1.0, held))
    thread.start()
    held.wait()
    start = time.monotonic()
    done = session(mail, "d 1", "q")
    thread.join()
    assert done.returncode == 0 and time.monotonic() - start > 0.5
    assert "locked by another program" in done.err
    assert mail.mailbox.read_text() == ""


def test_a_stale_lock_file_counts_for_nothing(mail):
    mail.mailbox.write_text(box(1))
    lock = mail.mailbox.with_name("user1.lock")
    lock.write_text("999999999\n")
    os.utime(lock, (time.time() - 3600,) * 2)
    assert session(mail, "d 1", "q").returncode == 0
    assert not lock.exists() and mail.mailbox.read_text() == ""


def test_concurrent_deliveries_are_never_lost(mail):
    """A deliverer that locks as ours does appends all the time, while sessions delete every second message."""
    mail.mailbox.write_text("")
    total, stop = 60, threading.Event()
    deliver = r"""
import fcntl, os, struct, sys, time
path, total = sys.argv[1], int(sys.argv[2])
for n in range(1, total + 1):
    with open(path, "ab") as box:
        fcntl.lockf(box, fcntl.LOCK_EX)
        while True:
            try:
                os.close(os.open(path + ".lock", os.O_CREAT | os.O_EXCL))
                break
            except FileExistsError:
                time.sleep(0.01)
        box.write(b"From a@b  Thu Jan  2 03:04:05 2020\nSubject: subject %d\n\ntext %d\n\n" % (n, n))
        box.flush()
        os.unlink(path + ".lock")
    time.sleep(0.02)
"""
    process = subprocess.Popen(["/usr/bin/python3", "-c", deliver, str(mail.mailbox), str(total)])
    saved = mail.home / "taken"
    while process.poll() is None:
        session(mail, "s 1 taken", "q")
    assert process.returncode == 0
    stop.set()
    taken = subjects(saved) if saved.exists() else []
    assert sorted(taken + subjects(mail.mailbox)) == list(range(1, total + 1))
    assert len(taken) > 2


CALLS = "pwrite64,pwritev,ftruncate,fsync,rename,renameat,renameat2,unlink,unlinkat,write,link,linkat"


def numbered_calls(mail, prepare, words, lines):
    """How often a session makes one of the calls that change files."""
    prepare()
    log = mail.directory / "trace"
    subprocess.run(["strace", "-qq", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", log, *mail.command(*words)],
                   input="".join(line + "\n" for line in lines).encode(), env={**mail.env, "ASAN_OPTIONS": "detect_leaks=0"},
                   cwd=mail.home, capture_output=True, check=True)
    return [line.split("(")[0] for line in log.read_text().splitlines()]


def killed_at(mail, call, number, words, lines):
    """Runs a session that is killed when it makes that call for the number-th time, before the call is done."""
    subprocess.run(["strace", "-qq", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}", "-o",
                    "/dev/null", *mail.command(*words)], input="".join(line + "\n" for line in lines).encode(),
                   env={**mail.env, "ASAN_OPTIONS": "detect_leaks=0"}, cwd=mail.home, capture_output=True)


def failing_at(mail, call, number, words, lines):
    return subprocess.run(["strace", "-qq", "-e", f"trace={call}", "-e", f"inject={call}:error=ENOSPC:when={number}",
                           "-o", "/dev/null", *mail.command(*words)],
                          input="".join(line + "\n" for line in lines).encode(),
                          env={**mail.env, "ASAN_OPTIONS": "detect_leaks=0"}, cwd=mail.home, capture_output=True)


can_trace = shutil.which("strace") and subprocess.run(["strace", "-qq", "true"], capture_output=True).returncode == 0
needs_trace = pytest.mark.skipif(not can_trace, reason="strace cannot trace here")


SHRINK = ["d 2", "d 4", "q"]
GROW = ["q"]
CRASHES = [("system", SHRINK), ("system", GROW), ("file", SHRINK), ("file", GROW)]
LONG = "text\n" + "a line that fills the message\n" * 20000  # changed in place by several writes


@pytest.mark.parametrize("lines", ["c 2 taken\nx\n", "d 1\nq\n"], ids=["save", "leave"])
def test_a_limit_on_sizes_is_told_and_loses_nothing(mail, lines):
    before = box(1) + message(2, body="a line\n" * 20000)
    mail.mailbox.write_text(before)
    done = subprocess.run(mail.command("-N"), input=lines.encode(), capture_output=True, env=mail.env, cwd=mail.home,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000)))
    assert done.stderr.endswith(b": File too large\n"), done
    assert mail.mailbox.read_text() == before
    assert [path.name for path in mail.mailbox.parent.iterdir()] == ["user1"] and not any(mail.home.iterdir())


def test_a_limit_on_sizes_is_told_when_sending(mail):
    done = subprocess.run(mail.command("root"), input=b"a line\n" * 20000, capture_output=True, env=mail.env, cwd=mail.home,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000)))
    assert b"there is no room for the message" in done.stderr and done.returncode == 75, done
    assert not mail.sent()


@needs_trace
@pytest.mark.parametrize("late", [False, True], ids=["alone", "with new mail after the crash"])
@pytest.mark.parametrize("body", ["text\n", LONG], ids=["short", "long"])
@pytest.mark.parametrize("kind, lines", CRASHES, ids=["system-shrink", "system-grow", "file-shrink", "file-grow"])
def test_a_crash_at_every_write_loses_nothing(mail, kind, lines, body, late):
    path = mail.mailbox if kind == "system" else mail.home / "folder"
    words = ["-N", "-S", "quiet"] + ([] if kind == "system" else ["-f", str(path)])
    kept = [1, 3, 5] if lines is SHRINK else [1, 2, 3, 4, 5]

    def prepare():
        for leftover in [*path.parent.glob(".*"), *path.parent.glob("*.lock*"), *path.parent.glob("*.new")]:
            leftover.unlink()
        path.write_text("".join(message(n, body=body) for n in (1, 2, 3, 4, 5)))

    calls = numbered_calls(mail, prepare, words, lines)
    assert len(calls) > 3
    for position, call in enumerate(calls):
        prepare()
        killed_at(mail, call, calls[:position + 1].count(call), words, lines)
        for lock in path.parent.glob("*.lock*"):
            lock.unlink()  # as time does: a stale one counts for nothing
        expected = kept
        if late:
            with open(path, "a", encoding="utf-8") as file:
                file.write(message(6))
        done = mail.run(*words, stdin="x\n")
        assert done.returncode == 0, (position, call, done.err)
        found = subjects(path)
        new = [6] if late else []
        assert found in (expected + new, [1, 2, 3, 4, 5] + new), (position, call, found)
        texts = path.read_text()
        whole = re.sub(r"^Status: O\n", "", texts, flags=re.M)
        assert whole == "".join(message(n, body="text\n" if n == 6 else body) for n in found), (position, call)
        assert not list(path.parent.glob(".*journal*")), (position, call)


@needs_trace
@pytest.mark.parametrize("kind, lines", CRASHES, ids=["system-shrink", "system-grow", "file-shrink", "file-grow"])
def test_a_full_disk_at_every_write_is_told_and_loses_nothing(mail, kind, lines):
    path = mail.mailbox if kind == "system" else mail.home / "folder"
    words = ["-N", "-S", "quiet"] + ([] if kind == "system" else ["-f", str(path)])
    kept = [1, 3, 5] if lines is SHRINK else [1, 2, 3, 4, 5]

    def prepare():
        for leftover in [*path.parent.glob(".*"), *path.parent.glob("*.lock*"), *path.parent.glob("*.new")]:
            leftover.unlink()
        path.write_text(box(1, 2, 3, 4, 5))

    calls = numbered_calls(mail, prepare, words, lines)
    for position, call in enumerate(calls):
        if call in ("unlink", "unlinkat", "write"):  # a lock file's text, and the terminal's
            continue
        prepare()
        done = failing_at(mail, call, calls[:position + 1].count(call), words, lines)
        for lock in path.parent.glob("*.lock*"):
            lock.unlink()
        mail.run(*words, stdin="x\n")
        assert subjects(path) in (kept, [1, 2, 3, 4, 5]), (position, call)
        if subjects(path) != kept:
            assert done.returncode != 0 and b"No space left" in done.stderr, (position, call, done.stderr)
