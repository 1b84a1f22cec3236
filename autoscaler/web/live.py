"""Telling browsers that a tick has passed: one watcher for all, a stream of server-sent events for each.

In go looks at the journal, out come events that hold nothing but the tick's instant. What never happens here: a figure.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Hashable

from autoscaler.journal import JournalUnavailable
from autoscaler.telemetry import Log

PATH = "/api/v1/live"
MOST_STREAMS = 100
"""More than that look at once at no daemon; each is a connection that stays."""
_LOOK_S = 0.5
_BEAT_S = 15.0
"""A comment so often: proxies end streams in which nothing is said."""
_RETRY_MS = 3_000


class TooMany(Exception):
    """As many streams are open as there may be."""


class Live:
    """The streams of one server. Only its event loop may call it."""

    def __init__(self, looked: Callable[[], object], log: Log) -> None:
        """`looked`: what changes when there is something new; called in a thread, since it may wait for the journal."""
        self._looked = looked
        self._log = log
        self._erred = ""
        self._streams = 0
        self._news = asyncio.Condition()
        self._now: object = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def known(self) -> Hashable | None:
        """What was seen last, half a second ago at most; None while nobody listens, and nobody looks."""
        watched = self._watching is not None and not self._watching.done()
        return json.dumps(self._now) if watched and self._now is not None else None

    def join(self) -> AsyncIterator[str]:
        """A new stream. Raises TooMany."""
        if self._streams >= MOST_STREAMS:
            raise TooMany
        return self._stream()

    async def _stream(self) -> AsyncIterator[str]:
        # Counted here: a stream that nobody begins to read never ends either.
        self._streams += 1
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            yield f"retry: {_RETRY_MS}\n\n"
            told: object = None
            while True:
                if self._now is not None and told != self._now:
                    told = self._now
                    yield f"event: tick\ndata: {json.dumps(told)}\n\n"
                    continue
                try:
                    async with asyncio.timeout(_BEAT_S), self._news:
                        await self._news.wait()
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            self._streams -= 1

    def _say(self, error: str) -> None:
        """Once, for as long as it lasts."""
        if error != self._erred:
            self._log.say("web.erred", address=PATH, error=error)
        self._erred = error

    async def _watch(self) -> None:
        """While anybody listens."""
        while self._streams:
            try:
                now = await asyncio.to_thread(self._looked)
            except JournalUnavailable:
                now = self._now  # the page says that it is stale once it is asked for
            except Exception as error:  # noqa: BLE001 - around one look: the next one looks again
                now = self._now
                self._say(f"{type(error).__name__}: {error}")
            else:
                self._erred = ""
            if now != self._now:
                self._now = now
                async with self._news:
                    self._news.notify_all()
            await asyncio.sleep(_LOOK_S)
