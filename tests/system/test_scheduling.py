# SPDX-License-Identifier: Apache-2.0
"""Hosts that do not answer: one probe for all, other mail goes on, and all follow when the host is back."""
import re

import pytest

from support.fake_smtp import FakeSmtp
from support.system import free_port, wait_for

pytestmark = pytest.mark.sanitize
EMPTY = "Mail queue is empty\n"
MAILS = 100


def send_to_dead_host(postrider_with, **more):
    """A system whose relay host does not answer, with many mails for it."""
    port = free_port()
    system = postrider_with({"relay.host": f"[127.0.0.1]:{port}", **more})
    system.sendmail("user1", "first@far.example")
    system.wait_log(r"held off: connect to .*Connection refused; next probe in")
    with system.smtp() as client:
        for n in range(MAILS):
            client.sendmail("a@elsewhere.example", f"r{n}@far.example", f"Subject: {n}\r\n\r\nHello.\r\n")
    return system, port


def wait_parked(system):
    wait_for(lambda: system.mailq().count("Connection refused") == MAILS + 1, "the reason in mailq")


def test_mail_for_a_dead_host_rests_and_follows_its_recovery(postrider_with):
    system, port = send_to_dead_host(postrider_with, **{"queue.hold_off_min": "1h", "queue.hold_off_max": "1h"})
    wait_parked(system)
    assert len(re.findall(r"status=deferred", system.log())) == 1
    status = system.postrider("status").stdout
    assert re.search(rf"held off: \[127\.0\.0\.1\]:{port} for \d+ s, {MAILS + 1} recipients wait, next probe in", status)
    system.sendmail("user1", "user2", message="Subject: local\n\n")
    system.wait_messages("user2")
    system.sendmail("root", "-q")  # a probe, no attempt for each
    system.wait_log(r"status=deferred", 2)
    wait_parked(system)
    with FakeSmtp(port=port) as host:
        system.sendmail("root", "-q")
        wait_for(lambda: system.mailq() == EMPTY, "an empty queue")
        assert len(host.messages) == MAILS + 1
    system.wait_log(r"answers again after")
    assert len(re.findall(r"status=deferred", system.log())) == 2


def test_a_host_is_found_again_by_itself(postrider_with):
    system, port = send_to_dead_host(postrider_with, **{"queue.hold_off_min": "1s", "queue.hold_off_max": "2s"})
    system.wait_log(r"held off", 2)
    with FakeSmtp(port=port) as host:
        wait_for(lambda: system.mailq() == EMPTY, "an empty queue")
        assert sorted(path for m in host.messages for path in m.recipients) == sorted(
            ["first@far.example", *(f"r{n}@far.example" for n in range(MAILS))]
        )


def test_what_rests_for_a_dead_host_outlives_a_restart(postrider_with):
    system, port = send_to_dead_host(postrider_with, **{"queue.hold_off_min": "1h", "queue.hold_off_max": "1h"})
    system.restart()
    wait_parked(system)
    with FakeSmtp(port=port) as host:
        system.sendmail("root", "-q")
        wait_for(lambda: system.mailq() == EMPTY, "an empty queue")
        assert len(host.messages) == MAILS + 1
