# SPDX-License-Identifier: Apache-2.0
"""tools/try: the tour of `make try` succeeds, also a second time, and leaves nothing running."""
import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from support.system import build_dir

TRY = Path(__file__).resolve().parents[2] / "tools/try"

STEPS = ["user1$ mail lpic1@localhost", 'payam": 1 message 1 new', "Message  1:", "No mail for user1", "identical",
         "-Queue ID- --Size--", "Mail queue is empty", "Undelivered Mail Returned", "Relay access denied"]


def run_try(directory, *words, **env):
    return subprocess.run([TRY, "--build", build_dir(), "--dir", directory, *words], env={**os.environ, **env},
                          text=True, timeout=120, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)


def processes_of(directory):
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if "postriderd" in words and str(directory) in words:
            found.append(words)
    return found


def test_the_tour_twice(tmp_path):
    place = tmp_path / "try"
    for _ in range(2):
        done = run_try(place)
        assert done.returncode == 0, done.stdout
        at = 0
        for step in STEPS:  # in this order
            at = done.stdout.find(step, at)
            assert at >= 0, f"{step!r} is not there, or not in its place:\n{done.stdout}"
        assert not processes_of(place)


def test_a_long_path(tmp_path):
    """The control socket's name has little room."""
    place = tmp_path / ("d" * 100)
    done = run_try(place)
    assert done.returncode == 0, done.stdout
    real = place.resolve()
    assert run_try(place).returncode == 0
    assert not real.exists()  # the second run has one of its own
    subprocess.run(["rm", "-rf", place.resolve()], check=True)


def test_a_path_with_blanks(tmp_path):
    place = tmp_path / "my projects, 2" / "try"
    place.parent.mkdir()
    done = run_try(place)
    assert done.returncode == 0, done.stdout
    subprocess.run(["rm", "-rf", place.resolve()], check=True)
    done = subprocess.run([build_dir() / "src/supervisor/postriderd", "--sandbox", place.parent], text=True,
                          capture_output=True)
    assert done.returncode == 66 and "cannot have blanks, commas or quotes in its path" in done.stderr


def test_one_that_runs_is_left_alone(tmp_path):
    mark = tmp_path / ".made-by-postrider-try"
    with open(mark, "w", encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = run_try(tmp_path)
    assert done.returncode == 1 and f"runs below {tmp_path} already" in done.stdout
    assert mark.exists()


def test_a_shell(tmp_path):
    shell = tmp_path / "shell"
    shell.write_text("#!/bin/sh\necho text | mail -s 'from the shell' payam && mailq && echo I am $LOGNAME in $HOME\n")
    shell.chmod(0o755)
    done = run_try(tmp_path / "try", "--shell", SHELL=str(shell))
    assert done.returncode == 0, done.stdout
    assert f"I am user1 in {tmp_path}/try/home/user1\n" in done.stdout
    assert "LOGNAME=payam mail" in done.stdout  # the help
    assert not processes_of(tmp_path / "try")


def test_a_directory_of_others_is_left_alone(tmp_path):
    (tmp_path / "letters").write_text("mine")
    done = run_try(tmp_path)
    assert done.returncode == 1 and "was not made by `make try'" in done.stdout
    assert (tmp_path / "letters").read_text() == "mine"


@pytest.mark.parametrize("missing", ["sendmail/sendmail", "supervisor/postriderd"])
def test_a_build_that_is_not_there_is_said(tmp_path, missing):
    build = tmp_path / "build"
    (build / "src").mkdir(parents=True)
    for folder in ["supervisor", "control", "sendmail", "mailx"]:
        (build / "src" / folder).symlink_to(build_dir() / "src" / folder)
    (build / "src" / missing).parent.unlink()
    done = subprocess.run([TRY, "--build", build, "--dir", tmp_path / "try"], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 1 and f"{missing} does not exist: build first" in done.stdout
