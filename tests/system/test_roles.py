# SPDX-License-Identifier: Apache-2.0
"""The supervisor: roles that die come back, mail flows on, stop and reload are orderly, one daemon per place."""
import ctypes
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from support.system import Sandbox, wait_for

ROLES = ["smtpd", "queue", "lookup", "users", "smtp", "local", "log"]
KILLED = r"was killed by signal 9"

pytestmark = pytest.mark.sanitize


def by_smtp(system, subject):
    """As a good client does: again until it is accepted."""
    def accepted():
        try:
            with system.smtp() as client:
                client.sendmail("a@elsewhere.example", "user1@localhost", f"Subject: {subject}\r\n\r\n")
            return True
        except OSError:  # smtplib's errors are OSErrors
            return False
    wait_for(accepted, "a 250")


def arrived(system, *wanted):
    wait_for(lambda: set(wanted) <= {m["Subject"] for m in system.messages("user1")}, f"{wanted}")


@pytest.mark.parametrize("role", ROLES)
def test_mail_flows_after_a_role_was_killed(postrider_with, role):
    sandbox = postrider_with({"queue.retry_min": "1s"})  # what met the gap is tried again
    sandbox.expect_error(KILLED)
    sandbox.sendmail("payam", "user1", message="Subject: before\n\n")
    sandbox.kill_role(role)
    sandbox.sendmail("payam", "user1", message="Subject: by sendmail\n\n")
    by_smtp(sandbox, "by SMTP")
    arrived(sandbox, "before", "by sendmail", "by SMTP")
    sandbox.wait_ready(role)


SYS_PIDFD_GETFD = 438
CONTROL = 3  # a role's channel to the supervisor


