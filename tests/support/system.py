# SPDX-License-Identifier: Apache-2.0
"""A whole running mail system for a test, in one of two forms with one interface.

Sandbox: postriderd --sandbox in a scratch directory, all users are the one who runs the test.
Host: installed and set up as root in namespaces of its own, with overlays over /etc, /usr and /var, real users, port 25
and its own loopback network; the machine's own files and network are out of reach.

Lines marked "error:" in the log fail the test unless it announced them with expect_error().
"""
import configparser
import contextlib
import ctypes
import mailbox
import os
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from support.terminal import PATIENCE_S, Terminal

USERS = ["user1", "user2", "payam", "lpic1"]
HOST_NAME = "centos7-1.localdomain"
NOWHERE = "127.53.53.53"  # loopback, and nobody listens there: a resolver that refuses at once
CLONE_NEWNET = 0x40000000

ALIASES = """\
# Basic system aliases -- these MUST be present.
mailer-daemon:	postmaster
postmaster:	root

# General redirections for pseudo accounts.
bin:		root
daemon:		root
nobody:		root

lpic1:		root
root:		payam
"""

# No attempt is repeated by itself while a test looks; segments are small, so that there are several.
SETTINGS = {"smtpd.processes": "2", "smtp.connect_timeout": "5s", "queue.retry_min": "1h", "queue.segment_size": "1m"}


def config_text(settings):
    """{"section.name": value} as a file."""
    return "".join("[{}]\n{} = {}\n".format(*name.split("."), value) for name, value in settings.items())


def build_dir():
    where = os.environ.get("POSTRIDER_BUILD")
    return Path(where) if where else Path(__file__).resolve().parents[2] / "build" / "release"


def is_sanitized():
    """Whether the binaries were built with ASan."""
    daemon = build_dir() / Sandbox.PROGRAMS["postriderd"]
    return daemon.exists() and b"__asan_init" in daemon.read_bytes()


