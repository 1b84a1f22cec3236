"""The watcher behind the streams: what goes wrong with one look ends none of them."""

from __future__ import annotations

import asyncio

from autoscaler.web import live
from autoscaler.web.live import Live
from tests.unit.stand_ins import Heard


def test_a_look_that_fails_in_an_unforeseen_way_is_said_once_and_tried_again() -> None:
    """Else no open page would hear of a tick again."""
    log, looks = Heard(), 0

    def looked() -> object:
        nonlocal looks
        looks += 1
        if looks < 3:
            raise ZeroDivisionError("looked in vain")
        return {"tick_at": float(looks)}

    async def listen() -> list[str]:
        stream = Live(looked, log).join()
        try:
            async with asyncio.timeout(30):
                return [await anext(stream) for _ in range(2)]
        finally:
            await stream.aclose()  # type: ignore[attr-defined] # it is a generator

    heard = asyncio.run(listen())

    assert heard[1].startswith("event: tick")
    said = ("web.erred", {"address": live.PATH, "error": "ZeroDivisionError: looked in vain"})
    assert [said] == log.events
