# SPDX-License-Identifier: Apache-2.0
"""Process 1 of a test's own host: mounts, name, loopback; then it buries orphans until its standard input closes.

Called inside new namespaces as: host_init.py SCRATCH HOSTNAME STAGE...; the files of an earlier stage hide those of a later
one. Everything that is written goes to a tmpfs, so the
machine's own files are only ever read. Never call it in the machine's own namespaces.
"""
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

EMPTY = {"/home": "0755", "/root": "0700", "/run": "0755", "/var/tmp": "1777", "/var/spool": "0755",
         "/var/log": "0755", "/tmp": "1777"}


def mount(*words):
    subprocess.run(["mount", *map(str, words)], check=True)


def mount_all(scratch, stages):
    layers = scratch / "layers"
    layers.mkdir()
    mount("-t", "tmpfs", "-o", "mode=0755", "none", layers)
    for name in ["etc", "usr", "var"]:
        upper, work = layers / name / "upper", layers / name / "work"
        upper.mkdir(parents=True)
        work.mkdir()
        lower = ":".join(str(root / name) for root in [*stages, Path("/")] if (root / name).is_dir())
        mount("-t", "overlay", "none", "-o", f"lowerdir={lower},upperdir={upper},workdir={work}", f"/{name}")
    Path("/var/mail").mkdir(exist_ok=True)
    for where, mode in EMPTY.items():
        mount("-t", "tmpfs", "-o", f"mode={mode}", "none", where)
    mount("-t", "tmpfs", "none", "/var/mail")
    shutil.chown("/var/mail", "root", "mail")
    os.chmod("/var/mail", 0o2775)


def write(path, text):
    path = Path(path)
    if path.is_symlink() or path.exists():
        path.unlink()
    path.write_text(text)


def name_all(host_name):
    socket.sethostname(host_name)
    write("/etc/mailname", host_name + "\n")
    write("/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {host_name} {host_name.partition('.')[0]}\n")
    write("/etc/resolv.conf", "nameserver 127.53.53.53\n")
    for left_over in ["/etc/aliases", "/etc/aliases.db"]:
        Path(left_over).unlink(missing_ok=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def bury(*_):
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def main():
    scratch, host_name, stages = Path(sys.argv[1]), sys.argv[2], [Path(stage) for stage in sys.argv[3:]]
    assert os.getpid() == 1, "only as the first process of a namespace"
    mount_all(scratch, stages)
    name_all(host_name)
    signal.signal(signal.SIGCHLD, bury)
    print("ready", flush=True)
    while select.select([0], [], [])[0] and os.read(0, 4096):
        pass


if __name__ == "__main__":
    main()
