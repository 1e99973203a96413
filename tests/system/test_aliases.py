# SPDX-License-Identifier: Apache-2.0
"""The aliases as people ask for them: `postrider aliases`, several files, what is wrong, told by whom."""
import json
import re

import pytest

from support.system import Sandbox, wait_for

GOOD = "postmaster: root\nroot: payam\n"


@pytest.fixture
def files(keeper):
    """A sandbox with two aliases files, and what is to stand in them; not started."""
    def make(first, second=""):
        system.write(system.aliases_file, first)
        system.write(two, second)
        return system
    system = keeper.add(Sandbox())
    two = system.etc / "two"
    system.configure({"aliases.file": f"{system.aliases_file} {two}"})
    return make


def lines(system, *words, check=True):
    return system.postrider("aliases", *words, check=check).stdout.replace(f"{system.etc}/", "").splitlines()


# ---- check


@pytest.mark.parametrize("text, found, status", [
    ("", [], 0),
    ("x: nobody-here\n", ["aliases:3: warning: \"nobody-here\", a recipient of \"x\", is neither an alias nor a user"], 0),
    ("x: two-has-it\n", [], 0),
    ("a: b\nb: a\n", ["aliases:3: loop: a -> b -> a; "], 65),
    ("x y\nz: payam\nz: user1\n", ["aliases:3: expected", "aliases:5: warning: duplicate"], 65),
    ("x: :include:/nonexistent/list\n", ["aliases:3: :include:/nonexistent/list: there is no such file"], 65),
    ("two: payam\n", ["two:2: warning: duplicate alias \"two\": the one in "], 0),
])
def test_check(files, text, found, status):
    system = files(GOOD + text, "two-has-it: payam\ntwo: user1\n")
    done = system.postrider("aliases", "check", check=False)
    told = done.stdout.replace(f"{system.etc}/", "").splitlines()
    assert done.returncode == status and done.stderr == ""
    assert len(told) == len(found) and all(t.startswith(f) for t, f in zip(told, found)), told
    assert not (system.etc / "aliases.db").exists()  # it only looks
    objects = [json.loads(line) for line in lines(system, "check", "--json", check=False)]
    assert [f"{o['line']}: {o['text']}" for o in objects] == \
        [re.sub(r"^\w+:(\d+): (warning: )?", r"\1: ", line) for line in told] or "two" in text
    assert {o["severity"] for o in objects} <= {"error", "warning"}


def test_check_of_a_file_that_is_not_in_use_yet(files):
    system = files(GOOD)
    new = system.etc / "aliases.new"
    new.write_text("x: y z\n")
    done = system.postrider("aliases", "check", str(new), check=False)
    assert done.returncode == 65 and f"{new}:1: \"y z\": no valid address" in done.stdout
    assert "root" not in done.stdout  # it is not the host's aliases


# ---- query and expand


def test_query(files):
    system = files(GOOD + "Staff: payam,\n # c\n user1\n", "staff: user2\nother: user2\n")
    done = system.postrider("aliases", "query", "staff", check=False)
    assert done.returncode == 69 and "not built yet; run newaliases" in done.stderr
    system.newaliases()
    assert system.postrider("aliases", "query", "STAFF").stdout == "payam,\n\n user1\n"
    assert json.loads(system.postrider("aliases", "query", "--json", "other").stdout) == {
        "key": "other", "file": f"{system.etc}/two", "line": 2, "value": "user2"}
    done = system.postrider("aliases", "query", "nothing", check=False)
    assert done.returncode == 67 and done.stdout == "" and "there is no such alias" in done.stderr
    system.write(system.aliases_file, GOOD)
    done = system.postrider("aliases", "query", "root")
    assert done.stdout == "payam\n" and "was changed, and the table in use is older" in done.stderr


TREE = """\
staff  alias at aliases:3; its bounces go to owner-staff
  payam  user  [aliases:3]
  team (Team+x)  alias at two:1  [aliases:3]
    user1  user  [two:1]
    payam  user; was there already, and counts once  [two:1]
  carol@far.example  another host  [aliases:4]
  |/bin/true -x  command  [aliases:4]
  /var/archive  file  [aliases:4]
  \\user2  user's own mailbox  [aliases:5]
  a b  left out: blanks or characters that must be quoted  [aliases:5]
  gone  NO SUCH USER: the mail is returned  [aliases:5]
"""


