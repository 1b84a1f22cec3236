"""What needs an operator's eye now, gravest first: each matter with why, since when, and what to do about it.

In goes a `Standing`, out come matters as values, with the order that helps where one does. What never happens here: a
look at the journal, and a matter that the standing does not hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from autoscaler.core import held_back, residency
from autoscaler.core.facts import RestKind
from autoscaler.core.held_back import HeldBack
from autoscaler.core.model import OrderKind
from autoscaler.core.waits import WaitKind
from autoscaler.views.standing import PoolStanding, Standing
from policies.phrases import count

EVERYTHING = "*"


class Subject(StrEnum):
    """What a matter is about; the order in which they are shown."""

    DAEMON = "The daemon"
    STRANGERS = "Machines without a record"
    MISPLACED = "Machines where they may not stand"
    MONEY = "Money"
    ACCOUNTS = "Accounts"
    HELD_BACK = "Held back"
    POOLS = "Pools"
    ORDERS = "Orders that wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """One thing to know of. `grave` where it does not pass by itself, or costs work or money meanwhile."""

    subject: Subject
    name: str
    """Which machine, pool, account or offer."""
    says: str
    todo: str
    grave: bool
    since_at: float | None = None
    until_at: float | None = None
    kind: OrderKind | None = None
    """The order that helps."""
    target: str = ""
    pool: str = ""
    """The pool whose page tells more."""


_ADVICE = {
    RestKind.REFUSED: "The provider has no stock. Another offer in the pool serves meanwhile, if it has one.",
    RestKind.QUOTA: "Ask the provider for a larger quota, or lower the ceilings of the pools that buy there.",
    RestKind.REJECTED: "The order itself is wrong: compare image, size, location and credentials with the "
    "configuration, mend it, then wake the offer.",
    RestKind.NEVER_ENROLLED: "Machines come and no worker speaks. A machine's page shows the end of its log; mend what "
    "it runs or what it may reach, then wake the offer.",
    RestKind.SLOW_DISK: "The disks there are too slow. Take another size or place.",
    RestKind.THROTTLED: "The provider asked for peace; nothing is to be done.",
    RestKind.FAILING: "The provider does not answer. Look at its own status page.",
    RestKind.UNPREPARED: "What its machines need at the broker could not be made: see the rights of our user there.",
    RestKind.MISPLACED: "The offer brings machines to a place that residency does not allow. Correct the offer.",
}
_WAITS_TO_ACT_ON = {
    WaitKind.TWIN: "Two machines bear one name. End one of them at the provider, or sweep.",
    WaitKind.UNHEARD: "See whether the machine still works; if not, sweep ends it.",
    WaitKind.WITNESS: "See whether its worker still works; if not, destroy the machine.",
    WaitKind.ABSENCES: "Most machines of that account vanished from its list at once. Look at the provider's own page.",
}
_WHAT_TO_DO: tuple[tuple[str, str], ...] = (*_ADVICE.items(), *_WAITS_TO_ACT_ON.items())
_PASSING = frozenset({RestKind.REFUSED, RestKind.THROTTLED})
_UNLISTED_TODO = (
    "Look at the provider's status page and at the account's credentials: `autoscaler check --online` tells."
)


def look(now: Standing) -> tuple[Matter, ...]:
    """All of it, the grave first, each group in the order of `Subject`."""
    found = (
        *_daemon(now), *_strangers(now), *_misplaced(now), *_money(now), *_held_back(now), *_pools(now), *_orders(now)
    )  # fmt: skip
    places = {subject: place for place, subject in enumerate(Subject)}
    return tuple(sorted(found, key=lambda matter: (not matter.grave, places[matter.subject])))


def _daemon(now: Standing) -> Iterator[Matter]:
    if not now.daemon.running:
        yield Matter(
            subject=Subject.DAEMON,
            name="daemon",
            says=now.daemon.says(now.at),
            todo="Nothing is bought, drained or ended meanwhile. See `systemctl status autoscaler` and its log.",
            grave=True,
            since_at=now.daemon.last_tick_at,
        )


def _strangers(now: Standing) -> Iterator[Matter]:
    for one in now.strangers:
        pool = f", marked for {one.instance.pool}" if one.instance.pool else ""
        yield Matter(
            subject=Subject.STRANGERS,
            name=one.instance.name,
            says=f"{one.provider} lists {one.instance.name} ({one.instance.instance_id}), {one.instance.state.value}"
            f"{pool}; it bears our mark, costs money, and no record tells of it",
            todo="It is drained or ended by itself once it was seen long enough, unless the fleet only reports such "
            "machines. Sweep ends all of them at once.",
            grave=True,
            since_at=one.instance.created_at,
            kind=OrderKind.SWEEP,
            target=EVERYTHING,
        )


def _misplaced(now: Standing) -> Iterator[Matter]:
    for one in now.misplaced:
        yield Matter(
            subject=Subject.MISPLACED,
            name=one.machine,
            says=residency.why_misplaced(one),
            todo="It serves on, and no other is bought there. Drain lets it finish and go.",
            grave=True,
            since_at=one.since_at,
            kind=OrderKind.DRAIN,
            target=one.machine,
            pool=one.pool,
        )


def _money(now: Standing) -> Iterator[Matter]:
    for name, bill in (*((pool.pool, pool.bill) for pool in now.pools), ("all pools", now.bill)):
        if bill.is_too_much and bill.most is not None:
            comes_to = max(bill.spent, bill.projected)
            yield Matter(
                subject=Subject.MONEY,
                name=name,
                says=f"{name}: {bill.month} comes to {comes_to:.2f} {now.currency}, allowed are {bill.most:.2f}",
                todo="As the month's money runs out, pools shrink to their floors. Raise max_cost_per_month, or lower "
                "what is asked for.",
                grave=True,
                pool="" if bill is now.bill else name,
            )


def _held_back(now: Standing) -> Iterator[Matter]:
    for held in now.held_back:
        kind, target = _order(held)
        yield Matter(
            subject=Subject.ACCOUNTS if held.kind == held_back.UNLISTED else Subject.HELD_BACK,
            name=held.subject,
            says=held.why if held.subject in held.why else f"{held.subject}: {held.why}",
            todo=_advice(held),
            grave=_is_grave(held),
            since_at=held.since_at,
            until_at=held.until_at,
            kind=kind,
            target=target,
        )


def _advice(held: HeldBack) -> str:
    ends = f"{held.ends[:1].upper()}{held.ends[1:]}."
    if held.until_at is not None:
        ends = f"After its rest {held.ends}."
    if held.kind == held_back.UNLISTED:
        return f"{_UNLISTED_TODO} {ends}"
    advice = next((says for kind, says in _WHAT_TO_DO if kind == held.kind), "")
    return " ".join(filter(None, (advice, ends)))


def _is_grave(held: HeldBack) -> bool:
    kinds: frozenset[str] = frozenset({*_ADVICE, *_WAITS_TO_ACT_ON, held_back.UNLISTED}) - _PASSING
    return held.kind in kinds


def _order(held: HeldBack) -> tuple[OrderKind | None, str]:
    """The order behind the command that ends it."""
    _, _, order = held.by_hand.partition(" ")
    word, _, target = order.partition(" ")
    kind = next((kind for kind in OrderKind if kind.value == word), None)
    return kind, target or (EVERYTHING if kind else "")


def _pools(now: Standing) -> Iterator[Matter]:
    for pool in now.pools:
        yield from _of_pool(pool)


def _of_pool(pool: PoolStanding) -> Iterator[Matter]:
    name = str(pool.pool)
    for why in pool.unseen:
        yield _about(
            name, f"{name} could not be seen: {why}", "Nothing shrinks on a picture with holes.", grave=True
        )
    if pool.lost:
        says = f"{name}: {count(pool.lost, 'worker')} fell silent"
        todo = "They are paid and count for nothing. They are ended when their time is over, or serve on if heard."
        yield _about(name, says, todo, grave=True)
    if pool.published is not None and pool.published.trouble:
        says = f"{name}: {pool.published.file} was not taken in: {pool.published.trouble}"
        yield _about(name, says, "Requests may reach machines that leave; their ends wait.", grave=True)
    if pool.paused:
        yield _about(
            name, f"{name} is paused", "It does not scale until it is resumed.", kind=OrderKind.RESUME
        )
    if pool.hold_workers is not None:
        says = f"{name} is held at {count(pool.hold_workers, 'worker')}"
        todo = "It scales again after that time, or when it is resumed."
        yield _about(name, says, todo, kind=OrderKind.RESUME, until_at=pool.hold_until_at)
    if not pool.configured:
        says = f"{name} is no longer in the configuration"
        yield _about(name, says, "Its machines are drained and given back.")
    if pool.decided_at is None and pool.configured:
        yield _about(name, f"{name}: nothing was decided yet", "The first tick decides.")


def _about(
    pool: str,
    says: str,
    todo: str,
    *,
    grave: bool = False,
    kind: OrderKind | None = None,
    until_at: float | None = None,
) -> Matter:
    return Matter(
        subject=Subject.POOLS,
        name=pool,
        says=says,
        todo=todo,
        grave=grave,
        kind=kind,
        target=pool if kind else "",
        pool=pool,
        until_at=until_at,
    )


def _orders(now: Standing) -> Iterator[Matter]:
    for order in now.orders:
        target = "" if order.target == EVERYTHING or order.kind is OrderKind.RELOAD else f" {order.target}"
        yield Matter(
            subject=Subject.ORDERS,
            name=f"{order.kind.value}{target}",
            says=f"order {order.number}, {order.kind.value}{target}, by {order.given_by}, is not answered yet",
            todo="The daemon answers with its next tick; a sweep stays open until all is dealt with.",
            grave=False,
            since_at=order.given_at,
        )
