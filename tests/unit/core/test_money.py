"""Ceilings on money: never passed by a purchase, shared fairly, and kept by letting idle machines go."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from autoscaler.core import invariants, money, supply
from autoscaler.core.facts import Bills, Memory, Snapshot, Stranger
from autoscaler.core.invariants import InvariantViolated
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import (
    ConsumerOrder,
    CreateNode,
    FleetRules,
    Node,
    Plan,
    PoolName,
    PoolRules,
    PoolWish,
    Timeouts,
)
from autoscaler.core.plan import plan
from autoscaler.core.reconcile import reconcile
from policies.contract import Allowance, Limits, Rule
from policies.decide import decide
from tests.unit.core.builders import (
    AT,
    CLOCKS,
    CLOUD,
    FLEET,
    OFFER,
    POOL,
    a_demand,
    a_node,
    a_pool,
    a_sighting,
    a_snapshot,
    an_instance,
    heard,
    rules,
    wanted,
)

S = NodeState
MAIL = PoolName("mail")
MONTH = "1970-01"
"""That of `AT`, which is eleven days and a half into it."""
LEFT_H = (31 * 86_400 - AT) / 3_600
HOURLY = replace(OFFER, quantum_s=3600)
"""0.1 for each hour begun."""


def a_purse(per_month: float | None = None, **fields: object) -> PoolRules:
    limits = {"max_workers": 99, "max_creates_in_flight": 99, "max_cost_per_month": per_month}
    return a_pool(limits=Limits(**(limits | fields)), offers=(HOURLY,))  # type: ignore[arg-type]


def spent(pool: float, mail: float = 0.0, **fields: object) -> Memory:
    gone = {MONTH: {POOL: pool, MAIL: mail}}
    return Memory(clocks=CLOCKS, good_looks={POOL: 9, MAIL: 9}, bills=Bills(gone=gone), **fields)  # type: ignore[arg-type]


def bought(
    snapshot: Snapshot,
    book: Mapping[PoolName, PoolRules],
    workers: Mapping[PoolName, int],
    fleet: FleetRules = FLEET,
) -> tuple[Counter[PoolName], Plan]:
    """How many each pool bought that wants so many."""
    reconciled = reconcile(snapshot, book, fleet)
    decisions = {name: wanted(number, pool=book[name]) for name, number in workers.items()}
    made = plan(snapshot, reconciled, decisions, book, fleet)
    invariants.check(snapshot, reconciled, made, book, fleet)
    return Counter(a.pool for a in made.actions if isinstance(a, CreateNode)), made


def allowed(
    nodes: tuple[Node, ...], memory: Memory, *pools: PoolRules, fleet: FleetRules = FLEET
) -> dict[PoolName, int]:
    found = money.allowances(nodes, memory, rules(*pools), fleet, AT)
    return {name: of_pool.workers for name, of_pool in found.items()}


def two_pools(**fields: object) -> Mapping[PoolName, PoolRules]:
    return rules(a_purse(**fields), replace(a_purse(**fields), name=MAIL))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gone", "count"), [(0.0, 9), (99.1, 9), (99.55, 4), (99.95, 0), (100.0, 0), (120.0, 0)]
)
def test_a_months_money_buys_first_quanta(gone: float, count: int) -> None:
    """What is left of 100 pays for so many hours at 0.1 that begin at once."""
    found, made = bought(a_snapshot(memory=spent(gone)), rules(a_purse(100.0)), {POOL: 9})

    assert count == found[POOL]
    assert bool(made.remarks) == (count < 9)
    assert all("budget 100 a month" in says for _, says in made.remarks)


@pytest.mark.parametrize(
    ("budget", "spent_", "price", "count"),
    [
        (1e9, 0.0, 1e-300, 5),
        (1e9, 1e9, 5e-324, 0),
        (1.0, 1.00001, 5e-324, 0),
        (0.3, 0.0, 0.1, 3),
        (1.0, 0.95, 0.1, 0),
    ],
)
def test_the_smallest_price_divides_nothing_beyond_all_numbers(
    budget: float, spent_: float, price: float, count: int
) -> None:
    """What is next to nothing is paid for as many as are asked for, while anything is left."""
    assert count == money.affordable(budget, spent_, price, 5)


def test_a_short_quantum_is_paid_for_as_long_as_a_machine_is_bound_to_stay() -> None:
    """Bought by the minute, it is there until it could enrol and leave again: 120, 600, 1800 and 60 s."""
    pool = replace(a_purse(100.0), offers=(OFFER,))
    cost = 0.1 * (2_580 / 60 + 1) / 60

    found = [
        bought(a_snapshot(memory=spent(100.0 - rest)), rules(pool), {POOL: 9})[0][POOL]
        for rest in (3 * cost + 0.001, 3 * cost - 0.001)
    ]

    assert [3, 2] == found


def test_what_those_that_are_there_will_cost_before_they_can_leave_is_not_spent_twice() -> None:
    """Two whose next hour begins before they could have left take the money of two."""
    nodes = [a_node(f"n{i}", offer=HOURLY, ordered_at=AT - 3_000) for i in range(2)]
    late = [replace(node, ordered_at=AT - 60) for node in nodes]
    memory = spent(99.5)

    found = [
        bought(a_snapshot(*there, memory=memory), rules(a_purse(100.0)), {POOL: 9})[0][POOL]
        for there in (nodes, late)
    ]

    assert [1, 3] == found


def test_machines_without_a_record_are_in_the_months_bill() -> None:
    """Three hours that began are paid, and the one that begins before it could have left."""
    stranger = Stranger(
        provider=CLOUD, instance=an_instance("odd", created_at=AT - 9_000.0, size="s"), since_on=0.0
    )
    snapshot = a_snapshot(memory=spent(99.5, strangers=(stranger,)))
    seen = replace(
        snapshot, listings={CLOUD: replace(snapshot.listings[CLOUD], instances=(stranger.instance,))}
    )  # type: ignore[arg-type, type-var]

    assert 1 == bought(seen, rules(a_purse(100.0)), {POOL: 9})[0][POOL]


def test_the_floors_money_is_set_aside() -> None:
    """Two workers until the month's end come first; what is left beside that is for peaks, and the floor is bought."""
    floor = 2 * 0.1 * math.ceil(LEFT_H)
    pool = a_purse(floor + 0.55, min_workers=2)

    none_there, made = bought(a_snapshot(memory=spent(0.0)), rules(pool), {POOL: 9})
    short, _ = bought(a_snapshot(memory=spent(5.0)), rules(pool), {POOL: 9})

    assert (5, 2) == (none_there[POOL], short[POOL])
    assert f"{floor:.2f} set aside for min_workers" in made.remarks[0][1]


