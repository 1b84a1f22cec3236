"""Where machines may stand: what is refused, which machines are found elsewhere, and what follows from that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core import invariants, offers, residency
from autoscaler.core.facts import CallKind, Memory, Missing, Outcome, OutcomeKind, RestKind, Snapshot
from autoscaler.core.invariants import InvariantViolated
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import CreateNode, FleetRules, Order, OrderKind, Plan, PoolRules
from autoscaler.core.places import Places
from autoscaler.core.plan import plan
from autoscaler.core.reconcile import reconcile
from autoscaler.core.remarks import by_pool
from providers.contract import Instance, InstanceId, InstanceState, Listing, ProviderName
from tests.unit.core.builders import (
    AT,
    CLOCKS,
    CLOUD,
    OFFER,
    POOL,
    SECOND_OFFER,
    a_demand,
    a_node,
    a_pool,
    a_snapshot,
    an_instance,
    rules,
    wanted,
)

KNOWN = Places(known={CLOUD: {"osl": "NO", "sto": "SE"}})
NORWAY = FleetRules(name="shop", residency=("NO",), places=KNOWN)
SHELTERED = FleetRules(name="shop", residency=("NO", "SE"), places=KNOWN)
KEY = offers.for_pool(OFFER.name, POOL)
DAY_S = 86_400.0


def standing(*machines: Instance, complete: bool = True) -> Mapping[ProviderName, Listing | Missing]:
    return {CLOUD: Listing(instances=machines, complete=complete)}


def watched(*nodes: Any, fleet: FleetRules = NORWAY, pool: PoolRules | None = None, **fields: Any) -> Memory:
    """What is remembered after a tick with these records."""
    snapshot = a_snapshot(*nodes, **fields)
    return reconcile(snapshot, rules(pool or a_pool()), fleet).memory


def elsewhere(location: str = "sto", **fields: Any) -> Memory:
    """The memory after the machine of `n1` was listed there."""
    return watched(a_node(), listings=standing(an_instance(location=location)), **fields)


def bought(snapshot: Snapshot, fleet: FleetRules, pool: PoolRules) -> tuple[list[CreateNode], Plan]:
    reconciled = reconcile(snapshot, rules(pool), fleet)
    made = plan(snapshot, reconciled, {POOL: wanted(2, pool=pool, demand=a_demand(5))}, rules(pool), fleet)
    invariants.check(snapshot, reconciled, made, rules(pool), fleet)
    return [action for action in made.actions if isinstance(action, CreateNode)], made


def test_what_a_provider_knows_outranks_what_is_stated() -> None:
    """Then the place's own statement, then the account's; and nothing is guessed from a name."""
    other = ProviderName("vps")
    places = Places(
        known={CLOUD: {"osl": "NO"}},
        stated={CLOUD: {"osl": "SE", "sto": "SE"}, other: {"hel": "FI"}},
        of_account={CLOUD: "DE"},
    )

    assert ["NO", "SE", "DE", "DE"] == [places.country(CLOUD, at) for at in ("osl", "sto", "ber", "")]
    assert ["FI", None, None] == [places.country(other, at) for at in ("hel", "oslo-1", "")]


def test_every_statement_that_a_provider_knows_better_is_told() -> None:
    """An account that is said to be in one country has no location in another."""
    places = Places(
        known={CLOUD: {"osl": "NO", "sto": "SE"}},
        stated={CLOUD: {"osl": "SE", "ber": "DE"}},
        of_account={CLOUD: "NO"},
    )

    assert (
        "cloud: osl is in NO, not in SE",
        "cloud: not all of it is in NO, there are locations in SE",
    ) == places.contradictions()
    assert () == Places(known={CLOUD: {"osl": "NO"}}, of_account={CLOUD: "NO"}).contradictions()


def test_a_pool_narrows_the_fleets_countries_and_never_widens_them() -> None:
    """Also where a configuration should say so that nobody checked."""
    assert frozenset({"NO"}) == residency.allowed(a_pool(residency=("NO",)), SHELTERED)
    assert frozenset() == residency.allowed(a_pool(residency=("DE",)), SHELTERED)
    assert frozenset({"NO", "SE"}) == residency.allowed(a_pool(), SHELTERED)
    assert frozenset({"NO", "SE"}) == residency.allowed(None, SHELTERED)
    assert residency.allowed(a_pool(), FleetRules(name="shop")) is None


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("osl", ""),
        ("sto", "sto at cloud is in SE; residency allows NO"),
        ("ber", "in which country ber at cloud is, is not known; residency allows NO"),
        (
            "",
            "in which country a location that is left to cloud is, is not known; residency allows NO",
        ),
    ],
)
def test_what_is_elsewhere_or_not_known_is_refused_with_the_reason(location: str, why: str) -> None:
    """Not known is as good as not allowed; anywhere is right where nothing is asked for."""
    assert why == residency.why_refused(CLOUD, location, a_pool(), NORWAY)
    assert residency.why_refused(CLOUD, location, a_pool(), FleetRules(name="shop")) == ""


def test_the_first_offer_that_may_be_bought_where_it_is_is_bought() -> None:
    """The order of preference holds among those."""
    creates, _ = bought(a_snapshot(), NORWAY, a_pool(offers=(SECOND_OFFER, OFFER)))

    assert ["osl", "osl"] == [create.offer.location for create in creates]


def test_nothing_is_bought_where_no_offer_may_be_and_the_pool_says_why() -> None:
    """The sentence names the place, its country and the rule."""
    creates, made = bought(a_snapshot(), NORWAY, a_pool(offers=(SECOND_OFFER,)))

    assert [] == creates
    assert ("no offer can be asked now: sto at cloud is in SE; residency allows NO",) == by_pool(
        made.remarks
    )[POOL]


def test_a_plan_that_orders_elsewhere_is_never_acted_on() -> None:
    """The invariant is kept apart from the choice."""
    pool = a_pool(offers=(SECOND_OFFER,))
    anywhere = FleetRules(name="shop", places=KNOWN)
    snapshot = a_snapshot()
    reconciled = reconcile(snapshot, rules(pool), anywhere)
    made = plan(snapshot, reconciled, {POOL: wanted(1, pool=pool)}, rules(pool), anywhere)

    with pytest.raises(InvariantViolated, match="would be bought in SE"):
        invariants.check(snapshot, reconciled, made, rules(pool), NORWAY)
    with pytest.raises(InvariantViolated, match="a country that is not known"):
        invariants.check(snapshot, reconciled, made, rules(pool), FleetRules(name="shop", residency=("SE",)))


def test_a_machine_listed_elsewhere_is_an_alarm_and_serves_on() -> None:
    """Whatever the provider says of the place, its worker may be at work; the rest is a person's choice."""
    node = a_node()
    snapshot = a_snapshot(node, listings=standing(an_instance(location="sto")))
    reconciled = reconcile(snapshot, rules(a_pool()), NORWAY)
    made = plan(snapshot, reconciled, {POOL: wanted(1)}, rules(a_pool()), NORWAY)
    (found,) = reconciled.memory.misplaced

    assert ("n1", "sto", "SE", ("NO",), AT) == (
        found.machine,
        found.location,
        found.country,
        found.allowed,
        found.since_at,
    )
    assert (NodeState.READY, ()) == (made.nodes[0].state, made.actions)
    assert ("n1 stands where it may not: sto at cloud is in SE; residency allows NO",) == by_pool(
        made.remarks
    )[POOL]


