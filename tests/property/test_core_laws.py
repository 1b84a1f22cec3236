"""Laws of reconcile and plan that hold of every picture, however odd: what is never done, and never lost."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscaler.core import invariants, lifecycle, money, supply
from autoscaler.core.facts import (
    REFUSALS,
    CallKind,
    Missing,
    Sighting,
    Sightings,
    Snapshot,
    Unconnected,
    listing_clock,
)
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import ConsumerOrder, CreateNode, DestroyNode, OrderKind, Plan, WorkerName
from autoscaler.core.plan import plan
from autoscaler.core.reconcile import Reconciled, reconcile
from providers.contract import Listing
from tests.property.core_strategies import AT, MONTH, NAMES, POOLS, Rulings, rulings, snapshots, standstills

S = NodeState
RESTS_ON_HEARING = {
    Event.WORKER_SILENT,
    Event.DRAINED,
    Event.ENROL_EXPIRED,
    Event.ENROL_FAILED,
    Event.LOST_EXPIRED,
    Event.DRAIN_EXPIRED,
    Event.WORKER_SEEN,
}
RESTS_ON_LISTING = {Event.INSTANCE_GONE, Event.CREATE_EXPIRED}
STAYING = {S.CREATING, S.BOOTING, S.READY, S.DRAINING}
much = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@st.composite
def ticks(draw: st.DrawFn) -> tuple[Snapshot, Rulings]:
    snapshot = draw(snapshots())
    return snapshot, draw(rulings(snapshot))


def think(snapshot: Snapshot, ruled: Rulings) -> tuple[Reconciled, Plan]:
    reconciled = reconcile(snapshot, ruled.pools, ruled.fleet)
    return reconciled, plan(snapshot, reconciled, ruled.decisions, ruled.pools, ruled.fleet)


@much
@given(ticks())
def test_every_plan_passes_the_invariants(tick: tuple[Snapshot, Rulings]) -> None:
    """Whatever is seen, half seen or wrong, no plan ends the daemon."""
    snapshot, ruled = tick
    reconciled, made = think(snapshot, ruled)

    invariants.check(snapshot, reconciled, made, ruled.pools, ruled.fleet)


@much
@given(ticks())
def test_a_purchase_never_passes_ceiling_or_budget(tick: tuple[Snapshot, Rulings]) -> None:
    """Counted here in another way than the invariants do: from the actions."""
    snapshot, ruled = tick
    reconciled, made = think(snapshot, ruled)
    buying = Counter(a.pool for a in made.actions if isinstance(a, CreateNode))

    for pool, bought in buying.items():
        limits = ruled.pools[pool].limits
        paid = supply.billable(supply.of_pool(made.nodes, pool))
        strangers = [s for s in reconciled.memory.strangers if s.instance.pool == pool]
        assert 0 < bought <= len(paid)
        workers = sum(map(ruled.pools[pool].counts_as, paid))
        assert workers + len(strangers) <= limits.max_workers
        assert sum(n.state is S.CREATING for n in paid) <= limits.max_creates_in_flight
        assert limits.max_cost_per_hour is None or supply.cost_per_h(paid) <= limits.max_cost_per_hour + 1e-3


@much
@given(ticks())
def test_a_purchase_never_passes_a_months_money_nor_the_fleets(tick: tuple[Snapshot, Rulings]) -> None:
    """Each bill is added up here machine by machine: what it began to be paid for, at its own price."""
    snapshot, ruled = tick
    reconciled, made = think(snapshot, ruled)
    buying = {a.pool for a in made.actions if isinstance(a, CreateNode)}
    bill: dict[str, float] = defaultdict(float)
    per_h = 0.0
    for pool, amount in reconciled.memory.bills.gone.get(MONTH, {}).items():
        bill[pool] += amount
    for node in supply.billable(made.nodes):
        begun = int(max(0.0, AT - node.ordered_at) // node.offer.quantum_s) + 1
        bill[node.pool] += begun * node.offer.quantum_s * node.offer.price_per_h / 3600
        per_h += node.offer.price_per_h

    for pool in buying:
        most = ruled.pools[pool].limits.max_cost_per_month
        assert most is None or bill[pool] <= most + 1e-3
    if buying:
        for amount, most in (
            (sum(bill.values()), ruled.fleet.max_cost_per_month),
            (per_h, ruled.fleet.max_cost_per_hour),
        ):
            assert most is None or amount <= most + 1e-3


@much
@given(ticks())
def test_the_months_money_sends_away_nobody_whose_time_is_paid(tick: tuple[Snapshot, Rulings]) -> None:
    """No fewer are allowed than the floor and those that begin no further quantum; nor more than there are."""
    snapshot, ruled = tick
    reconciled = reconcile(snapshot, ruled.pools, ruled.fleet)

    for name, allowance in money.allowances(
        reconciled.nodes, reconciled.memory, ruled.pools, ruled.fleet, AT
    ).items():
        of_pool = [n for n in supply.of_pool(reconciled.nodes, name) if n.state in STAYING]
        there = [n for n in of_pool if (n.state, n.consumer_order) != (S.DRAINING, ConsumerOrder.LEAVE)]
        # In workers: a machine with more slots is several.
        counts_as = ruled.pools[name].counts_as
        workers = sum(map(counts_as, there))
        free = sum(counts_as(n) for n in there if n.offer.price_per_h == 0)
        least = max(free, min(ruled.pools[name].limits.min_workers, workers))
        assert least <= allowance.workers < workers


@much
@given(ticks())
def test_a_missing_fact_never_buys(tick: tuple[Snapshot, Rulings]) -> None:
    """No sight of workers: nothing; of machines: nothing there, and nothing elsewhere unless this daemon saw them once;
    of demand: no more than `on_unknown`."""
    snapshot, ruled = tick
    _, made = think(snapshot, ruled)

    for action in made.actions:
        if isinstance(action, CreateNode):
            assert not isinstance(snapshot.sightings, Missing)
            for offer in ruled.pools[action.pool].offers:
                listing = snapshot.listings[offer.provider]
                seen = isinstance(listing, Listing) and listing.complete
                known = offer.provider in snapshot.memory.seen and offer.provider != action.offer.provider
                assert seen or known
            if isinstance(snapshot.demand[action.pool], Missing):
                pool = ruled.pools[action.pool]
                mine = supply.of_pool(made.nodes, action.pool)
                have = supply.supply(mine, pool.slots, snapshot, pool.counts_as).workers
                # A part of a machine cannot be bought.
                more = max(pool.weight_of(offer.name) for offer in pool.offers) - 1
                assert have <= pool.limits.on_unknown + more


@much
@given(ticks())
def test_a_missing_fact_never_ends_a_node(tick: tuple[Snapshot, Rulings]) -> None:
    """No event that rests on a fact fires while that fact is not seen, nor is anyone sent away unheard."""
    snapshot, ruled = tick
    reconciled, made = think(snapshot, ruled)
    providers = {n.name: n.offer.provider for n in made.nodes}
    ordered = {o.target for o in snapshot.orders}
    machines = {n.name: n.machine for n in made.nodes}

    for told in (*reconciled.transitions, *made.transitions):
        if told.event in RESTS_ON_HEARING:
            assert not isinstance(snapshot.sightings, Missing)
        if told.event in RESTS_ON_LISTING:
            listing = snapshot.listings.get(providers[told.node], Missing(why="not configured"))
            assert isinstance(listing, Listing)
            assert listing.complete
        chosen = told.event in {Event.DRAIN_CHOSEN, Event.DESTROY_CHOSEN, Event.REPLACE_CHOSEN}
        if chosen and not {told.node, machines[told.node]} & ordered:
            assert not isinstance(snapshot.sightings, Missing)


@much
@given(ticks())
def test_no_record_is_dropped_and_each_end_has_its_proof(tick: tuple[Snapshot, Rulings]) -> None:
    """GONE by absence, by a definite no, or by an operator's word."""
    snapshot, ruled = tick
    _, made = think(snapshot, ruled)
    planned = {n.name: n for n in made.nodes}
    refused = {o.node for o in snapshot.outcomes if o.call is CallKind.CREATE and o.kind in REFUSALS}
    forgotten = {o.target for o in snapshot.orders if o.kind is OrderKind.FORGET}

    assert {n.name for n in snapshot.nodes} <= planned.keys()
    for node in snapshot.nodes:
        if planned[node.name].state is S.GONE and node.name not in refused:
            listing = snapshot.listings.get(node.offer.provider, Missing(why="not configured"))
            settled = isinstance(listing, Listing) and listing.complete and node.missing_on is not None
            assert settled or {node.name, node.machine} & forgotten
            if not {node.name, node.machine} & forgotten and node.missing_on is not None:
                # A listing that came late shows what stood so long ago.
                account = node.offer.provider
                now_on = snapshot.memory.clocks.get(listing_clock(account), 0.0) + snapshot.elapsed_s
                lasted_s = now_on - node.missing_on
                assert lasted_s >= snapshot.settle_s[account] + snapshot.listing_age_s.get(account, 0.0)


