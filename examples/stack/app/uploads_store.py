"""Where uploads and their results lie: files, each by the id of its upload, in a directory that all nodes share.

In go bytes and ids, out comes what is there. Everything may be said twice: a second word about an upload that is kept,
queued or done changes nothing, and whoever says it is told. What never happens here: a path made of what a client said.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
from pathlib import Path

_ID = re.compile(r"[0-9a-f]{32}")
_LONGEST_NAME = 200
_KINDS = ("incoming", "files", "queued", "results")


class NameRefused(ValueError):
    """A name that no file has. The message may be shown to whoever gave it."""


def is_id(text: str) -> bool:
    """Whether it has the form of an id: 32 small hexadecimal digits, as nginx's `$request_id`."""
    return _ID.fullmatch(text) is not None


def clean_name(given: str) -> str:
    """The file's own name, without directories, for people to read. Raises NameRefused."""
    name = re.split(r"[/\\]", given)[-1].strip()
    if name in {"", ".", ".."} or len(name) > _LONGEST_NAME:
        raise NameRefused(f"name: expected a file's name of 1 to {_LONGEST_NAME} characters")
    if not name.isprintable():  # line ends, escapes for terminals, and signs that turn the reading direction
        raise NameRefused("name: expected characters that can be printed")
    return name


class Store:
    """One directory.

    On several machines it is one that all of them mount, where a hard link is made by one of them alone (NFS 4 is so).
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def prepare(self) -> None:
        """Make what is missing. Raises OSError."""
        for kind in _KINDS:
            for first in range(256):
                (self._directory / kind / f"{first:02x}").mkdir(mode=0o700, parents=True, exist_ok=True)

    def incoming(self, upload: str) -> Incoming:
        """An upload that begins."""
        return Incoming(
            self._path("incoming", f"{upload}.{secrets.token_hex(4)}"), self._path("files", upload)
        )

    def content(self, upload: str) -> bytes:
        """The whole of it. Raises OSError."""
        return self._path("files", upload).read_bytes()

    def is_kept(self, upload: str) -> bool:
        return self._path("files", upload).exists()

    def is_queued(self, upload: str) -> bool:
        return self._path("queued", upload).exists()

    def mark_queued(self, upload: str) -> None:
        """Say that the broker has confirmed its task. Raises OSError."""
        self._path("queued", upload).touch(mode=0o600)

    def result(self, upload: str) -> dict[str, object] | None:
        """What became of it, if it is done. Raises OSError."""
        try:
            found: dict[str, object] = json.loads(self._path("results", upload).read_bytes())
        except FileNotFoundError:
            return None
        return found

    def record(self, upload: str, result: dict[str, object]) -> bool:
        """Keep the result, unless there is one: then nothing changes and the answer is False. Raises OSError.

        True is said once for each upload, ever, however many workers ask at the same time.
        """
        draft = self._path("incoming", f"{upload}.{secrets.token_hex(4)}")
        try:
            draft.write_text(json.dumps(result), encoding="utf-8")
            return _link(draft, self._path("results", upload))
        finally:
            draft.unlink(missing_ok=True)

    def note(self, upload: str, what: str, by: str) -> None:
        """Add a line to the list of all that workers did, by one write, so that lines never mix. Raises OSError."""
        list_of_acts = os.open(self._directory / "acts", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(list_of_acts, f"{upload} {what} {by}\n".encode())
        finally:
            os.close(list_of_acts)

    def _path(self, kind: str, name: str) -> Path:
        return self._directory / kind / name[:2] / name


class Incoming:
    """An upload on its way: in memory while it is small, in a file of its own beyond that."""

    def __init__(self, draft: Path, final: Path) -> None:
        self.size = 0
        self.waiting = 0
        """Bytes that are in memory alone."""
        self._chunks: list[bytes] = []
        self._draft, self._final = draft, final

    def add(self, chunk: bytes) -> None:
        """Take some bytes into memory."""
        self._chunks.append(chunk)
        self.size += len(chunk)
        self.waiting += len(chunk)

    def spill(self) -> None:
        """Write what is in memory. Raises OSError."""
        with self._draft.open("ab") as file:
            file.writelines(self._chunks)
        self._chunks.clear()
        self.waiting = 0

    def keep(self) -> None:
        """It is whole: when this returns it will be there after a power cut too. Raises OSError."""
        self.spill()
        _link(self._draft, self._final)
        self.drop()

    def drop(self) -> None:
        """Forget it. Dropping twice is harmless."""
        self._chunks.clear()
        with contextlib.suppress(OSError):  # a draft that stays is no upload
            self._draft.unlink(missing_ok=True)


def _link(draft: Path, final: Path) -> bool:
    """Give a whole file its name, if nobody has it, and see it on the disk. Whether it was ours.

    The name comes first and the disk second: one fsync then holds both. Who finds the name taken waits for the disk
    too, as whoever gave it may be dead before it did.
    """
    ours = True
    try:
        os.link(draft, final)
    except FileExistsError:
        ours = False
    with final.open("rb") as file:
        os.fsync(file.fileno())
    return ours
