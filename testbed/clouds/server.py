"""A cloud's API on a free loopback port: finds who answers a request, holds it against the rules, lets things go wrong.

In go a table of routes, the provider's ways of saying no and a guard; out comes a running `CloudServer` with a record
of all that was asked and answered. Faults are injected here, before any handler, so that each server only brings its
refusals. What never happens here: a listener beyond loopback, or a credential in the record.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from testbed.clouds import exchange, guards
from testbed.clouds.exchange import (
    ANYTHING,
    JSON,
    Answer,
    Asked,
    Exchange,
    Fault,
    Kind,
    Refused,
    Route,
)
from testbed.clouds.guards import Guard, RateLimit
from testbed.clouds.shapes import Problem, Shape, Wrong, problems
from testbed.ports import LOOPBACK

IDLE_S = 30.0
"""For so long a connection on which nothing is asked is kept."""
CREDENTIALS = frozenset({"authorization", "x-auth-token", "x-subject-token", "cookie"})
FORM = "application/x-www-form-urlencoded"
BODY_LIMIT_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How a provider says no where the reason is the same for every call."""

    unauthorized: Answer
    not_found: Answer
    """There is no such path."""
    wrong_method: Answer
    malformed: Answer
    """The body is not the JSON that it says it is."""
    wrong: Callable[[Sequence[Problem]], Answer]
    """The request lacks something, has something unknown, or something in it cannot be."""
    too_many: Answer


