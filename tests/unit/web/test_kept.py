"""Pages made once for all who ask at once, and text compressed for who takes it so."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Hashable, MutableMapping
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from autoscaler.web.kept import Kept

PAGE = b"<!doctype html>" + b"a page " * 300


class AClock:
    """Set by hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


class AnApp:
    """Counts how often it is asked, and answers with what it is given."""

    def __init__(
        self, *, status: int = 200, kind: str = "text/html; charset=utf-8", body: bytes = PAGE
    ) -> None:
        self.asked, self.status, self.kind, self.body = 0, status, kind, body
        self.parts: list[bytes] = []
        self.wait: asyncio.Event | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        if self.wait is not None:
            await self.wait.wait()
        head = [(b"content-type", self.kind.encode()), (b"content-length", str(len(self.body)).encode())]
        await send({"type": "http.response.start", "status": self.status, "headers": head})
        for part in self.parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": self.body})


async def ask(
    app: ASGIApp, path: str = "/", accept: str = "", method: str = "GET"
) -> tuple[dict[str, str], bytes]:
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b""}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"accept-encoding", accept.encode())]
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers}
    await app(scope, receive, send)
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return found, b"".join(message["body"] for message in sent[1:])


def kept(app: ASGIApp, known: list[Hashable | None], clock: AClock | None = None) -> Kept:
    return Kept(app, lambda: known[0], clock or AClock())


def test_a_page_is_made_once_until_something_new_is_heard() -> None:
    """However many ask."""
    app, known = AnApp(), ["a tick"]
    front = kept(app, known)

    async def asked() -> int:
        for _ in range(3):
            assert PAGE == (await ask(front))[1]
        return app.asked

    assert 1 == asyncio.run(asked())
    known[0] = "the next"
    assert 2 == asyncio.run(asked())


def test_those_who_ask_while_it_is_made_wait_for_it() -> None:
    """Fifty open pages hear of a tick at the same instant."""
    app = AnApp()
    front = kept(app, ["a tick"])

    async def at_once() -> list[bytes]:
        app.wait = asyncio.Event()
        asking = [asyncio.create_task(ask(front)) for _ in range(50)]
        await asyncio.sleep(0)
        app.wait.set()
        return [body for _, body in await asyncio.gather(*asking)]

    assert [PAGE] * 50 == asyncio.run(at_once())
    assert 1 == app.asked


def test_nobody_waits_for_one_that_fails() -> None:
    """The next one asks for itself."""

    class Failing(AnApp):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await super().__call__(scope, receive, send) if self.asked else await self.fail()

        async def fail(self) -> None:
            self.asked += 1
            await asyncio.sleep(0)
            raise OSError

    front = kept(Failing(), ["a tick"])

    async def at_once() -> list[Any]:
        return await asyncio.gather(ask(front), ask(front), return_exceptions=True)

    failed, told = asyncio.run(at_once())
    assert isinstance(failed, OSError)
    assert PAGE == told[1]


def test_a_page_is_kept_for_a_moment_only() -> None:
    """Where no tick comes it says so, and how long ago the last one was."""
    app, clock = AnApp(), AClock()
    front = kept(app, ["a tick"], clock)

    asyncio.run(ask(front))
    clock.at += 2.5
    asyncio.run(ask(front))

    assert 2 == app.asked


@pytest.mark.parametrize(
    ("app", "known", "how"),
    [
        (AnApp(), None, {}),  # nobody listens, so nobody would hear of a change
        (AnApp(kind="application/json"), "a tick", {}),  # programs get the newest
        (AnApp(status=503), "a tick", {}),
        (AnApp(), "a tick", {"method": "POST"}),
    ],
)
def test_nothing_else_is_kept(app: AnApp, known: str | None, how: dict[str, str]) -> None:
    """What may be another a moment later, and what nobody would hear of."""
    front = kept(app, [known])

    asyncio.run(ask(front, **how))
    asyncio.run(ask(front, **how))

    assert 2 == app.asked


@pytest.mark.parametrize(
    ("accept", "packed"),
    [
        ("gzip, deflate, br", True),
        ("*", True),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.5", True),
    ],
)
def test_text_is_compressed_for_who_takes_it_so(accept: str, packed: bool) -> None:
    """And caches are told that it comes in two ways."""
    headers, body = asyncio.run(ask(kept(AnApp(), ["a tick"]), accept=accept))

    assert ("gzip" if packed else None) == headers.get("content-encoding")
    assert (gzip.decompress(body) if packed else body) == PAGE
    assert len(body) == int(headers["content-length"])
    assert "Accept-Encoding" == headers["vary"]


def test_a_stream_passes_part_by_part_and_as_it_is() -> None:
    """It does not end."""
    app = AnApp(kind="text/event-stream", body=b"")
    app.parts = [b"event: tick\n", b"data: 1\n\n"]

    headers, body = asyncio.run(ask(kept(app, ["a tick"]), accept="gzip"))

    assert "content-encoding" not in headers
    assert b"event: tick\ndata: 1\n\n" == body
