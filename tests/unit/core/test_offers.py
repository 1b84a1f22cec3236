"""Which offer is asked next: refusals make it rest, longer each time, and never for ever."""

from __future__ import annotations

import math

import pytest

from autoscaler.core.facts import CallKind, Memory, Outcome, OutcomeKind, Rest
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.offers import awake, remember, why_resting
from tests.unit.core.builders import AT, CLOUD, OFFER, SECOND_OFFER, a_node, a_snapshot

NODE = a_node(state=NodeState.CREATING)
DAY_S = 86_400.0


def after(
    kind: OutcomeKind, *, call: CallKind = CallKind.CREATE, memory: Memory | None = None, **fields: object
) -> Memory:
    told = Outcome(node=NODE.name, call=call, kind=kind, at=AT, says="no", **fields)  # type: ignore[arg-type]
    return remember(a_snapshot(NODE, outcomes=(told,), memory=memory or Memory()))


def test_a_refused_offer_rests_and_the_next_is_asked() -> None:
    """Stock and quota are a matter of this offer alone."""
    memory = after(OutcomeKind.CAPACITY_REFUSED)

    assert awake((OFFER, SECOND_OFFER), memory, AT + 29) == (SECOND_OFFER,)
    assert awake((OFFER, SECOND_OFFER), memory, AT + 30) == (OFFER, SECOND_OFFER)


def test_each_refusal_in_a_row_doubles_the_rest_up_to_half_an_hour() -> None:
    """A host without stock is not asked every tick."""
    memory, rests = Memory(), []
    for _ in range(9):
        memory = after(OutcomeKind.CAPACITY_REFUSED, memory=memory)
        rests.append(memory.offer_rests[OFFER.name].until_at - AT)

    assert rests == [30, 60, 120, 240, 480, 960, 1800, 1800, 1800]


def test_a_success_wakes_the_offer() -> None:
    """The count of refusals begins anew."""
    memory = after(OutcomeKind.DONE, memory=after(OutcomeKind.CAPACITY_REFUSED))

    assert memory.offer_rests == {}


def test_an_offer_rejected_as_wrong_rests_for_a_day() -> None:
    """Repeating it unchanged is useless."""
    assert after(OutcomeKind.REJECTED).offer_rests[OFFER.name].until_at == AT + DAY_S


@pytest.mark.parametrize("call", [CallKind.CREATE, CallKind.DESTROY])
def test_a_throttled_account_rests_with_all_its_offers(call: CallKind) -> None:
    """Whatever was asked: the account is what slowed us down."""
    memory = after(OutcomeKind.THROTTLED, call=call, retry_after_s=20.0)

    assert awake((OFFER, SECOND_OFFER), memory, AT + 19) == ()
    assert why_resting(OFFER, memory, AT + 20) is None


@pytest.mark.parametrize("told_s", [1e12, math.inf, math.nan])
def test_no_provider_silences_its_account_for_longer_than_an_hour(told_s: float) -> None:
    """Its word comes from outside; destroys of paid machines wait for it too."""
    assert after(OutcomeKind.THROTTLED, retry_after_s=told_s).account_rests[CLOUD].until_at == AT + 3600


def test_an_unknown_outcome_is_no_refusal() -> None:
    """It is settled by looking."""
    assert after(OutcomeKind.UNKNOWN) == Memory()


def test_rests_long_over_are_forgotten() -> None:
    """Memory does not grow with every offer that ever refused."""
    old = Rest(until_at=AT - DAY_S - 1, refusals=3, why="long ago")

    memory = remember(a_snapshot(memory=Memory(offer_rests={OFFER.name: old}, account_rests={CLOUD: old})))

    assert ({}, {}) == (memory.offer_rests, memory.account_rests)


def test_a_clock_set_back_does_not_prolong_a_rest_without_bound() -> None:
    """A rest until "next year" is cut to the longest there is."""
    far = Rest(until_at=AT + 365 * DAY_S, refusals=1, why="before the clock was set back")

    memory = remember(a_snapshot(memory=Memory(offer_rests={OFFER.name: far}, account_rests={CLOUD: far})))

    assert memory.offer_rests[OFFER.name].until_at == AT + DAY_S
    assert memory.account_rests[CLOUD].until_at == AT + 3600
