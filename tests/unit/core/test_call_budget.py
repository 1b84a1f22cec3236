"""How often an account is called: as often as its bucket allows, ends before purchases, and never never again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.core.call_budget import budget, per_minute, remember
from autoscaler.core.facts import Bucket, Memory
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import CreateNode, DestroyNode, FleetRules, Node, Offer, Plan
from autoscaler.core.plan import plan
from autoscaler.core.reconcile import Reconciled
from autoscaler.core.waits import WaitKind
from policies.contract import Limits
from providers.contract import ProviderName
from tests.unit.core.builders import (
    AT,
    CLOCKS,
    CLOUD,
    FLEET,
    OFFER,
    POOL,
    a_listing,
    a_node,
    a_pool,
    a_snapshot,
    rules,
    wanted,
)

SIX = replace(FLEET, calls_per_minute={CLOUD: 6.0})


def holding(calls: float, at: float = AT) -> Memory:
    return Memory(clocks=CLOCKS, buckets={CLOUD: Bucket(calls=calls, at=at)})


@pytest.mark.parametrize(("elapsed_s", "calls"), [(0.0, 1.0), (10.0, 2.0), (1e6, 6.0)])
def test_a_bucket_fills_with_time_up_to_a_minutes_worth(elapsed_s: float, calls: float) -> None:
    """However long nothing was asked."""
    assert budget(a_snapshot(elapsed_s=elapsed_s), holding(1.0), SIX).left == {CLOUD: calls}


@pytest.mark.parametrize(("passed_s", "calls"), [(-1e6, 1.0), (30.0, 4.0), (1e9, 6.0)])
def test_a_daemon_that_just_began_goes_by_the_wall_clock(passed_s: float, calls: float) -> None:
    """One that crashes on every tick must still be able to end machines; a stepped clock gives a minute at most."""
    snapshot = a_snapshot(elapsed_s=0.0, at=AT + passed_s)

    assert budget(snapshot, holding(1.0), SIX).left == {CLOUD: calls}


def test_an_account_without_a_figure_takes_one_call_a_second() -> None:
    """And nobody can configure an account that is never called."""
    assert per_minute(FLEET, CLOUD) == 60.0
    assert per_minute(replace(FLEET, calls_per_minute={CLOUD: 0.0}), CLOUD) == 1.0


def planned(*, calls: float, ends: int, buys: int, fleet: FleetRules = SIX):  # type: ignore[no-untyped-def]
    nodes = tuple(a_node(f"n{i}", NodeState.DESTROYING) for i in range(ends))
    snapshot = a_snapshot(*nodes, elapsed_s=1e-9)
    pool = a_pool(limits=Limits(max_workers=50))
    reconciled = Reconciled(nodes=nodes, transitions=(), memory=holding(calls))
    made = plan(snapshot, reconciled, {pool.name: wanted(buys, pool=pool)}, rules(pool), fleet)
    return snapshot, made


def test_ends_are_asked_before_purchases() -> None:
    """A machine that is to go costs money until it goes."""
    _, made = planned(calls=3.5, ends=2, buys=4)

    assert sum(isinstance(a, DestroyNode) for a in made.actions) == 2
    assert sum(isinstance(a, CreateNode) for a in made.actions) == 1
    assert "1 of 4 more bought: cloud takes 6 calls a minute" in made.remarks[0][1]
    assert {(WaitKind.CALLS, CLOUD)} == {(w.kind, w.subject) for w in made.waits}


def test_an_end_that_does_not_fit_is_asked_later() -> None:
    """Its record says that it was not asked, so the next tick asks."""
    _, made = planned(calls=1.0, ends=3, buys=0)

    assert [1, 0, 0] == [n.destroy_asks for n in made.nodes]
    assert "2 ends wait" in made.waits[0].why


def hanging_at(provider: ProviderName, calls: int) -> tuple[Node, ...]:
    """Machines whose end was asked of that account, without an answer yet."""
    offer = replace(OFFER, provider=provider)
    return tuple(a_node(f"n{i}", NodeState.DESTROYING, offer=offer) for i in range(calls))


def bought(nodes: tuple[Node, ...], *offers: Offer, fleet: FleetRules) -> Plan:
    snapshot = a_snapshot(
        *nodes,
        in_flight=frozenset(n.name for n in nodes),
        listings={offer.provider: a_listing() for offer in offers},
    )
    pool = a_pool(limits=Limits(max_workers=50), offers=offers)
    reconciled = Reconciled(nodes=nodes, transitions=(), memory=Memory(clocks=CLOCKS))
    return plan(snapshot, reconciled, {pool.name: wanted(3, pool=pool)}, rules(pool), fleet)


def test_an_account_whose_calls_all_hang_keeps_nobody_from_buying_at_the_next() -> None:
    """What binds is that account, not the pool."""
    other = replace(OFFER, provider=ProviderName("other"))

    made = bought(hanging_at(CLOUD, 2), OFFER, other, fleet=replace(FLEET, max_calls=4))

    assert [CLOUD, CLOUD, "other"] == [a.offer.provider for a in made.actions if isinstance(a, CreateNode)]


def test_ends_that_wait_for_calls_under_way_are_told_of() -> None:
    """They cost money until the calls that hang are given up."""
    nodes = hanging_at(CLOUD, 2)
    snapshot = a_snapshot(*nodes, in_flight=frozenset([nodes[0].name]))
    reconciled = Reconciled(nodes=nodes, transitions=(), memory=Memory(clocks=CLOCKS))

    made = plan(snapshot, reconciled, {}, rules(a_pool()), replace(FLEET, max_calls=1))

    assert [(WaitKind.CALLS, "1 ends wait: 1 calls to cloud are under way")] == [
        (w.kind, w.why) for w in made.waits
    ]
    assert () == made.actions


def test_what_waits_for_calls_under_way_is_said() -> None:
    """A pool that does not grow says why."""
    made = bought(hanging_at(CLOUD, 2), OFFER, fleet=replace(FLEET, max_calls=2))

    assert (
        (POOL, "0 of 3 more bought: 2 calls to cloud are under way, no more go out at once"),
    ) == made.remarks


def test_what_was_asked_is_taken_out_of_the_bucket() -> None:
    """Orders to workers are not calls to the account; a full bucket needs no memory."""
    snapshot, made = planned(calls=6.0, ends=2, buys=1)

    assert remember(snapshot, holding(6.0), made.actions, SIX)[CLOUD].calls == pytest.approx(3.0)
    assert remember(snapshot, holding(6.0), (), SIX) == {}
    assert remember(snapshot, Memory(), made.actions, FLEET)[OFFER.provider].calls == 57.0
