"""A machine's side door: commands run in it as root by QEMU's guest agent, over a serial line and not its network.

In goes an argument list, out come its exit code and what it wrote. It is for tests alone: the daemon never logs in
anywhere. What never happens here: a call without a deadline.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CALL_S = 15.0
_POLL_S = 0.2


class AgentUnheard(RuntimeError):
    """The machine's agent did not answer, or not in time: it may not be up yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of a command."""

    code: int
    output: str


class Agent:
    """The agent of one machine; calls wait for each other."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)

    def run(self, *arguments: str, deadline_s: float = 60.0) -> Done:
        """Run a program of the machine and wait for its end. Raises AgentUnheard."""
        until = time.monotonic() + deadline_s
        order = {"path": arguments[0], "arg": list(arguments[1:]), "capture-output": True}
        with self._lock, self._line() as line:
            pid = _asked(line, "guest-exec", order)["pid"]
            while not (told := _asked(line, "guest-exec-status", {"pid": pid}))["exited"]:
                if time.monotonic() > until:
                    raise AgentUnheard(f"{arguments[0]} did not end within {deadline_s:g} s")
                time.sleep(_POLL_S)
        output = b"".join(base64.b64decode(told.get(each, "")) for each in ("out-data", "err-data"))
        return Done(code=told.get("exitcode", -1), output=output.decode(errors="replace"))

    def write(self, path: str, text: str) -> None:
        """Put this into a file of the machine, which keeps its rights if it is there. Raises AgentUnheard."""
        with self._lock, self._line() as line:
            handle = _asked(line, "guest-file-open", {"path": path, "mode": "w"})
            content = base64.b64encode(text.encode()).decode()
            _asked(line, "guest-file-write", {"handle": handle, "buf-b64": content})
            _asked(line, "guest-file-close", {"handle": handle})

    def clock_ahead_s(self) -> float:
        """How far the machine's clock is ahead of ours, to half of the call's duration."""
        with self._lock, self._line() as line:
            before = time.time()
            theirs = int(_asked(line, "guest-get-time", {})) / 1e9
            return theirs - (before + time.time()) / 2

    @contextlib.contextmanager
    def _line(self) -> Iterator[socket.socket]:
        """A line on which nothing is left of calls that were given up."""
        try:
            with _connected(self._path) as line:
                number = next(self._numbers)
                line.sendall(b"\xff" + _message("guest-sync-delimited", {"id": number}))
                while _answer(line).get("return") != number:
                    pass
                yield line
        except OSError as error:
            raise AgentUnheard(f"the agent of {self._path.parent.name} is not heard: {error}") from error


def _connected(path: Path) -> socket.socket:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.settimeout(_CALL_S)
    # A socket's path may have 107 characters; by its directory's descriptor it is short wherever that is.
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        line.connect(f"/proc/self/fd/{directory}/{path.name}")
    except BaseException:
        line.close()
        raise
    finally:
        os.close(directory)
    return line


def _message(name: str, arguments: dict[str, Any]) -> bytes:
    return json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n"


def _asked(line: socket.socket, name: str, arguments: dict[str, Any]) -> Any:
    line.sendall(_message(name, arguments))
    told = _answer(line)
    if "return" not in told:
        raise AgentUnheard(f"{name} was refused: {told.get('error')}")
    return told["return"]


def _answer(line: socket.socket) -> dict[str, Any]:
    """The next document; what an earlier call left half said ends at the delimiter."""
    until = time.monotonic() + _CALL_S
    received = b""
    while not received.endswith(b"\n"):
        part = line.recv(65536)
        if not part or time.monotonic() > until:
            raise TimeoutError("no whole answer")
        received += part
    last = received.strip().splitlines()[-1].rpartition(b"\xff")[2]
    try:
        told = json.loads(last)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
