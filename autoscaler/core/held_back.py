"""What is held back now, as an operator should read it: by what, since when, until when, and how to end it by hand.

In goes the memory that a tick left in the journal, out come the breakers that are open or half open, the offers and
accounts that rest, the machines that are tried first, the calls and ends that wait, and what is not believed yet. It is
what `status` shows; why an end waits is decided in `witness`. What never happens here: a change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from autoscaler.core.accounts import LISTINGS_TO_TELL
from autoscaler.core.facts import Memory, Rest, RestKind
from autoscaler.core.offers import TRIED_ONE_BY_ONE
from autoscaler.core.waits import Wait, WaitKind

UNLISTED = "unlisted"
_HALF_OPEN = {
    RestKind.REJECTED: "one machine is tried until one enrols",
    RestKind.NEVER_ENROLLED: "one machine is tried until one enrols",
    RestKind.SLOW_DISK: "one machine is tried until one enrols",
    RestKind.FAILING: "one order is tried until one is answered",
    RestKind.QUOTA: "one machine more is tried; as many as are given back are ordered before",
    RestKind.MISPLACED: "one machine is tried, to see where it stands",
}
_WAITS_END = {
    WaitKind.CANARY: "it ends when its worker is heard",
    WaitKind.CALLS: "calls go on within a minute, as those under way end, or when the account takes more",
    WaitKind.ORPHANS: "the others follow at that pace",
    WaitKind.TWIN: "it ends when that name falls silent",
    WaitKind.UNHEARD: "it ends when the worker is heard, or nobody is connected",
    WaitKind.WITNESS: "it ends when the worker is heard, or the broker says that nobody is at work",
    WaitKind.ABSENCES: "it ends when they are listed again, or after that time",
}
_SWEPT = frozenset({WaitKind.ORPHANS, WaitKind.TWIN, WaitKind.UNHEARD})


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """One thing that is not done now. `until_at` None: an event ends it, no clock; `since_at` None: not known."""

    kind: str
    subject: str
    """An offer, an offer for a pool, an account, or a machine."""
    why: str
    since_at: float | None
    until_at: float | None
    ends: str
    """What ends it by itself, or what happens at `until_at`."""
    by_hand: str
    """The command that ends it; empty where none does."""


def look(memory: Memory, at: float) -> tuple[HeldBack, ...]:
    """Everything, in the order an operator wants to know it: whole accounts first."""
    return (*_accounts(memory, at), *_offers(memory, at), *(_waiting(wait) for wait in memory.waits))


def _accounts(memory: Memory, at: float) -> Iterator[HeldBack]:
    for provider, rest in memory.account_rests.items():
        if rest.until_at > at:
            yield _resting(provider, rest, at, wakes=provider)
    for provider, full in memory.quotas.items():
        if full.rest.until_at > at:
            yield _resting(provider, full.rest, at, wakes=provider)
    for provider, trouble in memory.troubles.items():
        if trouble.rest is not None:
            yield _resting(provider, trouble.rest, at, wakes=provider)
        if trouble.listings >= LISTINGS_TO_TELL:
            yield HeldBack(
                kind=UNLISTED,
                subject=provider,
                why=f"its machines cannot be listed: {trouble.why_unlisted}",
                since_at=trouble.unlisted_since_at,
                until_at=None,
                ends="it ends with the next complete list",
                by_hand="",
            )


def _offers(memory: Memory, at: float) -> Iterator[HeldBack]:
    for name, rest in memory.offer_rests.items():
        if rest.until_at > at or rest.kind in TRIED_ONE_BY_ONE:
            yield _resting(name, rest, at, wakes=name.partition(" for ")[0])


def _resting(subject: str, rest: Rest, at: float, *, wakes: str) -> HeldBack:
    over = rest.until_at <= at
    then = _HALF_OPEN.get(rest.kind, "it is asked again")
    return HeldBack(
        kind=rest.kind,
        subject=subject,
        why=rest.why,
        since_at=rest.since_at or None,
        until_at=None if over else rest.until_at,
        ends=then,
        by_hand=f"autoscaler wake {wakes}",
    )


def _waiting(wait: Wait) -> HeldBack:
    by_hand = ""
    if wait.kind in _SWEPT:
        by_hand = "autoscaler sweep"
    elif wait.kind is WaitKind.CANARY:
        by_hand = f"autoscaler wake {wait.subject.partition(' for ')[2]}"
    elif wait.kind is WaitKind.WITNESS:
        by_hand = f"autoscaler destroy {wait.subject}"
    return HeldBack(
        kind=wait.kind,
        subject=wait.subject,
        why=wait.why,
        since_at=wait.since_at,
        until_at=None,
        ends=_WAITS_END[wait.kind],
        by_hand=by_hand,
    )
