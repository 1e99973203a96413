# SPDX-License-Identifier: Apache-2.0
"""postrider spool check, dump, repair: on whole spools and damaged ones; and a daemon that runs on a damaged one."""
import json
import re

import pytest

from support.system import wait_for

LARGE = 300_000  # has a file of its own


def place(system):
    return system.path("/var/spool/postrider") if system.is_host else system.path(system.dir / "spool")


def text(name, size=0):
    return f"Subject: {name}\n\n" + "a line of the mail\n" * (size // 19) + f"last line of {name}\n"


@pytest.fixture
def stopped(mail_system):
    """Three mails wait in a spool that nobody has open: small, large, small."""
    system = mail_system
    system.stop()
    system.configure({"queue.paused": "yes"})
    system.start()
    for name, size in [("first", 0), ("large", LARGE), ("last", 0)]:
        system.sendmail("user1", "user2", message=text(name, size))
    system.stop()
    return system


def ids(system):
    """Name of a mail to its queue id."""
    found = {}
    for mail_id in re.findall(r"^([0-9A-F]{15})", system.mailq(), re.M):
        content = system.postrider("spool", "dump", "--content", mail_id, check=False).stdout
        name = re.search(r"^Subject: (.*)$", content, re.M)
        found[name.group(1) if name else None] = mail_id
    return found


def segment_with(system, needle):
    """(path, offset) of the bytes in the log."""
    for path in sorted((place(system) / "log").glob("*.seg")):
        at = path.read_bytes().find(needle)
        if at >= 0:
            return path, at
    raise AssertionError(f"{needle} is not in the log")


def damage(path, at, n=1):
    with open(path, "r+b") as file:
        file.seek(at)
        old = file.read(n)
        file.seek(at)
        file.write(bytes(byte ^ 1 for byte in old))


def damage_record_of(system, mail_id):
    """A byte of the record's head: the record, and with it the mail's recipients, cannot be read."""
    path, at = segment_with(system, int(mail_id, 16).to_bytes(8, "little"))
    damage(path, at)


def snapshot(system):
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in place(system).rglob("*")
            if path.is_file()}


def delivered(system):
    system.configure()
    system.start()
    wait_for(lambda: system.mailq() == "Mail queue is empty\n", "an empty queue")
    return {re.search(r"^Subject: (.*)$", str(mail), re.M).group(1) for mail in system.messages("user2")}


def test_whole_spool(stopped):
    before = snapshot(stopped)
    assert stopped.postrider("spool", "check").stdout == "3 messages, 0 problems, 0 of them damage\n"
    said = json.loads(stopped.postrider("spool", "check", "--json").stdout)
    assert said == {"messages": 3, "damages": 0, "problems": []}
    assert "not damaged" in stopped.postrider("spool", "repair").stdout
    assert snapshot(stopped) == before


def test_refuses_while_the_daemon_runs(mail_system):
    for words in (["check"], ["dump"], ["repair"]):
        done = mail_system.postrider("spool", *words, check=False)
        assert done.returncode == 75 and "postrider stop" in done.stderr, done


@pytest.mark.parametrize("words", [[], ["mend"], ["check", "--all"], ["dump", "--content"], ["repair", "--json"],
                                   ["dump", "1", "2"]])
def test_wrong_words(stopped, words):
    assert stopped.postrider("spool", *words, check=False).returncode in (64, 65)


def test_dump(stopped):
    mail_id = ids(stopped)["large"]
    all_records = stopped.postrider("spool", "dump").stdout.splitlines()
    own = stopped.postrider("spool", "dump", mail_id).stdout.splitlines()
    assert own and len(own) < len(all_records) and all(mail_id in line and line in all_records for line in own)
    records = [json.loads(line) for line in stopped.postrider("spool", "dump", "--json", mail_id).stdout.splitlines()]
    assert records[0]["type"] == "message" and records[0]["id"] == mail_id
    content = stopped.postrider("spool", "dump", "--content", mail_id).stdout
    assert content.endswith("last line of large\n") and len(content) > LARGE
    done = stopped.postrider("spool", "dump", "--content", "00100000000000F", check=False)
    assert done.returncode == 66 and "no such mail" in done.stderr


