"""What a file that nginx includes needs of this computer: to be written whole, to be taken in by a command, and servers
that answer before they stand in it.

Paths, texts and commands as lists of arguments go in. What never happens here: a file of which a part was written, a
shell, a command or a connection that is waited for without an end, or a secret of the daemon's in a command's
environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

_MODE = 0o644
"""Its reader is another user, and it holds nothing that others must not know."""
_MOST_BYTES = 4_000_000
_MOST_SAID = 400
_DYING_S = 5.0
_ANSWER_BYTES = 64
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
"""What a command may know of the daemon's environment, which holds secrets besides."""


class NotTaken(Exception):
    """A command that failed, did not end in time, or could not be started; the message is for people."""


def written(file: Path) -> str | None:
    """What stands in the file; None if there is none. Raises OSError."""
    try:
        with file.open("rb") as found:
            return found.read(_MOST_BYTES).decode("utf-8", errors="replace")
    except FileNotFoundError:
        return None


def write(file: Path, text: str) -> None:
    """Put the text in the place of what stands there: whoever reads finds the one or the other, also after a power cut.

    A symbolic link is followed, so that it stays one. Raises OSError, and the file is as it was then.
    """
    there = Path(os.path.realpath(file))
    handle, name = tempfile.mkstemp(dir=there.parent, prefix=f".{there.name}.", suffix=".new")
    try:
        with os.fdopen(handle, "wb") as new:
            new.write(text.encode())
            new.flush()
            os.fchmod(new.fileno(), _MODE)
            os.fsync(new.fileno())
        Path(name).replace(there)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    folder = os.open(there.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def why_not(file: Path, commands: Sequence[Sequence[str]]) -> str:
    """Why this user could not keep that file with these commands, as far as a look can tell; empty if all is well."""
    there = Path(os.path.realpath(file))
    if not there.parent.is_dir():
        return f"{there.parent} is no directory"
    if there.is_dir():
        return f"{there} is a directory"
    if not os.access(there.parent, os.W_OK | os.X_OK):
        return f"{there.parent} cannot be written by this user"
    for command in commands:
        program = Path(command[0])
        if not program.is_file() or not os.access(program, os.X_OK):
            return f"{program} is no program that this user can run"
    return ""


def remove(file: Path) -> None:
    """Take the file away, if it is there. Raises OSError."""
    Path(os.path.realpath(file)).unlink(missing_ok=True)


def run(command: Sequence[str], *, timeout_s: float) -> None:
    """Run it to its end. Raises NotTaken; one that takes too long is killed with all that it started in its group."""
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    # A file and no pipe: what the command leaves running may hold on to it, and nobody waits for that.
    with tempfile.TemporaryFile() as said:
        try:
            child = subprocess.Popen(
                command,
                env=environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise NotTaken(f"{command[0]} cannot be started: {getattr(error, 'strerror', error)}") from error
        try:
            code = child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            end = "was killed" if _killed(child) else "cannot be killed by this user, or not now: it goes on"
            raise NotTaken(f"{command[0]} did not end within {timeout_s:g} s and {end}") from None
        if code != 0:
            raise NotTaken(f"{command[0]} ended with {code}{_last_words(said.fileno())}")


def _killed(child: subprocess.Popen[bytes]) -> bool:
    """Whether it and its group ended by our word. One that became root (`sudo`) or hangs in a disk does not."""
    try:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait(_DYING_S)
    except (PermissionError, subprocess.TimeoutExpired):
        return False
    return True


def _last_words(said: int) -> str:
    """The end of what it said, on one line and without what a terminal would obey."""
    size = os.lseek(said, 0, os.SEEK_END)
    end = os.pread(said, 4 * _MOST_SAID, max(0, size - 4 * _MOST_SAID)).decode("utf-8", errors="replace")
    plain = " ".join("".join(c if c.isprintable() else " " for c in end).split())
    return f": {plain[-_MOST_SAID:]}" if plain else ""


def answers(address: str, port: int, path: str | None, *, timeout_s: float) -> bool:
    """Whether somebody accepts a connection there and, where a path is given, answers a GET of it with 2xx or 3xx.

    All of it within that time, however slowly the other side speaks.
    """
    until = time.monotonic() + timeout_s  # noqa: TID251 - a deadline of this one call
    try:
        with socket.create_connection((address, port), timeout=timeout_s) as link:
            return path is None or _is_well(_first_bytes(link, address, path, until))
    except OSError:
        return False


def _first_bytes(link: socket.socket, address: str, path: str, until: float) -> bytes:
    host = f"[{address}]" if ":" in address else address
    asked = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: autoscaler\r\nConnection: close\r\n\r\n"
    got = b""
    link.sendall(asked.encode("ascii"))
    while len(got) < _ANSWER_BYTES and b"\r\n" not in got:
        left_s = until - time.monotonic()  # noqa: TID251 - as above
        if left_s <= 0:
            return b""
        link.settimeout(left_s)
        part = link.recv(_ANSWER_BYTES - len(got))
        if not part:
            break
        got += part
    return got


def _is_well(answer: bytes) -> bool:
    words = answer.split(b" ", 2)
    return len(words) > 1 and words[0].startswith(b"HTTP/1.") and words[1][:1] in {b"2", b"3"}