@dataclass(slots=True, kw_only=True)
class CloudServer:
    """The running server."""

    routes: Sequence[Route]
    voice: Voice
    guard: Guard = guards.anybody
    limit: RateLimit | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """What every answer bears."""
    port: int = 0
    bugs: list[str] = field(default_factory=list)
    """What handlers raised that was no refusal: mistakes in the server itself."""
    _exchanges: list[Exchange] = field(default_factory=list, repr=False)
    _waiting: list[tuple[Kind | None, Fault]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _calmed: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All that was asked so far, in the order in which it was answered."""
        with self._lock:
            return tuple(self._exchanges)

    def count(self, kind: Kind) -> int:
        """How often something of this kind was asked."""
        return sum(each.route is not None and each.route.kind is kind for each in self.exchanges)

    def meet(self, fault: Fault, *, kind: Kind | None = None, times: int = 1) -> None:
        """Let the next requests of this kind (None: of any, but for a login before them) run into that."""
        with self._lock:
            self._waiting += [(kind, fault)] * times

    def calm(self) -> None:
        """Forget every fault that was not met, and let go those who wait in a silence."""
        with self._lock:
            self._waiting.clear()
            calmed, self._calmed = self._calmed, threading.Event()
        calmed.set()

    def read(self, asked: Asked, shape: Shape) -> Mapping[str, object]:
        """The fields of a body of that shape. Raises Refused in the provider's words."""
        found = problems(shape, asked.body)
        if found:
            raise Refused(self.voice.wrong(found))
        return asked.parts

    def answer(self, asked: Asked) -> tuple[Answer | None, threading.Event | None]:
        """What is told, and recorded; no answer: the link breaks, at once or when the event comes."""
        route, at = self._route(asked)
        asked = replace(asked, places=at)
        fault, calmed = self._fault(route)
        if fault is None:
            told: Answer | None = self._rightly(asked, route)
        elif fault.cut:
            told = self._rightly(replace(asked, cut=True), route)
        else:
            if fault.carried_out:
                self._rightly(asked, route)
            told = fault.answer
        if told is not None:
            told = replace(told, headers={**self.headers, **self._counted(), **told.headers})
        headers = {name: value for name, value in asked.headers.items() if name not in CREDENTIALS}
        with self._lock:
            self._exchanges.append(
                Exchange(
                    asked=replace(asked, headers=headers),
                    answer=told,
                    route=route,
                    faulty=fault is not None,
                )
            )
        return told, calmed if fault is not None and fault.silent else None

    def _route(self, asked: Asked) -> tuple[Route | None, Mapping[str, str]]:
        for route in self.routes:
            name, value = route.command
            if asked.method != route.method or (name and asked.parameter(name) != value):
                continue
            at = exchange.places(route.path, asked.path)
            if at is not None:
                return route, {name: unquote(part) for name, part in at.items()}
        return None, {}

    def _fault(self, route: Route | None) -> tuple[Fault | None, threading.Event]:
        kind = route.kind if route else None
        with self._lock:
            for at, (concerned, fault) in enumerate(self._waiting):
                if concerned is kind or (concerned is None and kind is not Kind.LOGIN):
                    del self._waiting[at]
                    return fault, self._calmed
            return None, self._calmed

    def _rightly(self, asked: Asked, route: Route | None) -> Answer:
        """What a cloud without trouble says."""
        voice = self.voice
        if not (route and route.open) and not self.guard(asked):
            return voice.unauthorized
        if self.limit and not self.limit.take():
            return voice.too_many
        if route is None:
            others = any(exchange.places(each.path, asked.path) is not None for each in self.routes)
            return voice.wrong_method if others else voice.not_found
        if asked.raw and asked.body is None and asked.headers.get("content-type", "").startswith(JSON):
            return voice.malformed
        unknown = () if route.query is ANYTHING else sorted({*asked.query} - route.query - {route.command[0]})
        if unknown:
            says = "is no parameter of this request"
            return voice.wrong([Problem(place=each, wrong=Wrong.UNKNOWN, says=says) for each in unknown])
        try:
            return route.handler(asked)
        except Refused as refused:
            return refused.answer

    def _counted(self) -> Mapping[str, str]:
        return self.limit.headers() if self.limit else {}


class _Conversation(BaseHTTPRequestHandler):
    """One connection, on which one request after the other is answered."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    cloud: CloudServer

    def _converse(self) -> None:
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal() or int(length) > BODY_LIMIT_BYTES:
            self.close_connection = True
            self._tell(Answer(status=413))
            return
        told, calmed = self.cloud.answer(self._asked(self.rfile.read(int(length))))
        if calmed is not None:
            calmed.wait()
        if told is None:
            self.close_connection = True
            with contextlib.suppress(OSError):  # the client may have gone first
                self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self._tell(told)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _converse  # noqa: N815 - the names http.server looks for

    def log_message(self, *_: object) -> None:
        """Tests read `exchanges`, not a log."""

    def _asked(self, raw: bytes) -> Asked:
        address = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        content_type = headers.get("content-type", "")
        body: object = None
        if raw and content_type.startswith(JSON):
            with contextlib.suppress(ValueError):
                body = json.loads(raw)
        text = raw.decode(errors="replace") if content_type.startswith(FORM) else ""
        return Asked(
            method=self.command,
            path=address.path,
            query=parse_qs(address.query, keep_blank_values=True),
            headers=headers,
            raw=raw,
            body=body,
            form=parse_qs(text, keep_blank_values=True),
        )

    def _tell(self, answer: Answer) -> None:
        content = answer.content
        headers = {"Content-Type": JSON, "Content-Length": str(len(content)), **answer.headers}
        lines = [f"HTTP/1.1 {answer.status} {http.client.responses.get(answer.status, 'Odd')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        # Head and body leave as one: two small packets would wait on each other.
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + content)


@contextmanager
def running(cloud: CloudServer) -> Iterator[CloudServer]:
    """Serve on a free loopback port until the block ends. Raises AssertionError then if a handler failed."""
    handler = type("Conversation", (_Conversation,), {"cloud": cloud})

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that gave up is what some tests are about; anything else is a mistake of the server's."""
            trouble = sys.exception()
            if not isinstance(trouble, OSError):
                cloud.bugs.append(f"{type(trouble).__name__}: {trouble}")

    with Server((LOOPBACK, 0), handler) as server:
        cloud.port = server.server_address[1]
        serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        try:
            yield cloud
        finally:
            cloud.calm()
            server.shutdown()
            serving.join(10)
    assert not cloud.bugs, f"the server itself failed: {cloud.bugs}"
