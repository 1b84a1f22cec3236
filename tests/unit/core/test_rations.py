"""What an account's own word of its rate limit leaves: looks first, then ends, then purchases, and never a burst."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core import call_budget, rations
from autoscaler.core.facts import Memory, Snapshot
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import CreateNode, DestroyNode, Plan
from autoscaler.core.plan import plan
from autoscaler.core.reconcile import Reconciled
from autoscaler.journal import codec
from policies.contract import Limits
from providers.contract import ProviderName, RateLimit
from tests.unit.core.builders import AT, CLOCKS, CLOUD, FLEET, a_node, a_pool, a_snapshot, rules, wanted

TICK_S = 10.0


def told(remaining: int, in_s: float = 300.0, **more: object) -> RateLimit:
    return RateLimit(remaining=remaining, resets_at=AT + in_s, told_at=AT, **more)  # type: ignore[arg-type]


def planned(limit: RateLimit, *, ends: int = 0, buys: int = 0) -> Plan:
    """A plan under that limit; the bucket is full."""
    nodes = tuple(a_node(f"n{i}", NodeState.DESTROYING) for i in range(ends))
    pool = a_pool(limits=Limits(max_workers=50))
    memory = Memory(clocks=CLOCKS, rate_limits={CLOUD: limit})
    reconciled = Reconciled(nodes=nodes, transitions=(), memory=memory)
    fleet = replace(FLEET, tick_s=TICK_S)
    return plan(a_snapshot(*nodes), reconciled, {pool.name: wanted(buys, pool=pool)}, rules(pool), fleet)


def planned_at(snapshot: Snapshot, memory: Memory, *, buys: int) -> Plan:
    """A plan on that memory, of purchases alone; what was planned before is not under way any more."""
    pool = a_pool(limits=Limits(max_workers=50))
    memory = replace(memory, clocks=CLOCKS)
    reconciled = Reconciled(nodes=(), transitions=(), memory=memory)
    fleet = replace(FLEET, tick_s=TICK_S)
    return plan(snapshot, reconciled, {pool.name: wanted(buys, pool=pool)}, rules(pool), fleet)


def counted(made: Plan) -> tuple[int, int]:
    """Ends and purchases in it."""
    kinds = [type(action) for action in made.actions]
    return kinds.count(DestroyNode), kinds.count(CreateNode)


def test_an_account_that_says_nothing_binds_nothing() -> None:
    """Many clouds tell no number."""
    assert rations.ration(CLOUD, Memory(), AT, TICK_S, 0) is None


def test_purchases_leave_looks_enough_until_the_limit_is_renewed() -> None:
    """300 s of a look each 10 s, and two: 32 requests; of the other 8 four machines are ordered."""
    made = planned(told(40), buys=10)

    assert (0, 4) == counted(made)
    assert (
        "4 of 10 more bought: cloud says that it takes 40 requests more in the next 300 s"
        in made.remarks[0][1]
    )


def test_ends_leave_looks_their_next_minute_and_come_before_purchases() -> None:
    """What is to end is paid until then; a blind tick sees nothing of it either."""
    made = planned(told(30), ends=15, buys=10)

    assert (11, 0) == counted(made)
    assert "4 ends wait: cloud says" in made.waits[0].why


def test_one_end_is_asked_for_whatever_was_told() -> None:
    """A header that lies must not keep a machine for ever; where it is true the answer will say so."""
    assert (1, 0) == counted(planned(told(0), ends=5, buys=3))


def test_a_listing_of_many_pages_is_left_as_many_requests() -> None:
    """Of a thousand machines one look may be ten requests: they are made less often, which leaves a fifth."""
    assert (0, 7) == counted(planned(told(174, listing_requests=10), buys=30))


def test_an_end_costs_a_look_besides() -> None:
    """It looks for the machine first, on all pages: of 174 requests a minute of looks leaves eleven ends."""
    assert (11, 0) == counted(planned(told(174, listing_requests=10), ends=30))


def test_what_comes_back_meanwhile_serves_looks_first() -> None:
    """One a second is more than a look in ten: nothing need be set aside but the next two."""
    assert (0, 10) == counted(planned(told(22, 3_600.0, per_s=1.0), buys=10))


def test_where_looks_use_it_up_anyway_a_few_orders_go_out() -> None:
    """An account of which even a look a minute takes all must not keep a pool from ever growing."""
    assert (0, 4) == counted(planned(told(400, 36_000.0, listing_requests=20), buys=10))
    assert (0, 0) == counted(planned(told(40, 36_000.0, listing_requests=20), buys=10))


@pytest.mark.parametrize(
    ("limit", "apart_s"),
    [
        # 5,000 an hour, of which four fifths are for looks: 4,000 in 3,600 s.
        (told(5_000, 3_600.0), 0.9),
        (told(5_000, 3_600.0, listing_requests=10), 9.0),
        (told(500, 360.0, listing_requests=10), 9.0),
        # Little is left, and its time is nearly over.
        (told(50, 36.0, listing_requests=10), 9.0),
        # One a second comes back, and the fifth of them is left for orders.
        (told(0, 3_600.0, per_s=1.0, listing_requests=10), 12.5),
        # Whatever is left of an hour that slides, it must last at that pace.
        (told(5_000, 3_600.0, per_s=1.25, listing_requests=10, sliding=True), 10.0),
        (told(1_000, 3.0, per_s=1.25, listing_requests=10, sliding=True), 10.0),
        # Others have used it up.
        (told(50, 3.0, per_s=1.25, listing_requests=10, sliding=True), 15.0),
        # Nobody is blind for more than a minute on a word alone.
        (told(0, 3_600.0), 60.0),
        (told(0, 3_600.0, sliding=True), 60.0),
        (told(7, 1e9), 60.0),
        # It is over.
        (told(0, 0.0), 0.0),
    ],
)  # fmt: skip
def test_looks_are_as_far_apart_as_lasts(limit: RateLimit, apart_s: float) -> None:
    """Evenly, and with a fifth for orders and ends: looks made faster would end in being blind."""
    assert apart_s == pytest.approx(rations.apart_s(limit, AT))


def test_what_was_planned_is_taken_off_what_was_told_until_it_is_told_anew() -> None:
    """A look may be some ticks away, and each would spend the same again."""
    memory = Memory(clocks=CLOCKS, rate_limits={CLOUD: told(40)})
    made = planned(told(40), ends=1, buys=2)

    left = rations.spent(memory, made.actions)
    again = rations.remember(
        a_snapshot(memory=replace(memory, rate_limits=left), rate_limits={CLOUD: told(40)})
    )
    anew = rations.remember(
        a_snapshot(
            at=AT + 10,
            memory=replace(memory, rate_limits=left),
            rate_limits={CLOUD: replace(told(40), told_at=AT + 9)},
        )
    )

    assert [40 - 2 - 2 * 2, 40 - 2 - 2 * 2, 40] == [each[CLOUD].remaining for each in (left, again, anew)]


def test_calls_under_way_are_counted_as_made() -> None:
    """The word may be older than they are."""
    memory = Memory(rate_limits={CLOUD: told(40)})

    allowed = [rations.ration(CLOUD, memory, AT, TICK_S, calls) for calls in (0, 3)]

    assert [4.0, 1.0] == [each.purchases for each in allowed if each]


def test_a_word_lasts_until_its_time_is_over() -> None:
    """An account that is not heard of later binds nobody for ever, not even with the wall clock set back a year."""
    memory = Memory(rate_limits={CLOUD: told(0)})

    assert {} == rations.remember(a_snapshot(at=AT + 300, memory=memory))
    back = rations.remember(a_snapshot(at=AT - 1e7, memory=memory))[CLOUD]
    assert (AT - 1e7 + 3_600.0, AT - 1e7) == (back.resets_at, back.told_at)


def test_the_newest_word_counts_and_is_written_down() -> None:
    """It comes back from the journal as it was, for `status` and for the next tick."""
    memory = Memory(rate_limits={CLOUD: told(9)})

    new = replace(told(8, sliding=True), told_at=AT - 1.0)

    kept = rations.remember(a_snapshot(memory=memory, rate_limits={CLOUD: new}))

    assert {CLOUD: new} == kept
    assert kept == codec.read_memory(codec.memory_document(Memory(rate_limits=kept))).rate_limits


def test_a_memory_of_an_older_release_knows_no_limit() -> None:
    """Its row is read as before."""
    document = codec.memory_document(Memory()).replace(',"rate_limits":{}', "")

    assert Memory() == codec.read_memory(document)


limits = st.builds(
    RateLimit,
    remaining=st.integers(0, 5_000),
    resets_at=st.floats(AT - 1e9, AT + 1e9),
    told_at=st.floats(AT - 1e9, AT + 1e9),
    per_s=st.floats(0, 10),
    listing_requests=st.integers(1, 50),
)


@given(limits, st.integers(0, 40), st.floats(0.1, 60), st.integers(0, 40))
def test_no_word_empties_an_account_or_stops_an_end(
    limit: RateLimit, under_way: int, tick_s: float, asked: int
) -> None:
    """Whatever it says: figures, purchases within what is left with two looks to spare, and one end a tick."""
    snapshot = a_snapshot(rate_limits={CLOUD: limit}, elapsed_s=1e-9)
    memory = Memory(rate_limits=rations.remember(snapshot))
    budget = call_budget.budget(snapshot, memory, replace(FLEET, tick_s=tick_s), {CLOUD: under_way})
    whole = budget.whole(CLOUD)
    allowed = rations.ration(CLOUD, memory, AT, tick_s, under_way)
    assert budget.take(CLOUD)
    if allowed is None:
        return
    kept = memory.rate_limits[CLOUD]
    have = kept.remaining + kept.per_s * (AT - kept.told_at) - 2 * under_way
    assert math.isfinite(allowed.ends)
    assert 2 * whole <= max(0.0, have - 2 * kept.listing_requests, 0.02 * have)
    assert allowed.for_purchases <= allowed.for_ends
    taken = sum(budget.take(CLOUD) for _ in range(asked))
    assert taken <= max(0.0, allowed.ends - 1.0)


@given(st.integers(1, 300), st.integers(1, 3), st.lists(st.integers(0, 30), min_size=60, max_size=60))
def test_an_account_that_tells_the_truth_never_refuses_a_look(
    limit: int, pages: int, wishes: list[int]
) -> None:
    """A window of ten minutes, with bursts of orders: looks are answered to its end, as far apart as was said, if it is
    large enough for one a minute at all."""
    window_s, left = 600.0, limit
    at, looked_at, resets_at, memory = AT, -math.inf, AT + window_s, Memory()
    seen: dict[ProviderName, RateLimit] = {}
    for wish in wishes:
        if not seen or at - looked_at >= rations.apart_s(seen[CLOUD], at):
            enough = 0.8 * limit >= pages * (window_s / rations.LONGEST_APART_S + 2)
            assert left >= pages or not enough
            left, looked_at = max(0, left - pages), at
            seen[CLOUD] = RateLimit(remaining=left, resets_at=resets_at, told_at=at, listing_requests=pages)
        snapshot = a_snapshot(at=at, rate_limits=seen, memory=memory)
        memory = Memory(rate_limits=rations.remember(snapshot))
        made = planned_at(snapshot, memory, buys=wish)
        left = max(0, left - len(made.actions))
        memory = Memory(rate_limits=rations.spent(memory, made.actions))
        at += TICK_S
