# SPDX-License-Identifier: Apache-2.0
"""A drop directory out of which nothing can be removed: its mail goes once, however often the daemon starts."""
import signal

import pytest

from support.system import wait_for

DROP = "/var/spool/postrider/drop"


@pytest.fixture
def stopped(bare_host):
    """The daemon is down, one mail waits for it."""
    bare_host.setup()
    bare_host.expect_error("cannot be removed|killed")
    bare_host.sendmail("user1", "user2", message="Subject: once\n\n.\n")
    bare_host.run("root", ["mount", "--bind", DROP, DROP])
    return bare_host


@pytest.fixture
def frozen_drop(stopped):
    """And its file cannot be removed."""
    freeze(stopped)
    return stopped


def files(system):
    return system.run("root", ["ls", "-A", DROP]).stdout.split()


def freeze(system):
    system.run("root", ["mount", "-o", "remount,bind,ro", DROP])


def thaw(system):
    system.run("root", ["mount", "-o", "remount,bind,rw", DROP])
    wait_for(lambda: not files(system), "an empty drop directory")


def test_mail_is_delivered_once_whatever_is_restarted(frozen_drop):
    system = frozen_drop
    system.start()
    system.wait_messages("user2")
    assert system.mailq() == "Mail queue is empty\n"
    for _ in range(2):
        system.restart()
        system.sendmail("user1", "payam")  # goes the same way as the file would
    system.wait_messages("payam", 2)
    system.kill9_all()
    system.start()
    system.wait_log("drop file .* cannot be removed", 4)
    assert len(system.messages("user2")) == 1 and len(files(system)) == 1
    thaw(system)
    system.wait_log("drop file .* is gone now")
    system.restart()
    assert len(system.messages("user2")) == 1
    system.stop()
    assert "0 messages" in system.postrider("spool", "check").stdout


def test_deleted_mail_stays_deleted(frozen_drop):
    system = frozen_drop
    system.configure({"queue.paused": "yes"})
    system.start()
    wait_for(lambda: "user2" in system.mailq(), "the mail in the queue")
    system.postrider("queue", "delete", "--all", "--yes")
    system.configure({"queue.paused": "no"})
    system.restart()
    system.sendmail("user1", "payam")
    system.wait_messages("payam")
    assert system.mailq() == "Mail queue is empty\n" and not system.messages("user2")
    thaw(system)


def test_a_second_file_of_finished_mail_is_not_sent(stopped):
    """sendmail got no answer, used the drop directory as well, and the mail was gone from the queue by then."""
    system = stopped
    name, = files(system)
    system.run("root", ["cp", "-p", f"{DROP}/{name}", "/tmp/second"])
    system.start()
    system.wait_messages("user2")
    wait_for(lambda: not files(system), "an empty drop directory")
    system._kill(system.role_pids("queue"), signal.SIGSTOP)
    system.run("root", ["mv", "/tmp/second", f"{DROP}/{name}"])
    freeze(system)
    system._kill(system.role_pids("queue"), signal.SIGCONT)
    system.wait_log("drop file .* cannot be removed")
    system.restart()
    system.wait_log("drop file .* cannot be removed", 2)
    system.sendmail("user1", "payam")
    system.wait_messages("payam")
    assert len(system.messages("user2")) == 1
    thaw(system)
