"""How commands end: the exit codes, and the error of a command that cannot do what was asked.

What never happens here: printing, or an import of a room; `foreseen` knows the errors of those.
"""

from __future__ import annotations

DONE, FAILED, USAGE = 0, 1, 2
UNREACHABLE, LEASE_HELD, CONFIG = 69, 75, 78  # EX_UNAVAILABLE, EX_TEMPFAIL and EX_CONFIG of sysexits.h
INTERRUPTED = 130  # what shells say of a program that was ended by Ctrl-C


ELSEWHERE = "Name a file in a directory that is there and that you may write to."
"""What to do about a file that cannot be written."""


class CommandFailed(Exception):
    """A command cannot do what was asked. The message says why, and what to do about it."""

    def __init__(self, says: str, *, code: int = FAILED) -> None:
        super().__init__(says)
        self.code = code
