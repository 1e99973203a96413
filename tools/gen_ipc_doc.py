#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/IPC.md from src/ipc/messages.def and the values in src/ipc/message.h; --check says whether it is fresh."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.path.join(ROOT, "docs", "IPC.md")
VALUES = ["user_outcome", "job_outcome", "leaf_kind", "rcpt_flags", "queue_view", "queue_by", "queue_action",
          "queue_mail_state", "queue_rcpt_state", "dry_run", "explain_kind"]

HEAD = """\
# Messages between processes

Made by `tools/gen_ipc_doc.py` from `src/ipc/messages.def`; do not edit.

A frame is, little endian: u32 length of the payload, u16 type (the place in the tables below, counted from 1), u16 flags
(1: a descriptor comes along), payload. The payload is the fields in their order. U8 U16 U32 U64 are numbers; STR (bytes
without NUL) and BYTES are a u32 length and that many bytes. A payload has at most {frame} bytes.

A receiver takes a message only from a role that may send it, only when it has a handler for it, and only when every byte
of the payload is used up; anything else ends the channel. `any` is every role that the supervisor starts, and the
supervisor itself; `worker` is a delivery process of local, `client` a command on the control socket. A client first says
HELLO with a hash of all names and fields (`msg_protocol_hash()`) and is told the daemon's; two that differ do not talk.
"""


def read(name):
    with open(os.path.join(ROOT, "src", "ipc", name), encoding="utf-8") as file:
        return file.read()


def roles(mask):
    return ", ".join(word.strip()[2:].lower() for word in mask.split("|"))


def fields(text):
    found = re.findall(r"(STR|BYTES|U\d+)\((\w+)\)", text)
    return ", ".join("%s&nbsp;%s" % (kind, name) for kind, name in found)


def messages(text):
    """A line of the document for each heading and each message, in the order of the file."""
    pattern = re.compile(r"^/\* ---- (?P<heading>.*?) ---- \*/$|"
                         r"^MSG\((?P<name>\w+),\s*(?P<sender>[^,]+),\s*(?P<receiver>[^,]+),\s*"
                         r"(?P<fields>(?:\w+\(\w+\)\s*)+)\)[ \t]*(?:/\* (?P<note>.*?) \*/)?", re.M)
    for found in pattern.finditer(text):
        if found["heading"]:
            yield "\n## %s\n" % (found["heading"][0].upper() + found["heading"][1:])
            yield "| message | from | to | fields | |\n|---|---|---|---|---|"
        else:
            yield "| %s | %s | %s | %s | %s |" % (found["name"], roles(found["sender"]), roles(found["receiver"]),
                                                  fields(found["fields"]), found["note"] or "")


def values(text):
    for name in VALUES:
        body = re.search(r"^enum %s \{\n(.*?)^\};" % name, text, re.M | re.S)[1]
        yield "\n### %s\n" % name
        yield "| | | |\n|---|---|---|"
        number = 0
        rows = re.findall(r"^\t(\w+)(?: = ('.'|\d+))?,?[ \t]*(?:/\* (.*?) \*/)?$", body, re.M | re.S)
        if len(rows) != len(re.findall(r"^\t[A-Z]", body, re.M)):
            raise ValueError("src/ipc/message.h: not every value of %s could be read" % name)
        for word, given, note in rows:
            number = given if given.startswith("'") else int(given) if given else number + 1
            yield "| %s | %s | %s |" % (number, word, " ".join(note.split()))


def generate():
    text = read("messages.def")
    lines = list(messages(text))
    written = len(re.findall(r"^MSG\(", text, re.M))
    if sum(line.startswith("| ") and not line.startswith("| message") for line in lines) != written:
        raise ValueError("src/ipc/messages.def: not every MSG() could be read")
    limits = os.path.join(ROOT, "src", "base", "limits.h")
    with open(limits, encoding="utf-8") as file:
        factors = re.search(r"^#define LIMIT_FRAME \(([\d* ]+)\)", file.read(), re.M)[1].split("*")
    frame = 1
    for factor in factors:
        frame *= int(factor)
    parts = [HEAD.format(frame=format(frame, ",")), *lines, "\n## Values of U8 fields\n",
             "From `src/ipc/message.h`.", *values(read("message.h"))]
    return "\n".join(parts) + "\n"


def is_fresh():
    try:
        with open(TARGET, encoding="utf-8") as file:
            return file.read() == generate()
    except FileNotFoundError:
        return False


def main():
    if sys.argv[1:] == ["--check"]:
        if not is_fresh():
            print("docs/IPC.md is not what src/ipc/messages.def says; run tools/gen_ipc_doc.py")
            return 1
    elif sys.argv[1:]:
        print("usage: gen_ipc_doc.py [--check]", file=sys.stderr)
        return 64
    else:
        with open(TARGET, "w", encoding="utf-8") as file:
            file.write(generate())
    return 0


if __name__ == "__main__":
    sys.exit(main())
