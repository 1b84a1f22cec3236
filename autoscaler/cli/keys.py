"""What somebody says to a command that goes on until it is told to end: signals, and keys where there is a terminal.

What never happens here: a wait, or a key taken from anything but a terminal.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AT_ONCE = 32


@contextmanager
def ends() -> Iterator[list[int]]:
    """Not empty after the first word to end; the second one ends the process as usual.

    An exception at any moment could end up where nothing can pass it on, a destructor say, and be lost.
    """
    asked: list[int] = []
    before = {number: signal.getsignal(number) for number in _ENDS}

    def heed(number: int, _frame: object) -> None:
        asked.append(number)
        for each in _ENDS:
            signal.signal(each, signal.default_int_handler)

    for number in _ENDS:
        signal.signal(number, heed)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def pressed() -> Iterator[Callable[[], str]]:
    """What was typed since it was asked last; never anything where nobody can type."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield str
        return
    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)
    tty.setcbreak(handle)  # each key at once; Ctrl-C stays what it is

    def read() -> str:
        there, _, _ = select.select([handle], [], [], 0.0)
        return os.read(handle, _AT_ONCE).decode("utf-8", "replace") if there else ""

    try:
        yield read
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)
