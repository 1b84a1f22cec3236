"""Pages that were just made, kept for all who ask at once; and all that is text, compressed for who takes it so.

After each tick every open page is fetched anew within a moment. In goes the application, out come its answers, made
once for all of them. What never happens here: a page older than what the stream of events told of.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autoscaler.clock import Clock

_FOR_S = 2.0
"""Where no tick comes, time passes on the page all the same."""
_MOST = 64
_LEVEL = 5
_LEAST_BYTES = 1_000
_TEXT = ("text/html", "text/css", "text/javascript", "application/json", "image/svg+xml")
_PAGE = "text/html"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """One that is complete."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    until: float = 0.0
    """Monotonic seconds."""

    @property
    def is_page(self) -> bool:
        return self.status == 200 and Headers(raw=list(self.headers))["content-type"].startswith(_PAGE)

    async def tell(self, send: Send) -> None:
        head = {"type": "http.response.start", "status": self.status, "headers": list(self.headers)}
        await send(head)
        await send({"type": "http.response.body", "body": self.body})


class Kept:
    """The application behind it. Only the server's event loop may call it."""

    def __init__(self, app: ASGIApp, known: Callable[[], Hashable | None], clock: Clock) -> None:
        """`known`: what was heard of the journal a moment ago; None where nobody listens."""
        self._app = app
        self._known = known
        self._clock = clock
        self._key: Hashable | None = None
        self._answers: dict[Hashable, _Answer] = {}
        self._making: dict[Hashable, asyncio.Event] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        packed = _takes_gzip(Headers(scope=scope).get("accept-encoding", ""))
        if self._known() is None:
            await self._app(scope, receive, _Sending(send, packed=packed, made=_forget))
            return
        name = (scope["path"], scope["query_string"], packed)
        if (others := self._making.get(name)) is not None:
            await others.wait()
        if (found := self._found(name)) is not None:
            await found.tell(send)
            return
        await self._make(name, scope, receive, send, packed=packed)

    def _found(self, name: Hashable) -> _Answer | None:
        known = self._known()
        if known != self._key:
            self._key = known
            self._answers.clear()
        found = self._answers.get(name)
        return found if found is not None and found.until > self._clock.monotonic() else None

    async def _make(
        self, name: Hashable, scope: Scope, receive: Receive, send: Send, *, packed: bool
    ) -> None:
        """Ask for it, and let go of those who wait for it as soon as it is there: this client may read slowly."""
        key, done, until = self._key, asyncio.Event(), self._clock.monotonic() + _FOR_S
        self._making[name] = done

        def made(answer: _Answer | None) -> None:
            # What was made meanwhile is of that word or of a newer one.
            if answer is not None and key == self._key and answer.is_page and len(self._answers) < _MOST:
                self._answers[name] = replace(answer, until=until)
            if self._making.get(name) is done:
                del self._making[name]
            done.set()

        try:
            await self._app(scope, receive, _Sending(send, packed=packed, made=made))
        finally:
            made(None)


def _forget(_: _Answer | None) -> None:
    """What nobody else asks for now is not kept."""


class _Sending:
    """Holds an answer's head back until its body tells whether it is complete; streams pass."""

    def __init__(self, send: Send, *, packed: bool, made: Callable[[_Answer | None], None]) -> None:
        self._send, self._packed, self._made = send, packed, made
        self._head: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._head = message
            return
        head, self._head = self._head, None
        if head is None:
            await self._send(message)
        elif message.get("more_body"):
            self._made(None)
            await self._send(head)
            await self._send(message)
        else:
            answer = _packed(head, message.get("body", b"")) if self._packed else _plain(head, message)
            self._made(answer)
            await answer.tell(self._send)


def _plain(head: Message, message: Message) -> _Answer:
    return _Answer(status=head["status"], headers=_varied(head["headers"]), body=message.get("body", b""))


def _packed(head: Message, body: bytes) -> _Answer:
    headers = MutableHeaders(raw=list(_varied(head["headers"])))
    if _is_text(headers) and len(body) >= _LEAST_BYTES:
        body = gzip.compress(body, _LEVEL, mtime=0)
        headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(len(body))
    return _Answer(status=head["status"], headers=tuple(headers.raw), body=body)


def _varied(raw: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
    headers = MutableHeaders(raw=list(raw))
    if _is_text(headers):
        headers.add_vary_header("Accept-Encoding")
    return tuple(headers.raw)


def _is_text(headers: Headers) -> bool:
    return headers.get("content-type", "").startswith(_TEXT)


def _takes_gzip(accepted: str) -> bool:
    for each in accepted.lower().split(","):
        name, *more = (part.strip() for part in each.split(";"))
        if name in {"gzip", "*"}:
            return not any(part.replace(" ", "") in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for part in more)
    return False
