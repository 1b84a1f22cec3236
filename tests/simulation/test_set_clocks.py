"""Accounts want to be left in peace while the wall clock is set again and again: more often than lives have it."""

from __future__ import annotations

import pytest

from autoscaler import loop
from autoscaler.simulate import script
from autoscaler.simulate.contract import Counts, Fault, Scenario
from autoscaler.simulate.run import play

ASKS_FOR_PEACE = frozenset({Fault.THROTTLED, Fault.THROTTLED_MUTELY, Fault.LISTING_THROTTLED})
SEEDS = range(5, 15)
"""Lives in which accounts ask for peace; in three of them while the clock is set forward."""


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is set on up to half of all ticks."""
    monkeypatch.setattr(script, "STROKES", {**script.STROKES, Fault.CLOCK_STEP: 0.5})


def lived(seed: int) -> Counts:
    return play(Scenario(seed=seed, faults=ASKS_FOR_PEACE | {Fault.CLOCK_STEP})).counts


@pytest.mark.parametrize("seed", SEEDS)
def test_a_clock_that_is_set_all_the_time_lets_no_account_be_asked_too_early(seed: int) -> None:
    """It counts the seconds itself for which it wants to be left in peace."""
    assert not lived(seed).harm


@pytest.mark.timeout(120)
def test_a_peace_that_is_kept_by_the_wall_clock_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory that is taken as it was written makes a daemon believe that the peace is over."""
    monkeypatch.setattr(loop, "carried_over", lambda memory, *_: memory)

    assert any(lived(seed).account_abuse for seed in SEEDS)
