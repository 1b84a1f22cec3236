"""A program on a terminal of its own: what it writes there, and what is typed or done to it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

_COMMAND = (sys.executable, "-c", "from autoscaler.cli.app import main; main()")


class Terminal:
    """What stands on the other side of a program's terminal."""

    def __init__(self, process: subprocess.Popen[bytes], number: int) -> None:
        self.process = process
        self.shown = b""
        self._number = number

    def until(self, what: bytes, *, after: int = 0, deadline_s: float = 30.0) -> bytes:
        """All that was shown, once this was, behind the first `after` bytes."""
        end = time.monotonic() + deadline_s
        while what not in self.shown[after:]:
            assert time.monotonic() < end, self.shown[-3000:]
            assert self._read(), self.shown[-3000:]
        return self.shown

    def to_the_end(self, *, deadline_s: float = 30.0) -> int:
        """The program's exit code, with all that it showed read."""
        end = time.monotonic() + deadline_s
        while self._read():
            assert time.monotonic() < end, self.shown[-3000:]
        return self.process.wait(timeout=deadline_s)

    def resize(self, columns: int, lines: int) -> None:
        """As when somebody draws the window larger or smaller."""
        fcntl.ioctl(self._number, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        """As from a keyboard."""
        os.write(self._number, keys)

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def _read(self) -> bool:
        """Whether there is more to come."""
        if not select.select([self._number], [], [], 0.2)[0]:
            return self.process.poll() is None
        try:
            came = os.read(self._number, 65_536)
        except OSError:  # the other end is closed and nothing is left
            return False
        self.shown += came
        return bool(came)


@contextmanager
def opened(
    *arguments: str,
    environment: Mapping[str, str],
    program: Sequence[str] = _COMMAND,
    columns: int = 110,
    lines: int = 40,
) -> Iterator[Terminal]:
    """A program that runs on a terminal; it is ended with the block."""
    number, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    process = subprocess.Popen(
        [*program, *arguments],
        env={**kept, "TERM": "xterm-256color", **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, number)
    finally:
        process.kill()
        process.wait(10)
        os.close(number)
