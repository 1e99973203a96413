# SPDX-License-Identifier: Apache-2.0
"""Debian's Dovecot keeps the mailboxes: by LMTP and by dovecot-lda; people read them by IMAP."""
import contextlib
import email
import imaplib
import socket
import subprocess

import pytest

from support.system import HOST_NAME, wait_for

PORT = 1143
CONFIGURATION = f"""\
protocols = lmtp imap
base_dir = /run/dovecot
log_path = /var/log/dovecot.log
ssl = no
disable_plaintext_auth = no
mail_location = maildir:~/Maildir
first_valid_uid = 1000
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = passwd
}}
service imap-login {{
  inet_listener imap {{
    port = {PORT}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0600
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = 24
  }}
}}
service auth {{
  unix_listener auth-userdb {{
    mode = 0666
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
protocol lda {{
  postmaster_address = postmaster@{HOST_NAME}
}}
"""


class Dovecot:
    def __init__(self, town, names="%Ln"):
        """names: how Dovecot makes a user's name of an address; %Lu is its default: it does not."""
        self.town = town
        for user in ["dovecot", "dovenull"]:
            town.run("root", ["useradd", "--system", "--no-create-home", user])
        town.write("/etc/dovecot/dovecot.conf", f"{CONFIGURATION}auth_username_format = {names}\n")
        town.write("/var/log/dovecot.log", "")
        town.path("/var/log/dovecot.log").chmod(0o666)  # dovecot-lda writes there as the user
        self.start()

    def start(self):
        self.process = self.town.popen("root", ["/usr/sbin/dovecot", "-F"], stdin=subprocess.DEVNULL)
        wait_for(self.is_ready, "Dovecot")

    def is_ready(self):
        assert self.process.poll() is None, self.log()
        with self.town.network(), contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", PORT)).close()
            return True
        return False

    def log(self):
        return self.town.path("/var/log/dovecot.log").read_text()

    def stop(self):
        self.town.run("root", ["doveadm", "stop"])
        self.process.wait(20)

    def imap(self, user):
        with self.town.network():
            client = imaplib.IMAP4("127.0.0.1", PORT, timeout=20)
        client.login(user, "secret")
        client.select()
        return client

    def mails(self, user):
        with self.imap(user) as client:
            numbers = client.search(None, "ALL")[1][0].split()
            return [email.message_from_bytes(client.fetch(n, "(RFC822)")[1][0][1]) for n in numbers]

    def wait_mails(self, user, n=1):
        return wait_for(lambda: len(found := self.mails(user)) >= n and found, f"{n} mails of {user}; {self.log()}")


@pytest.fixture
def dovecot(town):
    store = Dovecot(town)
    yield store
    if store.process.poll() is None:
        store.stop()


@pytest.mark.parametrize("transport", ["lmtp:unix:/run/dovecot/lmtp", "lmtp:inet:127.0.0.1:24"])
def test_lmtp_and_imap(town, dovecot, transport):
    town.use({"local.mailbox_transport": transport})
    town.write_home("user2", ".forward", "\\user2, payam\n")
    town.sendmail("user1", "user2", "lpic1", message="Subject: by LMTP\n\nFrom me,\n.dot\n")
    (mail,) = dovecot.wait_mails("user2")
    assert mail["Subject"] == "by LMTP" and mail.get_payload() == "From me,\r\n.dot\r\n"
    assert mail["Return-Path"] == f"<user1@{HOST_NAME}>"
    assert mail["Delivered-To"] in (None, f"user2@{HOST_NAME}")  # Dovecot names nobody where several share a transaction
    assert len(dovecot.wait_mails("payam")) == 1  # by .forward, and as what root's alias leads to: once
    town.wait_empty()
    assert len(dovecot.mails("payam")) == len(dovecot.mails("user2")) == 1
    assert town.mailbox_text("user2") == town.mailbox_text("payam") == ""
    town.wait_log(r"status=sent \(250 2\.0\.0 <\S+> \S+ Saved\)", 2)


def test_verdicts(town, dovecot):
    """A mailbox that works, and a user whom Dovecot may not serve, in one transaction."""
    town.use({"local.mailbox_transport": "lmtp:unix:/run/dovecot/lmtp"})
    town.run("root", ["useradd", "--system", "--create-home", "--shell", "/bin/sh", "robot"])  # below first_valid_uid
    town.sendmail("user1", "user2", "robot", message="Subject: both\n\n")
    assert dovecot.wait_mails("user2")[0]["Subject"] == "both"
    town.wait_log(r"to=<robot@.*relay=\S+/run/dovecot/lmtp\], .*status=(deferred|bounced) \(host .* said: ")
    assert len(dovecot.mails("user2")) == 1


def test_names_without_domain(town):
    dovecot = Dovecot(town, names="%Lu")
    try:
        town.use({"local.mailbox_transport": "lmtp:unix:/run/dovecot/lmtp"})
        town.sendmail("user1", "user2", message="Subject: whole address\n\n")
        town.wait_log(r"to=<user2@.*dsn=5\.1\.1, status=bounced \(host .* said: 550 5\.1\.1 <user2@\S+> User doesn't exist")
        town.use({"local.mailbox_transport": "lmtp:unix:/run/dovecot/lmtp", "local.lmtp_bare_user": "yes"})
        town.sendmail("user1", "user2", message="Subject: name alone\n\n")
        assert [mail["Subject"] for mail in dovecot.wait_mails("user2")] == ["name alone"]
        town.wait_empty()
    finally:
        dovecot.stop()


def test_a_restart_of_dovecot(town, dovecot):
    town.use({"local.mailbox_transport": "lmtp:unix:/run/dovecot/lmtp"})
    town.sendmail("user1", "user2", message="Subject: before\n\n")
    dovecot.wait_mails("user2")
    dovecot.stop()
    town.sendmail("user1", "user2", message="Subject: meanwhile\n\n")
    town.wait_log(r"to=<user2@.*status=deferred \(connect to .*/run/dovecot/lmtp\]: ")
    dovecot.start()
    town.sendmail("root", "-q")
    assert [m["Subject"] for m in dovecot.wait_mails("user2", 2)] == ["before", "meanwhile"]


def test_dovecot_lda_as_mailbox_command(town, dovecot):
    town.use({"local.mailbox_command": '/usr/lib/dovecot/dovecot-lda -f "$SENDER" -a "$RECIPIENT"'})
    town.sendmail("user1", "user2", message="Subject: by lda\n\ntext\n")
    (mail,) = dovecot.wait_mails("user2")
    assert mail["Subject"] == "by lda" and mail["Return-Path"] == f"<user1@{HOST_NAME}>"
    town.wait_empty()
    assert town.mailbox_text("user2") == ""
