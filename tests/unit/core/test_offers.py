"""Which offer is asked next: refusals make it rest, longer each time, and never for ever."""

from __future__ import annotations

import math
from typing import Any

import pytest

from autoscaler.core.facts import CallKind, Memory, Outcome, OutcomeKind, Rest
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import PoolName, Transition
from autoscaler.core.offers import (
    after_changes,
    after_enrolments,
    after_restart,
    awake,
    probes_left,
    remember,
    why_resting,
)
from tests.unit.core.builders import (
    AT,
    CLOUD,
    OFFER,
    POOL,
    SECOND_OFFER,
    a_node,
    a_pool,
    a_snapshot,
    rules,
)

NODE = a_node(state=NodeState.CREATING)
DAY_S = 86_400.0


def after(
    kind: OutcomeKind,
    *,
    call: CallKind = CallKind.CREATE,
    memory: Memory | None = None,
    at: float = AT,
    **fields: object,
) -> Memory:
    told = Outcome(node=NODE.name, call=call, kind=kind, at=at, says="no", **fields)  # type: ignore[arg-type]
    return remember(a_snapshot(NODE, outcomes=(told,), memory=memory or Memory()))


def test_a_refused_offer_rests_and_the_next_is_asked() -> None:
    """Stock and quota are a matter of this offer alone."""
    memory = after(OutcomeKind.CAPACITY_REFUSED)

    assert awake((OFFER, SECOND_OFFER), POOL, memory, AT + 29) == (SECOND_OFFER,)
    assert awake((OFFER, SECOND_OFFER), POOL, memory, AT + 30) == (OFFER, SECOND_OFFER)


def test_each_refusal_in_a_row_doubles_the_rest_up_to_half_an_hour() -> None:
    """A host without stock is not asked every tick."""
    memory, rests, at = Memory(), [], AT
    for _ in range(9):
        memory = after(OutcomeKind.CAPACITY_REFUSED, memory=memory, at=at)
        rests.append(memory.offer_rests[OFFER.name].until_at - at)
        at = memory.offer_rests[OFFER.name].until_at

    assert rests == [30, 60, 120, 240, 480, 960, 1800, 1800, 1800]


def test_a_burst_of_orders_that_is_refused_is_one_refusal() -> None:
    """Ten orders of one tick meet the same empty shelf: that is no reason to wait half an hour."""
    once = after(OutcomeKind.CAPACITY_REFUSED)

    assert once == after(OutcomeKind.CAPACITY_REFUSED, memory=once, at=AT + 1)


def enrolment(event: Event, memory: Memory, *, at: float = AT, **node: Any) -> Memory:
    """Memory after a machine of the offer became a worker, or did not."""
    machine = a_node(**({"name": NODE.name, "enrolled_at": None} | node))
    told = Transition(
        node=machine.name,
        pool=machine.pool,
        at=at,
        event=event,
        before=NodeState.BOOTING,
        after=NodeState.READY,
        reason="a test says so",
    )
    return after_enrolments(memory, (told,), (machine,))


def test_only_a_worker_that_is_heard_wakes_an_offer() -> None:
    """The answer to a create proves a machine; what it is bought for is a worker."""
    refused = after(OutcomeKind.CAPACITY_REFUSED)

    assert after(OutcomeKind.DONE, memory=refused).offer_rests == refused.offer_rests
    assert enrolment(Event.WORKER_SEEN, refused).offer_rests == {}


def test_an_offer_whose_machines_do_not_enrol_rests_longer_each_time() -> None:
    """Else a broken image is bought for ever, as fast as its deadline allows."""
    memory = Memory()
    rests, at = [], AT
    for _ in range(3):
        memory = enrolment(Event.ENROL_EXPIRED, memory, at=at, ordered_at=at)
        (rest,) = memory.offer_rests.values()
        rests.append(rest.until_at - at)
        assert "do not enrol" in (why_resting(OFFER, POOL, memory, at) or "")
        at = rest.until_at

    assert rests == [30, 60, 120]
    assert enrolment(Event.WORKER_SEEN, memory).offer_rests == {}


