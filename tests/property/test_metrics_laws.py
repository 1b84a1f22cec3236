"""Laws of metrics that hold of every fleet: no machine's name, no label without end, text that Prometheus reads."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.core.facts import Memory, Misplaced, Snapshot
from autoscaler.core.model import PoolDecision
from autoscaler.core.plan import plan
from autoscaler.core.reconcile import reconcile
from autoscaler.core.waits import Wait, WaitKind
from autoscaler.journal.contract import TickRecord
from autoscaler.meters import Tally
from autoscaler.web import metrics
from autoscaler.web.gauges import GAUGES
from providers.contract import InstanceId
from tests.property.core_strategies import ACCOUNTS, AT, NAMES, NORTH, POOLS, Rulings, rulings, snapshots
from tests.unit.stand_ins import FixedClock
from tests.unit.web.fleets import journal, look

MOST_OF_A_POOL = 200
"""Series of one pool: its states, rules, proposals, and the boots of its offers."""


@st.composite
def ticks(draw: st.DrawFn) -> tuple[Snapshot, Rulings]:
    snapshot = draw(snapshots())
    return snapshot, draw(rulings(snapshot))


def record(snapshot: Snapshot, ruled: Rulings, kinds: list[WaitKind]) -> TickRecord:
    """What such a tick leaves in a journal, with machines that wait and stand where they may not."""
    reconciled = reconcile(snapshot, ruled.pools, ruled.fleet)
    made = plan(snapshot, reconciled, ruled.decisions, ruled.pools, ruled.fleet)
    memory: Memory = replace(
        reconciled.memory,
        waits=tuple(Wait(kind=kind, subject=NAMES[0], why="drawn so", since_at=AT) for kind in kinds),
        misplaced=(
            Misplaced(
                provider=NORTH,
                machine=NAMES[1],
                instance_id=InstanceId("i-1"),
                location="elsewhere",
                pool=POOLS[0],
                country=None,
                allowed=("NO",),
                since_at=AT,
            ),
        ),
    )
    return TickRecord(
        at=AT,
        new_nodes=tuple(node for node in made.nodes if node.state != "gone"),
        decisions=tuple(
            PoolDecision(pool=pool, at=AT, decision=decision, sentence=f"{pool}")
            for pool, decision in ruled.decisions.items()
        ),
        memory=memory,
    )


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(ticks(), st.lists(st.sampled_from(WaitKind), max_size=3))
def test_no_fleet_puts_a_machines_name_or_an_unknown_word_into_a_label(
    tick: tuple[Snapshot, Rulings], kinds: list[WaitKind]
) -> None:
    """Series that come with each machine would stay in the store for good."""
    with journal(record(*tick, kinds)) as kept:
        found = look(kept, AT)
    answer = metrics.exposition(found, Tally(FixedClock()).read(), at=AT, version="1").decode()
    families = list(text_string_to_metric_families(answer))
    series = [
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in families
        for sample in family.samples
    ]
    labels = {gauge.name: set(gauge.labels) for gauge in GAUGES}
    pools = {str(pool.pool) for pool in found.standing.pools}
    of_pools = [s for s in series if s[0].startswith(("autoscaler_pool_", "autoscaler_boot_"))]

    assert len(series) == len(set(series))
    assert len(of_pools) <= MOST_OF_A_POOL * len(pools)
    for name, worn in series:
        assert name.startswith("autoscaler_")
        assert not any(machine in value for _, value in worn for machine in NAMES)
        assert name not in labels or labels[name] == {key for key, _ in worn}
        assert dict(worn).get("pool", "images") in pools | {"images"}
        assert dict(worn).get("provider", NORTH) in {*ACCOUNTS, "west"}
