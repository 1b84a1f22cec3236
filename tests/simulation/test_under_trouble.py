"""The production loop, observer and gateways on virtual time: safe while trouble lasts, at rest after it ends."""

from __future__ import annotations

import pytest

from autoscaler.simulate.contract import EVERY_FAULT, Fault, Scenario
from autoscaler.simulate.ledger import DURABLE_EVERY
from autoscaler.simulate.run import play

SEEDS = (*range(8), DURABLE_EVERY - 1)
"""And one with the real journal. `make test` soaks two hundred more."""


@pytest.mark.parametrize("seed", SEEDS)
def test_trouble_breaks_no_rule_and_heals(seed: int) -> None:
    """Never above ceiling or budget, never a name ordered twice, never a machine ended that was known to work; and when
    it is over records and machines agree, and every task is done or went with a machine that the world took."""
    verdict = play(Scenario(seed=seed))

    assert verdict.harm == "", "\n".join(verdict.story)


def test_every_kind_of_fault_strikes() -> None:
    """A fault that never strikes proves nothing."""
    struck = frozenset[Fault]().union(*(play(Scenario(seed=seed)).struck for seed in range(12)))

    assert set() == EVERY_FAULT - struck


def test_a_life_without_faults_meets_none() -> None:
    """What is left out does not strike, and a calm life comes to rest too."""
    verdict = play(Scenario(seed=3, faults=frozenset()))

    assert ("", frozenset()) == (verdict.harm, verdict.struck)


def test_a_life_meets_only_its_own_faults() -> None:
    """Shrinking takes kinds away, and must be able to trust that they are gone."""
    faults = frozenset({Fault.ANSWER_LOST, Fault.DEAF, Fault.OPERATOR})

    assert play(Scenario(seed=5, faults=faults)).struck <= faults


def test_the_same_seed_is_the_same_life() -> None:
    """A failure is of use only if it can be seen again."""
    first, second = (play(Scenario(seed=1)) for _ in range(2))

    assert first == second