def wait_for(predicate, what="", patience_s=PATIENCE_S):
    """The first true result of predicate; asked again until then."""
    deadline = time.monotonic() + patience_s
    while True:
        result = predicate()
        if result:
            return result
        assert time.monotonic() < deadline, f"waited {patience_s} s in vain for {what or predicate}"
        time.sleep(0.02)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def settings_of(text):
    """The reverse of config_text()."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read_string(text)
    return {f"{section}.{name}": value for section in parser.sections() for name, value in parser.items(section)}


class MailSystem:
    """What both forms have in common. Places are attributes: etc, mail_dir, log_file, users' homes by home()."""

    smtp_port = 25
    daemon = None

    # ---- to be provided: command(user, words), path(name), start(), processes()

    def env(self, user):
        return None

    def run(self, user, words, stdin="", check=True, env=None, cwd=None, text=True):
        """Runs a command as that user; CompletedProcess with stdout and stderr."""
        done = subprocess.run(self.command(user, words, cwd), input=stdin, capture_output=True, text=text,
                              env=self._with(user, env), timeout=2 * PATIENCE_S)
        if check:
            assert done.returncode == 0, f"{words} gave {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done

    def popen(self, user, words, env=None, **kwargs):
        return subprocess.Popen(self.command(user, words, None), env=self._with(user, env), **kwargs)

    def terminal(self, user, words, env=None):
        return Terminal(self.command(user, words, None), env=self._with(user, {"TERM": "dumb", **(env or {})}))

    def _with(self, user, more):
        base = self.env(user)
        return {**(os.environ if base is None else base), **more} if more else base

    # ---- commands

    def sendmail(self, user, *words, message="Subject: test\n\nHello.\n", **kwargs):
        return self.run(user, ["sendmail", *words], stdin=message, **kwargs)

    def mailq(self, user="root"):
        return self.run(user, ["mailq"]).stdout

    def newaliases(self, **kwargs):
        return self.run("root", ["newaliases"], **kwargs)

    def mail(self, user, *words, stdin="", **kwargs):
        return self.run(user, ["mail", *words], stdin=stdin, **kwargs)

    def postrider(self, *words, user="root", check=True, stdin=""):
        return self.run(user, ["postrider", *words], check=check, stdin=stdin)

    @contextlib.contextmanager
    def smtp(self):
        with self.network():
            client = smtplib.SMTP("127.0.0.1", self.smtp_port, local_hostname="client.example", timeout=PATIENCE_S)
        with client:
            yield client

    @contextlib.contextmanager
    def network(self):
        """Sockets and threads made meanwhile are on the mail system's network."""
        yield

    # ---- files

    def mailbox_text(self, user):
        try:
            return self.path(self.mail_dir / user).read_text(encoding="utf-8", errors="surrogateescape")
        except FileNotFoundError:
            return ""

    def messages(self, user):
        """The mails in the user's mailbox; the From line of each is in get_from()."""
        if not self.mailbox_text(user):
            return []
        box = mailbox.mbox(self.path(self.mail_dir / user), create=False)
        return list(box)

    def wait_messages(self, user, n=1):
        return wait_for(lambda: (m := self.messages(user)) and len(m) >= n and m, f"{n} mails of {user}")

    def write(self, name, text):
        """Of root, as an editor would: the file is there whole or not at all."""
        path = self.path(name)
        aside = path.with_name(path.name + ".edited")
        aside.write_text(text)
        os.replace(aside, path)

    def write_home(self, user, name, text, mode=0o644):
        path = self.path(self.home(user) / name)
        path.write_text(text)
        path.chmod(mode)
        owner = self.path(self.home(user)).stat()
        os.chown(path, owner.st_uid, owner.st_gid)
        return path

    def read_home(self, user, name):
        return self.path(self.home(user) / name).read_text(errors="surrogateescape")

    def list_home(self, user, name):
        return sorted(entry.name for entry in self.path(self.home(user) / name).iterdir())

    def write_list(self, name, text):
        """A list of root's that everybody may read; its path."""
        self.write(self.etc / name, text)
        return self.etc / name

    def configure(self, more=None):
        """The test's own settings, as {"section.name": value}, win over those that every test has."""
        self.write(self.config_file, config_text({**SETTINGS, **self._own_settings(), **(more or {})}))

    # ---- the daemon

    def log(self):
        try:
            return self.path(self.log_file).read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def wait_log(self, pattern, n=1):
        return wait_for(lambda: len(re.findall(pattern, self.log())) >= n, f"{n} times {pattern!r} in the log")

    def expect_error(self, pattern):
        """An error line that matches is what the test wants to see."""
        self._expected.append(pattern)

    def unexpected_errors(self):
        lines = [line for line in self.log().splitlines() if re.search(r"\]: error: |\bpostrider/\S+: error: ", line)]
        stderr = self.stderr()
        lines += [line for line in stderr.splitlines()
                  if re.search(r"ERROR: \w*Sanitizer|runtime error:|check failed", line, re.I)]
        return [line for line in lines if not any(re.search(p, line) for p in self._expected)]

    def stderr(self):
        self._stderr.flush()
        return Path(self._stderr.name).read_text(errors="replace")

    def _launch(self, words, user="root", env=None):
        """Starts the daemon in the foreground and waits until it serves mail."""
        ready = self.log().count(" is ready, pid ")
        self.daemon = self.popen(user, words, stdin=subprocess.DEVNULL, stdout=self._stderr, stderr=self._stderr,
                                 env=env, start_new_session=True)

        def is_ready():
            assert self.daemon.poll() is None, f"postriderd ended: {self.stderr()}\n{self.log()}"
            return self.log().count(" is ready, pid ") > ready

        wait_for(is_ready, f"postriderd; it said {self.stderr()}")

    def stop(self):
        if not self.daemon:
            return
        if self.daemon.poll() is None and self.processes():
            self.postrider("stop")
        assert self.daemon.wait(PATIENCE_S) == 0, self.stderr()
        self.daemon = None

    def restart(self):
        self.stop()
        self.start()

    def kill9_all(self):
        """Every process of the mail system at once, as a power cut would."""
        pids = self.processes()
        self._kill(pids)
        self.wait_gone(pids)

    def wait_gone(self, pids):
        """The end of processes with all their threads: a killed one holds its files until the last thread is out."""
        if self.daemon:
            self.daemon.wait(PATIENCE_S)
            self.daemon = None
        wait_for(lambda: all(self.is_gone(pid) for pid in pids), "the end of killed processes")

    def is_gone(self, pid):
        """Orphans may stay as zombies for some time, as long as the machine's first process takes to bury them."""
        try:
            state = self.path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            return state == "Z" and len(list(self.path(f"/proc/{pid}/task").iterdir())) == 1
        except (FileNotFoundError, ProcessLookupError):
            return True

    def role_pids(self, role):
        return [pid for pid, name in self.processes().items() if name == f"postriderd: {role}"]

    def kill_role(self, role, number=signal.SIGKILL):
        """All processes of that role; returns when others have their place."""
        before = self.role_pids(role)
        assert before, f"no process is {role}"
        self._kill(before, number)
        wait_for(lambda: (now := set(self.role_pids(role))) and not now & set(before), f"another {role}")

    def wait_ready(self, role):
        wait_for(lambda: (text := self.postrider("status", check=False).stdout)
                 and not re.search(rf"^{role} \d+: (?!running)", text, re.M) and f"{role} 0: running" in text,
                 f"{role} to run")