@pytest.mark.parametrize("location", ["ber", "", "os\nl", "x" * 5000])
def test_a_machine_that_stands_nobody_knows_where_is_an_alarm(location: str) -> None:
    """Whatever a provider may call the place, or not call it at all; what cannot be shown is told in escapes."""
    (found,) = elsewhere(location).misplaced

    assert found.country is None
    assert found.location.isprintable()
    assert len(found.location) <= 300


def test_where_a_machine_stands_is_judged_from_the_answer_to_its_order_on() -> None:
    """Listings lag; until one shows it, or its record ends, it stays where it was said to be."""
    node = a_node(state=NodeState.CREATING)
    answer = Outcome(
        node=node.name,
        call=CallKind.CREATE,
        kind=OutcomeKind.DONE,
        at=AT,
        instance=an_instance(location="sto"),
    )
    told = watched(node, listings=standing(), outcomes=(answer,))
    booting = replace(node, state=NodeState.BOOTING, instance_id=InstanceId("i-n1"))
    later = watched(booting, at=AT + 10, listings=standing(), memory=told)

    assert ["n1"] == [one.machine for one in told.misplaced]
    assert told.misplaced == later.misplaced


def answered(location: str = "") -> Outcome:
    """The answer to the order of `n1`, which makes it in that place."""
    made = an_instance(location=location, state=InstanceState.PENDING, created_at=AT)
    return Outcome(node=a_node().name, call=CallKind.CREATE, kind=OutcomeKind.DONE, at=AT, instance=made)


