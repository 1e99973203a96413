#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who may include whom, and which calls are banned where: the rules of docs/ARCHITECTURE.md as a program."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIBRARY = ["base", "mail", "config", "ipc", "spool", "table", "net"]
ROLES = ["queue", "route", "smtpd", "smtp", "local", "logd"]
PROGRAMS = ["control", "sendmail", "mailx", "supervisor"]
SEES = {
    "base": [],
    "mail": ["base"],
    "config": ["base"],
    "ipc": ["base", "mail", "config"],
    "spool": ["base", "mail"],
    "table": ["base", "mail", "config", "ipc"],
    "net": ["base", "mail", "config", "ipc"],
    **{role: LIBRARY for role in ROLES},
    "supervisor": LIBRARY + ROLES,  # starts them: their headers of one line each
    "control": ["base", "mail", "config", "ipc", "spool", "table"],
    "sendmail": ["base", "mail", "config", "ipc", "spool", "table"],  # spool: mailq while the daemon is down
    "mailx": ["base", "mail", "config"],
}
# Of a role, only this header may be seen by the supervisor.
ROLE_HEADERS = {"%s/%s.h" % (role, role) for role in ROLES}

BANNED = [  # pattern, why, folders where it is allowed
    (r"\b(strcpy|strcat|sprintf|vsprintf|strtok|gets)\s*\(", "unbounded: use buf or snprintf", []),
    (r"\b(atoi|atol|strtol|strtoul|strtoll|strtoull|sscanf)\s*\(", "hides errors: use slice_to_u64", []),
    (r"\b(system|popen)\s*\(", "runs a shell", []),
    (r"(?<![_\w.>])(fsync|fdatasync|syncfs|rename|renameat|link|linkat)\s*\(", "only base/file.c syncs and renames",
     ["base"]),
    (r"(?<![_\w])(malloc|calloc|realloc|strdup)\s*\(", "use mem_new, buf or an arena", ["base"]),
    (r"\b(getaddrinfo|gethostbyname)\s*\(", "asks the network and may sleep: use net/dns.h", []),
    (r"\bgetpw(nam|uid)(_r)?\s*\(|\bgetgr(nam|gid)(_r)?\s*\(", "NSS: not after a jail; use base/userdb.h",
     ["base", "supervisor", "control", "sendmail", "mailx"]),
]
# Start of a role, before its jail.
ALLOWED_LINES = {("ipc/role.c", "getpw"), ("logd/logd.c", "getpw")}


def strip(text):
    """Without comments and strings, line numbers kept."""
    pattern = r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    keep = re.compile(r'^\s*#\s*include.*$', re.M)
    includes = {m.start(): m.end() for m in keep.finditer(text)}

    def blank(match):
        for start, end in includes.items():
            if start <= match.start() < end:
                return match.group(0)
        return re.sub(r"[^\n]", " ", match.group(0))

    return re.sub(pattern, blank, text, flags=re.S)


def complaints(name, text):
    folder = name.split("/")[0]
    is_test = os.path.basename(name).startswith("test_")
    for number, line in enumerate(strip(text).split("\n"), 1):
        found = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if found:
            target = found.group(1)
            other = target.split("/")[0]
            if "/" not in target:
                yield number, 'write includes from the source root: "%s"' % target
            elif other == "support" and not is_test:
                yield number, "only tests include %s" % target
            elif other not in (folder, "support") and other not in SEES[folder]:
                yield number, "%s must not know %s" % (folder, other)
            elif other != folder and target.endswith("-private.h"):
                yield number, "%s belongs to %s alone" % (target, other)
            elif folder == "supervisor" and other in ROLES and target not in ROLE_HEADERS:
                yield number, "the supervisor knows only %s/%s.h of a role" % (other, other)
        if is_test:
            continue
        for pattern, why, allowed in BANNED:
            hit = re.search(pattern, line)
            if hit and folder not in allowed and not any(
                    name == where and hit.group(0).startswith(call) for where, call in ALLOWED_LINES):
                yield number, "%s: %s" % (hit.group(0).rstrip("( "), why)


def main():
    bad = 0
    source = os.path.join(ROOT, "src")
    for folder in sorted(os.listdir(source)):
        if folder not in SEES:
            print("src/%s: not in the table of tools/check_layers.py" % folder)
            bad += 1
            continue
        for base, _, files in os.walk(os.path.join(source, folder)):
            for file in sorted(files):
                if not file.endswith((".c", ".h")):
                    continue
                path = os.path.join(base, file)
                with open(path, encoding="utf-8") as opened:
                    text = opened.read()
                name = os.path.relpath(path, source)
                if not text.startswith("/* SPDX-License-Identifier: Apache-2.0 */\n"):
                    print("src/%s:1: the licence line is missing" % name)
                    bad += 1
                for number, why in complaints(name, text):
                    print("src/%s:%d: %s" % (name, number, why))
                    bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
