"""An HTTP middleman that misbehaves to order: a proxy on a loopback port of its own before one real server.

In go `Rule`s, which say what request is met by what `Answer` and how often; out come answers that are late, cut, lied
about, replaced or endless, with the request carried out before or not, and a record of everything asked. What no rule
meets is passed on as it came.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import math
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from urllib.parse import parse_qs, urlsplit

from testbed.ports import LOOPBACK

_SERVER_S = 20.0
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
_HTML = MappingProxyType({"Content-Type": "text/html"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a client gets. What is None is the real server's, which is then asked; the default is its whole answer."""

    carried_out: bool | None = None
    """Whether the request reaches the server; None for when its status or body is needed."""
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Added to the server's, or instead of them where status and body are ours."""
    body: bytes | None = None
    rewrite: Callable[[bytes], bytes] | None = None
    """Makes the body another one."""
    length: int | None = None
    """The Content-Length that is told; None for the truth."""
    late_s: float = 0.0
    """Before the first byte; infinite for never."""
    piece_bytes: int | None = None
    """The body comes in pieces of so many bytes, `pause_s` apart."""
    pause_s: float = 0.0
    cut_after_bytes: int | None = None
    """The connection ends after so many bytes of the answer, its head included; below 0: before so many of its end."""
    endless_headers: bool = False
    """Header lines, until the client has enough."""

    @property
    def asks_server(self) -> bool:
        """Whether the request must go through."""
        needed = None in {self.status, self.body} and not self.endless_headers
        return needed if self.carried_out is None else self.carried_out


AS_IT_CAME = Answer()
NEVER = Answer(carried_out=False, late_s=math.inf)
"""The request ends here, and no answer ever comes."""
LOST = Answer(carried_out=False, cut_after_bytes=0)
"""The request ends here, and so does the connection."""
ANSWER_LOST = Answer(carried_out=True, cut_after_bytes=0)
"""The request is carried out; then the connection ends without a word."""
BAD_GATEWAY = Answer(
    status=502, body=b"<html><h1>502 Bad Gateway</h1>" + b"x" * 500 + b"</html>", headers=_HTML
)
SERVER_ERROR = Answer(status=500, body=b"<html>Internal Server Error</html>", headers=_HTML)
LOGIN_PAGE = Answer(status=200, body=b"<!DOCTYPE html><html><form>Please log in</form></html>", headers=_HTML)
"""A success that is none: what a captive portal or an expired session says."""
GARBAGE = Answer(status=200, body=bytes(range(256)) * 16)
ENDLESS_HEADERS = Answer(endless_headers=True)


def throttled(retry_after: str | None = None) -> Answer:
    """429, with that header or without."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Answer(status=429, body=b"slow down", headers=headers)


def elsewhere(url: str) -> Answer:
    """A redirect."""
    return Answer(status=302, body=b"", headers={"Location": url})


def gzip_bomb(unpacked_bytes: int) -> Answer:
    """A small body that says it is compressed and becomes that many bytes."""
    return Answer(
        status=200, body=gzip.compress(b" " * unpacked_bytes, 9), headers={"Content-Encoding": "gzip"}
    )


def truncated(missing_bytes: int) -> Answer:
    """The server's own answer, its length told truly, of which the last bytes never come."""
    return Answer(cut_after_bytes=-missing_bytes)


def slow_loris(pause_s: float) -> Answer:
    """The server's own answer, a byte at a time."""
    return Answer(piece_bytes=1, pause_s=pause_s)


