"""A receiver of webhooks on a free loopback port, which answers as a test orders and keeps what it was told.

In go `Reply`s, each for so many requests; what none is left for is taken with 200. Out come the requests, whole.
"""

from __future__ import annotations

import contextlib
import json
import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from testbed.ports import LOOPBACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a request gets."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    late_s: float = 0.0
    """Before the first byte; infinite for never."""
    trickle_s: float = 0.0
    """Between any two bytes of it, its head included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True, kw_only=True)
class Receiver:
    """The running server."""

    port: int = 0
    told: list[Told] = field(default_factory=list)
    _replies: list[Reply] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def answer(self, *replies: Reply) -> None:
        """The next requests are answered so, in this order."""
        with self._lock:
            self._replies += replies

    def always(self, reply: Reply) -> None:
        """All are, until another word."""
        with self._lock:
            self._replies[:] = [reply] * 10_000

    def take(self, told: Told) -> Reply:
        """Keep it, and say what it gets."""
        with self._lock:
            self.told.append(told)
            return self._replies.pop(0) if self._replies else Reply()

    def wait(self, seconds: float) -> bool:
        """Whether the end came meanwhile."""
        return self._over.wait(None if math.isinf(seconds) else seconds)

    def end(self) -> None:
        """No answer is waited with any more."""
        self._over.set()


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    receiver: Receiver

    def _meet(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        told = Told(method=self.command, path=self.path, headers=dict(self.headers), body=body)
        reply = self.receiver.take(told)
        self.close_connection = True
        if reply.late_s and self.receiver.wait(reply.late_s):
            return
        head = [f"HTTP/1.1 {reply.status} So", *(f"{key}: {value}" for key, value in reply.headers.items())]
        head += [f"Content-Length: {len(reply.body)}", "Connection: close", "", ""]
        whole = "\r\n".join(head).encode() + reply.body
        with contextlib.suppress(OSError):  # the client went, as it should from some answers
            if not reply.trickle_s:
                self.wfile.write(whole)
                return
            for byte in whole:
                self.wfile.write(bytes([byte]))
                if self.receiver.wait(reply.trickle_s):
                    return

    do_GET = do_POST = do_PUT = _meet  # noqa: N815 - the names http.server looks for

    def log_message(self, *_: object) -> None:
        """Tests read `told`, not a log."""


@contextmanager
def receiver() -> Iterator[Receiver]:
    """One that runs until the block ends."""
    running = Receiver()
    handler = type("Exchange", (_Exchange,), {"receiver": running})

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that gave up is what some tests are about."""

    with Server((LOOPBACK, 0), handler) as server:
        running.port = server.server_address[1]
        serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        try:
            yield running
        finally:
            running.end()
            server.shutdown()
            serving.join(10)
