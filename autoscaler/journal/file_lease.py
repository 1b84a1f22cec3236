"""The lease of a journal in a file: a lock the kernel lets go of when its holder dies.

The lock is what excludes: `flock` on a file beside the journal, free again the instant a daemon ends, however it ends.
The row's growing epoch is the second witness: a holder whose lock file was deleted under it finds a higher one, and
stops. What never happens here: a wait, or a lease that outlives its process.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

import sqlalchemy as sa

from autoscaler.journal import lease, tables
from autoscaler.journal.contract import JournalUnavailable, LeaseHeld, LeaseHolder
from autoscaler.journal.database import Database


class FileLease:
    """A `lease.Lease` that holds a locked file."""

    def __init__(self, lock: BinaryIO, holder: LeaseHolder) -> None:
        self._lock = lock
        self._holder = holder

    @property
    def holder(self) -> LeaseHolder:
        return self._holder

    def confirming(self) -> AbstractContextManager[None]:
        return nullcontext()

    def require(self, connection: sa.Connection) -> None:
        lease.require_newest(connection, self._holder)

    def renew(self, database: Database) -> None:
        """There is nothing to say: the kernel knows that we live."""

    def is_sure(self) -> bool:
        """True while the process lives, stopped or not: nobody gets the lock before it is dead."""
        return True

    def release(self, database: Database) -> None:
        try:
            with database.writing("give back the lease") as connection:
                lease.give_back(connection, self._holder)
        finally:
            self._lock.close()


def claim(database: Database, owner: str) -> FileLease:
    """Take the lease at once, or raise LeaseHeld. `owner` names the process to people: pid and host."""
    lock = _open_lock(database.file)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _held(lock, database.place) from None
        holder = _write_holder(database, owner, since_at=_touched_at(lock, owner))
    except BaseException:
        lock.close()
        raise
    return FileLease(lock, holder)


def _open_lock(file: Path | None) -> BinaryIO:
    if file is None:
        return tempfile.TemporaryFile()  # a journal in memory has no rivals; it is locked all the same
    path = file.with_name(f"{file.name}.lock")
    try:
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    except OSError as error:
        raise JournalUnavailable(
            f"the journal {file}: cannot open its lock {path}: {error.strerror}"
        ) from error


def _touched_at(lock: BinaryIO, owner: str) -> float:
    """Write the owner into the lock file, for people who look, and say when that was by the kernel's word."""
    try:
        lock.truncate(0)
        lock.write(f"{owner}\n".encode("utf-8", "backslashreplace"))
        lock.flush()
        return os.fstat(lock.fileno()).st_mtime
    except OSError as error:
        raise JournalUnavailable(f"cannot write the journal's lock: {error.strerror}") from error


def _write_holder(database: Database, owner: str, *, since_at: float) -> LeaseHolder:
    with database.writing("take the lease") as connection:
        newest = connection.execute(sa.select(sa.func.max(tables.lease.c.epoch))).scalar()
        holder = LeaseHolder(owner=owner, epoch=(newest or 0) + 1, since_at=since_at)
        row = {"owner": owner, "epoch": holder.epoch, "since_at": since_at, "released": False}
        connection.execute(sa.insert(tables.lease), [row])
    return holder


def _held(lock: BinaryIO, place: str) -> LeaseHeld:
    """Who holds the lock, by what it wrote into it. Reading that needs no database, which may be busy."""
    owner = lock.read(1_000).decode("utf-8", "replace").strip()
    return LeaseHeld(owner or "one that is just starting", os.fstat(lock.fileno()).st_mtime, place=place)