def test_expand(files):
    system = files(GOOD + "staff: payam, Team+x,\n carol@far.example, \"|/bin/true -x\", /var/archive,\n \\user2, a b, gone\n"
                   "owner-staff: payam\nloop: loop2\nloop2: loop\n", "team: user1, payam\n")
    system.newaliases()
    told = "\n".join(lines(system, "expand", "Staff@localhost")) + "\n"
    assert re.sub(r"left out: .*  ", "left out: X  ", told) == re.sub(r"left out: .*  ", "left out: X  ", TREE).replace(
        "staff  alias", "staff (Staff@localhost)  alias", 1)
    tree = json.loads(system.postrider("aliases", "expand", "--json", "staff").stdout)
    assert tree["kind"] == "alias" and tree["owner"] == "owner-staff"
    team = tree["to"][1]
    assert (team["name"], team["line"], team["entry_line"]) == ("team", 3, 1)
    assert [(t["name"], t["duplicate"]) for t in team["to"]] == [("user1", False), ("payam", True)]
    assert [t["user_exists"] for t in tree["to"] if t["name"] == "gone"] == [False]
    done = system.postrider("aliases", "expand", "loop", check=False)
    assert done.returncode == 65 and "    loop  LOOP: " in done.stdout


@pytest.mark.parametrize("address, status", [("nobody-here", 67), ("a b", 65), ("payam", 0), ("x@far.example", 0)])
def test_expand_says_by_its_status(files, address, status):
    system = files(GOOD)
    system.newaliases()
    assert system.postrider("aliases", "expand", address, check=False).returncode == status


def test_expand_reads_lists(files):
    system = files(GOOD)
    members = system.etc / "members"
    system.write(system.aliases_file, GOOD + f"all: :include:{members}\n")
    members.write_text("payam # who\n|command\nuser1\n")
    system.newaliases()
    told = lines(system, "expand", "all")
    assert told[1:] == ["  members  list  [aliases:3]", "    payam  user  [members:1]",
                        "    command  left out: a list has neither commands nor files  [members:2]",
                        "    user1  user  [members:3]"]
    members.chmod(0o666)
    assert lines(system, "expand", "all")[1:] == ["  members  list: everybody may write it: chmod o-w  [aliases:3]"]


def test_usage(files):
    system = files(GOOD)
    for words in [[], ["chek"], ["query"], ["query", "a", "b"], ["expand"], ["build", "--json"], ["check", "-x"]]:
        assert system.postrider("aliases", *words, check=False).returncode == 64


# ---- by Postfix's and Sendmail's names


@pytest.mark.parametrize("words, status, out", [
    (["postalias", "-q", "Staff"], 0, "payam, user1\n"),
    (["postalias", "-q", "other"], 0, "user2\n"),
    (["postalias", "-q", "nothing"], 1, ""),
    (["postalias", "-q", "other", "hash:{etc}/aliases"], 1, ""),
    (["postalias", "-q", "other", "{etc}/aliases", "cdb:{etc}/two"], 0, "user2\n"),
    (["postalias", "-s", "{etc}/two"], 0, "staff:\tuser2\nother:\tuser2\n"),
    (["postalias", "-s"], 0, "postmaster:\troot\nroot:\tpayam\nstaff:\tpayam, user1\nstaff:\tuser2\nother:\tuser2\n"),
    (["postalias", "-f", "-q", "-"], 0, "staff:\tpayam, user1\nROOT:\tpayam\n"),
    (["praliases"], 0, "postmaster:root\nroot:payam\nstaff:payam, user1\nstaff:user2\nother:user2\n"),
    (["praliases", "-f", "{etc}/two"], 0, "staff:user2\nother:user2\n"),
    (["praliases", "Root", "nothing"], 0, "Root:payam\nnothing: No such key\n"),
    (["postalias", "{etc}/three"], 0, ""),
    (["postalias", "{etc}/aliases"], 0, ""),
    (["postalias", "/nonexistent/file"], 1, ""),
    (["postalias", "-q", "x", "/nonexistent/file"], 1, ""),
    (["postalias", "-q", "x", "ldap:people"], 1, ""),
    (["postalias", "-d", "x", "{etc}/two"], 1, ""),
    (["postalias"], 1, ""),
    (["postalias", "-q", "a", "-s"], 1, ""),
    (["praliases", "-f", "/nonexistent/file"], 66, ""),
    (["praliases", "-x"], 64, ""),
])
def test_postalias_and_praliases(files, words, status, out):
    system = files(GOOD + "staff: payam,\n   # c\n\tuser1\n", "staff: user2\nother: user2\n")
    system.newaliases()
    (system.etc / "three").write_text("x: payam\n")
    done = system.run("root", [w.format(etc=system.etc) for w in words], stdin="staff\nnothing\nROOT\n", check=False)
    assert (done.returncode, done.stdout) == (status, out)
    is_silent = status == 0 or words[1:] in (["-q", "nothing"], ["-q", "other", "hash:{etc}/aliases"])
    assert (done.stderr == "") == is_silent, done.stderr
    if words[1:] == ["{etc}/three"]:
        assert (system.etc / "three.db").exists()


# ---- in a running system