@dataclass(slots=True, kw_only=True)
class Rule:
    """Which requests are met by what. Parts left empty match everything."""

    answer: Answer
    method: str = ""
    path: str = ""
    """How the path, as sent, begins."""
    action: str = ""
    """The form field or parameter `Action`: how EC2's interface names its calls."""
    times: int | None = None
    """For so many requests; None for all. Counts down."""
    met: int = 0
    """How many requests it has met."""

    def matches(self, asked: Asked) -> bool:
        """Whether it meets this request."""
        return (
            self.times != 0
            and self.method in {"", asked.method}
            and asked.path.startswith(self.path)
            and self.action in {"", asked.action}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    parameters: Mapping[str, str] = field(repr=False)

    @property
    def action(self) -> str:
        return self.parameters.get("Action", "")


@dataclass(slots=True, kw_only=True)
class HttpProxy:
    """The running proxy."""

    server_port: int
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    _rules: list[Rule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _calmed: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def meet(
        self, answer: Answer, *, method: str = "", path: str = "", action: str = "", times: int | None = None
    ) -> Rule:
        """From now on, requests like this are met so. Of several rules that match, the first one counts."""
        rule = Rule(answer=answer, method=method, path=path, action=action, times=times)
        with self._lock:
            self._rules.append(rule)
        return rule

    def calm(self) -> None:
        """Forget every rule, and end every wait that one brought about."""
        with self._lock:
            self._rules.clear()
            calmed, self._calmed = self._calmed, threading.Event()
        calmed.set()

    def count(self, action: str) -> int:
        """How often this was asked."""
        return sum(each.action == action for each in self.asked)

    def answer_to(self, asked: Asked) -> tuple[Answer, threading.Event]:
        """What this request is met by, which counts as met, and what ends a wait early."""
        with self._lock:
            self.asked.append(asked)
            rule = next((each for each in self._rules if each.matches(asked)), None)
            if rule is None:
                return AS_IT_CAME, self._calmed
            rule.met += 1
            if rule.times is not None:
                rule.times -= 1
            return rule.answer, self._calmed


class _Exchange(BaseHTTPRequestHandler):
    """One request being answered."""

    protocol_version = "HTTP/1.1"
    proxy: HttpProxy

    def _meet(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        text = f"{urlsplit(self.path).query}&{body.decode(errors='replace')}"
        parameters = {key: values[-1] for key, values in parse_qs(text).items()}
        asked = Asked(method=self.command, path=self.path, parameters=parameters)
        answer, calmed = self.proxy.answer_to(asked)
        status, headers, content = self._pass_on(body) if answer.asks_server else (200, {}, b"")
        if answer.late_s:
            calmed.wait(None if math.isinf(answer.late_s) else answer.late_s)
        if answer.status is not None and answer.body is not None:
            headers = {}
        content = content if answer.body is None else answer.body
        content = answer.rewrite(content) if answer.rewrite else content
        if answer is not AS_IT_CAME:
            self.close_connection = True
        with contextlib.suppress(OSError):  # the client went, as it should from some answers
            self._send(answer, answer.status or status, {**headers, **answer.headers}, content, calmed)

    do_GET = do_POST = do_PUT = do_DELETE = _meet  # noqa: N815 - the names http.server looks for

    def log_message(self, *_: object) -> None:
        """Tests read `asked`, not a log."""

    def _pass_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        behind = http.client.HTTPConnection(LOOPBACK, self.proxy.server_port, timeout=_SERVER_S)
        try:
            headers = {**self.headers, "Accept-Encoding": "identity"}
            behind.request(self.command, self.path, body=body, headers=headers)
            answer = behind.getresponse()
            told = {key: value for key, value in answer.getheaders() if key.lower() not in _HOP_BY_HOP}
            return answer.status, told, answer.read()
        finally:
            behind.close()

    def _send(
        self, answer: Answer, status: int, headers: Mapping[str, str], body: bytes, calmed: threading.Event
    ) -> None:
        length = len(body) if answer.length is None else answer.length
        told = {**headers, "Content-Length": str(length)}
        lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, 'Odd')}"]
        head = "\r\n".join([*lines, *(f"{key}: {value}" for key, value in told.items())]).encode("latin-1")
        if answer.endless_headers:
            self._drone(head, calmed)
        whole = head + b"\r\n\r\n" + body
        kept = whole if answer.cut_after_bytes is None else whole[: answer.cut_after_bytes]
        size = answer.piece_bytes or max(1, len(kept))
        for at in range(0, len(kept), size):
            self.wfile.write(kept[at : at + size])
            if answer.pause_s and calmed.wait(answer.pause_s):
                break
        if answer.cut_after_bytes is not None:
            self.connection.shutdown(socket.SHUT_RDWR)

    def _drone(self, head: bytes, calmed: threading.Event) -> None:
        self.wfile.write(head)
        while not calmed.wait(0.001):
            self.wfile.write(b"\r\nX-More: " + b"more " * 100)


@contextmanager
def http_proxy(server_port: int) -> Iterator[HttpProxy]:
    """Stand before that port of the loopback interface until the block ends."""
    proxy = HttpProxy(server_port=server_port)
    handler = type("Exchange", (_Exchange,), {"proxy": proxy})

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that gave up is what some tests are about."""

    with Server((LOOPBACK, 0), handler) as server:
        proxy.port = server.server_address[1]
        serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        try:
            yield proxy
        finally:
            proxy.calm()
            server.shutdown()
            serving.join(10)
