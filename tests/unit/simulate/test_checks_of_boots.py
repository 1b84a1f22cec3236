"""Machines that were late in a row: each must have had twice the least time of the one before, by our own count."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core.facts import Memory
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import Node, Timeouts, Transition
from autoscaler.journal import TickRecord
from autoscaler.simulate.checks import Harm, Known
from autoscaler.simulate.checks_of_boots import Lates
from tests.unit.core.builders import POOL, a_node, a_pool, rules

LEARNS = rules(a_pool(timeouts=Timeouts(enrol_s=600.0, enrol_first_s=150.0, enrol_least_s=40.0)))


class Story:
    """Records of one offer, told in turn."""

    def __init__(self) -> None:
        self.known, self.lates = Known(), Lates()

    def ordered(self, name: str, at: float) -> None:
        node = a_node(name, NodeState.BOOTING, enrolled_at=None)
        self.known.recorded[name] = at
        self.known.nodes[node.name] = node
        self.tell(node, None, NodeState.BOOTING, at)

    def ends(self, name: str, at: float, event: Event = Event.ENROL_EXPIRED, **fields: Any) -> None:
        node = next(n for n in self.known.nodes.values() if n.name == name)
        after = NodeState.READY if event is Event.WORKER_SEEN else NodeState.DESTROYING
        self.tell(replace(node, state=after, **fields), event, after, at)

    def tell(self, node: Node, event: Event | None, after: NodeState, at: float) -> None:
        told = Transition(
            node=node.name, pool=POOL, at=at, event=event, before=None, after=after, reason="a test says so"
        )
        record = TickRecord(
            at=at,
            new_nodes=(),
            changed_nodes=(node,),
            transitions=(told,),
            decisions=(),
            answers=(),
            wishes=(),
            memory=Memory(),
            samples=(),
        )
        self.lates.learn(self.known, record, at, LEARNS)


@pytest.fixture
def story() -> Story:
    """One that was late after the least that there is."""
    told = Story()
    told.ordered("n1", 0.0)
    told.ends("n1", 40.0)
    return told


@pytest.mark.parametrize(("lasts_s", "harms"), [(79.0, True), (80.0, False)])
def test_the_next_one_must_have_had_twice_the_time(story: Story, lasts_s: float, harms: bool) -> None:
    """Else one that boots a little slower is ended for ever."""
    story.ordered("n2", 50.0)
    if harms:
        with pytest.raises(Harm, match=r"not 80 s, as number 2 in a row"):
            story.ends("n2", 50.0 + lasts_s)
    else:
        story.ends("n2", 50.0 + lasts_s)


def test_no_more_than_the_most_is_asked_for(story: Story) -> None:
    """What an operator wrote wins."""
    at = 50.0
    for number in range(2, 9):
        story.ordered(f"n{number}", at)
        at += min(600.0, 40.0 * 2 ** (number - 1))
        story.ends(f"n{number}", at)
    story.ordered("n9", at + 1.0)

    with pytest.raises(Harm, match=r"not 600 s"):
        story.ends("n9", at + 600.0)


def test_those_ordered_before_the_last_was_late_are_one_failure_with_it(story: Story) -> None:
    """They had the same time."""
    story.ordered("n2", 30.0)
    story.ends("n2", 70.0)


@pytest.mark.parametrize("ends", ["heard", "restored", "given up"])
def test_what_begins_a_row_anew_or_is_none_of_it(story: Story, ends: str) -> None:
    """A worker that was heard; a journal that knows less; and an end that was an operator's choice."""
    story.ordered("n2", 50.0)
    if ends == "heard":
        story.ends("n2", 60.0, Event.WORKER_SEEN)
    elif ends == "restored":
        story.lates.restored()
    else:
        story.ends("n2", 60.0, given_up=True)
        return
    story.ordered("n3", 70.0)
    story.ends("n3", 110.0)
