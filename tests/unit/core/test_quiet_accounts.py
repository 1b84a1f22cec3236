"""An account that asks to be left in peace is: by orders, ends and looks alike, for as long as it said."""

from __future__ import annotations

import math

import pytest

from autoscaler.core.facts import CallKind, Memory, Outcome, OutcomeKind, Rest, SlowDown
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.offers import remember, why_quiet, why_resting
from autoscaler.journal import codec
from tests.unit.core.builders import AT, CLOUD, OFFER, POOL, a_node, a_snapshot


def listed(retry_after_s: float | None, memory: Memory | None = None) -> Memory:
    """Memory after a listing was answered with 429."""
    told = SlowDown(why="list cloud: answered 429", retry_after_s=retry_after_s)
    return remember(a_snapshot(listings={CLOUD: told}, memory=memory or Memory()))


def answered(retry_after_s: float | None, call: CallKind = CallKind.CREATE) -> Memory:
    """Memory after an order, or an end, was."""
    node = a_node(state=NodeState.CREATING)
    kind = OutcomeKind.THROTTLED
    outcome = Outcome(node=node.name, call=call, kind=kind, at=AT, says="429", retry_after_s=retry_after_s)
    return remember(a_snapshot(node, outcomes=(outcome,), memory=Memory()))


@pytest.mark.parametrize("memory", [listed(20.0), answered(20.0), answered(20.0, CallKind.DESTROY)])
def test_whatever_was_refused_nothing_is_asked_before_the_time_it_named(memory: Memory) -> None:
    """One answer is for the whole account, its listings too, and says when it may be asked again."""
    assert ("asked again in 1 s", []) == (
        why_quiet(memory, AT + 19)[CLOUD].partition("it is ")[2],
        list(why_quiet(memory, AT + 20)),
    )
    assert "cloud asked us to slow down" in (why_resting(OFFER, POOL, memory, AT + 19) or "")
    assert why_resting(OFFER, POOL, memory, AT + 20) is None


def test_an_order_refused_without_a_time_leaves_looks_alone() -> None:
    """It may mean orders alone, and while blind nothing else is bought there either."""
    memory = answered(None)

    assert ({}, True) == (why_quiet(memory, AT), why_resting(OFFER, POOL, memory, AT + 59) is not None)


def test_a_look_refused_without_a_time_is_tried_again_soon() -> None:
    """Orders wait a minute; who is blind waits ten seconds."""
    memory = listed(None)

    assert [CLOUD] == list(why_quiet(memory, AT + 9))
    assert {} == why_quiet(memory, AT + 10)
    assert why_resting(OFFER, POOL, memory, AT + 59) is not None


@pytest.mark.parametrize("told_s", [1e12, math.inf, math.nan, -5.0])
def test_a_hostile_time_is_bounded_and_can_be_written_down(told_s: float) -> None:
    """It comes from outside: an hour is the longest, and no journal keeps what is no number."""
    memory = listed(told_s)

    assert {} == why_quiet(memory, AT + 3600)
    assert memory == codec.read_memory(codec.memory_document(memory))


def test_a_wall_clock_that_is_set_back_blinds_nobody() -> None:
    """The time that it named is not a year away because the clock was."""
    assert {} == why_quiet(listed(20.0), AT - 365 * 86_400)


@pytest.mark.parametrize("told_s", [None, 20.0])
def test_a_later_answer_shortens_no_silence(told_s: float | None) -> None:
    """An order that was refused mutely says nothing of the time that a listing was told, and ends wait for it, too."""
    first = listed(100.0)

    told = SlowDown(why="429", retry_after_s=told_s)
    second = remember(a_snapshot(listings={CLOUD: told}, at=AT + 5, memory=first))

    assert [CLOUD] == list(why_quiet(second, AT + 99))
    assert why_resting(OFFER, POOL, second, AT + 99) is not None
    assert why_resting(OFFER, POOL, second, AT + 100) is None


@pytest.mark.parametrize("set_by_s", [-900.0, 900.0])
def test_an_answer_from_before_the_clock_was_set_counts_from_now_on(set_by_s: float) -> None:
    """It waited for this tick, and the instant that it bears is one of a clock that shows another time now."""
    node = a_node(state=NodeState.CREATING)
    outcome = Outcome(
        node=node.name,
        call=CallKind.CREATE,
        kind=OutcomeKind.THROTTLED,
        at=AT - 2 - set_by_s,
        says="429",
        retry_after_s=20.0,
    )
    rest = remember(a_snapshot(node, outcomes=(outcome,))).account_rests[CLOUD]

    assert (AT + 20, AT + 20) == (rest.until_at, rest.quiet_until_at)


def test_a_rest_of_an_older_release_silences_nobody() -> None:
    """Its row knows no such time."""
    document = codec.memory_document(Memory()).replace(
        '"account_rests":{}', f'"account_rests":{{"cloud":{{"until_at":{AT + 50},"refusals":1,"why":"429"}}}}'
    )
    memory = codec.read_memory(document)

    assert Rest(until_at=AT + 50, refusals=1, why="429") == memory.account_rests[CLOUD]
    assert {} == why_quiet(memory, AT)
