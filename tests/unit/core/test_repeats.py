"""Which decisions say again what stood before, and are not kept once more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from autoscaler.core import repeats
from autoscaler.core.model import PoolDecision
from policies.contract import Past, Reading, Trust
from tests.unit.journal.records import IMAGES, a_decision

SILENT: Mapping[str, tuple[str, ...]] = {IMAGES: ()}
"""A plan that remarks nothing."""
STOOD = a_decision(at=1000.0)
PAST = (Past(at=STOOD.at, recommended=5, wanted=4, workers=3),)
"""As the journal tells it once STOOD is written."""


def _later(by_s: float = 10.0) -> PoolDecision:
    return a_decision(at=STOOD.at + by_s, past=PAST)


def _after(one: PoolDecision, remarks: Mapping[str, tuple[str, ...]] = SILENT) -> repeats.Repeats:
    """What `one` adds after STOOD was kept."""
    return repeats.of([one], remarks, repeats.of([STOOD], SILENT, {}).kept)


def test_the_first_decision_of_a_process_repeats_nothing() -> None:
    """What is on record may be another's."""
    found = repeats.of([STOOD], SILENT, {})

    assert (frozenset(), frozenset()) == (found.said, found.whole)


def test_one_that_is_as_the_one_before_adds_nothing() -> None:
    """But for its instant, and that of the look."""
    found = _after(_later())

    assert {(IMAGES, 1010.0)} == found.said == found.whole


def test_one_of_which_a_figure_moved_stands_and_says_the_same() -> None:
    """The age of the oldest message grows on every tick."""
    older = _later()
    demand = older.decision.input.demand
    assert demand is not None
    moved = replace(demand, wait_s=Reading(value=48.0, trust=Trust.SOLID))
    asked = replace(older.decision.input, demand=moved)

    found = _after(replace(older, decision=replace(older.decision, input=asked)))

    assert {(IMAGES, 1010.0)} == found.said
    assert frozenset() == found.whole


@pytest.mark.parametrize(
    "change",
    [{"wanted": 5}, {"recommended": 6}, {"recommended": None}, {"binding": "floor"}, {"held": "blind"}],
    ids=str,
)
def test_another_number_or_wish_or_reason_is_kept(change: dict[str, object]) -> None:
    """Windows heed what was wished for, cooldowns what was wanted; people ask for the reason."""
    now = _later()

    assert frozenset() == _after(replace(now, decision=replace(now.decision, **change))).said  # type: ignore[arg-type]


def test_another_number_of_workers_or_another_remark_of_the_plan_is_kept() -> None:
    """A later look back is to see how many there were."""
    now = _later()
    supply = replace(now.decision.input.supply, arriving=2)
    more = replace(now, decision=replace(now.decision, input=replace(now.decision.input, supply=supply)))

    assert frozenset() == _after(more).said
    assert frozenset() == _after(now, {IMAGES: ("the account rests",)}).said


def test_what_stands_for_an_hour_is_kept_anew() -> None:
    """With it what was measured by then; the hour counts from when it was kept, not from when it was said again."""
    kept = repeats.of([STOOD], SILENT, {}).kept
    for minutes in range(1, 60):
        found = repeats.of([_later(60.0 * minutes)], SILENT, kept)
        assert found.said
        kept = found.kept

    assert frozenset() == repeats.of([_later(repeats.AGAIN_AFTER_S)], SILENT, kept).said


def test_after_a_clock_that_was_set_back_it_is_kept_anew() -> None:
    """One that is dated in the future is heeded by nobody."""
    assert frozenset() == _after(_later(-3600.0)).said


def test_a_pool_that_was_not_decided_about_is_forgotten() -> None:
    """Nothing of it is on record for that tick, so the next one is news."""
    between = repeats.of([], SILENT, repeats.of([STOOD], SILENT, {}).kept)

    assert frozenset() == repeats.of([_later()], SILENT, between.kept).said


def test_what_the_journal_does_not_tell_of_was_not_kept() -> None:
    """A commit whose answer was lost may have left another, and a server may have come back older than it was."""
    other = (*PAST, Past(at=1005.0, recommended=None, wanted=4, workers=3))

    assert frozenset() == _after(a_decision(at=1010.0, past=other)).said
    assert frozenset() == _after(a_decision(at=1010.0)).said
