"""The production loop and observer on virtual time: safe while trouble lasts, at rest after it ends."""

from __future__ import annotations

import pytest

from autoscaler.simulate.contract import Scenario
from autoscaler.simulate.run import play

SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_trouble_breaks_no_rule_and_heals(seed: int) -> None:
    """Never above the ceiling, never a name ordered twice, never a machine ended that was seen to work; and when the
    trouble is over records and machines agree, and every task is done or went with a machine that the world took."""
    verdict = play(Scenario(seed=seed, trouble_s=300.0, heals_s=3600.0))

    assert verdict.harm == "", "\n".join(verdict.story)


def test_the_same_seed_is_the_same_life() -> None:
    """A failure is of use only if it can be seen again."""
    first, second = (play(Scenario(seed=1, trouble_s=300.0)) for _ in range(2))

    assert first == second
