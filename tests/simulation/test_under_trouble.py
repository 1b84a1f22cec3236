"""The production loop, observer and journal on virtual time: safe while trouble lasts, at rest after it ends."""

from __future__ import annotations

import pytest

from tests.simulation.run import Run

SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_trouble_breaks_no_rule_and_heals(seed: int) -> None:
    """Never above the ceiling, never a name ordered twice, never a machine ended that was seen to work; and when the
    trouble is over records and machines agree, and every task is done or went with a machine that the world took."""
    run = Run(seed=seed, early_ack=seed % 2 == 0, floor=seed % 3 % 2).play()

    assert run.world.sent == run.world.done + run.world.lost


def test_the_same_seed_is_the_same_run() -> None:
    """A failure is of use only if it can be seen again."""
    first, second = (Run(seed=1, early_ack=False, floor=0).play() for _ in range(2))

    assert (first.ticks, list(first.said)) == (second.ticks, list(second.said))
