# SPDX-License-Identifier: Apache-2.0
"""postrider(8): what an administrator asks and orders, with wrong input too."""
import re

import pytest

from support.system import HOST_NAME, Sandbox, free_port, wait_for

QUEUE_ID = r"[0-9A-F]{15}"


@pytest.fixture
def stopped(keeper):
    return keeper.add(Sandbox())


def queued(system, subject="waits"):
    """A mail for a place that cannot be reached; its id."""
    system.sendmail("payam", "someone@far.example", message=f"Subject: {subject}\n\ntext\n")
    return wait_for(lambda: re.search(rf"^({QUEUE_ID}) (?=(?:.|\n)*attempts 1)", system.postrider("queue", "list").stdout,
                                      re.M), "a deferred mail")[1]


@pytest.fixture
def unreachable(postrider_with):
    return postrider_with({"relay.host": f"[127.0.0.1]:{free_port()}"})


@pytest.mark.parametrize("words, status, said", [
    ([], 64, "usage: postrider COMMAND"),
    (["frobnicate"], 64, "frobnicate: no such command"),
    (["status", "x"], 64, "usage: postrider status"),
    (["config"], 64, "usage: postrider config check | get NAME | list"),
    (["config", "get"], 64, "usage: postrider config"),
    (["config", "set", "queue.lifetime", "3d"], 64, "config set: no such command; to change a setting edit /"),
    (["aliases", "chekc"], 64, "aliases chekc: no such command"),
    (["spool", "chekc"], 64, "spool chekc: no such command"),
    (["config", "get", "smtpd.lissten"], 65, "no such setting"),
    (["queue"], 64, "usage: postrider queue"),
    (["queue", "hold"], 64, "usage: postrider queue"),
    (["queue", "hold", "everything"], 65, "everything is no queue id"),
    (["setup", "--force"], 64, "usage: postrider setup"),
    (["setup"], 64, "a sandbox needs none"),
    (["status"], 69, "postriderd is not running; start it with"),
    (["queue", "list"], 69, "postriderd is not running"),
    (["queue", "retry"], 69, "postriderd is not running"),
    (["reload"], 69, "postriderd is not running"),
    (["stop"], 69, "postriderd is not running"),
])
def test_mistakes_are_told(stopped, words, status, said):
    done = stopped.postrider(*words, check=False)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr


@pytest.mark.parametrize("words, said", [
    (["-x"], "-x: no such option"),
    (["--sandbox"], "--sandbox: needs a directory"),
])
def test_a_mistyped_start_is_told(stopped, words, said):
    done = stopped.run("root", [stopped.program("postriderd"), *words], check=False)
    assert done.returncode == 64 and done.stderr.startswith(f"postriderd: {said}\nusage: ")


def test_help_lists_every_command(stopped):
    text = stopped.postrider("--help").stdout
    for word in ["status", "reload", "stop", "setup", "config", "queue", "aliases"]:
        assert re.search(rf"^  {word}\b(?!.* $)", text, re.M)
    assert stopped.postrider("queue", "list", "--help").stdout.startswith("usage: postrider queue list|")
    assert stopped.postrider("--version").stdout.startswith("postrider ")


def test_config_get_gives_the_effective_value(stopped):
    stopped.configure({"queue.lifetime": "2d"})
    assert stopped.postrider("config", "get", "queue.lifetime").stdout == "172800s\n"
    assert stopped.postrider("config", "get", "main.origin").stdout == HOST_NAME + "\n"
    assert stopped.postrider("config", "get", "queue.paused").stdout == "no\n"


def test_config_list_has_every_setting(stopped):
    rows = stopped.postrider("config", "list").stdout.splitlines()
    names = [row.split()[0] for row in rows]
    assert len(names) == len(set(names)) > 40
    assert any(re.match(r"smtpd\.listen +list +0\.0\.0\.0:25 ", row) for row in rows)


def test_config_check_names_file_line_and_setting(stopped):
    assert "no mistakes" in stopped.postrider("config", "check").stdout
    stopped.write(stopped.config_file, "[smtpd]\nmax_sesions = 5\n[queue]\nlifetime = soon\n")
    done = stopped.postrider("config", "check", check=False)
    assert done.returncode == 78
    assert f"{stopped.config_file}:2: unknown setting max_sesions" in done.stderr
    assert "did you mean max_sessions in [smtpd]?" in done.stderr
    assert f"{stopped.config_file}:4: queue.lifetime must be a time" in done.stderr


def test_a_missing_configuration_is_a_correct_one(stopped):
    stopped.config_file.unlink()
    done = stopped.postrider("config", "check")
    assert "every setting has its default" in done.stdout


