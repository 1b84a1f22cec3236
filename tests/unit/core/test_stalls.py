"""Zombies, heard and making no progress: who is cured, who is replaced, and who is never taken for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from autoscaler.core import invariants
from autoscaler.core.facts import Memory, Missing, Sighting, Snapshot
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import (
    ConsumerOrder,
    CreateNode,
    DrainNode,
    Node,
    Plan,
    PoolRules,
    Timeouts,
    UndrainNode,
)
from autoscaler.core.plan import plan
from autoscaler.core.reconcile import reconcile
from policies.contract import QueueDemand
from tests.unit.core.builders import (
    AT,
    CLOCKS,
    FLEET,
    POOL,
    a_demand,
    a_node,
    a_pool,
    a_sighting,
    a_snapshot,
    heard,
    rules,
    wanted,
)

S = NodeState
TICK_S = 10.0
STALL_S = 60.0
FLOOD = {POOL: a_demand(backlog=100)}
BLIND = Missing(why="not seen")


def idle(name: str, **fields: Any) -> Sighting:
    """It speaks, has two free slots, and its count stands at 5."""
    return a_sighting(name, **({"active": 0, "processed": 5, "processed_per_s": 0.0} | fields))


def busy(name: str, **fields: Any) -> Sighting:
    """It takes up a task every two seconds."""
    return a_sighting(name, **({"active": 2, "processed": 50, "processed_per_s": 0.5} | fields))


@dataclass
class Life:
    """A pool that is looked at every ten seconds; every tick is kept."""

    nodes: tuple[Node, ...]
    pool: PoolRules = field(default_factory=lambda: a_pool(timeouts=Timeouts(stall_s=STALL_S)))
    memory: Memory = field(default_factory=lambda: Memory(clocks=CLOCKS))
    ticks: list[Plan] = field(default_factory=list)

    def looks(self, count: int, *speaking: Sighting, **facts: Any) -> Life:
        """So many ticks on which the same is seen."""
        for _ in range(count):
            usual: dict[str, Any] = {"demand": FLOOD, "sightings": heard(*speaking)}
            seen: Snapshot = a_snapshot(*self.nodes, **({"memory": self.memory, "at": AT} | usual | facts))
            book = rules(self.pool)
            reconciled = reconcile(seen, book, FLEET)
            decisions = {POOL: wanted(len(self.nodes), pool=self.pool)}
            made = plan(seen, reconciled, decisions, book, FLEET)
            invariants.check(seen, reconciled, made, book, FLEET)
            self.memory = reconciled.memory
            self.nodes = tuple(n for n in made.nodes if n.state is not S.CREATING)
            self.ticks.append(made)
        return self

    def replaced(self) -> list[tuple[int, str]]:
        """Who was sent away for good, and on which tick, from 1."""
        return [
            (number, told.node)
            for number, made in enumerate(self.ticks, 1)
            for told in made.transitions
            if told.event is Event.REPLACE_CHOSEN
        ]

    def actions(self, kind: type) -> list[int]:
        """The ticks on which such an action was ordered."""
        return [n for n, made in enumerate(self.ticks, 1) for a in made.actions if isinstance(a, kind)]


def two() -> Life:
    return Life((a_node("zombie"), a_node("good")))


def test_a_worker_that_takes_nothing_up_while_messages_wait_is_cured_then_replaced() -> None:
    """celery#3201: it is heard, its slots are free, and it consumes nothing. Telling it to consume costs nothing and is
    tried first; then it is drained for good, and since it serves no more another is bought on the same tick."""
    life = two().looks(7, idle("zombie"), busy("good"))

    last = life.ticks[-1]
    assert [(7, "zombie")] == life.replaced()
    assert 4 == life.actions(UndrainNode)[0]
    assert ([7], [7]) == (life.actions(DrainNode), life.actions(CreateNode))
    assert "took up no task for 60 s while messages waited" in last.transitions[0].reason
    assert "1 of 2 workers took up no task" in last.remarks[0][1]


def test_one_tick_less_replaces_nobody() -> None:
    """The whole of `timeouts.stall` must pass, counted from the first look."""
    assert two().looks(6, idle("zombie"), busy("good")).replaced() == []


@pytest.mark.parametrize(
    ("zombie", "facts"),
    [
        (idle("zombie", active=2), {}),
        (idle("zombie", active=None), {}),
        (idle("zombie", processed=None), {}),
        (idle("zombie"), {"demand": {POOL: a_demand(backlog=0, in_progress=9)}}),
        (idle("zombie"), {"demand": {POOL: BLIND}}),
        (idle("zombie"), {"sightings": BLIND}),
        (
            idle("zombie"),
            {
                "demand": {
                    POOL: a_demand(
                        backlog=9,
                        queues=(
                            QueueDemand(name="images", backlog=0, in_progress=0, consumers=1),
                            QueueDemand(name="new", backlog=9, in_progress=0, consumers=0),
                        ),
                    )
                }
            },
        ),
    ],
    ids=[
        "its slots are busy with long tasks",
        "it does not say what it runs",
        "it does not say what it took up",
        "nothing waits",
        "demand is not seen",
        "workers are not heard",
        "what waits is in a queue it does not consume",
    ],
)  # fmt: skip
def test_who_is_never_taken_for_a_zombie(zombie: Sighting, facts: Mapping[str, Any]) -> None:
    """However long it lasts."""
    life = two().looks(60, zombie, busy("good"), **facts)

    assert ([], []) == (life.replaced(), life.actions(UndrainNode))


@pytest.mark.parametrize(
    ("seen", "facts"),
    [
        ((idle("zombie", processed=6), busy("good")), {}),
        ((idle("zombie", pid=8), busy("good")), {}),
        ((idle("zombie", active=2), busy("good")), {}),
        ((idle("zombie"), busy("good")), {"demand": {POOL: a_demand(backlog=0)}}),
    ],
    ids=["it took one up", "it restarted", "its slots were busy", "nothing waited"],
)
def test_one_look_at_progress_begins_the_time_anew(seen: tuple[Sighting, ...], facts: Any) -> None:
    """Messages must wait, and the count stand still, at every look."""
    life = two().looks(6, idle("zombie"), busy("good")).looks(1, *seen, **facts)

    assert life.looks(5, *seen[:1], busy("good")).replaced() == []


@pytest.mark.parametrize("blind", [{"demand": {POOL: BLIND}}, {"sightings": BLIND}])
def test_blind_time_stands_still_and_forgives_nothing(blind: Mapping[str, Any]) -> None:
    """Neither counted nor taken for progress."""
    life = two().looks(5, idle("zombie"), busy("good")).looks(30, idle("zombie"), busy("good"), **blind)
    assert life.replaced() == []

    assert [(37, "zombie")] == life.looks(3, idle("zombie"), busy("good")).replaced()


def test_where_nobody_makes_progress_one_is_replaced_on_trial_and_the_sentence_says_so() -> None:
    """A broker, poison tasks or what stands behind them: new machines would stand as still. But all may have lost their
    consumers at once, and then a new one is the cure."""
    life = two().looks(30, idle("zombie"), idle("good"))

    assert [(13, "good")] == life.replaced()
    assert "nobody makes progress, so only one that worked before is replaced" in life.ticks[-1].remarks[0][1]


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ((a_node("old"), a_node("new")), (idle("old"), idle("new", processed=0))),
        ((a_node("old"), a_node("next", state=S.BOOTING, entered_on=5_000.0)), (idle("old"),)),
        (
            (a_node("old"), a_node("gone", state=S.DRAINING, consumer_order=ConsumerOrder.LEAVE)),
            (idle("old"), idle("gone")),
        ),
    ],
    ids=["a new one fares no better", "one is on its way", "one is leaving"],
)
def test_nobody_else_is_tried_while_one_is_or_after_it_fared_no_better(
    nodes: tuple[Node, ...], words: tuple[Sighting, ...]
) -> None:
    """Else a pool whose queue is named wrongly would be bought anew for ever."""
    assert [] == Life(nodes).looks(40, *words).replaced()


def test_a_pool_of_one_whose_worker_lost_its_consumer_gets_another() -> None:
    """It has nobody to be compared with; it was told to consume again, and that did not help."""
    assert [(13, "only")] == Life((a_node("only"),)).looks(30, idle("only")).replaced()


def test_zombies_leave_one_after_another() -> None:
    """A mistake about all of them must not empty the pool; a tenth of a large one may go at a time."""
    names = [f"z{i}" for i in range(5)]
    life = Life(tuple(a_node(name) for name in [*names, "good"]))

    life.looks(20, *(idle(name) for name in names), busy("good"))

    assert [(7, "z0")] == life.replaced()


def test_a_zombie_on_its_way_out_is_not_taken_back_by_load() -> None:
    """Else it would be back on the next tick, because the number falls short."""
    life = two().looks(20, idle("zombie"), busy("good"))

    zombie = next(n for n in life.nodes if n.name == "zombie")
    assert (S.DRAINING, ConsumerOrder.LEAVE) == (zombie.state, zombie.consumer_order)


def test_a_zombie_that_never_leaves_makes_room_for_the_next_after_the_time_of_a_drain() -> None:
    """Its drain is waited for, or ended, as the operator chose; the other zombies must not wait for it."""
    pool = a_pool(timeouts=Timeouts(stall_s=STALL_S, drain_s=100.0))
    life = Life((a_node("z0"), a_node("z1"), a_node("good")), pool)

    life.looks(17, idle("z0"), idle("z1"), busy("good"))

    assert [(7, "z0"), (17, "z1")] == life.replaced()
    assert "z0 drains longer than 100 s" in " ".join(says for _, says in life.ticks[-1].remarks)


def test_a_cure_that_works_leaves_no_trace() -> None:
    """The worker consumes again: it took up tasks."""
    life = two().looks(5, idle("zombie"), busy("good")).looks(20, busy("zombie", processed=6), busy("good"))

    assert life.replaced() == []
    assert life.memory.stalls == {}


def test_a_task_may_run_as_long_as_it_likes_unless_the_operator_says_otherwise() -> None:
    """Only `timeouts.task` makes a busy worker one that is replaced, whatever the others do."""
    hanging = idle("zombie", active=2)
    free = two().looks(100, hanging, idle("good", active=2))
    bound = Life(two().nodes, a_pool(timeouts=Timeouts(stall_s=STALL_S, task_s=90.0)))

    for number in range(12):
        bound.looks(1, hanging, busy("good", processed=number))

    assert (free.replaced(), bound.replaced()) == ([], [(10, "zombie")])
    assert "its tasks run longer than 90 s" in bound.ticks[9].transitions[0].reason


def test_zero_switches_the_watch_off() -> None:
    """For tasks with a rate limit of one in many minutes."""
    life = Life(two().nodes, a_pool(timeouts=Timeouts(stall_s=0.0)))

    assert life.looks(60, idle("zombie"), busy("good")).replaced() == []
    assert life.memory.stalls == {}
