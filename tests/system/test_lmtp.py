# SPDX-License-Identifier: Apache-2.0
"""local.mailbox_transport: an LMTP server keeps the mailboxes; by a Unix socket and by TCP, in the sandbox and as a host."""
import contextlib
import re

import pytest

from support.fake_lmtp import FakeLmtp
from support.system import HOST_NAME, free_port, wait_for


class Store:
    """A mail system whose mailboxes a FakeLmtp keeps."""

    def __init__(self, system, form):
        self.system, self.is_unix = system, form == "unix"
        self.place = (system.dir / "lmtp" if not system.is_host else system.etc.parent / "run/store/lmtp") \
            if self.is_unix else free_port()
        if self.is_unix and system.is_host:
            system.run("root", ["install", "-d", "-m", "700", "/run/store"])  # only root gets at the socket
        self.transport = f"lmtp:unix:{self.place}" if self.is_unix else f"lmtp:inet:127.0.0.1:{self.place}"
        system.configure({"local.mailbox_transport": self.transport})
        system.postrider("reload")
        system.wait_log("configuration reloaded")

    @contextlib.contextmanager
    def serving(self, **kwargs):
        where = {"path": self.system.path(self.place)} if self.is_unix else {"port": self.place}
        with self.system.network():
            server = FakeLmtp(**where, **kwargs)
            server.__enter__()
        try:
            yield server
        finally:
            server.__exit__()

    @property
    def relay(self):
        return re.escape(f"{HOST_NAME}[{self.place}]" if self.is_unix else f"127.0.0.1[127.0.0.1]:{self.place}")


@pytest.fixture(params=["unix", "inet"])
def store(request, mail_system):
    return Store(mail_system, request.param)


def recipients(server):
    return sorted(path for message in server.messages for path in message.recipients)


def test_mailboxes_are_the_servers(store):
    system = store.system
    with store.serving() as server:
        system.sendmail("user1", "user2", message="Subject: one\n\n.dot\n")
        wait_for(lambda: server.messages, "the mail")
    message = server.messages[0]
    assert server.commands[0] == f"LHLO {HOST_NAME}"
    assert message.sender == f"user1@{HOST_NAME}" and message.recipients == [f"user2@{HOST_NAME}"]
    text = message.content.decode()
    assert text.startswith("Received: by ") and text.endswith("\r\n\r\n.dot\r\n")
    assert "Delivered-To" not in text and "Return-Path" not in text  # those are the store's to add
    system.wait_log(rf"to=<user2@.*relay={store.relay}, .*dsn=2\.0\.0, status=sent \(250 2\.0\.0 Ok: queued as FAKE\)")
    assert system.mailbox_text("user2") == ""
    wait_for(lambda: system.mailq() == "Mail queue is empty\n", "an empty queue")


def test_aliases_and_forward_come_first(store):
    system = store.system
    system.write(system.aliases_file, "root: payam\npostmaster: root\nteam: user1, user2, root\n")
    system.newaliases()
    system.write_home("user2", ".forward", "lpic1\n")
    with store.serving() as server:
        system.sendmail("user1", "team", "user2+x", message="Subject: to all\n\n")
        wait_for(lambda: len(recipients(server)) >= 3, "all recipients")
        wait_for(lambda: system.mailq() == "Mail queue is empty\n", "an empty queue")
    assert recipients(server) == [f"{name}@{HOST_NAME}" for name in ("lpic1", "payam", "user1")]
    (forwarded,) = [m for m in server.messages if f"lpic1@{HOST_NAME}" in m.recipients]
    assert re.search(rf"^Delivered-To: (team|user2\+x)@{HOST_NAME}\r\n", forwarded.content.decode())


