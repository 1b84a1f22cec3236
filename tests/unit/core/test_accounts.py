"""The breaker of an account: opened by calls without a clear answer, closed by one that has one."""

from __future__ import annotations

import pytest

from autoscaler.core.accounts import CALLS_TO_OPEN, LONGEST_REST_S, probes_left, remember, why_resting
from autoscaler.core.facts import CallKind, Memory, Missing, Outcome, OutcomeKind, Trouble
from autoscaler.core.lifecycle import NodeState
from tests.unit.core.builders import AT, CLOUD, a_listing, a_node, a_snapshot

NODE = a_node(state=NodeState.CREATING)


def called(memory: Memory, *kinds: OutcomeKind, call: CallKind = CallKind.CREATE, at: float = AT) -> Memory:
    """Memory after one tick on which calls to the account ended so."""
    told = tuple(Outcome(node=NODE.name, call=call, kind=kind, at=at, says="no route") for kind in kinds)
    return remember(a_snapshot(NODE, outcomes=told, at=at), memory)


def unanswered(ticks: int, *, at: float = AT) -> Memory:
    memory = Memory()
    for _ in range(ticks):
        memory = called(memory, OutcomeKind.UNKNOWN, at=at)
    return memory


def test_unanswered_calls_on_ticks_in_a_row_open_the_breaker() -> None:
    """One may be a dropped connection; several are a provider in trouble."""
    assert why_resting(CLOUD, unanswered(CALLS_TO_OPEN - 1), AT) is None
    assert "no route" in (why_resting(CLOUD, unanswered(CALLS_TO_OPEN), AT) or "")


def test_a_burst_that_meets_one_failure_counts_once() -> None:
    """Ten orders of one tick that time out together are one event."""
    assert called(Memory(), *[OutcomeKind.UNKNOWN] * 10).troubles[CLOUD].calls == 1


@pytest.mark.parametrize("call", [CallKind.CREATE, CallKind.DESTROY])
@pytest.mark.parametrize("kind", [OutcomeKind.DONE, OutcomeKind.ABSENT, OutcomeKind.THROTTLED])
def test_any_clear_answer_closes_the_breaker(call: CallKind, kind: OutcomeKind) -> None:
    """Ends go on while it is open, so they may be the first to get through."""
    assert called(unanswered(CALLS_TO_OPEN), kind, call=call).troubles == {}


def test_a_refused_right_to_end_machines_is_trouble_of_the_account() -> None:
    """No offer can be blamed for it; a rejected order, however, is a matter of its offer."""
    assert called(Memory(), OutcomeKind.REJECTED, call=CallKind.DESTROY).troubles[CLOUD].calls == 1
    assert called(Memory(), OutcomeKind.REJECTED).troubles == {}


def test_what_workers_answer_is_not_the_accounts_matter() -> None:
    """A deaf worker says nothing about the cloud it stands in."""
    assert called(Memory(), OutcomeKind.UNKNOWN, call=CallKind.DRAIN).troubles == {}


@pytest.mark.parametrize("ticks", [0, 2, CALLS_TO_OPEN])
def test_what_we_held_back_ourselves_says_nothing_about_the_account(ticks: int) -> None:
    """It was not asked: that neither opens its breaker nor closes it."""
    memory = unanswered(ticks)

    assert memory == called(memory, OutcomeKind.NOT_SENT)


def test_after_the_rest_one_order_is_tried() -> None:
    """While it is not answered there is no second one."""
    memory = unanswered(CALLS_TO_OPEN)

    assert why_resting(CLOUD, memory, AT + 60) is None
    assert probes_left(CLOUD, memory, ()) == 1
    assert probes_left(CLOUD, memory, (NODE,)) == 0
    assert probes_left(CLOUD, Memory(), (NODE,)) is None


def test_each_failed_trial_doubles_the_rest_up_to_half_an_hour() -> None:
    """And no failure during the rest prolongs it."""
    memory, rests, at = unanswered(CALLS_TO_OPEN - 1), [], AT
    for _ in range(7):
        memory = called(memory, OutcomeKind.UNKNOWN, at=at)
        rest = memory.troubles[CLOUD].rest
        assert rest is not None
        assert called(memory, OutcomeKind.UNKNOWN, at=at + 1).troubles[CLOUD].rest == rest
        rests.append(rest.until_at - at)
        at = rest.until_at

    assert rests == [60, 120, 240, 480, 960, 1800, 1800]


def test_a_clock_set_back_prolongs_no_rest_without_bound() -> None:
    """An open breaker always ends."""
    later = unanswered(CALLS_TO_OPEN, at=AT + 1e6)

    assert why_resting(CLOUD, called(later), AT + LONGEST_REST_S) is None


def test_listings_that_fail_are_counted_until_one_succeeds() -> None:
    """Since when, and why, for whoever looks at `status`."""
    blind = {CLOUD: Missing(why="503")}
    once = remember(a_snapshot(listings=blind), Memory())
    twice = remember(a_snapshot(listings=blind, at=AT + 10), once)

    assert twice.troubles == {CLOUD: Trouble(listings=2, unlisted_since_at=AT, why_unlisted="503")}
    assert remember(a_snapshot(listings={CLOUD: a_listing()}), twice).troubles == {}
