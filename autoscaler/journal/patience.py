"""The client's own end to every wait for a PostgreSQL server: one that accepts and never answers is hung up on.

A server's time-outs are of no use where the server, or a pooler before it, has come to a stand, and the kernel gives up
only on machines that acknowledge nothing. In go a bound and a block of work; a wait that lasts beyond it fails as if
the connection had broken. What never happens here: SQL, or a wait that goes on.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from sqlalchemy import exc

_OVER = "the time for this transaction is over"
_here = threading.local()


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that waits for its server no longer than the `within` around it says."""

    def wait(self, *arguments: Any, **named: Any) -> Any:
        """What every exchange with the server passes through, once the login is over."""
        patience: _Patience | None = getattr(_here, "patience", None)
        if patience is None:
            return super().wait(*arguments, **named)
        with patience.waiting_for(self):
            return super().wait(*arguments, **named)


def connect(*arguments: Any, **named: Any) -> BoundedConnection:
    """A new connection; its login has a bound of its own. None is made once the time of the block around it is over."""
    patience: _Patience | None = getattr(_here, "patience", None)
    if patience is not None and patience.is_over:
        raise psycopg.OperationalError(_OVER)
    return BoundedConnection.connect(*arguments, **named)


@contextmanager
def within(limit_s: float) -> Iterator[None]:
    """Bound all that this thread waits for servers in the block. Raises TimeoutError where that was too short."""
    outer: _Patience | None = getattr(_here, "patience", None)
    _here.patience = mine = _Patience(limit_s)
    try:
        yield
    except (psycopg.Error, exc.SQLAlchemyError) as error:
        if mine.is_over:
            raise TimeoutError(f"the server gave no answer within {limit_s:g} s") from error
        raise
    finally:
        mine.end()
        _here.patience = outer


class _Patience:
    """One thread works and waits; when the time is over, a timer's thread hangs up what it waits for."""

    def __init__(self, limit_s: float) -> None:
        self.is_over = False
        self._lock = threading.Lock()
        self._waited_for: BoundedConnection | None = None
        self._timer = threading.Timer(limit_s, self._hang_up)
        self._timer.daemon = True
        self._timer.start()

    @contextmanager
    def waiting_for(self, connection: BoundedConnection) -> Iterator[None]:
        with self._lock:
            if self.is_over:
                raise psycopg.OperationalError(_OVER)
            self._waited_for = connection
        try:
            yield
        finally:
            with self._lock:
                self._waited_for = None

    def end(self) -> None:
        self._timer.cancel()

    def _hang_up(self) -> None:
        with self._lock:
            self.is_over = True
            if self._waited_for is None:
                return
            # Its thread is in a wait for this very socket, which stays open until that wait has failed.
            with (
                suppress(psycopg.Error, OSError),
                socket.socket(fileno=os.dup(self._waited_for.pgconn.socket)) as shared,
            ):
                shared.shutdown(socket.SHUT_RDWR)
