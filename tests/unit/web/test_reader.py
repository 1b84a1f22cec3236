"""What is made of one picture is made once, and no crowd of other things takes it away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from autoscaler.clock import SystemClock
from autoscaler.views import measures
from autoscaler.views.measures import Measures
from autoscaler.web.reader import Made, Reader
from tests.unit.journal.records import a_tick
from tests.unit.web import fleets


def test_what_many_ask_for_at_once_is_made_once() -> None:
    """All browsers ask right after a tick."""
    made, begun, together = Made(), [], threading.Barrier(4)

    def make() -> bytes:
        begun.append(1)
        time.sleep(0.2)
        return b"page"

    def ask() -> bytes:
        together.wait(10)
        return made.once("overview", make)

    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(ask) for _ in range(4)]
        assert [b"page"] * 4 == [each.result(10) for each in asked]

    assert [1] == begun


def test_things_that_nobody_asks_for_again_make_way() -> None:
    """One client that asks for a thousand different times must not cost the others their pages."""
    made, begun = Made(), []

    def make() -> bytes:
        begun.append(1)
        return b"page"

    for number in range(1_000):
        made.once(number, lambda: b"x" * 1_000_000)
        made.once("overview", make)

    assert [1] == begun


def test_what_is_kept_has_a_bound() -> None:
    """By its size, too: what was kept first is made anew once a hundred others came."""
    made, begun = Made(), []

    def make() -> bytes:
        begun.append(1)
        return b"x" * 1_000_000

    for number in (*range(100), 0):
        made.once(number, make)

    assert 101 == len(begun)


def test_what_cannot_be_made_is_tried_again() -> None:
    """Whoever waited for it does not wait for ever."""
    made = Made()

    def fails() -> bytes:
        raise OSError("not now")

    with pytest.raises(OSError, match="not now"):
        made.once("overview", fails)

    assert b"page" == made.once("overview", lambda: b"page")


def test_what_is_measured_is_of_the_tick_that_pages_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tick that is written while it is read would be half in it: it is read again, and then kept until the next."""
    began_at = time.time()
    settings = fleets.settings()
    looked: list[float] = []

    with fleets.journal(a_tick(began_at)) as journal:
        plain: Callable[..., Measures] = measures.look

        def meanwhile(*given: object, **more: object) -> Measures:
            found = plain(*given, **more)
            looked.append(found.standing.at)
            if len(looked) == 1:
                journal.commit(a_tick(began_at + 0.5))
            return found

        monkeypatch.setattr(measures, "look", meanwhile)
        journal.claim("daemon")
        reader = Reader(journal, lambda: settings, SystemClock())

        found = reader.measures()
        assert reader.picture().standing is found.standing
        assert reader.measures() is found

    assert [began_at, began_at + 0.5] == looked
