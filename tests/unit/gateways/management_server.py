"""A management API of our own on a loopback port: it answers as a test says and remembers what it was asked.

Goes in: a function from path and query to an `Answer`. What never happens here: an opinion about RabbitMQ.
"""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One response. With `drip_s` the body comes a byte at a time; `length` lies about its size."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    drip_s: float = 0.0
    silent_s: float = 0.0
    drips_head: bool = False
    """With `drip_s`, the headers come a byte at a time already."""
    length: int | None = None


def says(document: object, status: int = 200) -> Answer:
    """A JSON answer."""
    return Answer(status=status, body=json.dumps(document).encode())


Script = Callable[[str, dict[str, str]], Answer]


@dataclass
class ManagementServer:
    """Where it listens, what it says, and what it was asked: path as sent, query, user and password."""

    url: str
    script: Script
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)
    changes: list[tuple[str, str, bytes]] = field(default_factory=list)
    """Method, path as sent and body of each request that is no GET."""
    ending: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serving(script: Script) -> Iterator[ManagementServer]:
    """A server for the length of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each body waits 40 ms for the head to be acknowledged

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if self.command != "GET":
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                state.changes.append((self.command, self.path, body))
            query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
            state.asked.append((parts.path, query))
            word = self.headers.get("Authorization", "").removeprefix("Basic ")
            state.credentials.append(base64.b64decode(word).decode())
            answer = state.script(parts.path, query)
            state.ending.wait(answer.silent_s)
            length = len(answer.body) if answer.length is None else answer.length
            try:
                self.send_response(answer.status)
                for key, value in ({"Content-Length": str(length)} | answer.headers).items():
                    self.send_header(key, value)
                drips = answer.body
                if answer.drips_head:
                    drips, self._headers_buffer = b"".join(self._headers_buffer) + b"\r\n" + drips, []
                else:
                    self.end_headers()
                if answer.drip_s:
                    for byte in drips:
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                        if state.ending.wait(answer.drip_s):
                            break
                else:
                    self.wfile.write(answer.body)
            except OSError:
                pass  # the client went, as it should from an answer like this
            if length != len(answer.body) or answer.drip_s:
                self.close_connection = True

        do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - where the server looks for them

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state = ManagementServer(url=f"http://127.0.0.1:{server.server_port}", script=script)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.ending.set()
        server.shutdown()
        thread.join(5)
        server.server_close()