@much
@given(ticks())
def test_one_action_a_node_none_for_one_in_flight_and_only_ends_are_destroyed(
    tick: tuple[Snapshot, Rulings],
) -> None:
    """And nothing but creates of new names."""
    snapshot, ruled = tick
    _, made = think(snapshot, ruled)
    planned = {n.name: n for n in made.nodes}
    known = {n.name for n in snapshot.nodes}

    assert len({a.node for a in made.actions}) == len(made.actions)
    assert not {a.node for a in made.actions} & snapshot.in_flight
    assert not {a.node for a in made.actions if isinstance(a, CreateNode)} & known
    assert all(planned[a.node].state is S.DESTROYING for a in made.actions if isinstance(a, DestroyNode))


@much
@given(ticks())
def test_a_working_machine_is_destroyed_only_by_a_deadline_a_twins_or_an_operators_word(
    tick: tuple[Snapshot, Rulings],
) -> None:
    """From READY only by force; from DRAINING by proof, by the operator's choice of expiry, or by force."""
    snapshot, ruled = tick
    reconciled, made = think(snapshot, ruled)
    forced = {o.target for o in snapshot.orders if o.kind is OrderKind.DESTROY and o.force}
    machines = {n.name: n.machine for n in made.nodes}

    for told in (*reconciled.transitions, *made.transitions):
        if told.before in {S.READY, S.DRAINING} and told.after is S.DESTROYING:
            by_order = {told.node, machines[told.node]} & forced
            assert told.event in {Event.DRAINED, Event.DRAIN_EXPIRED} or by_order


