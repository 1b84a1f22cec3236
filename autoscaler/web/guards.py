"""What stands in front of every route: by which name one was called, how much one is sent, what a browser may do.

In goes an ASGI application, out comes one that is guarded. What never happens here: a look at a token.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, MutableMapping
from typing import Any

from anyio.to_thread import current_default_thread_limiter
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 65_536
"""The longest body; an order takes some hundred bytes, a candidate of a configuration some thousand."""
READERS = 4
"""Threads that read the journal and make pages, so that a crowd takes no more of the processor than a few do."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Guarded:
    """The application behind its guards."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Callable[[], Collection[str]],
        secure: bool,
        endless: Collection[str] = (),
    ) -> None:
        """`hosts`: names by which it may be called, beside loopback's. `secure`: HTTPS alone is spoken here.
        `endless`: paths whose answers do not end, of which there is no head alone."""
        self._app = app
        self._hosts = hosts
        self._endless = endless
        self._headers = _HEADERS | ({"Strict-Transport-Security": "max-age=31536000"} if secure else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        current_default_thread_limiter().total_tokens = READERS
        answer = self._refusal(scope)
        if answer is not None:
            await answer(scope, receive, self._with_headers(send))
            return
        if scope["method"] == "HEAD" and scope["path"] not in self._endless:
            # Routes know GET alone, and monitors ask for heads; the server, which has its own scope, sends no body.
            scope = {**scope, "method": "GET"}
        await self._app(scope, _bounded(receive), self._with_headers(send))

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        name = _host(headers.get("host", ""))
        if name not in LOOPBACK and name not in {_host(known) for known in self._hosts()}:
            return PlainTextResponse(
                "This name is not one of [web] hosts. Names that are not known could be another page's.", 421
            )
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            return PlainTextResponse(f"A body has {MOST_BYTES} bytes at most.", 413)
        if scope["method"] not in {"GET", "HEAD"} and _is_from_elsewhere(headers):
            return PlainTextResponse("Another site's page may give no orders.", 403)
        return None

    def _with_headers(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        return sending


def _host(text: str) -> str:
    """The name without a port, as it is compared."""
    if text.startswith("["):
        return text[1:].partition("]")[0].lower()
    name, _, port = text.rpartition(":")
    return (name if name and port.isdecimal() and ":" not in name else text).lower().rstrip(".")


def _is_from_elsewhere(headers: Headers) -> bool:
    """Whether a browser says that a page of another origin sends it."""
    if headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        return True
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower()


class TooLong(Exception):
    """More was sent than a body may have, by someone who did not say how much it would be."""


def _bounded(receive: Receive) -> Receive:
    taken = 0

    async def receiving() -> MutableMapping[str, Any]:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MOST_BYTES:
            raise TooLong
        return message

    return receiving
