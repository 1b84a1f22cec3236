"""Laws of what holds purchases back: nothing rests for ever, nothing is asked too often, and ends get through."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core import accounts, call_budget, offers, remembering
from autoscaler.core.facts import (
    Bucket,
    CallKind,
    Memory,
    Outcome,
    OutcomeKind,
    Sightings,
    Snapshot,
    Unconnected,
)
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import CreateNode, DestroyNode, FleetRules, Node, Timeouts
from autoscaler.core.plan import plan
from autoscaler.core.reconcile import reconcile
from policies.contract import Limits
from providers.contract import Instance, InstanceId, InstanceState, Listing
from tests.unit.core.builders import (
    AT,
    CLOCKS,
    CLOUD,
    FLEET,
    OFFER,
    POOL,
    a_node,
    a_pool,
    a_snapshot,
    idle,
    rules,
    wanted,
)

DAY_S = 86_400.0
outcomes = st.lists(st.tuples(st.sampled_from(CallKind), st.sampled_from(OutcomeKind)), max_size=3)
steps = st.sampled_from([-1e9, -3_600.0, 0.0, 10.0, 10.0, 700.0, 1e6])


@given(st.lists(st.tuples(outcomes, steps), max_size=12))
def test_whatever_was_answered_everything_may_be_asked_a_day_later(ticks: list[object]) -> None:
    """No answers and no steps of the wall clock make a rest that does not end."""
    memory, at, node = Memory(), AT, a_node(state=NodeState.CREATING)
    for answered, step_s in ticks:  # type: ignore[misc]
        at += step_s
        told = tuple(
            Outcome(
                node=node.name,
                call=c,
                kind=k,
                at=at,
                retry_after_s=1e12 if k is OutcomeKind.THROTTLED else None,
            )
            for c, k in answered
        )
        seen = a_snapshot(node, at=at, outcomes=told, memory=memory)
        memory = accounts.remember(seen, offers.remember(seen))
    quiet = a_snapshot(node, at=at, memory=memory)
    memory = accounts.remember(quiet, offers.remember(quiet))

    assert offers.why_resting(OFFER, POOL, memory, at + DAY_S + 1) is None


@given(
    st.lists(st.tuples(st.floats(0, 100), st.integers(0, 40), st.floats(-1e6, 1e6)), max_size=20),
    st.floats(0, 200),
    st.floats(-10, 1_000),
)
def test_a_bucket_is_never_overdrawn_and_never_overflows(
    ticks: list[tuple[float, int, float]], per_minute: float, held: float
) -> None:
    """Whatever the clocks do and however much is wanted; and a minute of quiet always gives a call."""
    fleet = replace(FLEET, calls_per_minute={CLOUD: per_minute})
    memory = Memory(buckets={CLOUD: Bucket(calls=held, at=AT)})
    for elapsed_s, asked, step_s in ticks:
        snapshot = a_snapshot(elapsed_s=elapsed_s, at=AT + step_s)
        budget = call_budget.budget(snapshot, memory, fleet)
        end = DestroyNode(
            node=a_node().name, machine=a_node().machine, provider=CLOUD, instance_id=None, timeout_s=1
        )
        taken = [end for _ in range(asked) if budget.take(CLOUD)]
        memory = replace(memory, buckets=call_budget.remember(snapshot, memory, taken, fleet))
        assert len(taken) <= call_budget.per_minute(fleet, CLOUD)
        assert all(0 <= b.calls <= call_budget.per_minute(fleet, CLOUD) for b in memory.buckets.values())

    assert call_budget.budget(a_snapshot(elapsed_s=60.0), memory, fleet).take(CLOUD)


@dataclass(slots=True)
class _Cloud:
    """A provider whose machines boot and never become workers, and which ends what it is told to end."""

    fleet: FleetRules
    machines: dict[str, float] = field(default_factory=dict)
    nodes: tuple[Node, ...] = ()
    memory: Memory = field(default_factory=lambda: Memory(clocks=CLOCKS))
    bought_at: list[float] = field(default_factory=list)

    def tick(self, at: float, elapsed_s: float, becomes: str) -> None:
        pool = a_pool(
            offers=(OFFER,),
            becomes={OFFER.name: becomes},
            limits=Limits(max_workers=5),
            timeouts=Timeouts(enrol_s=120.0),
        )
        snapshot = self._seen(at, elapsed_s)
        reconciled = reconcile(snapshot, rules(pool), self.fleet)
        made = plan(snapshot, reconciled, {POOL: wanted(5, pool=pool)}, rules(pool), self.fleet)
        self.memory = remembering.after(snapshot, reconciled, made, rules(pool), self.fleet)
        self.nodes = tuple(n for n in made.nodes if n.state is not NodeState.GONE)
        for action in made.actions:
            if isinstance(action, CreateNode):
                self.machines[action.node] = at
                self.bought_at.append(at)
            elif isinstance(action, DestroyNode):
                self.machines.pop(action.machine, None)

    def _seen(self, at: float, elapsed_s: float) -> Snapshot:
        machines = tuple(
            Instance(
                name=n, instance_id=InstanceId(n), state=InstanceState.RUNNING, pool=POOL, created_at=born
            )
            for n, born in self.machines.items()
        )
        return a_snapshot(
            *self.nodes,
            at=at,
            elapsed_s=elapsed_s,
            listings={CLOUD: Listing(instances=machines, complete=True)},
            sightings=Sightings(listening_s=1_000.0, workers={}),
            idleness={n.name: idle(at, unacknowledged=Unconnected(why="no such queue")) for n in self.nodes},
            memory=self.memory,
            name_seed=f"{at:.0f}n",
        )


@given(st.integers(10, 40), st.booleans())
def test_what_never_enrols_is_bought_ever_more_seldom(tick_s: int, served_before: bool) -> None:
    """One burst at first, one machine where another kind had served; then one at a time, and all of them end.

    Rests of 30 s, 1 min, … 16 min, 30 min and 2 min each to enrol leave room for eight in two hours.
    """
    cloud = _Cloud(fleet=FLEET)
    if served_before:
        cloud.memory = replace(cloud.memory, proven={POOL: ("old",)})
    for passed_s in range(0, 7_200, tick_s):
        cloud.tick(AT + passed_s, float(tick_s), "new")
    at_first = [at for at in cloud.bought_at if at < AT + 120]
    later = [at for at in cloud.bought_at if at >= AT + 120]

    assert len(at_first) == (1 if served_before else 5)
    assert 3 <= len(later) <= 8
    assert len(cloud.machines) <= 1