def test_status_shows_every_role(sandbox):
    text = sandbox.postrider("status").stdout
    assert "queue: 0 messages" in text
    for role in ["log", "users", "lookup", "local", "smtp", "queue", "smtpd"]:
        assert re.search(rf"^{role} 0: running, pid \d+", text, re.M), text


def test_reload_takes_effect(sandbox):
    sandbox.configure({"message.max_size": "2000"})
    sandbox.postrider("reload")
    sandbox.wait_log("configuration reloaded")

    def size_offered():
        with sandbox.smtp() as client:
            client.ehlo()
            return client.esmtp_features["size"]

    wait_for(lambda: size_offered() == "2000", "the new size in EHLO")


def test_reload_names_what_needs_a_restart(sandbox):
    assert sandbox.postrider("reload").stderr == ""
    sandbox.configure({"smtp.port": "26", "smtp.processes": "3", "message.max_size": "2000"})
    assert sandbox.postrider("reload").stderr == 'postrider: smtp.processes stays "1" until postriderd is restarted\n'


def test_reload_with_mistakes_changes_nothing(sandbox):
    good = sandbox.config_file.read_text()
    sandbox.write(sandbox.config_file, good + "[queue]\nlifetime = soon\n")
    done = sandbox.postrider("reload", check=False)
    assert done.returncode == 78
    assert f":{good.count(chr(10)) + 2}: queue.lifetime" in done.stderr and "running configuration stays" in done.stderr
    sandbox.sendmail("payam", "user1")
    sandbox.wait_messages("user1")


def test_stop_waits_until_the_daemon_is_gone(sandbox):
    sandbox.postrider("stop")
    assert sandbox.daemon.wait(1) == 0
    assert not sandbox.processes()
    assert sandbox.postrider("stop", check=False).returncode == 69


def test_queue_list_and_retry(unreachable):
    assert unreachable.postrider("queue", "list").stdout == "the queue is empty\n"
    mail = queued(unreachable)
    text = unreachable.postrider("queue", "list").stdout
    assert re.search(rf"^{mail}  \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d  \d+ bytes  waiting  from <payam@{HOST_NAME}>\n"
                     r"    to <someone@far\.example>  attempts 1, next \d{4}.*\n"
                     r"        4\.\d\.\d .*refused", text, re.M | re.I), text
    unreachable.postrider("queue", "retry", mail)
    wait_for(lambda: "attempts 2" in unreachable.postrider("queue", "list").stdout, "a second attempt")
    unreachable.postrider("queue", "retry")
    wait_for(lambda: "attempts 3" in unreachable.postrider("queue", "list").stdout, "a third attempt")


def test_hold_release_delete(unreachable):
    mail = queued(unreachable)
    unreachable.postrider("queue", "hold", mail)
    assert "  held  " in unreachable.postrider("queue", "list").stdout
    assert re.search(rf"^{mail}!", unreachable.mailq(), re.M)
    unreachable.restart()
    assert "  held  " in unreachable.postrider("queue", "list").stdout
    unreachable.postrider("queue", "release", mail)
    wait_for(lambda: "  waiting  " in unreachable.postrider("queue", "list").stdout, "the released mail")
    unreachable.postrider("queue", "delete", mail)
    wait_for(lambda: unreachable.postrider("queue", "list").stdout == "the queue is empty\n", "an empty queue")
    unreachable.restart()
    assert unreachable.postrider("queue", "list").stdout == "the queue is empty\n"
    assert not unreachable.messages("payam"), "deleted mail is not returned"


def test_a_mail_that_is_not_there(sandbox):
    done = sandbox.postrider("queue", "delete", "0123456789ABCDE", check=False)
    assert done.returncode == 66 and "no such mail in the queue" in done.stderr


def test_only_root_acts_on_mail(host):
    host.configure({"relay.host": f"[127.0.0.1]:{free_port()}"})
    host.restart()
    mail = queued(host)
    for act in ["hold", "release", "delete"]:
        done = host.postrider("queue", act, mail, user="user1", check=False)
        assert done.returncode == 77 and "only root may do this" in done.stderr
    assert host.postrider("stop", user="user1", check=False).returncode == 77
    assert host.postrider("reload", user="user1", check=False).returncode == 77
    assert host.postrider("queue", "list", user="user1").stdout.startswith(mail)


def test_aliases_build(mail_system):
    table = mail_system.path(mail_system.aliases_file.with_name("aliases.db"))
    table.unlink(missing_ok=True)
    done = mail_system.postrider("aliases", "build")
    assert (done.stdout, done.stderr) == ("", "") and table.exists()