def test_mail_goes_by_all_files(files):
    system = files(GOOD + "here: user1\nboth: user1\n", "there: here\nboth: user2\n")
    two = system.etc / "two"
    system.start()
    for name in ["there", "both"]:
        system.sendmail("payam", name, message=f"Subject: {name}\n\n")
    wait_for(lambda: {m["Subject"] for m in system.messages("user1")} == {"there", "both"}, "both mails of user1")
    system.write(two, "later: user2\n")  # an edit of either takes effect by itself
    wait_for(lambda: system.postrider("aliases", "query", "later", check=False).returncode == 0, "the new table")
    system.sendmail("payam", "later", message="Subject: later\n\n")
    wait_for(lambda: system.messages("user2"), "the mail for later")
    system.write(two, "broken\n")
    wait_for(lambda: f"aliases: {two}: no entry can be used" in system.log(), "the complaint")
    system.sendmail("payam", "later", message="Subject: last good\n\n")
    system.wait_messages("user2", 2)


def test_a_file_in_another_directory(mail_system):
    """Which the roles that read the tables may look into, and a command of it is looked up there."""
    system = mail_system
    lists = system.aliases_file.parent.parent / "var/lib/lists/aliases"
    system.path(lists).parent.mkdir(parents=True)
    system.write(lists, "far: user2\narchive: /dev/null, |/bin/cat >/dev/null, user2\n")
    system.configure({"aliases.file": f"{system.aliases_file}, {lists}"})
    system.newaliases()
    system.restart()
    for name in ["far", "archive"]:
        system.sendmail("user1", name, message=f"Subject: {name}\n\n")
    wait_for(lambda: {m["Subject"] for m in system.messages("user2")} == {"far", "archive"}, "both mails of user2")
    system.wait_log(r"to=<archive@.*status=sent \(delivered to command")


def test_the_log_has_what_newaliases_would_say(mail_system):
    """Asked without root's rights: a list where only root may look is not judged."""
    file = mail_system.aliases_file
    private = mail_system.path(file.with_name("private"))
    private.mkdir(mode=0o700)
    mail_system.write(file, "postmaster: root\nroot: gone\nx: :include:/nonexistent/list\nno colon\n"
                            f"y: :include:{file.with_name('private')}/list\n")
    wait_for(lambda: "nobody reads the mail for root" in mail_system.log(), "what is wrong in the log")
    for wanted in [rf"{file}:2: warning: \"gone\", a recipient of \"root\", is neither",
                   rf"{file}:2: warning: nobody reads the mail for root: gone \(no such user\)",
                   rf"{file}:3: :include:/nonexistent/list: there is no such file",
                   rf"{file}:4: expected"]:
        assert re.search("warning: aliases: " + wanted, mail_system.log()), wanted
    assert (f"{file}:5:" in mail_system.log()) == (not mail_system.is_host)
    assert f"{file}:5: " in mail_system.newaliases().stderr  # root sees that it is not there


BAD = {
    "NUL": b"a\0b: x\n", "NUL behind the colon": b"x: a\0b\n", "a megabyte": b"x: " + b"a" * 1_100_000 + b"\n",
    "a megabyte of key": b"k" * 1_100_000 + b": a\n", "many continuations": b"x: a\n" + b" , b\n" * 250_000,
    "binary": bytes(range(256)) * 8 + b"\n", "no colon": b"just words\n", "an open quote": b"\"x: a\n",
    "an open quote behind the colon": b"x: \"a, b\n", "only a colon": b":\n", "nothing behind it": b"x:\n",
    "a domain": b"x@y: a\n", "UTF-16": "x: ü\n".encode("utf-16") + b"\n",
    "controls": b"x: a\x1b[2Jb\n", "latin-1": b"m\xfcller: payam\n", "a lone CR": b"x: a\rb: c\n",
}


@pytest.mark.parametrize("kind", BAD)
def test_a_wrong_line_disables_no_other(files, kind):
    """With CRLF and without a last newline, too: what stands before and behind a wrong line is used."""
    for crlf in [False, True]:
        text = b"before: user1\n" + BAD[kind] + b"behind: user2\npostmaster: root\nroot: payam"
        system = files(GOOD)
        system.aliases_file.write_bytes(text.replace(b"\n", b"\r\n") if crlf else text)
        done = system.run("root", ["newaliases"], text=False)
        assert done.returncode == 0 and done.stdout == b""
        assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", done.stderr)  # nothing that could command a terminal
        for name, user in [("before", "user1"), ("behind", "user2"), ("root", "payam")]:
            assert system.postrider("aliases", "query", name).stdout == f"{user}\n"


def test_a_file_that_is_gone_is_told(sandbox):
    sandbox.aliases_file.unlink()
    wait_for(lambda: "No such file or directory; the old table stays in use" in sandbox.postrider("status").stdout,
             "the complaint in the status")
    sandbox.sendmail("user1", "lpic1")
    sandbox.wait_messages("payam")
    (sandbox.etc / "aliases.db").unlink()
    wait_for(lambda: 'no alias "lpic1"' in sandbox.postrider("explain", "lpic1", check=False).stdout,
             "the end of the aliases")
