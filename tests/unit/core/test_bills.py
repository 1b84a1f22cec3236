"""What machines cost: every started quantum, once, in the month in which it began, whatever happens to the record."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core import bills, remembering
from autoscaler.core.facts import Bills, CallKind, Memory, Outcome, OutcomeKind, Snapshot, Stranger
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Order, OrderKind, Transition
from autoscaler.core.plan import plan
from autoscaler.core.reconcile import reconcile
from autoscaler.journal import codec
from providers.contract import InstanceId
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
    an_instance,
    nobody_named,
    rules,
)

S = NodeState
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
HOURLY = replace(OFFER, quantum_s=3600)
MONTH = bills.month_of(AT).name


def after(snapshot: Snapshot) -> Memory:
    """What a tick on that picture leaves to the next one."""
    book = rules(a_pool())
    reconciled = reconcile(snapshot, book, FLEET)
    made = plan(snapshot, reconciled, {}, book, FLEET)
    return remembering.after(snapshot, reconciled, made, book, FLEET)


def gone(memory: Memory) -> float:
    return memory.bills.gone.get(MONTH, {}).get(POOL, 0.0)


def long_absent(**fields: object) -> Snapshot:
    """A node whose absence has just lasted long enough, an hour after its order."""
    node = a_node(ordered_at=AT - 3_600, missing_on=4_900.0, **fields)
    return a_snapshot(node, listings={CLOUD: a_listing()}, sightings=a_snapshot().sightings)


def test_a_month_is_the_calendars_in_utc() -> None:
    """Its first instant belongs to it, its end to the next one."""
    month = bills.month_of(NOVEMBER)

    assert ("2026-11", NOVEMBER, DECEMBER) == (month.name, month.start_at, month.end_at)
    assert "2026-11" == bills.month_of(DECEMBER - 0.001).name
    assert "2027-01" == bills.month_of(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp() + 1).name


@pytest.mark.parametrize("month", range(1, 13))
def test_no_clock_change_makes_a_month_longer_or_shorter(month: int) -> None:
    """March and October have as many hours as days times 24, wherever the daemon runs."""
    found = bills.month_of(datetime(2026, month, 15, tzinfo=UTC).timestamp())

    days = (found.end_at - found.start_at) / 86_400
    assert days == {2: 28, 4: 30, 6: 30, 9: 30, 11: 30}.get(month, 31)


@pytest.mark.parametrize("at", [float("nan"), float("inf"), -1e300, 1e300])
@pytest.mark.parametrize("since_at", [float("nan"), float("inf"), float("-inf"), 1e300, -1e300, AT])
def test_no_instant_is_without_a_price(at: float, since_at: float) -> None:
    """Broken clocks, ours or a provider's, fail no tick: the sums stay finite, and nothing is paid back."""
    month = bills.month_of(at)

    sums = (
        bills.cost(HOURLY, month, since_at, at),
        bills.cost_to_come(HOURLY, month, since_at, at=at, within_s=9_000.0),
    )

    assert all(0.0 <= amount < 1e9 for amount in sums)


@pytest.mark.parametrize("at", [float("nan"), float("inf"), -1e300, 1e300])
def test_every_instant_has_a_month(at: float) -> None:
    """A broken clock ends no tick."""
    assert bills.month_of(at).start_at < bills.month_of(at).end_at


@pytest.mark.parametrize(("lived_s", "quanta"), [(0, 1), (3_599, 1), (3_600, 2), (7_199, 2), (-900, 1)])
def test_a_quantum_is_paid_when_it_begins(lived_s: float, quanta: int) -> None:
    """The first with the order, also if the clock was set back since."""
    month = bills.month_of(NOVEMBER)
    ordered_at = NOVEMBER + 86_400

    assert quanta * 0.1 == pytest.approx(bills.cost(HOURLY, month, ordered_at, ordered_at + lived_s))


def test_a_quantum_belongs_to_the_month_in_which_it_begins() -> None:
    """A machine ordered half an hour before December has one hour of November's."""
    ordered_at, until_at = DECEMBER - 1_800, DECEMBER + 7_200

    paid = [bills.cost(HOURLY, bills.month_of(at), ordered_at, until_at) for at in (NOVEMBER, DECEMBER)]

    assert [0.1, 0.2] == pytest.approx(paid)


