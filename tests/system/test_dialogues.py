# SPDX-License-Identifier: Apache-2.0
"""Every file of tests/dialogues is one conversation with a real server; the form is described in its README."""
import codecs
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path

import pytest

DIALOGUES = Path(__file__).resolve().parent.parent / "dialogues"
PATIENCE_S = 20  # for a server on a busy machine; no dialogue takes so long when it is right

KNOWN = {"c:", "c~", "s:", "s*", "x:", "e:"}


@dataclass
class Dialogue:
    """The settings it needs, and its steps as (line number, kind, text)."""
    settings: list = field(default_factory=list)
    steps: list = field(default_factory=list)


def parse(path):
    """Mistakes in a file are told with its name and line."""
    dialogue = Dialogue()
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), 1):
        kind, text = line[:2], line[2:].strip()
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("set:"):
            dialogue.settings.append(line[4:].strip())
        elif kind in KNOWN:
            dialogue.steps.append((number, kind, text))
        else:
            raise ValueError(f"{path.name}:{number}: unknown kind of line: {line}")
    return dialogue


def raw_bytes(text):
    """The bytes of a `c~` line: quoted parts with escapes, each perhaps repeated."""
    result = b""
    for part, times in re.findall(r'"((?:[^"\\]|\\.)*)"(?:\*(\d+))?', text):
        result += codecs.escape_decode(part.encode("ascii"))[0] * int(times or 1)
    return result


def matches(pattern, line):
    """`...` stands for any text, everything else for itself."""
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("...")), line) is not None


def expect_reply(stream, wanted):
    """One reply of that code, of one or more lines; `250 *3`: three replies of one line."""
    code, _, times = wanted.partition(" *")
    for _ in range(int(times or 1)):
        line = stream.readline().decode()
        while line.startswith(code + "-"):
            line = stream.readline().decode()
        assert line.startswith(code + " "), f"said {line!r}"


def play(dialogue, port, name="dialogue"):
    """Plays it against the server on that port; an assertion names the line that failed."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = sock.makefile("rb")
        for number, kind, text in dialogue.steps:
            try:
                step(sock, stream, kind, text)
            except (AssertionError, OSError) as problem:
                raise AssertionError(f"{name}:{number}: {kind} {text}: {problem}") from problem


def step(sock, stream, kind, text):
    if kind == "c:":
        sock.sendall(text.encode("ascii") + b"\r\n")
    elif kind == "c~":
        sock.sendall(raw_bytes(text))
    elif kind == "e:":
        sock.shutdown(socket.SHUT_WR)
    elif kind == "s*":
        expect_reply(stream, text)
    elif kind == "s:":
        line = stream.readline().decode()
        assert line.endswith("\r\n") and matches(text, line[:-2]), f"said {line!r}"
    else:
        assert stream.readline() == b"", "the connection is open"


def config_text(settings):
    """`section.name = value` lines as a configuration file."""
    text = ""
    for setting in settings:
        section, _, rest = setting.partition(".")
        text += f"[{section}]\n{rest}\n"
    return text


@pytest.mark.parametrize("path", sorted(DIALOGUES.glob("*.txt")), ids=lambda path: path.stem)
def test_dialogue(path, postrider_with):
    dialogue = parse(path)
    server = postrider_with(config_text(dialogue.settings))
    play(dialogue, server.smtp_port, path.name)