@pytest.mark.parametrize(
    ("ordered_h_ago", "ceiling", "count"), [(1, 260.0, 1), (260, 260.0, 0), (260, 361.0, 1)]
)
def test_what_the_floors_machines_have_paid_is_not_set_aside_again(
    ordered_h_ago: int, ceiling: float, count: int
) -> None:
    """Two are paid by 720 hours at 72 each; where their next ones begin in this month those are kept for them."""
    monthly = replace(OFFER, quantum_s=720 * 3600)
    nodes = [a_node(f"n{i}", offer=monthly, ordered_at=AT - 3_600.0 * ordered_h_ago) for i in range(2)]
    pool = replace(a_purse(ceiling, min_workers=2), offers=(monthly,))
    memory = Memory(clocks=CLOCKS, good_looks={POOL: 9})

    assert count == bought(a_snapshot(*nodes, memory=memory), rules(pool), {POOL: 3})[0][POOL]
    assert {} == allowed(tuple(nodes), memory, pool)


def test_even_the_floor_is_not_bought_beyond_the_ceiling() -> None:
    """No purchase passes it, whoever wants it."""
    assert (
        0 == bought(a_snapshot(memory=spent(100.0)), rules(a_purse(100.0, min_workers=2)), {POOL: 2})[0][POOL]
    )


@pytest.mark.parametrize("ceiling", ["max_cost_per_hour", "max_cost_per_month"])
def test_pools_share_the_fleets_money_in_turns(ceiling: str) -> None:
    """Of five that can be paid, the pool that wants 6 gets about three times as many as the one that wants 2."""
    fleet = replace(FLEET, **{ceiling: 0.5})

    found, made = bought(a_snapshot(memory=spent(0.0)), two_pools(), {POOL: 6, MAIL: 2}, fleet)

    assert {POOL: 4, MAIL: 1} == found
    assert [(POOL, True), (MAIL, True)] == [
        (pool, "the fleet's budget 0.5" in says) for pool, says in made.remarks
    ]


def test_the_last_of_the_fleets_money_is_spent_once() -> None:
    """Two pools that want one each on one tick; the one that is configured first gets it, every time."""
    fleet = replace(FLEET, max_cost_per_month=100.0)

    found, _ = bought(a_snapshot(memory=spent(99.85)), two_pools(), {POOL: 1, MAIL: 1}, fleet)

    assert {POOL: 1} == found


