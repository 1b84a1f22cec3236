"""The lease of a journal in a file: a lock the kernel lets go of when its holder dies.

The lock is what excludes: `flock` on a file beside the journal, free again the instant a daemon ends, however it ends.
The row's growing epoch is the second witness: a holder whose lock file was deleted under it finds a higher one, or no
file of its own, and stops. What never happens here: a wait, or a lease that outlives its process.
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
from autoscaler.journal.contract import JournalUnavailable, LeaseHeld, LeaseHolder, LeaseLost
from autoscaler.journal.database import Database


class FileLease:
    """A `lease.Lease` that holds a locked file."""

    def __init__(self, lock: BinaryIO, path: Path | None, holder: LeaseHolder) -> None:
        self._lock = lock
        self._path = path
        self._holder = holder
        self._lost = False

    @property
    def holder(self) -> LeaseHolder:
        return self._holder

    def confirming(self) -> AbstractContextManager[None]:
        return nullcontext()

    def require(self, connection: sa.Connection) -> None:
        try:
            lease.require_newest(connection, self._holder)
            if not self._stands():
                # Whoever starts next would lock another file, so nobody may rely on ours.
                why = f"its lock {self._path} was moved or replaced"
                raise LeaseLost(f"the lease of {self._holder.owner} on the journal is lost: {why}")
        except LeaseLost:
            self._lost = True
            raise

    def renew(self, database: Database) -> None:
        """There is nothing to say: the kernel knows that we live."""

    def is_sure(self) -> bool:
        """True while the process lives, stopped or not, and its lock lies where others look for it."""
        return not self._lost and self._stands()

    def _stands(self) -> bool:
        if self._path is None:
            return True
        try:
            there, ours = self._path.stat(), os.fstat(self._lock.fileno())
        except (OSError, ValueError):  # ValueError: we closed it
            return False
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def release(self, database: Database) -> None:
        self._lost = True
        try:
            with database.writing("give back the lease") as connection:
                lease.give_back(connection, self._holder)
        finally:
            self._lock.close()


def claim(database: Database, owner: str) -> FileLease:
    """Take the lease at once, or raise LeaseHeld. `owner` names the process to people: pid and host."""
    path = None if database.file is None else _lock_of(database.file)
    lock = _open_lock(path)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _held(lock, database.place) from None
        holder = _write_holder(database, owner, since_at=_touched_at(lock, owner))
    except BaseException:
        lock.close()
        raise
    return FileLease(lock, path, holder)


def require_free(file: Path) -> None:
    """Raise LeaseHeld while a daemon works with the journal in that file: its tables are not to be changed under it."""
    with _open_lock(_lock_of(file)) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _held(lock, str(file)) from None


def _lock_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.lock")


def _open_lock(path: Path | None) -> BinaryIO:
    if path is None:
        return tempfile.TemporaryFile()  # a journal in memory has no rivals; it is locked all the same
    try:
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    except OSError as error:
        raise JournalUnavailable(f"the journal's lock {path} cannot be opened: {error.strerror}") from error


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