@much
@given(ticks())
def test_a_machine_whose_worker_may_be_connected_is_not_ended_as_one_that_never_enrolled(
    tick: tuple[Snapshot, Rulings],
) -> None:
    """From BOOTING to its end lead only an operator's word, the broker's word that nobody is connected, and the time
    of a drain where the operator chose that and the broker holds nothing."""
    snapshot, ruled = tick
    reconciled, made = think(snapshot, ruled)
    ordered = {o.target for o in snapshot.orders}
    machines = {n.name: n.machine for n in made.nodes}

    for told in (*reconciled.transitions, *made.transitions):
        if (
            told.before is S.BOOTING
            and told.after is S.DESTROYING
            and not {told.node, machines[told.node]} & ordered
        ):
            held = snapshot.idleness[told.node].unacknowledged
            assert isinstance(held, Unconnected) or held == 0


@st.composite
def standing_still(draw: st.DrawFn) -> Snapshot:
    """A pool whose workers all serve, and some of them for a long time take nothing up."""
    snapshot = draw(snapshots(seen=draw(st.sampled_from([True, True, True, False]))))
    serving = tuple(
        replace(
            n,
            state=S.READY,
            pool=POOLS[0],
            name=NAMES[i],
            machine=NAMES[i],
            entered_on=0.0,
            missing_on=None,
            consumer_order=ConsumerOrder.NONE,
        )
        for i, n in enumerate(snapshot.nodes)
    )
    said = {
        n.worker: Sighting(
            worker=n.worker,
            silent_s=1.0,
            online=True,
            pid=7,
            active=draw(st.sampled_from([0, 2, 1, 0])),
            processed=9,
            processed_per_s=draw(st.sampled_from([0.5, 0.0])),
        )
        for n in serving
    }
    stalls = {
        n.name: replace(
            draw(standstills),
            pid=7,
            processed=9,
            starving=True,
            starved_s=draw(st.sampled_from([400.0, 0.0, 150.0])),
        )
        for n in serving
    }
    return replace(
        snapshot,
        nodes=serving,
        orders=(),
        sightings=snapshot.sightings if isinstance(snapshot.sightings, Missing) else heard_now(said),
        memory=replace(snapshot.memory, stalls=stalls),
    )


def heard_now(workers: dict[WorkerName, Sighting]) -> Sightings:
    return Sightings(listening_s=1_000.0, workers=workers)