def test_each_recipient_has_a_result(store):
    system = store.system
    system.write(system.aliases_file, "root: payam\npostmaster: root\n")
    system.newaliases()

    def verdict(path):
        return {"user1": "250 2.0.0 Saved", "user2": "552 5.2.2 Quota exceeded",
                "lpic1": "451 4.2.0 Mailbox is busy"}.get(path.partition("@")[0], "250 2.0.0 Saved")

    with store.serving(replies={"CONTENT": verdict}) as server:
        system.sendmail("payam", "user1", "user2", "lpic1", message="Subject: to three\n\n")
        bounce = wait_for(lambda: [m for m in server.messages if m.recipients == [f"payam@{HOST_NAME}"]], "the bounce")[0]
        system.wait_log(r"to=<lpic1@.*dsn=4\.2\.0, status=deferred \(host .* said: 451 4\.2\.0 Mailbox is busy")
    assert bounce.sender == ""
    text = bounce.content.decode()
    assert "Quota exceeded" in text and "user2" in text and "Status: 5.2.2" in text and "lpic1" not in text
    assert "lpic1" in (waiting := system.mailq()) and "Mailbox is busy" in waiting and "user2" not in waiting
    with store.serving() as server:
        system.sendmail("root", "-q")
        wait_for(lambda: server.messages, "the next attempt")
        wait_for(lambda: system.mailq() == "Mail queue is empty\n", "an empty queue")
    assert recipients(server) == [f"lpic1@{HOST_NAME}"]


def test_a_server_that_is_gone(store):
    system = store.system
    system.sendmail("payam", "user1", message="Subject: later\n\n")
    why = "No such file or directory" if store.is_unix else "Connection refused"
    system.wait_log(rf"to=<user1@.*relay={store.relay}, .*dsn=4\.4\.1, status=deferred \(connect to {store.relay}: {why}\)")
    assert why in " ".join(system.mailq().split())
    assert system.mailbox_text("user1") == ""
    with store.serving() as server:
        system.sendmail("root", "-q")
        wait_for(lambda: server.messages, "the mail")
    assert recipients(server) == [f"user1@{HOST_NAME}"]


def test_without_the_setting_mailboxes_are_ours(store):
    """What waits for the server is delivered where the settings say at its next attempt."""
    system = store.system
    system.sendmail("payam", "user1", message="Subject: first\n\n")
    system.wait_log(r"to=<user1@.*status=deferred \(connect to ")
    system.configure()
    system.postrider("reload")
    system.wait_log("configuration reloaded", 2)
    system.sendmail("root", "-q")
    assert system.wait_messages("user1")[0]["Subject"] == "first"


def test_mail_for_root_and_names_without_domain(host):
    """Stores take no mail for root; a name alone where they know no domain."""
    store = Store(host, "unix")
    host.write(host.aliases_file, "postmaster: root\n")
    host.newaliases()
    host.configure({"local.mailbox_transport": store.transport, "local.lmtp_bare_user": "yes"})
    host.postrider("reload")
    host.wait_log("configuration reloaded", 2)
    with store.serving() as server:
        host.sendmail("payam", "root", "user1+ext", message="Subject: both\n\n")
        assert host.wait_messages("root")[0]["Subject"] == "both"
        wait_for(lambda: server.messages, "the mail")
    assert recipients(server) == ["user1+ext"]


def test_smtp_may_not_open_the_socket_itself(host):
    """It is handed a connection; its uid could not have made one."""
    store = Store(host, "unix")
    with store.serving() as server:
        host.sendmail("payam", "user1", message="Subject: in\n\n")
        wait_for(lambda: server.messages, "the mail")
        (pid,) = host.role_pids("smtp")
        uid = host.status_of(pid)["Uid"].split()[0]
        assert uid != "0"
        tried = host.run("root", ["setpriv", f"--reuid={uid}", "--clear-groups", "python3", "-c",
                                  "import socket; socket.socket(socket.AF_UNIX).connect('/run/store/lmtp')"], check=False)
    assert "PermissionError" in tried.stderr


@pytest.mark.parametrize("value", ["lmtp:unix:relative", "lmtp:/run/lmtp", "lmtp:inet:host:0", "/usr/bin/procmail"])
def test_a_wrong_value_is_named(sandbox, value):
    sandbox.configure({"local.mailbox_transport": value})
    said = sandbox.postrider("config", "check", check=False)
    assert said.returncode != 0
    assert "mailbox_transport" in said.stderr + said.stdout and value in said.stderr + said.stdout
    assert "lmtp:unix:/PATH" in said.stderr + said.stdout