def test_what_a_pool_cannot_use_is_left_to_the_others() -> None:
    """One that is bound by its own ceiling does not hold the fleet's money."""
    fleet = replace(FLEET, max_cost_per_hour=0.6)
    book = rules(a_purse(max_workers=1), replace(a_purse(), name=MAIL))

    assert {POOL: 1, MAIL: 5} == bought(a_snapshot(memory=spent(0.0)), book, {POOL: 9, MAIL: 9}, fleet)[0]


def test_what_pools_that_are_gone_have_cost_is_the_fleets() -> None:
    """A pool that was taken out of the configuration still stands in the month's bill."""
    fleet = replace(FLEET, max_cost_per_month=100.0)

    assert 2 == bought(a_snapshot(memory=spent(0.0, mail=99.75)), rules(a_purse()), {POOL: 9}, fleet)[0][POOL]


def test_as_long_as_the_money_pays_for_all_nothing_is_said() -> None:
    """No ceiling, or enough left: the number is the policies' own."""
    nodes = tuple(a_node(f"n{i}", offer=HOURLY, ordered_at=AT - 3_000) for i in range(3))

    assert {} == allowed(nodes, spent(99.0), a_purse(100.0))
    assert {} == allowed(nodes, spent(9e9), a_purse(None))


@pytest.mark.parametrize(
    ("gone", "floor", "stay"), [(99.5, 0, 2), (99.65, 0, 0), (99.5, 1, 1), (200.0, 0, 0), (200.0, 2, 2)]
)
def test_as_it_runs_out_so_many_stay_as_it_pays_on(gone: float, floor: int, stay: int) -> None:
    """Three that have begun 0.3 and are about to begin another hour each; a floor stays, and its own money with it."""
    nodes = tuple(a_node(f"n{i}", offer=HOURLY, ordered_at=AT - 3_000) for i in range(3))

    assert {POOL: stay} == allowed(nodes, spent(gone), a_purse(100.0, min_workers=floor))


def test_a_machine_amid_its_paid_hour_need_not_go() -> None:
    """What is paid is paid: only a quantum that is to begin before it could have left asks for money."""
    early = a_node("early", offer=HOURLY, ordered_at=AT - 60)
    late = a_node("late", offer=HOURLY, ordered_at=AT - 3_000)

    assert {POOL: 1} == allowed((early, late), spent(100.0), a_purse(100.0))


def test_one_that_drains_could_be_taken_back_and_is_paid_first_like_the_others() -> None:
    """Else it would be taken back the moment it was told to leave, and told again."""
    cancel, leave = ConsumerOrder.CANCEL, ConsumerOrder.LEAVE
    ready = a_node("n1", offer=HOURLY, ordered_at=AT - 3_000)
    nodes = [replace(ready, state=S.DRAINING, consumer_order=order) for order in (cancel, leave)]

    found = [allowed((ready, node), spent(99.65), a_purse(100.0)) for node in nodes]

    assert [{POOL: 1}, {POOL: 0}] == found


def test_the_fleets_money_lets_each_pool_keep_its_share() -> None:
    """Of six machines three can be paid: two of four, one of two."""
    fleet = replace(FLEET, max_cost_per_month=100.0)
    nodes = [a_node(f"n{i}", offer=HOURLY, ordered_at=AT - 3_000) for i in range(6)]
    nodes = [replace(node, pool=MAIL) if i < 2 else node for i, node in enumerate(nodes)]

    found = allowed(tuple(nodes), spent(50.0, 49.05), *two_pools().values(), fleet=fleet)

    assert {POOL: 2, MAIL: 1} == found


@pytest.mark.parametrize(
    ("paused", "wish", "kept"),
    [
        (True, None, {MAIL: 0}),
        (False, PoolWish(pool=POOL, paused=True), {MAIL: 0}),
        (True, PoolWish(pool=POOL, paused=False), {POOL: 2, MAIL: 1}),
        (False, PoolWish(pool=POOL, hold_workers=3, hold_until_at=AT + 60.0), {POOL: 3, MAIL: 0}),
        (False, PoolWish(pool=POOL, hold_workers=3, hold_until_at=AT), {POOL: 2, MAIL: 1}),
    ],
    ids=["as configured", "by a wish", "set going by a wish", "three are held", "three were held"],
)
def test_whom_a_person_keeps_is_paid_before_others(
    paused: bool, wish: PoolWish | None, kept: dict[PoolName, int]
) -> None:
    """Of six machines three can be paid, and nobody of a paused pool is sent away: the other's must go first."""
    fleet = replace(FLEET, max_cost_per_month=100.0)
    nodes = [a_node(f"n{i}", offer=HOURLY, ordered_at=AT - 3_000) for i in range(6)]
    nodes = [replace(node, pool=MAIL) if i < 2 else node for i, node in enumerate(nodes)]
    book = rules(replace(a_purse(), paused=paused), replace(a_purse(), name=MAIL))

    found = money.allowances(
        nodes, spent(50.0, 49.05), book, fleet, AT, {POOL: wish} if wish is not None else None
    )

    assert kept == {name: of_pool.workers for name, of_pool in found.items()}


