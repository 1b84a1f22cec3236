"""Tasks that a machine's worker is done with: counted over its restarts, noted seldom, never below what was."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core import reconcile
from autoscaler.core.facts import Missing, Snapshot
from autoscaler.core.lifecycle import NodeState as S
from autoscaler.core.model import Node
from tests.unit.core.builders import AT, FLEET, a_node, a_pool, a_sighting, a_snapshot, heard, rules

TICK_S = 10.0


def after(node: Node, *words: dict[str, Any], tick_s: float = TICK_S) -> Node:
    """The record after so many ticks, with one word of its worker each."""
    for number, word in enumerate(words):
        seen = heard(a_sighting(**word))
        snapshot = a_snapshot(node, sightings=seen)
        node = taken_in(replace(snapshot, at=AT + tick_s * (number + 1), elapsed_s=tick_s))
    return node


def taken_in(snapshot: Snapshot) -> Node:
    """The one record after the facts."""
    (node,) = reconcile.reconcile(snapshot, rules(a_pool()), FLEET).nodes
    return node


def test_what_runs_is_not_done_yet() -> None:
    """Celery counts tasks as they are taken up."""
    assert 8 == after(a_node(), {"processed": 10, "active": 2}).tasks_done


def test_of_whom_nothing_was_told_nothing_is_known() -> None:
    """Not none: it may have done any number."""
    silent = taken_in(a_snapshot(a_node(), sightings=Missing(why="deaf")))

    assert (None, None) == (silent.tasks_done, after(a_node(), {"processed": None}).tasks_done)
    assert 0 == after(a_node(), {"processed": 0}).tasks_done


@pytest.mark.parametrize(
    "anew", [{"processed": 3}, {"processed": 3, "pid": 8}, {"processed": 33, "pid": 8}], ids=str
)
def test_a_worker_that_begins_anew_goes_on_where_it_was(anew: dict[str, Any]) -> None:
    """Told by its count that fell, or by its process."""
    node = after(a_node(worker_pid=7), {"processed": 30}, anew, anew, anew)

    assert 30 + anew["processed"] == node.tasks_done


def test_a_worker_that_serves_is_noted_once_a_minute() -> None:
    """Else each tick would write every record."""
    counts = [{"processed": number} for number in range(1, 26)]

    noted = [after(a_node(worker_pid=7), *counts[: number + 1]).tasks_done or 0 for number in range(25)]
    anew = [number for number, (before, now) in enumerate(pairwise(noted)) if before != now]

    assert [6] * (len(anew) - 1) == [later - earlier for earlier, later in pairwise(anew)]
    assert 1 == noted[0]
    assert 19 <= noted[-1]


@pytest.mark.parametrize(("many", "ticks"), [(300, 6), (4_000, 12)])
def test_a_fleet_is_noted_by_and_by(many: int, ticks: int) -> None:
    """Not all of it on one tick; and of one so large that a tick would be long with it, each machine less often."""
    nodes = tuple(
        a_node(f"n{number}", worker_pid=7, tasks_now=0, tasks_noted_at=AT) for number in range(many)
    )
    seen = heard(*(a_sighting(node.name, processed=5) for node in nodes))
    noted = []
    for tick in range(1, ticks + 1):
        snapshot = replace(a_snapshot(*nodes, sightings=seen), at=AT + TICK_S * tick, elapsed_s=TICK_S)
        after_it = reconcile.reconcile(snapshot, rules(a_pool()), FLEET).nodes
        noted.append(
            sum(now.tasks_now == 5 != was.tasks_now for was, now in zip(nodes, after_it, strict=True))
        )
        nodes = after_it

    assert many == sum(noted)
    assert max(noted) < 1.5 * many / ticks


@pytest.mark.parametrize(
    ("state", "word"), [(S.DRAINING, {}), (S.READY, {"online": False})], ids=["drains", "goodbye"]
)
def test_the_last_word_of_one_that_leaves_is_noted_at_once(state: S, word: dict[str, Any]) -> None:
    """There may be no other."""
    node = after(a_node(state=state, worker_pid=7), {"processed": 1}, {"processed": 5} | word)

    assert 5 == node.tasks_done


LIVES = st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=5).map(sorted), min_size=1, max_size=4)


@given(lives=LIVES)
def test_all_that_was_heard_of_each_process_is_counted_once(lives: list[list[int]]) -> None:
    """Each process counts up from nothing; with a minute between two words every word is noted."""
    words = [{"processed": done, "pid": 100 + life} for life, counts in enumerate(lives) for done in counts]

    node = after(a_node(worker_pid=100), *words, tick_s=60.0)

    assert sum(counts[-1] for counts in lives) == node.tasks_done