# ---- sandbox mode


class Sandbox(MailSystem):
    """In a directory with a short name: the path of a socket has little room."""

    PROGRAMS = {"postriderd": "src/supervisor/postriderd", "postrider": "src/control/postrider",
                "postrider-drop": "src/sendmail/postrider-drop", "sendmail": "src/sendmail/sendmail",
                "mailq": "src/sendmail/sendmail", "newaliases": "src/sendmail/sendmail",
                "postqueue": "src/sendmail/sendmail", "postsuper": "src/sendmail/sendmail",
                "postalias": "src/sendmail/sendmail", "praliases": "src/sendmail/sendmail",
                "mail": "src/mailx/mail", "mailx": "src/mailx/mail"}
    is_host = False

    def __init__(self):
        self.dir = Path(tempfile.mkdtemp(prefix="pr-", dir="/tmp"))
        self.etc, self.mail_dir, self.log_file = self.dir / "etc", self.dir / "mail", self.dir / "log/postrider.log"
        self.config_file, self.aliases_file = self.etc / "postrider.conf", self.etc / "aliases"
        self.smtp_port = free_port()
        self._expected = []
        self._stderr = open(self.dir / "stderr", "a+", encoding="utf-8")
        for name in ["etc", "bin", "home"]:
            (self.dir / name).mkdir()
        for name, target in self.PROGRAMS.items():
            (self.dir / "bin" / name).symlink_to(build_dir() / target)
        users = ["root", *USERS]
        for user in users:
            self.home(user).mkdir()
        (self.etc / "users").write_text("".join(
            f"{user}:x:{os.getuid()}:{os.getgid()}:{user}:{self.home(user)}:/bin/sh\n" for user in users))
        (self.etc / "mailname").write_text(HOST_NAME + "\n")
        (self.etc / "resolv.conf").write_text(f"nameserver {NOWHERE}\n")
        (self.etc / "aliases").write_text(ALIASES)
        self.configure()

    def _own_settings(self):
        return {"smtpd.listen": f"127.0.0.1:{self.smtp_port}", "main.host_name": HOST_NAME,
                "smtp.resolv_conf": self.etc / "resolv.conf"}

    def home(self, user):
        return self.dir / "home" / user

    def path(self, name):
        return Path(name)

    def program(self, name):
        return self.dir / "bin" / name

    def command(self, user, words, cwd=None):
        found = self.dir / "bin" / words[0]
        return [str(found) if found.exists() else words[0], *map(str, words[1:])]

    def env(self, user):
        return {"PATH": f"{self.dir}/bin:/usr/bin:/bin", "POSTRIDER_SANDBOX": str(self.dir), "LOGNAME": user,
                "USER": user, "HOME": str(self.home(user)), "SHELL": "/bin/sh", "LC_ALL": "C.UTF-8",
                **{name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}}

    def start(self, **env):
        if not (self.etc / "aliases.db").exists():
            self.newaliases()  # as setup does on a host
        self._launch(["postriderd", "--sandbox", str(self.dir)], env=env)

    def processes(self):
        """Those of this sandbox: pid to name."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if words[0].startswith("postriderd: ") and f"--sandbox={self.dir}" in words or \
                        words[0].endswith("/postriderd") and str(self.dir) in words:
                    found[int(entry.name)] = words[0]
        return found

    def _kill(self, pids, number=signal.SIGKILL):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def close(self):
        try:
            self.stop()
        finally:
            self.kill9_all()
            self._stderr.close()
            shutil.rmtree(self.dir, ignore_errors=True)


# ---- system mode


def why_no_host():
    """The reason why this machine cannot run a host of its own, or None."""
    if os.geteuid() != 0:
        return "needs root (for namespaces and real users)"
    for tool in ["unshare", "nsenter", "setpriv", "ip", "useradd", "mount"]:
        if not shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin:/bin"):
            return f"needs {tool}"
    with tempfile.TemporaryDirectory() as scratch:
        # The real thing in small: namespaces, a tmpfs, an overlay on it.
        trial = subprocess.run(["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "sh", "-ec",
                                f"mount -t tmpfs none {scratch}; mkdir {scratch}/u {scratch}/w; "
                                f"mount -t overlay none -o lowerdir=/etc,upperdir={scratch}/u,workdir={scratch}/w /etc"],
                               capture_output=True, text=True)
    return f"no namespaces or overlays here: {trial.stderr.strip()}" if trial.returncode else None


class Host(MailSystem):
    """stages: directories whose files lie over the machine's; the first one is what `meson install --destdir` has filled."""

    is_host = True
    etc, mail_dir, log_file = Path("/etc"), Path("/var/mail"), Path("/var/log/postrider.log")
    config_file, aliases_file = Path("/etc/postrider/postrider.conf"), Path("/etc/aliases")

    def __init__(self, *stages, setup=True):
        self._expected = []
        self.dir = Path(tempfile.mkdtemp(prefix="pr-", dir="/tmp"))
        self._stderr = open(self.dir / "stderr", "a+", encoding="utf-8")
        self._init = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc",
             "--propagation", "private", sys.executable, str(Path(__file__).with_name("host_init.py")),
             str(self.dir), HOST_NAME, *map(str, stages)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            self._enter()
            for user in USERS:
                self.run("root", ["useradd", "--create-home", "--shell", "/bin/bash", user])
            if setup:
                self.setup()
        except BaseException:  # nobody has it yet who would close it
            self.close()
            raise

    def _enter(self):
        if self._init.stdout.readline() != "ready\n":
            raise RuntimeError("the namespaces could not be set up; see standard error")
        children = Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children").read_text().split()
        self._pid = int(children[0])

    def setup(self):
        self.postrider("setup")
        self.write(self.aliases_file, ALIASES)
        self.configure()

    def _own_settings(self):
        return {"log.target": self.log_file}

    def home(self, user):
        return Path("/root") if user == "root" else Path("/home") / user

    def path(self, name):
        return Path(f"/proc/{self._pid}/root{name}")

    def program(self, name):
        return Path("/usr/sbin") / name

    def command(self, user, words, cwd=None):
        where = ["nsenter", f"--target={self._pid}", "--mount", "--pid", "--net", "--uts", "--ipc",
                 f"--wdns={cwd or self.home(user)}"]
        who = [] if user == "root" else ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        return [*where, *who, *map(str, words)]

    def env(self, user):
        return {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.home(user)), "USER": user,
                "LOGNAME": user, "SHELL": "/bin/bash", "LC_ALL": "C.UTF-8",
                **{name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}}

    @contextlib.contextmanager
    def network(self):
        """A thread belongs to one network; those that it starts inherit it."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/proc/self/task/{threading.get_native_id()}/ns/net", "rb") as ours, \
                open(f"/proc/{self._pid}/ns/net", "rb") as theirs:
            if libc.setns(theirs.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                libc.setns(ours.fileno(), CLONE_NEWNET)

    def start(self, **env):
        self._launch(["/usr/sbin/postriderd"], env=env)

    def processes(self):
        """Of the mail system, by their numbers inside: pid to name."""
        found = {}
        for entry in self.path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                name = (entry / "cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")
                if name.startswith("postriderd: ") or name.endswith("/postriderd"):
                    found[int(entry.name)] = name
        return found

    def _kill(self, pids, number=signal.SIGKILL):
        if pids:
            self.run("root", ["kill", f"-{int(number)}", *map(str, pids)], check=False)

    def status_of(self, pid):
        """/proc/PID/status as a dictionary."""
        lines = self.path(f"/proc/{pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def close(self):
        try:
            if self._init.poll() is None:
                self.stop()
        finally:
            self._init.stdin.close()  # its init ends, and the kernel ends everything in it
            self._init.wait(PATIENCE_S)
            self._init.stdout.close()
            if self.daemon:
                self.daemon.wait(PATIENCE_S)
            self._stderr.close()
            shutil.rmtree(self.dir, ignore_errors=True)


def install_stage(into):
    """What `make install` puts on a host, below a directory; for all hosts of a test run."""
    done = subprocess.run(["meson", "install", "-C", str(build_dir()), "--no-rebuild", "--destdir", str(into)],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return into