@settings(much, max_examples=150)
@given(standing_still(), st.data())
def test_a_worker_is_replaced_only_while_others_progress_on_trial_or_for_a_task_too_long(
    snapshot: Snapshot, data: st.DataObject
) -> None:
    """Never blind, never one that may merely be busy, and never more than one of these small pools at a time."""
    ruled = data.draw(rulings(snapshot))
    reconciled, made = think(snapshot, ruled)
    moves = [t for t in made.transitions if not t.reason.startswith("replaced ")]  # by a new one
    replaced = [t for t in moves if t.event is Event.REPLACE_CHOSEN]
    workers, slots = {n.name: n.worker for n in made.nodes}, {n.name: n.slots for n in made.nodes}

    assert len(replaced) <= 1
    for told in replaced:
        assert not isinstance(snapshot.sightings, Missing)
        demand, times = snapshot.demand[told.pool], ruled.pools[told.pool].timeouts
        assert not isinstance(demand, Missing)
        heard = snapshot.sightings.workers
        its = heard[workers[told.node]].active or 0
        others = (said for worker, said in heard.items() if worker != workers[told.node])
        starves = demand.backlog > 0 and its < slots[told.node] and times.stall_s > 0
        progress = any((said.processed_per_s or 0) > 0 for said in others)
        still = reconciled.memory.stalls.get(told.node)
        trial = still is not None and still.starved_s >= 2 * times.stall_s and still.processed > 0
        assert (starves and (progress or trial)) or (times.task_s > 0 and its)


@much
@given(ticks())
def test_looking_twice_moves_nobody_twice(tick: tuple[Snapshot, Rulings]) -> None:
    """With the same facts, no time passed and the answers taken in, a second reconcile finds all in its place."""
    snapshot, ruled = tick
    once = reconcile(snapshot, ruled.pools, ruled.fleet)
    live = tuple(n for n in once.nodes if n.state is not S.GONE)
    again = replace(snapshot, nodes=live, memory=once.memory, elapsed_s=0.0, outcomes=(), name_seed="later")

    twice = reconcile(again, ruled.pools, ruled.fleet)

    assert [(n.name, n.state) for n in live] == [(n.name, n.state) for n in twice.nodes]
    assert twice.transitions == ()
    assert once.memory.strangers == twice.memory.strangers


@much
@given(snapshots(), st.data())
def test_every_order_about_a_node_is_answered_once(snapshot: Snapshot, data: st.DataObject) -> None:
    """None is left waiting because it was odd."""
    ruled = data.draw(rulings(snapshot))
    _, made = think(snapshot, ruled)
    not_of_nodes = {OrderKind.PAUSE, OrderKind.RESUME, OrderKind.HOLD, OrderKind.RELOAD}
    answers = Counter(a.number for a in made.answers)

    for order in snapshot.orders:
        expected = {1} if order.kind is not OrderKind.SWEEP else {0, 1}
        assert answers[order.number] in ({0} if order.kind in not_of_nodes else expected)


@given(st.sampled_from(S), st.lists(st.sampled_from(Event), max_size=12))
def test_no_path_leads_back_from_gone(state: NodeState, events: list[Event]) -> None:
    """Whatever is tried in whatever order, an illegal event changes nothing and GONE stays GONE."""
    gone = False
    for event in events:
        try:
            after = lifecycle.advance(state, event)
        except lifecycle.IllegalTransition:
            after = state
        else:
            assert lifecycle.TABLE[state, event] is after
        assert not gone or after is S.GONE
        state, gone = after, after is S.GONE


@much
@given(ticks())
def test_what_rests_is_not_asked_and_what_is_doubtful_is_asked_once(tick: tuple[Snapshot, Rulings]) -> None:
    """However much is wanted: no order at a resting account, one at most of a kind that was never proven."""
    snapshot, ruled = tick
    reconciled, made = think(snapshot, ruled)
    memory = reconciled.memory
    kinds: Counter[tuple[str, str]] = Counter()

    for action in made.actions:
        if isinstance(action, CreateNode):
            provider, pool = action.offer.provider, ruled.pools[action.pool]
            rests = [memory.account_rests.get(provider), memory.offer_rests.get(action.offer.name)]
            rests += [trouble.rest for trouble in [memory.troubles.get(provider)] if trouble]
            assert all(rest is None or rest.until_at <= snapshot.at for rest in rests)
            if pool.canary and pool.becomes and memory.proven.get(pool.name):
                kinds[pool.name, pool.becomes[action.offer.name]] += 1
    assert all(count == 1 for count in kinds.values())
