"""What machines fetch from this computer and tell it, by HTTP on loopback: packages in folders, and receipts of tasks.

In go folders by their first part of the path; out come an address and the receipts that were posted. Some paths can be
refused for a while, as a package index that lacks a release does. What never happens here: a listener beyond loopback,
or a file outside the folders.
"""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from testbed.ports import LOOPBACK

RECEIPTS = "/receipts"
_LONGEST_RECEIPT = 1000
_IDLE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a task said of itself, and when it was heard."""

    at: float
    what: str
    number: int
    node: str


@dataclass(slots=True, kw_only=True)
class Depot:
    """The running server."""

    port: int = 0
    refused: set[str] = field(default_factory=set)
    """Beginnings of paths that are answered with 404."""
    _receipts: list[Receipt] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def receipts(self) -> tuple[Receipt, ...]:
        """All of them, in the order in which they came."""
        with self._lock:
            return tuple(self._receipts)

    def told(self, what: str) -> tuple[Receipt, ...]:
        """Those of one kind."""
        return tuple(each for each in self.receipts if each.what == what)

    def address(self, host: str) -> str:
        """Where whoever calls this computer `host` finds it."""
        return f"http://{host}:{self.port}"

    def take(self, text: str) -> bool:
        """Keep a receipt `WHAT NUMBER NODE`. Whether it was one."""
        words = text.split()
        if len(words) != 3 or not words[1].isdecimal():
            return False
        with self._lock:
            self._receipts.append(Receipt(at=time.time(), what=words[0], number=int(words[1]), node=words[2]))
        return True


@contextmanager
def serving(folders: Mapping[str, Path]) -> Iterator[Depot]:
    """Serve `/NAME/…` from these folders on a free loopback port until the block ends."""
    depot = Depot()

    class Conversation(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = _IDLE_S

        def translate_path(self, path: str) -> str:
            name, _, rest = path.partition("?")[0].lstrip("/").partition("/")
            if name not in folders or any(path.startswith(each) for each in depot.refused):
                return "/nonexistent"
            self.directory = str(folders[name])
            return super().translate_path(f"/{rest}")

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length") or ""
            wanted = self.path == RECEIPTS and length.isdecimal() and int(length) <= _LONGEST_RECEIPT
            taken = wanted and depot.take(self.rfile.read(int(length)).decode(errors="replace"))
            self.close_connection = not wanted
            self.send_response(HTTPStatus.NO_CONTENT if taken else HTTPStatus.BAD_REQUEST)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """What was fetched stands in the machines' own logs."""

    with http.server.ThreadingHTTPServer((LOOPBACK, 0), Conversation) as server:
        server.daemon_threads = True
        depot.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            yield depot
        finally:
            server.shutdown()
            thread.join(10)
