"""A machine is given what it wants only while it is ours, in a state in which it may have it, and we may give it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from autoscaler import wishes
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node
from autoscaler.core.reports import Report, Wants
from autoscaler.journal import JournalUnavailable
from providers.contract import NodeName
from testbed import waiting
from tests.unit.core.builders import a_node
from tests.unit.gateways.looking import HandClock


class Memo:
    """A log that keeps what is said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, object]]] = []

    def say(self, event: str, /, **fields: object) -> None:
        self.said.append((event, fields))


def a_report(node: str, wants: Wants | None = Wants.GRANT) -> Report:
    """Of a machine that wants that."""
    return Report(node=NodeName(node), heard_at=0.0, uptime_s=1.0, wants=wants)


@contextmanager
def a_door(
    *nodes: Node,
    live: Callable[[], tuple[Node, ...]] | None = None,
    clock: HandClock | None = None,
    **changes: Any,
) -> Iterator[tuple[wishes.Door, list[tuple[str, NodeName]], Memo]]:
    """A door, what was given to whom, and what was said."""
    given: list[tuple[str, NodeName]] = []
    memo = Memo()
    answers = {
        want: (lambda node, want=want: given.append((want.value, node.name)))  # type: ignore[misc]
        for want in Wants
    }
    door = wishes.Door(
        **{
            "live_nodes": live or (lambda: nodes),
            "answers": answers,
            "may_act": lambda: True,
            "clock": clock or HandClock(),
            "log": memo,
        }
        | changes
    )
    door.start()
    try:
        yield door, given, memo
    finally:
        door.stop(5)


def served(door: wishes.Door) -> None:
    """Wait until nobody waits at it."""
    waiting.wait_until(lambda: not door._waiting, 10, "the wishes to be dealt with", pause_s=0.01)


@pytest.mark.parametrize("state", list(NodeState))
def test_a_grant_is_for_machines_on_their_way(state: NodeState) -> None:
    """Once its worker was heard a machine's token gets nobody anything, whoever read it by then."""
    with a_door(a_node("n-1", state=state)) as (door, given, _memo):
        door.knock(a_report("n-1"))
        served(door)

    assert ([("grant", "n-1")] if state in {NodeState.CREATING, NodeState.BOOTING} else []) == given


def test_nobody_unknown_is_given_anything() -> None:
    """Nor an orphan whose record bears another name than the one in its token, nor who wants nothing."""
    orphan = a_node("n-2", state=NodeState.BOOTING, machine=NodeName("n-1"))
    with a_door(orphan, a_node("n-3", state=NodeState.BOOTING)) as (door, given, _memo):
        for report in (a_report("n-1"), a_report("n-2"), a_report("n-4"), a_report("n-3", None)):
            door.knock(report)
        served(door)

    assert [] == given


def test_who_may_not_act_gives_nothing() -> None:
    """Another daemon leads."""
    with a_door(a_node("n-1", state=NodeState.BOOTING), may_act=lambda: False) as (door, given, _memo):
        door.knock(a_report("n-1"))
        served(door)

    assert [] == given


def test_a_wish_is_answered_once_and_again_after_a_while() -> None:
    """Repetitions that were under way are not answered; who still asks later did not get it."""
    clock = HandClock()
    with a_door(a_node("n-1", state=NodeState.BOOTING), clock=clock) as (door, given, _memo):
        for _ in range(3):
            door.knock(a_report("n-1"))
            served(door)
        assert 1 == len(given)

        clock.at += 6.0
        door.knock(a_report("n-1"))
        served(door)
        assert 2 == len(given)


def test_a_failing_answer_is_told_and_the_next_is_given() -> None:
    """One machine's trouble is not another's; a journal that cannot be read gives nobody anything."""
    nodes = (a_node("n-1", state=NodeState.BOOTING), a_node("n-2", state=NodeState.BOOTING))
    given: list[NodeName] = []

    def grant(node: Node) -> None:
        if node.name == "n-1":
            raise RuntimeError("the broker is away")
        given.append(node.name)

    with a_door(*nodes, answers={Wants.GRANT: grant}) as (door, _given, memo):
        door.knock(a_report("n-1"))
        door.knock(a_report("n-2"))
        door.knock(a_report("n-2", Wants.FENCED))
        served(door)

    assert [NodeName("n-2")] == given
    assert [("wish.failed", "RuntimeError: the broker is away")] == [(e, f["error"]) for e, f in memo.said]

    def unreadable() -> tuple[Node, ...]:
        raise JournalUnavailable("the disk is full")

    with a_door(live=unreadable) as (door, nothing, memo):
        door.knock(a_report("n-1"))
        served(door)

    assert [] == nothing
    assert [("wish.failed", "the disk is full")] == [(e, f["error"]) for e, f in memo.said]