def cut_channels(pid):
    """All connections of a process, but not the one to the supervisor; how many there were."""
    n, pidfd = 0, os.pidfd_open(pid)
    for entry in os.scandir(f"/proc/{pid}/fd"):
        if int(entry.name) <= CONTROL or not os.readlink(entry.path).startswith("socket:"):
            continue
        fd = ctypes.CDLL(None, use_errno=True).syscall(SYS_PIDFD_GETFD, pidfd, int(entry.name), 0)
        if fd < 0:
            pytest.skip(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
        with socket.socket(fileno=fd) as ours:
            if not ours.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                ours.shutdown(socket.SHUT_RDWR)
                n += 1
    os.close(pidfd)
    return n


@pytest.mark.parametrize("role", ["queue", "lookup", "log"])
def test_a_channel_that_is_lost_between_living_roles_comes_back(postrider_with, role):
    sandbox = postrider_with({"queue.retry_min": "1s"})
    before = sandbox.processes()
    [pid] = sandbox.role_pids(role)
    lost = r"lost their channel; they get another"
    n_channels = cut_channels(pid)
    sandbox.wait_log(lost, n_channels)  # for each of them, though both ends report it
    by_smtp(sandbox, "by SMTP")
    sandbox.sendmail("payam", "user1", message="Subject: by sendmail\n\n")
    arrived(sandbox, "by SMTP", "by sendmail")
    assert cut_channels(pid) == n_channels
    sandbox.wait_log(lost, 2 * n_channels)
    by_smtp(sandbox, "again")
    arrived(sandbox, "again")
    assert len(re.findall(lost, sandbox.log())) == 2 * n_channels
    assert before.items() <= sandbox.processes().items()


def test_a_killed_role_is_in_the_log(sandbox):
    sandbox.expect_error(KILLED)
    [pid] = sandbox.role_pids("lookup")
    sandbox.kill_role("lookup")
    sandbox.wait_log(rf"lookup\[{pid}\] was killed by signal 9; starting another")


def test_a_role_that_dies_again_and_again_comes_back_later_each_time(sandbox):
    sandbox.expect_error(KILLED)
    for _ in range(4):
        sandbox.kill_role("lookup")
    sandbox.wait_ready("lookup")
    failed = re.search(r"^lookup 0: .*failed (\d+) times in a row", sandbox.postrider("status").stdout, re.M)
    assert failed and int(failed[1]) >= 3


def test_everything_is_killed_but_the_supervisor(sandbox):
    sandbox.expect_error(KILLED)
    sandbox.sendmail("payam", "user1", message="Subject: before\n\n")
    sandbox.wait_messages("user1")
    roles = {pid: name for pid, name in sandbox.processes().items() if name.startswith("postriderd: ")}
    sandbox._kill(roles)
    by_smtp(sandbox, "after")
    arrived(sandbox, "before", "after")


def test_roles_end_when_the_supervisor_is_killed(sandbox):
    pids = sandbox.processes()
    os.kill(sandbox.daemon.pid, signal.SIGKILL)
    sandbox.wait_gone(pids)
    sandbox.start()
    sandbox.sendmail("payam", "user1")
    sandbox.wait_messages("user1")


def test_stop_is_orderly(sandbox):
    for n in range(20):
        sandbox.sendmail("payam", "user1", message=f"Subject: {n}\n\n")
    sandbox.postrider("stop")
    assert sandbox.daemon.wait(5) == 0
    assert "does not stop; killed" not in sandbox.log()
    assert not (sandbox.dir / "run/control").exists()
    sandbox.start()
    arrived(sandbox, *map(str, range(20)))
    assert len(sandbox.messages("user1")) == 20


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_that_stop(sandbox, number):
    os.kill(sandbox.daemon.pid, number)
    assert sandbox.daemon.wait(20) == 0
    assert not sandbox.processes()


def test_a_broken_configuration_at_reload_keeps_what_runs(sandbox):
    sandbox.expect_error(r"reload: the configuration has mistakes")
    good = sandbox.config_file.read_text()
    sandbox.write(sandbox.config_file, good + "nonsense\n")
    os.kill(sandbox.daemon.pid, signal.SIGHUP)  # past `postrider reload`, which would have refused
    sandbox.wait_log("reload: the configuration has mistakes")
    assert f"postrider.conf:{good.count(chr(10)) + 1}: " in sandbox.stderr()
    sandbox.sendmail("payam", "user1")
    sandbox.wait_messages("user1")


def test_a_reload_reaches_a_role_that_is_starting(postrider_with):
    """It was started with the old text, and is told when it is ready."""
    sandbox = postrider_with({"smtpd.processes": "1"})
    sandbox.expect_error(KILLED)
    sandbox.configure({"smtpd.processes": "1", "message.max_size": "12345678"})
    sandbox.kill_role("smtpd")
    os.kill(sandbox.daemon.pid, signal.SIGHUP)
    sandbox.wait_log("configuration reloaded")
    with sandbox.smtp() as client:
        client.ehlo()
        assert client.esmtp_features["size"] == "12345678"


def test_who_does_not_stop_to_be_renewed_is_killed(sandbox):
    sandbox.expect_error(KILLED)
    [pid] = sandbox.role_pids("smtp")
    os.kill(pid, signal.SIGSTOP)
    sandbox.write(sandbox.etc / "resolv.conf", "nameserver 127.0.0.9\n")
    sandbox.wait_log("the smtp role reads them anew")
    wait_for(lambda: f"smtp[{pid}] does not stop; killed" in sandbox.log(), "the end of the patience", 30)
    sandbox.wait_ready("smtp")


def test_an_edit_during_a_rebuild_of_the_aliases_is_not_overlooked(sandbox):
    good = sandbox.aliases_file.read_text()
    big = good + "".join(f"name{n}: payam\n" for n in range(100_000))  # so that it can be met at work
    sandbox.write(sandbox.aliases_file, big)
    pids = wait_for(lambda: sandbox.role_pids("alias-rebuild"), "a rebuild")
    sandbox._kill(pids, signal.SIGSTOP)
    sandbox.write(sandbox.aliases_file, good + "late: user1\n")
    time.sleep(3)  # longer than it takes to be seen
    sandbox._kill(pids, signal.SIGCONT)
    wait_for(lambda: sandbox.sendmail("payam", "late") and sandbox.messages("user1"), "the late alias")


def test_a_broken_configuration_at_start(keeper):
    system = keeper.add(Sandbox())
    system.write(system.config_file, "[smtpd]\nlissten = 25\n")
    done = system.run("root", ["postriderd", "--sandbox", system.dir], check=False)
    assert done.returncode == 78 and "postrider.conf:2: unknown setting lissten" in done.stderr


def test_a_second_start_says_that_one_runs(sandbox):
    done = sandbox.run("root", ["postriderd", "--sandbox", sandbox.dir], check=False)
    assert done.returncode != 0
    assert f"already running, as process {sandbox.daemon.pid}" in done.stderr
    sandbox.sendmail("payam", "user1")
    sandbox.wait_messages("user1")


def test_a_port_that_is_taken_is_named(sandbox, keeper):
    other = keeper.add(Sandbox())
    other.smtp_port = sandbox.smtp_port
    other.configure()
    done = other.run("root", ["postriderd", "--sandbox", other.dir], check=False)
    assert done.returncode == 78
    assert f"cannot listen on 127.0.0.1:{sandbox.smtp_port} (smtpd.listen): Address already in use" in done.stderr


def test_background_returns_when_mail_is_served(keeper):
    system = keeper.add(Sandbox())
    done = subprocess.run(system.command("root", ["postriderd", "-b", "--sandbox", system.dir]), env=system.env("root"),
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=system._stderr, timeout=30)
    assert done.returncode == 0
    try:
        system.sendmail("payam", "user1")
        system.wait_messages("user1")
    finally:
        system.postrider("stop")


def test_background_holds_no_pipe_of_its_caller(keeper):
    """As in `postriderd -b | tee log': the reader sees the end although daemon and roles live."""
    system = keeper.add(Sandbox())
    done = subprocess.run(system.command("root", ["postriderd", "-b", "--sandbox", system.dir]), env=system.env("root"),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
    assert done.returncode == 0, done.stdout
    assert system.processes()
    system.postrider("stop")


def test_background_says_why_it_does_not_start(keeper):
    system = keeper.add(Sandbox())
    system.configure({"main.node": "300"})
    done = system.run("root", ["postriderd", "-b", "--sandbox", system.dir], check=False)
    assert done.returncode == 78 and "postrider.conf" in done.stderr and "node" in done.stderr


def test_the_service_manager_is_told(keeper):
    system = keeper.add(Sandbox())
    address = str(system.dir / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(20)
        manager.bind(address)
        system.start(NOTIFY_SOCKET=address)
        assert b"READY=1" in manager.recv(4096)
        system.postrider("reload")
        assert b"RELOADING=1" in manager.recv(4096)
        assert b"READY=1" in manager.recv(4096)
        system.stop()
        assert b"STOPPING=1" in manager.recv(4096)


def test_usage(sandbox):
    done = sandbox.run("root", ["postriderd", "--frobnicate"], check=False)
    assert done.returncode == 64 and "usage: postriderd" in done.stderr
    done = sandbox.run("root", ["postriderd", "--sandbox", "/no/such/directory"], check=False)
    assert done.returncode == 66 and "/no/such/directory" in done.stderr


def test_rotation_of_the_log(sandbox):
    rotated = sandbox.log_file.with_suffix(".1")
    sandbox.log_file.rename(rotated)
    sandbox.sendmail("payam", "user1")
    wait_for(lambda: sandbox.log_file.exists(), "a new log file")
    sandbox.sendmail("payam", "user1")
    sandbox.wait_log("status=sent")