def test_an_answer_that_holds_no_place_is_no_alarm_and_ends_none() -> None:
    """Some clouds answer an order with an id; a listing tells where the machine is, and is waited for."""
    node = a_node(state=NodeState.CREATING, ordered_at=AT)
    unsaid = watched(node, listings=standing(), outcomes=(answered(),))
    in_sweden = watched(node, listings=standing(), outcomes=(answered("sto"),))
    again = watched(node, listings=standing(), outcomes=(answered(),), memory=in_sweden)

    assert () == unsaid.misplaced
    assert {} == unsaid.offer_rests
    assert ["sto"] == [one.location for one in again.misplaced]
    assert KEY in again.offer_rests


@pytest.mark.parametrize(
    ("state", "age_s", "told"),
    [
        (InstanceState.PENDING, 30.0, False),
        (InstanceState.PENDING, 599.0, False),
        (InstanceState.PENDING, 600.0, True),
        # The wall clock was set back: nobody knows how old it is.
        (InstanceState.PENDING, -30.0, True),
        (InstanceState.RUNNING, 30.0, True),
        (InstanceState.STOPPED, 30.0, True),
        (InstanceState.UNKNOWN, 30.0, True),
    ],
)
def test_a_place_that_stays_unsaid_is_told(state: InstanceState, age_s: float, told: bool) -> None:
    """While a machine is made, many clouds have no place for it yet; but not for ever, and not once it is up."""
    ordered = a_node(state=NodeState.BOOTING, ordered_at=AT - age_s)
    nameless = an_instance(state=state)
    stranger = an_instance("n8", state=state, created_at=AT - age_s)

    memory = watched(ordered, listings=standing(nameless, stranger))

    assert (["n1", "n8"] if told else []) == [one.machine for one in memory.misplaced]


def test_a_place_that_is_told_is_judged_while_the_machine_is_made() -> None:
    """Nothing is waited for where something was said; a machine of unknown age is not waited for either."""
    young = {"state": InstanceState.PENDING, "created_at": AT}
    node = a_node(state=NodeState.BOOTING, ordered_at=AT)

    assert [] != list(watched(node, listings=standing(an_instance(location="sto", **young))).misplaced)
    assert [] != list(watched(node, listings=standing(an_instance(location="ber", **young))).misplaced)
    ageless = an_instance("n8", state=InstanceState.PENDING, created_at=None)
    assert [] != list(watched(listings=standing(ageless)).misplaced)


def test_what_is_not_said_frees_no_offer() -> None:
    """An offer that brought a machine elsewhere rests until one is seen where it may be, not until nothing is said."""
    before = elsewhere()
    node = a_node("n2", state=NodeState.BOOTING, ordered_at=AT)
    young = an_instance("n2", state=InstanceState.PENDING, created_at=AT)

    after = watched(node, listings=standing(young), memory=before)

    assert KEY in after.offer_rests


def test_a_stranger_elsewhere_is_an_alarm_by_its_pools_rule_or_the_fleets() -> None:
    """A machine with our mark and without a record is ours all the same."""
    by_pool = watched(
        fleet=SHELTERED,
        pool=a_pool(residency=("NO",)),
        listings=standing(an_instance("n8", location="sto")),
    )
    unmarked = watched(fleet=NORWAY, listings=standing(an_instance("n9", location="sto", pool=None)))

    assert [("n8", ("NO",))] == [(one.machine, one.allowed) for one in by_pool.misplaced]
    assert [("n9", ("NO",))] == [(one.machine, one.allowed) for one in unmarked.misplaced]


def test_a_stranger_found_elsewhere_stays_so_while_it_is_listed_without_a_place() -> None:
    """A provider that says a place and then none has not brought the machine back."""
    young = {"state": InstanceState.PENDING, "created_at": AT}
    before = watched(listings=standing(an_instance("n8", location="sto", **young)))

    unsaid = watched(listings=standing(an_instance("n8", **young)), memory=before)
    gone = watched(listings=standing(), memory=unsaid)

    assert [("n8", "sto")] == [(one.machine, one.location) for one in unsaid.misplaced]
    assert () == gone.misplaced


