"""When the past is read, and which pools get a prospect of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import pytest

from autoscaler.core.model import PoolName
from autoscaler.prospects import Prospects
from policies.contract import Flow, Limits, PolicySpec, Traffic
from policies.decide import decide
from policies.prospect import Slice
from policies.seasons import KEPT_S, SLICE_S
from tests.unit.core import builders
from tests.unit.policies.past import at, peak_at_nine, slices
from tests.unit.test_loop import Remembered, Stage

IMAGES, MAILS = PoolName("images"), PoolName("mails")
FORECAST = PolicySpec(kind="forecast", options={"target_wait_s": 30.0})
NOW = at(5, 9) - 60


@dataclass
class Past:
    """A journal that notes what is asked of it."""

    days: float = 20.0
    asked: list[tuple[PoolName, float, float]] = field(default_factory=list)

    def read(self, pool: PoolName, since_at: float, before_at: float) -> list[Slice]:
        self.asked.append((pool, since_at, before_at))
        return [s for s in slices(peak_at_nine(), days=self.days) if since_at <= s.since_at < before_at]


def prospects(past: Past, *pools: PoolName, quantum_s: int = 60) -> Prospects:
    offer = replace(builders.a_pool().offers[0], quantum_s=quantum_s)
    each = {name: builders.a_pool(policies=(FORECAST,), offers=(offer,)) for name in pools}
    return Prospects(each, past.read)


def test_only_pools_whose_policies_ask_for_it_are_read() -> None:
    """A fleet without forecasts pays nothing for them."""
    past = Past()
    nobody = Prospects({IMAGES: builders.a_pool()}, past.read)

    assert not nobody.is_asked
    assert {} == nobody.of_pools(NOW, {})
    assert [] == past.asked


def test_the_past_is_read_once_and_then_a_slice_at_a_time() -> None:
    """Weeks when the pool is first asked about, five minutes every five minutes, and nothing in between."""
    past = Past()
    told = prospects(past, IMAGES)
    said = [told.of_pools(NOW + seconds, {IMAGES: Traffic()})[IMAGES] for seconds in (0, 10, 59, 60, 70)]
    began_at = at(5, 9)

    assert [
        (IMAGES, began_at - SLICE_S - KEPT_S, began_at - SLICE_S),
        (IMAGES, began_at - SLICE_S, began_at),
    ] == past.asked
    assert said[0] is said[2]
    assert [began_at - SLICE_S, began_at] == [said[0].from_at, said[-1].from_at]
    assert said[0].soon is not None


def test_one_pool_a_tick_is_read_whole() -> None:
    """A start with many pools keeps no tick waiting for all of their weeks."""
    past = Past()
    told = prospects(past, IMAGES, MAILS)

    assert [{IMAGES}, {IMAGES, MAILS}] == [set(told.of_pools(NOW + s, {})) for s in (0, 10)]
    assert [IMAGES, MAILS] == [pool for pool, _, _ in past.asked]


@pytest.mark.parametrize(("quantum_s", "looks_on"), [(60, False), (3600, True)])
def test_only_a_long_quantum_is_looked_on_for(quantum_s: int, *, looks_on: bool) -> None:
    """Nobody is held for a minute that is paid."""
    prospect = prospects(Past(), IMAGES, quantum_s=quantum_s).of_pools(NOW, {})[IMAGES]

    assert looks_on == (prospect.later is not None)


def test_a_clock_that_was_set_back_reads_nothing_twice() -> None:
    """What was learned stays; an instant that no clock shows has no prospect, and the next sound one has."""
    past = Past()
    told = prospects(past, IMAGES)
    told.of_pools(NOW, {})
    read = len(past.asked)
    before = told.of_pools(NOW - 7200.0, {})[IMAGES]

    assert read == len(past.asked)
    assert before.from_at <= NOW - 7200.0
    assert {} == told.of_pools(math.nan, {})
    assert told.of_pools(NOW, {})[IMAGES].soon is not None


def test_a_decision_is_stored_with_the_prospect_it_was_made_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a later daemon replays needs no history: the machines before a peak, and why, stand in the record."""

    def slices_of(_: Remembered, pool: PoolName, since_at: float, before_at: float) -> tuple[Slice, ...]:
        first, last = int(max(since_at, builders.AT - 5 * 86_400) // SLICE_S), int(before_at // SLICE_S)
        peak = int(builders.AT // SLICE_S) % 288
        return tuple(
            Slice(
                since_at=number * SLICE_S,
                arrived=600.0 if number % 288 in {peak, peak + 1} else 0.0,
                looked_s=SLICE_S,
            )
            for number in range(first, last)
        )

    monkeypatch.setattr(Remembered, "slices", slices_of)
    stage = Stage(policies=(FORECAST,), limits=Limits(max_workers=9))
    stage.tick()
    (record,) = stage.journal.records
    (stored,) = record.decisions

    assert stored.decision.input.history.prospect is not None
    assert ("forecast", 9) == (stored.decision.proposals[0].policy, stored.decision.wanted)
    assert "as yesterday at this time" in stored.sentence
    assert stored.decision == decide(stored.decision.input)


def test_a_tick_writes_down_what_it_counted() -> None:
    """Whether or not anybody asks for a prospect today."""
    stage = Stage()
    flow = Flow(arrived=12, completed=3, over_s=10.0)
    stage.seen = replace(stage.seen, demand={builders.POOL: builders.a_demand(backlog=9, flow=flow)})
    stage.tick()
    (record,) = stage.journal.records

    assert {builders.POOL: (12.0, 10.0)} == {
        pool: (of.arrived, of.looked_s) for pool, of in record.slices.items()
    }