def test_the_allowance_is_in_the_decision_and_says_why() -> None:
    """It binds as a scheduled ceiling does, and a stored decision holds it."""
    nodes = tuple(a_node(f"n{i}", offer=HOURLY, ordered_at=AT - 3_000) for i in range(3))
    snapshot = a_snapshot(*nodes, memory=spent(99.5), demand={POOL: a_demand(backlog=300)})
    pool = a_purse(100.0)
    allowance = money.allowances(nodes, snapshot.memory, rules(pool), FLEET, AT)[POOL]

    decision = decide(supply.decision_input(pool, snapshot, nodes, snapshot.memory, None, allowance))

    assert (2, Rule.MONTHLY_BUDGET) == (decision.wanted, decision.binding)
    assert (
        "capped by max_cost_per_month 100: 99.80 is spent in 1970-01, the rest pays on for 2"
        == decision.steps[-1].why
    )
    assert decision.wanted == decide(decision.input).wanted


@pytest.mark.parametrize(
    ("allowance", "floor", "paused", "number"),
    [(1, 0, False, 1), (1, 2, False, 2), (1, 0, True, 3), (9, 0, False, 3)],
)
def test_the_floor_and_a_persons_word_are_stronger(
    allowance: int, floor: int, paused: bool, number: int
) -> None:
    """Three are there and wanted."""
    nodes = tuple(a_node(f"n{i}") for i in range(3))
    snapshot = a_snapshot(*nodes, demand={POOL: a_demand(backlog=30)})
    pool = a_pool(limits=Limits(max_workers=9, min_workers=floor), paused=paused)
    given = supply.decision_input(
        pool, snapshot, nodes, snapshot.memory, None, Allowance(workers=allowance, why="spent")
    )

    assert number == decide(given).wanted


def test_who_cannot_be_paid_on_is_drained_at_the_end_of_what_is_paid() -> None:
    """One a minute before its next hour is told to leave; one amid it stays."""
    due = a_node("due", offer=HOURLY, ordered_at=AT - 3_550)
    amid = a_node("amid", offer=HOURLY, ordered_at=AT - 600)
    snapshot = a_snapshot(
        due, amid, memory=spent(100.0), sightings=heard(a_sighting("due"), a_sighting("amid"))
    )
    pool = a_purse(100.0, min_workers=0)
    allowance = money.allowances(snapshot.nodes, snapshot.memory, rules(pool), FLEET, AT)[POOL]
    decision = decide(supply.decision_input(pool, snapshot, snapshot.nodes, snapshot.memory, None, allowance))
    reconciled = reconcile(snapshot, rules(pool), FLEET)

    made = plan(snapshot, reconciled, {POOL: decision}, rules(pool), FLEET)

    assert {"due": S.DRAINING, "amid": S.READY} == {node.name: node.state for node in made.nodes}


@pytest.mark.parametrize(
    ("pool", "fleet"),
    [
        (a_purse(100.0), FLEET),
        (a_purse(), replace(FLEET, max_cost_per_month=100.0)),
        (a_purse(), replace(FLEET, max_cost_per_hour=0.05)),
    ],
)
def test_a_plan_that_passes_a_ceiling_is_refused(pool: PoolRules, fleet: FleetRules) -> None:
    """The plan is made without the ceiling, and held against it."""
    snapshot, free = a_snapshot(memory=spent(99.95)), rules(a_purse())
    reconciled = reconcile(snapshot, free, FLEET)
    made = plan(snapshot, reconciled, {POOL: wanted(1)}, free, FLEET)
    invariants.check(snapshot, reconciled, made, free, FLEET)

    with pytest.raises(InvariantViolated, match="would cost"):
        invariants.check(snapshot, reconciled, made, rules(pool), fleet)


def test_a_long_notice_counts_no_quantum_of_the_next_month() -> None:
    """Next month has money of its own."""
    at = 31 * 86_400 - 600.0
    node = a_node(offer=HOURLY, ordered_at=at - 3_000)
    pool = replace(a_purse(0.25), timeouts=Timeouts(drain_s=86_400.0))

    assert {} == money.allowances((node,), Memory(), rules(pool), FLEET, at)