def test_machines_ordered_before_a_rest_do_not_prolong_it() -> None:
    """Ten of one burst whose deadlines pass one after another are one failure."""
    once = enrolment(Event.ENROL_EXPIRED, Memory(), ordered_at=AT - 600)

    assert once == enrolment(Event.ENROL_EXPIRED, once, at=AT + 100, ordered_at=AT - 500)


def test_after_machines_that_did_not_enrol_one_is_tried_until_it_does() -> None:
    """Half open: the rest is over, and one machine on its way is enough to know more."""
    failed = enrolment(Event.ENROL_EXPIRED, Memory())
    on_its_way = a_node("n2", NodeState.BOOTING)

    assert probes_left(OFFER, POOL, failed, ()) == 1
    assert probes_left(OFFER, POOL, failed, (on_its_way,)) == 0
    assert probes_left(OFFER, PoolName("another"), failed, (on_its_way,)) is None
    assert probes_left(OFFER, POOL, enrolment(Event.WORKER_SEEN, failed), (on_its_way,)) is None


def test_stock_that_came_back_is_bought_as_wanted() -> None:
    """A refusal for want of stock says nothing about what the machine would be."""
    assert probes_left(OFFER, POOL, after(OutcomeKind.CAPACITY_REFUSED), ()) is None


@pytest.mark.parametrize(
    "failed",
    [after(OutcomeKind.REJECTED), enrolment(Event.ENROL_EXPIRED, Memory())],
    ids=["rejected", "silent"],
)
def test_a_restart_lets_one_machine_be_tried_of_what_somebody_may_have_mended(failed: Memory) -> None:
    """Whoever mended credentials or an application restarts; one on its way holds back the next, however often."""
    again = after_restart(failed, AT)

    assert why_resting(OFFER, POOL, failed, AT) is not None
    assert why_resting(OFFER, POOL, again, AT) is None
    assert probes_left(OFFER, POOL, again, ()) == 1
    assert probes_left(OFFER, POOL, after_restart(again, AT + 1), (a_node("n2", NodeState.BOOTING),)) == 0


def test_a_restart_brings_no_stock_back() -> None:
    """What was refused rests on."""
    refused = after(OutcomeKind.CAPACITY_REFUSED)

    assert after_restart(refused, AT) == refused


def test_another_image_or_bootstrap_wakes_what_never_enrolled() -> None:
    """The machines that failed were to become something else than those bought now."""
    failed = Memory(becoming={NODE.name: "old"})
    failed = enrolment(Event.ENROL_EXPIRED, failed)

    def today(becomes: str) -> Memory:
        return after_changes(failed, rules(a_pool(becomes={OFFER.name: becomes})), AT)

    assert today("old") == failed
    assert why_resting(OFFER, POOL, today("new"), AT) is None
    assert probes_left(OFFER, POOL, today("new"), ()) == 1


def test_machines_that_do_not_enrol_in_one_pool_do_not_stop_another() -> None:
    """An application that cannot be imported says nothing about the offer: a healthy pool goes on buying it."""
    memory = enrolment(Event.ENROL_EXPIRED, Memory())

    assert awake((OFFER,), POOL, memory, AT) == ()
    assert awake((OFFER,), PoolName("another"), memory, AT) == (OFFER,)


def test_a_worker_back_from_silence_says_nothing_about_its_offer() -> None:
    """It had enrolled before."""
    refused = after(OutcomeKind.CAPACITY_REFUSED)

    assert enrolment(Event.WORKER_SEEN, refused, enrolled_at=AT - 500) == refused


def test_an_offer_rejected_as_wrong_rests_for_a_day() -> None:
    """Repeating it unchanged is useless."""
    assert after(OutcomeKind.REJECTED).offer_rests[OFFER.name].until_at == AT + DAY_S


@pytest.mark.parametrize("call", [CallKind.CREATE, CallKind.DESTROY])
def test_a_throttled_account_rests_with_all_its_offers(call: CallKind) -> None:
    """Whatever was asked: the account is what slowed us down."""
    memory = after(OutcomeKind.THROTTLED, call=call, retry_after_s=20.0)

    assert awake((OFFER, SECOND_OFFER), POOL, memory, AT + 19) == ()
    assert why_resting(OFFER, POOL, memory, AT + 20) is None


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