@given(
    ordered_s=st.floats(-40 * 86_400, 40 * 86_400),
    lived_s=st.floats(0, 80 * 86_400),
    quantum_s=st.sampled_from([1, 60, 3_600, 86_400, 2_419_200]),
)
def test_months_share_a_bill_without_a_rest(ordered_s: float, lived_s: float, quantum_s: int) -> None:
    """Whatever month a quantum falls into, it falls into one."""
    offer, ordered_at = replace(OFFER, quantum_s=quantum_s), DECEMBER + ordered_s
    until_at = ordered_at + lived_s
    months = [bills.month_of(ordered_at)]
    while months[-1].end_at <= until_at:
        months.append(bills.month_of(months[-1].end_at))

    paid = sum(bills.cost(offer, month, ordered_at, until_at) for month in months)

    quanta = (until_at - ordered_at) // quantum_s + 1
    assert quanta * quantum_s * 0.1 / 3600 == pytest.approx(paid)


def test_what_is_yet_to_come_is_what_begins_later() -> None:
    """Half an hour into an hour the next one begins in half an hour; none of the next month's counts."""
    november = bills.month_of(NOVEMBER)
    to_come = [
        bills.cost_to_come(HOURLY, november, at - 1_800, at=at, within_s=within_s)
        for at, within_s in ((NOVEMBER + 7_200, 1_799), (NOVEMBER + 7_200, 1_800), (DECEMBER - 60, 7_200))
    ]

    assert [0.0, 0.1, 0.0] == pytest.approx(to_come)


def test_what_is_there_and_what_is_gone_add_up() -> None:
    """A live record is worked out, an ended one is remembered; a machine without a record costs as its likely offer."""
    node = a_node(offer=HOURLY, ordered_at=AT - 7_300)
    stranger = Stranger(
        provider=CLOUD, instance=an_instance("odd", created_at=AT - 59.0, size="s"), since_on=0.0
    )
    memory = Memory(
        clocks=CLOCKS, strangers=(stranger,), bills=Bills(gone={MONTH: {POOL: 5.0}, "1969-12": {POOL: 9.0}})
    )

    spent = bills.spent(bills.month_of(AT), (node, a_node("n2", S.GONE)), memory, rules(a_pool()), AT)

    assert {POOL: pytest.approx(5.0 + 0.3 + 0.1 / 60)} == spent


def test_a_node_that_is_proved_gone_is_added_up_once() -> None:
    """From its order to the proof, in the tick that takes it for gone; a second tick adds nothing."""
    first = after(long_absent(offer=HOURLY))
    second = after(a_snapshot(memory=first))

    assert (pytest.approx(0.2), gone(first)) == (gone(first), gone(second))


def test_absence_that_is_not_proved_still_costs() -> None:
    """A listing without it says nothing until that has lasted."""
    node = a_node(missing_on=None)
    left = after(a_snapshot(node, listings={CLOUD: a_listing()}))

    assert 0.0 == gone(left)
    assert bills.spent(bills.month_of(AT), (node,), left, rules(a_pool()), AT)[POOL] > 0.0


@pytest.mark.parametrize(
    ("kind", "costs"),
    [(OutcomeKind.CAPACITY_REFUSED, 0.0), (OutcomeKind.REJECTED, 0.0), (OutcomeKind.UNKNOWN, 0.1)],
)
def test_a_refused_order_costs_nothing_an_unanswered_one_may(kind: OutcomeKind, costs: float) -> None:
    """A definite no: nothing was made. Without an answer it is in the bill until its absence is proved, and after."""
    node = a_node(state=S.CREATING, offer=HOURLY, ordered_at=AT - 5)
    snapshot = a_snapshot(node, outcomes=(Outcome(node=node.name, call=CallKind.CREATE, kind=kind, at=AT),))
    reconciled = reconcile(snapshot, rules(a_pool()), FLEET)

    spent = bills.spent(bills.month_of(AT), reconciled.nodes, reconciled.memory, rules(a_pool()), AT)

    assert costs == pytest.approx(spent.get(POOL, 0.0))


def test_a_forgotten_node_is_paid_until_then() -> None:
    """The operator takes what follows upon himself, not what was."""
    order = Order(number=1, kind=OrderKind.FORGET, target="n1", given_at=AT, given_by="kari")

    assert gone(
        after(a_snapshot(a_node(offer=HOURLY, ordered_at=AT - 10), orders=(order,)))
    ) == pytest.approx(0.1)


