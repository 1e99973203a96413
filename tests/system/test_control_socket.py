# SPDX-License-Identifier: Apache-2.0
"""Users who say on the control socket what no command says: nobody else notices."""
import struct
import subprocess
import sys

import pytest

from support.control_client import MESSAGES, ControlClient, frame, payload

LARGEST = 1024 * 1024  # LIMIT_FRAME


def connect(system):
    return ControlClient(system.dir / "run" / "control")


def roles(system):
    return {role: system.role_pids(role) for role in ["queue", "lookup", "smtp", "users", "smtpd", "log"]}


@pytest.mark.sanitize
def test_frames_that_cannot_be_end_their_connection_alone(sandbox):
    """And the frames of those who may not send them: of roles, or before HELLO."""
    before = roles(sandbox)
    explain, (number, _fields) = payload("EXPLAIN_ASK", address=b"user1"), MESSAGES["EXPLAIN_ASK"]
    rows = [
        struct.pack("<IHH", LARGEST + 1, number, 0),
        struct.pack("<IHH", 4, 0, 0) + b"1234",
        struct.pack("<IHH", 4, 65535, 0) + b"1234",
        struct.pack("<IHH", len(explain), number, 1) + explain,  # a descriptor, which nobody gave
        struct.pack("<IHH", len(explain), number, 2) + explain,
        struct.pack("<IHH", len(explain) - 1, number, 0) + explain[:-1],
        struct.pack("<IHH", len(explain) + 1, number, 0) + explain + b"x",
        struct.pack("<IHH", 12, number, 0) + struct.pack("<QI", 1, 0xffffffff),
        frame("EXPLAIN_ASK", address=b"us\0er1"),
        *[frame(name) for name in ["EXPLAIN_STEP", "EXPLAIN_HOSTS", "EXPLAIN_HOSTS_DONE", "SOCKET_ASK", "SOCKET_ANSWER",
                                   "ROUTE_ASK", "JOB_BEGIN", "JOB_RESULT", "CHANNEL", "CONFIG", "ID_LEASE_ASK"]],
    ]
    for row in rows:
        with connect(sandbox).greet() as client:
            client.sendall(row)
            assert client.receive() is None, row[:40]
    with connect(sandbox) as client:
        client.send_frame("EXPLAIN_ASK", address=b"user1")
        client.send_frame("MAIL_BEGIN", mail=1)
        client.send_frame("HELLO")
        assert client.receive()[0] == "WELCOME"
    assert roles(sandbox) == before
    sandbox.sendmail("user1", "user2")
    sandbox.wait_messages("user2")


@pytest.mark.sanitize
def test_questions_as_large_as_a_frame(sandbox):
    """What is asked of other roles for it is larger by their own fields."""
    before = roles(sandbox)
    rows = [
        ("EXPLAIN_ASK", "reverse_path", {"address": b"user1"}, "the sender is no address"),
        ("EXPLAIN_ASK", "address", {}, "the address is too long"),
        ("EXPLAIN_ASK", "login", {"address": b"user1"}, ""),
        ("TRACE_ASK", "what", {}, None),
        ("SETTING_ASK", "name", {}, "no such setting"),
        ("QUEUE_LIST", "filter", {}, None),
        ("QUEUE_ACT", "filter", {"action": 1}, None),
        ("QUEUE_ACT", "argument", {"action": 1}, None),
    ]
    for message, field, more, words in rows:
        room = LARGEST - len(payload(message, **more))
        with connect(sandbox).greet() as client:
            client.send_frame(message, request=1, **more, **{field: b"r" * room})
            done = client.receive_until("REQUEST_DONE")
        assert done, (message, field)
        assert words is None or done["text"].decode() == words, (message, field, done)
    with connect(sandbox).greet() as client:
        for field in ["reverse_path", "envid", "client_address", "client_name", "helo", "protocol", "login",
                      "submission_id", "interface"]:
            room = LARGEST - len(payload("MAIL_BEGIN"))
            client.send_frame("MAIL_BEGIN", mail=1, **{field: b"r" * room})
            client.send_frame("MAIL_RCPT", mail=1, forward_path=b"user1")
            client.send_frame("MAIL_CONTENT", mail=1, chunk=b"Subject: x\n\nx\n")
            client.send_frame("MAIL_END", mail=1)
            assert client.receive_until("MAIL_RESULT")["code"] in {250, 501}, field
    assert roles(sandbox) == before


# More connections than there is room for, which say nothing.
CROWD = """
import resource, socket, sys
_soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
crowd = []
for _ in range(1100):
    crowd.append(socket.socket(socket.AF_UNIX))
    crowd[-1].connect("/run/postrider/control")
print("crowded", flush=True)
sys.stdin.read()
"""


def test_a_user_who_connects_and_says_nothing_keeps_nobody_out(host):
    crowd = host.popen("user1", [sys.executable, "-c", CROWD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert crowd.stdout.readline() == "crowded\n"
        assert "queue: 0 messages" in host.postrider("status").stdout
        assert "Mail queue is empty" in host.mailq("user2")
    finally:
        crowd.communicate("")