def test_damaged_content(stopped):
    """The mail is put aside and told with its id, sender and recipient; the others are saved."""
    known = ids(stopped)
    path, at = segment_with(stopped, b"last line of first\n")
    damage(path, at)
    done = stopped.postrider("spool", "check", check=False)
    assert done.returncode == 1
    assert known["first"] in done.stdout and f"log/{path.name}" in done.stdout and "spool repair" in done.stdout
    problem, = json.loads(stopped.postrider("spool", "check", "--json", check=False).stdout)["problems"]
    assert problem["id"] == known["first"] and problem["is_damage"] and problem["bytes"] > 0
    done = stopped.postrider("spool", "dump", "--content", known["first"], check=False)
    assert done.returncode == 1 and "damaged" in done.stderr
    done = stopped.postrider("spool", "repair", check=False)
    assert done.returncode == 1
    assert re.search(rf"lost: {known['first']} from <user1@\S+> to <user2@\S+>", done.stdout), done.stdout
    assert "2 messages are in the clean log, 1 were lost" in done.stdout
    backup, = place(stopped).glob("before-repair.*")
    assert b"ast line of first\n" in (backup / "log" / path.name).read_bytes()
    assert "not damaged" in stopped.postrider("spool", "repair").stdout
    assert ids(stopped) == {name: known[name] for name in ("large", "last")}
    assert delivered(stopped) == {"large", "last"}


def test_unreadable_record(stopped):
    known = ids(stopped)
    damage_record_of(stopped, known["first"])
    done = stopped.postrider("spool", "check", check=False)
    assert done.returncode == 1 and re.search(r"offset \d+, \d+ bytes, records \d+ to \d+", done.stdout), done.stdout
    done = stopped.postrider("spool", "repair", check=False)
    assert done.returncode == 0 and "2 messages are in the clean log, 0 were lost" in done.stdout, done
    assert "cannot be read" in done.stdout
    assert stopped.postrider("spool", "check").returncode == 0
    assert delivered(stopped) == {"large", "last"}


def test_missing_body(stopped):
    known = ids(stopped)
    body, = (place(stopped) / "bodies").glob("*.body")
    body.unlink()
    done = stopped.postrider("spool", "check", check=False)
    assert done.returncode == 1 and f"bodies/{body.name}" in done.stdout
    done = stopped.postrider("spool", "repair", check=False)
    assert done.returncode == 1 and f"lost: {known['large']}" in done.stdout
    assert delivered(stopped) == {"first", "last"}


def test_body_without_a_record_is_kept(stopped):
    """Its record was damaged: the file is all there is of the mail."""
    known = ids(stopped)
    damage_record_of(stopped, known["large"])
    body, = (place(stopped) / "bodies").glob("*.body")
    stopped.postrider("spool", "repair")
    backup, = place(stopped).glob("before-repair.*")
    assert delivered(stopped) == {"first", "last"}
    assert (backup / "bodies" / body.name).read_bytes().endswith(b"last line of large\n")


def test_interrupted_repair(stopped):
    """What was begun and not ended is in nobody's way, and the next one does all of it."""
    known = ids(stopped)
    path, at = segment_with(stopped, b"last line of first\n")
    damage(path, at)
    (place(stopped) / "before-repair.20260101-000000.0" / "log").mkdir(parents=True)
    stopped.postrider("spool", "repair", check=False)
    assert ids(stopped) == {name: known[name] for name in ("large", "last")}
    assert delivered(stopped) == {"large", "last"}


def test_daemon_runs_on_a_damaged_spool(stopped):
    """The rest of the queue is delivered; log and status say what is damaged and what was saved."""
    stopped.expect_error("spool: confirmed records")
    damage_record_of(stopped, ids(stopped)["first"])
    assert delivered(stopped) == {"large", "last"}
    stopped.wait_log(r"spool: confirmed records of the log cannot be read .*\d+ records saved")
    status = stopped.postrider("status").stdout
    assert re.search(r"spool.*damage", status), status
    stopped.sendmail("user1", "payam")
    stopped.wait_messages("payam")
