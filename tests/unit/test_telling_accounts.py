"""What the log says of accounts: when one becomes slow or short of requests, and when that is over, each once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from autoscaler.core.facts import Memory, Missing
from autoscaler.core.model import Plan
from autoscaler.core.reconcile import Reconciled
from autoscaler.journal.contract import TickRecord
from autoscaler.telling import Teller, Tick
from providers.contract import RateLimit
from tests.unit.core.builders import AT, CLOUD, a_listing, a_snapshot
from tests.unit.stand_ins import Heard

FEW = RateLimit(remaining=3, resets_at=AT + 100, told_at=AT)
MANY = replace(FEW, remaining=500)


def a_tick(*, age_s: float = 0.0, limit: RateLimit | None = None, seen: bool = True) -> Tick:
    snapshot = a_snapshot(
        listings={CLOUD: a_listing() if seen else Missing(why="no answer")},
        listing_age_s={CLOUD: age_s} if age_s else {},
    )
    memory = Memory(rate_limits={CLOUD: limit} if limit else {})
    plan = Plan(actions=(), nodes=(), transitions=(), answers=())
    record = TickRecord(at=AT, memory=memory)
    reconciled = Reconciled(nodes=(), transitions=(), memory=memory)
    return Tick(snapshot=snapshot, reconciled=reconciled, decisions={}, plan=plan, record=record)


def told(*ticks: Tick) -> list[tuple[str, Mapping[str, object]]]:
    log = Heard()
    teller = Teller(log, {}, 10.0)
    for tick in ticks:
        teller.tell(tick)
    return [(event, fields) for event, fields in log.events if event.startswith("account")]


def test_a_slow_account_is_told_of_once_until_it_is_prompt_again() -> None:
    """A tick on which nothing came of it is neither."""
    ticks = [a_tick(age_s=5.0), a_tick(seen=False), a_tick(age_s=10.0), a_tick(), a_tick()]

    assert [
        ("account.slowed", {"account": CLOUD, "age_s": 5.0}),
        ("account.recovered", {"account": CLOUD}),
    ] == told(*ticks)


def test_an_account_short_of_requests_is_told_of_once_until_it_takes_more() -> None:
    """With the figures that it gave."""
    ticks = [a_tick(limit=MANY), a_tick(limit=FEW), a_tick(limit=FEW), a_tick(limit=MANY), a_tick()]

    assert [
        ("account.limited", {"account": CLOUD, "requests_left": 3, "for_s": 100, "every_s": 41.7}),
        ("account.recovered", {"account": CLOUD}),
    ] == told(*ticks)


def test_an_account_that_is_looked_at_less_often_is_short_of_requests_and_not_slow() -> None:
    """Between two looks its listing has an age, which is ours and not its."""
    often = replace(MANY, remaining=4_000, resets_at=AT + 3_600, listing_requests=30)
    ticks = [a_tick(limit=often, age_s=age_s) for age_s in (0.0, 10.0, 20.0, 0.0, 10.0)]

    assert ["account.limited"] == [event for event, _ in told(*ticks)]
