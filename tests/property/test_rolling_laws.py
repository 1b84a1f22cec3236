"""Laws of replacing machines that hold of every picture: one at a time, never too few, never while blind."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscaler.core import invariants, rolling
from autoscaler.core.facts import Missing, Snapshot
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import PoolName, PoolRules
from autoscaler.core.plan import plan
from autoscaler.core.reconcile import reconcile
from autoscaler.core.rolling import Given, Step
from policies.contract import Decision
from tests.property.core_strategies import Rulings, rulings, snapshots

much = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
LEFT_FIRST = "; no room for one more"


@st.composite
def ticks(draw: st.DrawFn) -> tuple[Snapshot, Rulings]:
    snapshot = draw(snapshots())
    return snapshot, draw(rulings(snapshot))


def steps(snapshot: Snapshot, ruled: Rulings) -> dict[PoolName, tuple[PoolRules, Given, Decision, Step]]:
    """The step of each pool about which something was decided."""
    found = {}
    reconciled = reconcile(snapshot, ruled.pools, ruled.fleet)
    for name, decision in ruled.decisions.items():
        pool = ruled.pools[name]
        given = Given(
            snapshot=snapshot,
            memory=reconciled.memory,
            fleet=ruled.fleet,
            nodes=tuple(n for n in reconciled.nodes if n.pool == name and n.state is not NodeState.GONE),
            all_nodes=reconciled.nodes,
        )
        found[name] = (pool, given, decision, rolling.step(pool, given, decision))
    return found


@much
@given(ticks())
def test_one_at_a_time_leaves_and_as_many_serve_as_are_wanted(tick: tuple[Snapshot, Rulings]) -> None:
    """By an operator's word one fewer, where there is no room; nobody is bought in the same step."""
    for pool, given_, decision, step in steps(*tick).values():
        serving = [n for n in given_.nodes if n.state is NodeState.READY]
        assert len(step.leaves) <= 1
        for node, reason in step.leaves:
            left = sum(pool.counts_as(n) for n in serving if n is not node)
            assert not step.surge
            assert node in serving
            assert left >= decision.wanted or (reason.endswith(LEFT_FIRST) and node.replace_due)
            assert all(n.state is not NodeState.DRAINING for n in given_.nodes)


@much
@given(ticks())
def test_no_more_than_one_machine_is_there_beyond_what_is_wanted(tick: tuple[Snapshot, Rulings]) -> None:
    """As many workers as the one that is replaced counts as."""
    for pool, given_, _, step in steps(*tick).values():
        weights = [pool.counts_as(n) for n in given_.nodes if n.state is NodeState.READY]
        assert step.surge in {0, *weights}


@much
@given(ticks())
def test_nobody_is_replaced_on_what_could_not_be_seen(tick: tuple[Snapshot, Rulings]) -> None:
    """Neither workers nor demand."""
    snapshot, ruled = tick
    for _, _, decision, step in steps(snapshot, ruled).values():
        if isinstance(snapshot.sightings, Missing) or decision.input.demand is None:
            assert ((), 0) == (step.leaves, step.surge)


@much
@given(ticks())
def test_a_paused_pool_replaces_nobody_and_no_plan_breaks_a_rule(tick: tuple[Snapshot, Rulings]) -> None:
    """Whatever is outdated there."""
    snapshot, ruled = tick
    reconciled = reconcile(snapshot, ruled.pools, ruled.fleet)
    made = plan(snapshot, reconciled, ruled.decisions, ruled.pools, ruled.fleet)
    invariants.check(snapshot, reconciled, made, ruled.pools, ruled.fleet)
    replaced = {
        told.pool
        for told in made.transitions
        if told.event is Event.REPLACE_CHOSEN and told.reason.startswith(rolling.REPLACED + " ")
    }
    assert all(not ruled.decisions[pool].input.paused for pool in replaced)
