# SPDX-License-Identifier: Apache-2.0
"""A client of the control socket that says what no command of ours would: frames made from src/ipc/messages.def."""
import re
import socket
import struct
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "ipc" / "messages.def"
INTEGERS = {"U8": "<B", "U16": "<H", "U32": "<I", "U64": "<Q"}


def _messages():
    text = re.sub(r"/\*.*?\*/", "", SOURCE.read_text(), flags=re.S)
    found = {}
    for number, (name, body) in enumerate(re.findall(r"^MSG\((\w+),(.*?\))\)\s*$", text, re.M | re.S), 1):
        found[name] = (number, re.findall(r"\b(U8|U16|U32|U64|STR|BYTES)\((\w+)\)", body))
    return found


MESSAGES = _messages()
NAMES = {number: name for name, (number, _fields) in MESSAGES.items()}


def payload(message, **values):
    """Fields that are not given are 0 or empty."""
    out = b""
    for kind, name in MESSAGES[message][1]:
        value = values.pop(name, 0 if kind in INTEGERS else b"")
        out += struct.pack(INTEGERS[kind], value) if kind in INTEGERS else struct.pack("<I", len(value)) + value
    assert not values, f"{message} has no {list(values)}"
    return out


def frame(message, **values):
    content = payload(message, **values)
    return struct.pack("<IHH", len(content), MESSAGES[message][0], 0) + content


def fields(message, content):
    out, at = {}, 0
    for kind, name in MESSAGES[message][1]:
        if kind in INTEGERS:
            (out[name],) = struct.unpack_from(INTEGERS[kind], content, at)
            at += struct.calcsize(INTEGERS[kind])
        else:
            (size,) = struct.unpack_from("<I", content, at)
            out[name] = content[at + 4:at + 4 + size]
            at += 4 + size
    return out


class ControlClient(socket.socket):
    """Whoever makes it is the user that the daemon sees."""

    def __init__(self, path, timeout_s=60):
        super().__init__(socket.AF_UNIX)
        self.settimeout(timeout_s)
        self.connect(str(path))
        self._bytes = b""

    def send_frame(self, message, **values):
        self.sendall(frame(message, **values))

    def greet(self):
        self.send_frame("HELLO")
        assert self.receive()[0] == "WELCOME"
        return self

    def receive(self):
        """(name, fields) of the next frame; None when the daemon has closed."""
        while True:
            if len(self._bytes) >= 8:
                size, number, _flags = struct.unpack_from("<IHH", self._bytes)
                if len(self._bytes) >= 8 + size:
                    content, self._bytes = self._bytes[8:8 + size], self._bytes[8 + size:]
                    return NAMES[number], fields(NAMES[number], content)
            try:
                more = self.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                return None
            self._bytes += more

    def receive_until(self, message):
        """The fields of the next frame of that name; None when the daemon closed first."""
        while (got := self.receive()) and got[0] != message:
            pass
        return got and got[1]
