# SPDX-License-Identifier: Apache-2.0
"""Who each process is, and what it can not do: looked up in /proc of a running host, with the sandbox on and off."""
import os
import re

import pytest

from support.system import is_sanitized, wait_for

# role: its user; whether its root is the empty directory; whether it has a system call filter
ROLES = {
    "smtpd": ("postsmtpd", True, True),
    "smtp": ("postsmtp", True, True),
    "queue": ("postrider", False, True),
    "lookup": ("postlook", False, True),
    "users": ("postlook", False, False),  # runs the system's NSS modules, whose calls nobody can foresee
    "log": ("postlog", False, True),
}


def ids(host, user):
    return tuple(host.run("root", ["id", option, user]).stdout.strip() for option in ["-u", "-g"])


@pytest.fixture(params=["sandbox on", "sandbox off"])
def guarded(request, host):
    host.is_filtered = request.param == "sandbox on" and not is_sanitized()
    if request.param == "sandbox off":
        host.configure({"security.sandbox": "no"})
        host.restart()
    return host


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_no_power(guarded, role):
    user, is_empty_root, has_filter = ROLES[role]
    uid, gid = ids(guarded, user)
    pids = guarded.role_pids(role)
    assert pids
    for pid in pids:
        status = guarded.status_of(pid)
        assert status["Uid"].split() == [uid] * 4
        assert status["Gid"].split() == [gid] * 4
        assert status["Groups"] == ""
        assert status["NoNewPrivs"] == "1"
        for name in ["CapInh", "CapPrm", "CapEff", "CapAmb"]:
            assert int(status[name], 16) == 0, name
        assert status["Seccomp"] == ("2" if guarded.is_filtered and has_filter else "0")
        root = os.readlink(guarded.path(f"/proc/{pid}/root"))
        assert root.endswith("/run/postrider/empty") == is_empty_root, root


def test_roles_have_different_users(guarded):
    uids = {}
    for role in ROLES:
        for pid in guarded.role_pids(role):
            uids.setdefault(guarded.status_of(pid)["Uid"].split()[0], set()).add(role)
    assert sorted(map(sorted, uids.values())) == [["log"], ["lookup", "users"], ["queue"], ["smtp"], ["smtpd"]]
    assert "0" not in uids


def test_only_supervisor_and_local_are_root(guarded):
    root = {name for pid, name in guarded.processes().items() if guarded.status_of(pid)["Uid"].split()[0] == "0"}
    assert root == {"/usr/sbin/postriderd", "postriderd: local"}


def open_files(host, pid):
    directory = host.path(f"/proc/{pid}/fd")
    return {name: os.readlink(directory / name) for name in os.listdir(directory)}


@pytest.mark.parametrize("role", [role for role in ROLES if role != "queue"])
def test_no_other_role_holds_the_spool(guarded, role):
    for pid in guarded.role_pids(role):
        held = [target for target in open_files(guarded, pid).values() if "/var/spool/postrider" in target]
        assert not held


@pytest.mark.parametrize("role", ["smtpd", "smtp"])
def test_the_network_faces_hold_no_files(guarded, role):
    for pid in guarded.role_pids(role):
        files = [target for name, target in open_files(guarded, pid).items()
                 if target.startswith("/") and int(name) > 2 and not target.startswith(("/dev/", "/memfd:", "/proc/"))]
        # libuv keeps one descriptor in reserve for when there are no more, opened on the root directory.
        assert set(files) <= {"/run/postrider/empty"}, files


@pytest.mark.parametrize("user, forbidden", [
    ("postsmtpd", ["/var/spool/postrider", "/var/spool/postrider/drop"]),
    ("postsmtp", ["/var/spool/postrider", "/var/spool/postrider/drop"]),
    ("postlook", ["/var/spool/postrider", "/var/log/postrider.log"]),
    ("postlog", ["/var/spool/postrider", "/var/mail/user1"]),
    ("postrider", ["/var/mail/user1", "/home/user1/.forward", "/var/log/postrider.log"]),
])
def test_file_modes_keep_roles_apart(host, user, forbidden):
    """Without any sandbox: what a broken role could do with its uid alone."""
    host.write_home("user1", ".forward", "\\user1\n", mode=0o600)
    host.sendmail("payam", "user1")
    host.wait_messages("user1")
    me = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    for name in forbidden:
        test = "-x" if name.endswith("drop") and user != "postrider" else "-r"
        done = host.run("root", [*me, "test", test, name], check=False)
        assert done.returncode != 0, f"{user} can reach {name}"
        done = host.run("root", [*me, "test", "-w", name], check=False)
        assert done.returncode != 0, f"{user} can write {name}"


def workers(host):
    """The processes below local: its nursery, from which they are born, and the workers themselves."""
    return [pid for pid in host.role_pids("local") if host.status_of(pid)["Name"] == "worker"]


def test_a_worker_is_the_user(guarded):
    """Seen while it waits for more mail of its user."""
    guarded.sendmail("payam", "user1")
    guarded.wait_messages("user1")
    uid, gid = ids(guarded, "user1")
    found = wait_for(lambda: [guarded.status_of(pid) for pid in workers(guarded)], "a worker")
    for status in found:
        assert status["Uid"].split() == [uid] * 4
        assert int(status["CapEff"], 16) == 0 and status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == ("2" if guarded.is_filtered else "0")
        mail = guarded.run("root", ["getent", "group", "mail"]).stdout.split(":")[2]
        assert set(status["Gid"].split()) <= {gid, mail} and set(status["Groups"].split()) <= {gid, mail}


def test_status_tells_what_guards_each_role(host):
    text = host.postrider("status").stdout
    if not is_sanitized():
        assert re.search(r"^smtpd 0: running, pid \d+, system call filter, (Landlock|no Landlock)", text, re.M)
