"""An operator's word that something may be asked again: exactly that, and an answer that says what it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.core.facts import Memory, Rest, Trouble
from autoscaler.core.model import Order, OrderKind, PoolName
from autoscaler.core.offers import for_pool
from autoscaler.core.waking import Woken, wake
from providers.contract import ProviderName
from tests.unit.core.builders import AT, CLOUD, OFFER, POOL, SECOND_OFFER, a_pool, rules

ELSEWHERE = replace(OFFER, provider=ProviderName("elsewhere"))
RULES = rules(
    a_pool(becomes={OFFER.name: "new"}), a_pool(name=PoolName("mail"), offers=(ELSEWHERE, SECOND_OFFER))
)
REST = Rest(until_at=AT + 600, refusals=3, why="no")
HERE, THERE = for_pool(OFFER.name, POOL), for_pool(ELSEWHERE.name, PoolName("mail"))
MEMORY = Memory(
    offer_rests={OFFER.name: REST, HERE: REST, ELSEWHERE.name: REST, THERE: REST},
    account_rests={CLOUD: REST},
    troubles={CLOUD: Trouble(calls=3, rest=REST), ELSEWHERE.provider: Trouble(calls=3, rest=REST)},
    proven={POOL: ("old",)},
)


def woken(target: str) -> Woken:
    order = Order(number=7, kind=OrderKind.WAKE, target=target, given_at=AT, given_by="kari")
    return wake((order,), MEMORY, RULES)


@pytest.mark.parametrize(
    ("target", "still_resting"),
    [
        ("*", set()),
        (OFFER.name, {ELSEWHERE.name, THERE, "account cloud", "trouble cloud", "trouble elsewhere"}),
        (CLOUD, {ELSEWHERE.name, THERE, "trouble elsewhere"}),
        ("elsewhere", {OFFER.name, HERE, "account cloud", "trouble cloud"}),
        (POOL, {ELSEWHERE.name, THERE, "trouble elsewhere"}),
    ],
)
def test_what_is_named_wakes_and_nothing_else(target: str, still_resting: set[str]) -> None:
    """An offer, an account with all its offers, or all that may keep a pool from buying."""
    memory = woken(target).memory
    resting = {
        *memory.offer_rests,
        *(f"account {name}" for name in memory.account_rests),
        *(f"trouble {name}" for name in memory.troubles),
    }

    assert resting == still_resting
    assert woken(target).answers[0].carried_out


def test_the_answer_names_what_was_woken() -> None:
    """So that a typing mistake is seen, and so is a rest that was over anyway."""
    assert f"awake again: {OFFER.name}, {HERE}" == woken(OFFER.name).answers[0].says
    assert "nothing was resting there" == woken(SECOND_OFFER.name).answers[0].says
    assert "there is no pool, offer or account 'osl'" == woken("osl").answers[0].says
    assert not woken("osl").answers[0].carried_out


def test_a_woken_pool_tries_no_machine_alone() -> None:
    """The operator says that the new image works."""
    assert woken(POOL).memory.proven == {POOL: ("old", "new")}
    assert woken(OFFER.name).memory.proven == {POOL: ("old",)}