def test_our_record_says_whose_machine_it_is_and_not_its_mark() -> None:
    """A provider that exchanges marks does not move a machine under a milder rule."""
    strict = a_pool(residency=("NO",))
    marked_otherwise = an_instance(location="sto", pool="mail")

    memory = watched(a_node(), fleet=SHELTERED, pool=strict, listings=standing(marked_otherwise))

    assert [POOL] == [one.pool for one in memory.misplaced]


def test_an_alarm_outlasts_blindness_and_keeps_its_time() -> None:
    """Neither a missing nor an incomplete listing says that it is gone; nor does a lagging one beside a record."""
    first = elsewhere()
    looks: list[Mapping[ProviderName, Listing | Missing]] = [
        {CLOUD: Missing(why="down")},
        standing(complete=False),
        standing(),
    ]
    for listings in looks:
        later = watched(a_node(), at=AT + 60, listings=listings, memory=first)
        assert [("n1", AT)] == [(one.machine, one.since_at) for one in later.misplaced]


def test_an_alarm_ends_when_the_machine_is_seen_where_it_may_be_or_is_gone() -> None:
    """Gone is: in no complete listing, and without a record."""
    first = elsewhere()

    assert () == elsewhere("osl", memory=first).misplaced
    assert () == watched(listings=standing(), memory=first).misplaced
    assert () == elsewhere(fleet=FleetRules(name="shop", places=KNOWN), memory=first).misplaced
    assert () == elsewhere(fleet=SHELTERED, memory=first).misplaced


def test_the_offer_that_brought_it_rests_while_it_stands_and_a_day_after() -> None:
    """What a provider did with one order it will do with the next. The other offers go on being bought."""
    memory = elsewhere()
    gone = watched(listings=standing(), memory=memory)
    pool = a_pool(residency=("NO", "SE"))
    creates, _ = bought(
        a_snapshot(a_node(), listings=standing(an_instance(location="ber")), memory=memory),
        SHELTERED,
        pool,
    )

    assert RestKind.MISPLACED is memory.offer_rests[KEY].kind
    assert offers.why_resting(OFFER, POOL, gone, AT + DAY_S - 1) is not None
    assert offers.why_resting(OFFER, POOL, gone, AT + DAY_S) is None
    assert [SECOND_OFFER.location] == [create.offer.location for create in creates]


def test_neither_a_restart_nor_an_operators_word_wakes_it_while_the_machine_stands() -> None:
    """Nor does its worker, which is heard. Once the machine is gone the operator's word does."""
    memory = elsewhere()
    wake = Order(number=1, kind=OrderKind.WAKE, target="*", given_at=AT, given_by="kari")
    stands = elsewhere(memory=offers.after_restart(memory, AT), orders=(wake,))
    gone = watched(listings=standing(), memory=memory, orders=(wake,))

    assert offers.why_resting(OFFER, POOL, stands, AT + 1) is not None
    assert offers.why_resting(OFFER, POOL, gone, AT + 1) is None


def test_the_rest_ends_when_a_machine_of_that_offer_is_seen_where_it_may_be() -> None:
    """As when a place was not told in the first moments of a machine."""
    unknown = elsewhere("")
    placed = elsewhere("osl", memory=unknown)

    assert KEY in unknown.offer_rests
    assert KEY not in placed.offer_rests


def test_a_machine_without_a_record_of_its_order_lets_no_offer_rest() -> None:
    """Who ordered it is not known."""
    adopted = a_node("n1~seed0", machine="n1")

    assert {} == watched(adopted, listings=standing(an_instance(location="sto"))).offer_rests
    assert {} == watched(listings=standing(an_instance(location="sto"))).offer_rests


def test_where_nothing_is_asked_for_nothing_is_watched() -> None:
    """A fleet that may be anywhere has no alarm, wherever its machines are."""
    memory = elsewhere(fleet=FleetRules(name="shop", places=KNOWN))

    assert ((), {}) == (memory.misplaced, memory.offer_rests)
    assert Memory(clocks=CLOCKS).misplaced == ()