def test_a_machine_without_a_record_that_goes_is_added_up() -> None:
    """Nothing else would remember what it cost."""
    instance = an_instance("odd", created_at=AT - 59.0, size="s")
    stranger = Stranger(provider=CLOUD, instance=instance, since_on=0.0, missing_on=4_900.0)
    memory = Memory(clocks=CLOCKS, strangers=(stranger,))

    left = after(a_snapshot(memory=memory, listings={CLOUD: a_listing()}))

    assert ((), pytest.approx(0.1 / 60)) == (left.strangers, gone(left))


def test_a_machine_that_gets_a_record_is_not_paid_twice() -> None:
    """From then on its record tells what it cost, since the machine was made."""
    instance = an_instance("odd", created_at=AT - 7_000.0, size="s")
    stranger = Stranger(provider=CLOUD, instance=instance, since_on=0.0)
    snapshot = a_snapshot(
        memory=Memory(clocks=CLOCKS, strangers=(stranger,)),
        listings={CLOUD: replace(a_listing(), instances=(instance,))},
        strangers_hold=nobody_named("odd"),
    )
    book = rules(a_pool())
    reconciled = reconcile(snapshot, book, FLEET)

    (adopted,) = reconciled.nodes
    assert (InstanceId("i-odd"), AT - 7_000.0, 0.0) == (
        adopted.instance_id,
        adopted.ordered_at,
        gone(reconciled.memory),
    )


def test_a_life_over_the_months_end_is_shared_out() -> None:
    """It is proved gone in December, and November's part of it stays November's."""
    node = a_node(offer=HOURLY, ordered_at=DECEMBER - 1_800)
    told = Transition(
        node=node.name, pool=POOL, at=0.0, event=None, before=S.READY, after=S.GONE, reason="gone"
    )

    found = bills.closed(Bills(), (node,), (told,), DECEMBER + 600).gone
    later = bills.closed(Bills(), (node,), (told,), DECEMBER + 1_800).gone

    assert {"2026-11": {POOL: pytest.approx(0.1)}} == found
    assert {"2026-11": {POOL: pytest.approx(0.1)}, "2026-12": {POOL: pytest.approx(0.1)}} == later


def test_two_years_of_months_are_kept() -> None:
    """A clock that is set back over a month's end finds that month's sum again; nothing grows for ever."""
    node = a_node(offer=HOURLY, ordered_at=DECEMBER - 5 * 366 * 86_400)
    told = Transition(
        node=node.name, pool=POOL, at=0.0, event=None, before=S.READY, after=S.GONE, reason="gone"
    )

    found = bills.closed(Bills(), (node,), (told,), DECEMBER + 1).gone

    assert (24, "2026-12") == (len(found), max(found))
    assert 720 * 0.1 == pytest.approx(found["2026-11"][POOL])


def test_the_sums_survive_a_restart() -> None:
    """They are in the memory that is written with the tick; one of an earlier release has none."""
    memory = Memory(bills=Bills(gone={"2026-11": {POOL: 1.25}}, since_at=AT))

    assert memory.bills == codec.read_memory(codec.memory_document(memory)).bills
    assert Bills() == codec.read_memory('{"clocks": {}}').bills


def test_it_is_known_since_when_is_counted() -> None:
    """What was gone before the first tick is in no sum."""
    first = after(a_snapshot())

    assert AT == first.bills.since_at
    assert AT == after(a_snapshot(at=AT + 10, memory=first)).bills.since_at


@pytest.mark.parametrize(
    ("age_s", "cost"), [(0.0, 0.1), (1.0, 0.1), (3600.0, 0.1), (3601.0, 0.2), (86_400.0, 2.4)]
)
def test_every_begun_quantum_is_paid_whole(age_s: float, cost: float) -> None:
    """0.10 an hour, billed by the hour."""
    assert cost == pytest.approx(bills.in_all(HOURLY, AT, AT + age_s))


def test_a_node_that_never_had_a_machine_cost_nothing() -> None:
    """Its creation was refused."""
    node = a_node("n1", NodeState.GONE, instance_id=None)

    assert 0.0 == bills.in_all_of_node(node, AT)


def test_a_node_that_is_gone_costs_no_more() -> None:
    """Its bill ends when it was gone."""
    node = a_node("n1", NodeState.GONE, ordered_at=AT - 7200, entered_at=AT - 3600)

    assert bills.in_all_of_node(node, AT) == bills.in_all_of_node(node, AT + 1e6) == pytest.approx(0.1)
