"""One run of an operator's program: bytes in on its standard input, what it said and how it ended out.

The run is bounded in time and in what it may say, and when it is over nothing of its process group runs any more. What
never happens here: a shell, a second run, a secret in an argument, or a judgement of what was said.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

ANSWER_LIMIT_BYTES = 4 * 1024 * 1024
"""Some ten thousand machines; no panel that needs a program of its own has so many."""
COMPLAINT_LIMIT_BYTES = 16 * 1024
"""The end of the standard error, where programs say why they end; all before it is dropped."""
_PIECE_BYTES = 65_536
_LAST_PIECES = 2 * ANSWER_LIMIT_BYTES // _PIECE_BYTES
"""Read at most after its end: more than pipes hold, and somebody who inherited them may go on writing for ever."""
_LOOK_AGAIN_S = 0.02
"""A process that ends closes its pipes, which wakes us; this is for one that closed them and goes on."""
_KILLED_WITHIN_S = 5.0
_SCARCE = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY})
"""This computer is full, or somebody is writing the program anew. Any other failure to start is a fault of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is run: an argument vector, without a shell. The environment may hold secrets, and is all that there is."""

    command: Sequence[str]
    directory: Path
    environment: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended. `code` is negative for a signal, as `subprocess` has it; None where we ended it."""

    code: int | None
    answer: bytes = field(repr=False)
    complaint: bytes = field(repr=False)
    why_killed: str = ""


class NotStarted(Exception):
    """Nothing ran. `scarce` where the want passes by itself."""

    def __init__(self, says: str, *, scarce: bool) -> None:
        super().__init__(says)
        self.scarce = scarce


def run(program: Program, request: bytes, *, timeout_s: float, monotonic: Callable[[], float]) -> Ended:
    """Run it once. Raises NotStarted where nothing of it ran."""
    deadline = monotonic() + timeout_s
    child = _start(program)
    try:
        conversation = _Conversation(child, request)
        conversation.go_on(deadline, monotonic)
    finally:
        # Also where we ourselves are interrupted. Not waited for before its group is ended: until then its number,
        # which is the group's, is nobody else's.
        in_time = _has_ended(child)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_KILLED_WITHIN_S)
        for pipe in filter(None, (child.stdin, child.stdout, child.stderr)):
            with contextlib.suppress(OSError):
                pipe.close()
    why_killed = conversation.too_much or ("" if in_time else f"it did not end within {timeout_s:.3g} s")
    return Ended(
        code=None if why_killed else child.returncode,
        answer=bytes(conversation.answer),
        complaint=conversation.complaint_whole_lines(),
        why_killed=why_killed,
    )


def _start(program: Program) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            program.command,
            cwd=program.directory,
            env=dict(program.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            # A group to end as a whole; of its own session, so that Ctrl-C on a terminal does not cut an order in two.
            start_new_session=True,
            umask=0o077,
        )
    except OSError as error:
        says = f"{program.command[0]} cannot be started: {error.strerror}"
        raise NotStarted(says, scarce=error.errno in _SCARCE) from error


class _Conversation:
    """The three pipes of one run, none of which holds up another."""

    def __init__(self, child: subprocess.Popen[bytes], request: bytes) -> None:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        self._child = child
        self._stdin: IO[bytes] = child.stdin
        self._stdout: IO[bytes] = child.stdout
        self._stderr: IO[bytes] = child.stderr
        self._rest = memoryview(request)
        self._cut = False
        # The one that needs no descriptor of its own: we may have none left, and the program runs by now.
        self._selector = selectors.PollSelector()
        for pipe, events in (
            (self._stdin, selectors.EVENT_WRITE),
            (self._stdout, selectors.EVENT_READ),
            (self._stderr, selectors.EVENT_READ),
        ):
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, events)
        self.answer = bytearray()
        self.complaint = bytearray()
        self.too_much = ""

    def go_on(self, deadline: float, monotonic: Callable[[], float]) -> None:
        """Until the program has ended, it said too much, or its time is over. Its descendants are not waited for."""
        while not _has_ended(self._child) and not self.too_much and (left_s := deadline - monotonic()) > 0:
            # With no pipe left this sleeps, which is what is wanted.
            for key, _ in self._selector.select(min(left_s, _LOOK_AGAIN_S)):
                self._serve(key.fileobj)
        # What it wrote before it ended is in the pipes still; whoever inherited them may keep them open for ever.
        for pipe in (self._stdout, self._stderr):
            for _ in range(_LAST_PIECES):
                if self.too_much or not self._serve(pipe):
                    break

    def complaint_whole_lines(self) -> bytes:
        """The end of the standard error, without a line that may begin in the middle of a secret."""
        return bytes(self.complaint.partition(b"\n")[2] if self._cut else self.complaint)

    def _serve(self, pipe: object) -> bool:
        """One piece through this pipe; whether there may be more."""
        if pipe is self._stdin:
            return self._write()
        reads_answer = pipe is self._stdout
        source = self._stdout if reads_answer else self._stderr
        if source.closed:
            return False
        try:
            piece = os.read(source.fileno(), _PIECE_BYTES)
        except BlockingIOError:
            return False
        if not piece:
            self._selector.unregister(source)
            source.close()
            return False
        if reads_answer:
            self.answer += piece
            if len(self.answer) > ANSWER_LIMIT_BYTES:
                self.too_much = f"it answered more than {ANSWER_LIMIT_BYTES} bytes"
                self.answer.clear()
        else:
            self.complaint += piece
            self._cut = self._cut or len(self.complaint) > COMPLAINT_LIMIT_BYTES
            del self.complaint[:-COMPLAINT_LIMIT_BYTES]
        return True

    def _write(self) -> bool:
        try:
            self._rest = self._rest[os.write(self._stdin.fileno(), self._rest[:_PIECE_BYTES]) :]
        except BlockingIOError:
            return True
        except BrokenPipeError:
            self._rest = self._rest[:0]  # it did not want to know, which is its right
        if not self._rest:
            self._selector.unregister(self._stdin)
            self._stdin.close()
        return bool(self._rest)


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Whether it has; it is not waited for."""
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
