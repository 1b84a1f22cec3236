"""Histories over the web: few lengths, and nobody's long time holds up a pool's own page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from autoscaler.config.values import seconds
from autoscaler.core.model import PoolName
from autoscaler.journal import JournalUnavailable, open_journal
from autoscaler.views import history
from autoscaler.views.history import History
from autoscaler.web import charts, pasts
from autoscaler.web.pasts import Pasts
from tests.unit.stand_ins import wait_for
from tests.unit.web import fleets

NAME = PoolName(next(iter(fleets.settings().pools)))


class _Slow:
    """Stands before `history.look`: tells what was looked for, and holds long times back."""

    def __init__(self) -> None:
        self.plain = history.look
        self.spans: list[float] = []
        self.open = threading.Event()

    def __call__(self, *given: object, since_at: float, until_at: float, **more: object) -> History:
        self.spans.append(until_at - since_at)
        if until_at - since_at > 6 * 3600.0:
            assert self.open.wait(30)
        return self.plain(*given, since_at=since_at, until_at=until_at, **more)  # type: ignore[arg-type]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Slow]:
    made = _Slow()
    monkeypatch.setattr(history, "look", made)
    yield made
    made.open.set()


@pytest.mark.parametrize(
    ("asked_s", "step"), [(1.0, "1m"), (60.0, "1m"), (61.0, "2m"), (5_000.0, "2h"), (2_592_000.0, "30d"), (1e9, "30d")]
)  # fmt: skip
def test_lengths_are_rounded_up_to_one_of_a_few(asked_s: float, step: str) -> None:
    """Whoever cycles through lengths has seventeen things made."""
    assert step == pasts.step(asked_s)


def test_each_length_that_a_page_offers_is_one_of_them() -> None:
    """So that it shows the time that it says."""
    offered = {*charts.SPANS, *(charts.fitting((0.0, 0.0), at) for at in (1.0, 700.0, 2_000.0, 9_000.0, 1e6))}

    assert offered <= set(pasts.STEPS)
    assert [*pasts.STEPS] == sorted(pasts.STEPS, key=seconds)


def test_long_times_hold_up_no_short_one_and_too_many_are_sent_away(slow: _Slow, tmp_path: Path) -> None:
    """Who comes fourth while one is read is told so at once, and takes no thread that makes pages."""
    with closing(open_journal(f"sqlite:///{tmp_path}/journal.db")) as journal:
        kept, settings = Pasts(journal), fleets.settings()

        def ask(span: str) -> History:
            return kept.of(settings, 1, NAME, span, 1e6)

        waiting = [threading.Thread(target=ask, args=(span,), daemon=True) for span in ("24h", "7d", "30d")]
        for each in waiting:
            each.start()
        wait_for(lambda: kept._room._value == 0, "three in the room")  # type: ignore[attr-defined]

        with pytest.raises(JournalUnavailable, match="ask again in a moment"):
            ask("14d")
        assert 1e6 == ask("1h").until_at
        slow.open.set()
        for each in waiting:
            each.join(30)
        assert 1e6 == ask("14d").until_at


def test_one_that_is_as_good_as_new_is_read_once(slow: _Slow) -> None:
    """A point of a day is 144 s long; a tick later it is the same picture, and of other settings another."""
    slow.open.set()
    with fleets.journal() as journal:
        kept, settings = Pasts(journal), fleets.settings()
        first = kept.of(settings, 1, NAME, "24h", 1e6)

        assert kept.of(settings, 1, NAME, "24h", 1e6 + 5.0) is first
        assert kept.of(settings, 2, NAME, "24h", 1e6 + 5.0) is not first
        assert kept.of(settings, 1, NAME, "24h", 1e6 + 100.0) is not first


def test_one_that_is_not_as_good_as_new_is_let_go_when_the_next_is_read(slow: _Slow) -> None:
    """Of other lengths and other settings as well: hours of looks and reloads keep no more than a moment does."""
    slow.open.set()
    with fleets.journal() as journal:
        kept, settings, spans = Pasts(journal), fleets.settings(), ("5m", "1h", "6h", "12h", "24h")
        for generation, at in enumerate(range(1_000_000, 1_000_100, 10)):
            for span in spans:
                kept.of(settings, generation // 5, NAME, span, float(at))

        names = [key for shelf in (kept._short, kept._long) for key in shelf._kept]

    assert len(names) == len(spans)
    assert set(names) == {(NAME, span, 1) for span in spans}
