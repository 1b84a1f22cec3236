"""A management API that misbehaves to order: the broker's own answers, late, or without their statistics.

It stands between the daemon and the real broker on a port of its own, and forwards every GET as it came.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

_STATISTICS = ("messages", "messages_ready", "messages_unacknowledged", "message_stats")
_BROKER_TIMEOUT_S = 10.0


@dataclass(slots=True, kw_only=True)
class Manners:
    """How it answers now. Every change holds from the next request on."""

    late_s: float = 0.0
    without_statistics: bool = False
    url: str = ""
    ended: threading.Event = field(default_factory=threading.Event)


@contextmanager
def management_proxy(broker_url: str) -> Iterator[Manners]:
    """Serve at `Manners.url` until the block ends."""
    manners = Manners()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            manners.ended.wait(manners.late_s)
            told = requests.get(
                f"{broker_url}{self.path}",
                headers={"Authorization": self.headers.get("Authorization", "")},
                timeout=_BROKER_TIMEOUT_S,
            )
            body = _bare(told.content) if manners.without_statistics else told.content
            self.send_response(told.status_code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: the daemon's log is what is looked at."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # the daemon hangs up on late answers
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    serving.start()
    manners.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield manners
    finally:
        manners.ended.set()
        server.shutdown()
        server.server_close()


def _bare(body: bytes) -> bytes:
    """The same answer from a broker that collects no statistics."""
    return json.dumps(_without(json.loads(body))).encode()


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without(each) for key, each in value.items() if key not in _STATISTICS}
    return [_without(each) for each in value] if isinstance(value, list) else value
