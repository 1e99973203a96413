# SPDX-License-Identifier: Apache-2.0
"""A program on a terminal of its own, as a person types at it and sees it."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

PATIENCE_S = 20  # for a busy machine; nothing waits so long when it is right


class Terminal:
    """expect() returns what was shown up to and with the pattern; what was seen stays in .shown."""

    def __init__(self, command, env=None, cwd=None, columns=80, lines=40):
        self.shown = ""
        self._rest = ""
        self._fd, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, env=env, cwd=cwd,
                                        start_new_session=True, preexec_fn=_take_terminal, close_fds=True)
        os.close(inner)

    def send(self, text):
        os.write(self._fd, text.encode())

    def line(self, text):
        self.send(text + "\n")

    def end_of_file(self):
        self.send("\x04")

    def expect(self, pattern, patience_s=PATIENCE_S):
        deadline = time.monotonic() + patience_s
        while True:
            found = re.search(pattern, self._rest)
            if found:
                seen, self._rest = self._rest[:found.end()], self._rest[found.end():]
                return seen
            assert self._read(deadline), f"waited for {pattern!r}, saw:\n{self.shown}"

    def finish(self, patience_s=PATIENCE_S):
        """Reads to the end; the exit status."""
        deadline = time.monotonic() + patience_s
        while self._read(deadline):
            pass
        try:
            return self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.close()
            raise AssertionError(f"the program does not end; it showed:\n{self.shown}") from None

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _read(self, deadline):
        readable, _, _ = select.select([self._fd], [], [], max(0, deadline - time.monotonic()))
        if not readable:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # EIO: nobody has the other end any more
            return False
        text = data.decode(errors="replace").replace("\r\n", "\n")
        self.shown += text
        self._rest += text
        return bool(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _take_terminal():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
