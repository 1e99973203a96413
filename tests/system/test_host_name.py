# SPDX-License-Identifier: Apache-2.0
"""The host's own name: there is one at once, whatever the machine, /etc/hosts and the resolver say, and it says why.

As a host, because it is about the machine's name and files. A resolver that never answers listens throughout.
"""
import contextlib
import socket

from support.system import wait_for

SILENT = "127.53.53.54"


@contextlib.contextmanager
def silent_resolver(host):
    """Takes every question and answers none."""
    with host.network():
        deaf = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        deaf.bind((SILENT, 53))
    host.write("/etc/resolv.conf", f"nameserver {SILENT}\noptions timeout:30 attempts:2\n")
    with deaf:
        yield


def rename(host, machine, hosts, mailname):
    host.stop()
    host.run("root", ["python3", "-c", "import socket, sys; socket.sethostname(sys.argv[1])", machine])
    host.write("/etc/hosts", hosts)
    host.run("root", ["rm", "-f", "/etc/mailname"])
    if mailname is not None:
        host.write("/etc/mailname", mailname)
    host.start()


def test_a_name_is_chosen_at_once_and_said(host):
    rows = [
        # machine, /etc/hosts, /etc/mailname; host name and its rule, origin and its rule
        ("alone", "", None, "alone.localdomain", "made up: the machine's name \"alone\" has no domain",
         "alone.localdomain", "the host name, as there is no /etc/mailname"),
        ("a_b", "127.0.0.1 localhost\n", "example.org\n", "localhost.localdomain", "\"a_b\" is no host name", "example.org",
         "/etc/mailname"),
        ("localhost", "127.0.0.1 localhost\n", "not_one\n", "localhost.localdomain", "\"localhost\" has no domain",
         "localhost.localdomain", "the host name, as \"not_one\" in /etc/mailname is no domain name"),
        ("x" * 64, "", None, "localhost.localdomain", "is no host name", "localhost.localdomain", "no /etc/mailname"),
        ("müller", "", None, "localhost.localdomain", "is no host name", "localhost.localdomain", "no /etc/mailname"),
        ("mail", "192.0.2.1 mail.example.net mail\n", None, "mail.example.net", "completed by /etc/hosts line 1",
         "mail.example.net", "no /etc/mailname"),
    ]
    with silent_resolver(host):
        for n, (machine, hosts, mailname, name, rule, origin, origin_rule) in enumerate(rows, 1):
            rename(host, machine, hosts, mailname)
            status = host.postrider("status").stdout.splitlines()
            host.sendmail("user1", "user2", f"user2@{name}")
            mail = host.wait_messages("user2", n)[-1]
            assert any(line.startswith(f"host name: {name}: ") and rule in line for line in status), status
            assert any(line.startswith(f"origin: {origin}: ") and origin_rule in line for line in status), status
            assert f"by {name} (Postrider" in mail["Received"], mail["Received"]
            assert mail["Return-Path"] == f"<user1@{origin}>"
            assert f"host name: {name}: " in host.log()
            assert f"origin: {origin}: " in host.log()


def test_settings_are_named_with_their_lines(host):
    host.configure({"main.host_name": "mx.example.org", "main.origin": "example.org"})
    host.postrider("reload")
    lines = host.run("root", ["cat", host.config_file]).stdout.splitlines()
    at = lines.index("host_name = mx.example.org") + 1
    wait_for(lambda: f"main.host_name, {host.config_file} line {at}" in host.postrider("status").stdout, "the rule")
    assert f"origin: example.org: main.origin, {host.config_file} line {at + 2}" in host.postrider("status").stdout
