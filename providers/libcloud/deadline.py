"""An answer's head and body together in the time given for them, however slowly their bytes come.

A socket's time-out bounds each read by itself, so a server that sends one byte of its headers a second keeps a call for
hours. In goes a session of `requests`; from then on each of its answers has its read time-out as a whole, and whoever
waited for a connection is asked once more before anything is sent over it. It knows no cloud and judges nothing.
"""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Callable
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

Monotonic = Callable[[], float]
_LEAST_S = 0.001
"""For the last read: a time-out of 0 would mean that the socket never waits at all."""


def keep(session: Any, monotonic: Monotonic, connected: Callable[[], None]) -> None:
    """Bound every answer of this session as a whole; `monotonic` says how long.

    `connected` is called when a new connection stands; what it raises is raised to who sends, and nothing was sent.
    """

    class Response(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **named: Any) -> None:
            super().__init__(sock, *args, **named)
            # Nothing was read yet, so nothing is lost with the buffer.
            self.fp = io.BufferedReader(_Timed(self.fp.detach(), sock, monotonic))

    class Asking:
        def connect(self) -> None:
            super().connect()  # type: ignore[misc]  # of the class beside which this one stands
            connected()

    plain = type("Plain", (Asking, HTTPConnection), {"response_class": Response})
    secure = type("Secure", (Asking, HTTPSConnection), {"response_class": Response})
    pools = {
        "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }
    for adapter in session.adapters.values():
        adapter.poolmanager.pool_classes_by_scheme = pools


class _Timed(io.RawIOBase):
    """What comes from a socket, until the time-out that the socket has now is over; TimeoutError after that."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, monotonic: Monotonic) -> None:
        self._raw = raw
        self._sock = sock
        self._monotonic = monotonic
        timeout_s = sock.gettimeout()
        self._until = None if timeout_s is None else monotonic() + timeout_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        if self._until is not None:
            left_s = self._until - self._monotonic()
            if left_s < 0:
                raise TimeoutError("the time for the whole answer is up")
            self._sock.settimeout(max(left_s, _LEAST_S))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
