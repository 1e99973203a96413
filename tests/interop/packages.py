# SPDX-License-Identifier: Apache-2.0
"""Debian packages as a tree of files: what tests/interop runs, without installing anything on the machine.

unpacked() asks apt what the packages of `tools/install-packages --list interop` need beyond what is installed, downloads
that and unpacks it below build/interop, where it stays until the list or a version changes. Their installation scripts do
not run: users, directories and configuration are made by the tests, on hosts of their own. A mail transfer agent that some
of them ask for is left out: that is us.
"""
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "build" / "interop"
OTHER_MAILERS = re.compile(r"(exim4|postfix|sendmail|opensmtpd|nullmailer|msmtp|ssmtp|dma|courier-mta|citadel)\b|m4$|lockfile-progs$")


class Unavailable(Exception):
    """Why there are no packages: said by the tests that are skipped for it."""


def run(*words, cwd=None):
    try:
        done = subprocess.run(words, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise Unavailable(f"{words[0]}: {problem}") from problem
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(words[:3])}: {done.stderr.strip()[-300:]}")
    return done.stdout


def needed(names):
    """What the machine lacks for them, as {package: version}; libraries that they depend on too."""
    said = run("apt-get", "-s", "--no-install-recommends", "install", *names)
    found = dict(re.findall(r"^Inst (\S+) (?:\[\S+\] )?\((\S+) ", said, re.M))
    return {name: version for name, version in found.items() if not OTHER_MAILERS.match(name)}


def needed_with_lists(names):
    """A bare machine has no package lists, an old one lists of files that are gone."""
    try:
        return needed(names)
    except Unavailable:
        run("apt-get", "-qq", "update")
        return needed(names)


def move_below(source, target):
    """Merges two trees of directories; files of source win."""
    target.mkdir(parents=True, exist_ok=True)
    for entry in source.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            move_below(entry, target / entry.name)
        else:
            entry.replace(target / entry.name)
    source.rmdir()


def unpack(versions, root):
    debs = root.parent / "debs"
    shutil.rmtree(debs, ignore_errors=True)
    debs.mkdir(parents=True)
    words = ["apt-get", "-q", "download", *(f"{name}={version}" for name, version in versions.items())]
    try:
        run(*words, cwd=debs)
    except Unavailable:
        run("apt-get", "-qq", "update")
        run(*words, cwd=debs)
    for deb in debs.iterdir():
        run("dpkg", "-x", str(deb), str(root))
    shutil.rmtree(debs)
    for name in ["bin", "sbin", "lib", "lib64"]:  # links into /usr on a machine
        if (root / name).is_dir():
            move_below(root / name, root / "usr" / name)


def unpacked():
    """The directory, complete; another run's is used again when it is what apt would give now."""
    names = run(str(ROOT / "tools" / "install-packages"), "--list", "interop").split()
    versions = needed_with_lists(names)
    listed = "".join(f"{name} {version}\n" for name, version in sorted(versions.items()))
    root, stamp = CACHE / "root", CACHE / "packages"
    if stamp.exists() and stamp.read_text() == listed:
        return root
    stamp.unlink(missing_ok=True)
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    unpack(versions, root)
    stamp.write_text(listed)
    return root
