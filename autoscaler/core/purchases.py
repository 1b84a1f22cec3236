"""How many machines of one offer may be ordered now, besides limits and budget: what is not proven is tried alone.

In go an offer that is awake and how many are asked for, out comes how many may go out, with the reason and what waits.
What never happens here: a look at what the pool may afford; that is `limits`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from autoscaler.core import accounts, canary, offers, quotas
from autoscaler.core.call_budget import CallBudget
from autoscaler.core.facts import Memory, Missing, Snapshot
from autoscaler.core.model import FleetRules, Node, Offer, PoolRules
from autoscaler.core.waits import Wait, WaitKind
from providers.contract import NodeName, ProviderName


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """What may be ordered of one offer on this tick. `bound_by` is empty where all that is asked for may."""

    count: int
    bound_by: str = ""
    waits: tuple[Wait, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a lot may look at: all nodes with the plan's own, and what machines on their way are to become."""

    at: float
    memory: Memory
    fleet: FleetRules
    calls: CallBudget
    under_way: int
    """Calls in flight at the offer's account, with those of this plan."""
    nodes: Collection[Node]
    becoming: Mapping[NodeName, str]
    others: bool = False
    """Whether another offer can be asked for what this one may not give."""


def lot(offer: Offer, pool: PoolRules, asked: int, means: Means) -> Lot:
    """The part of `asked` that neither a trial nor the account's calls hold back."""
    count, by, kind, subject = min(_bounds(offer, pool, asked, means), key=lambda bound: bound[0])
    if count >= asked:
        return Lot(count=asked)
    waits = () if kind is None else (Wait(kind=kind, subject=subject, why=by, since_at=means.at),)
    return Lot(count=count, bound_by=by, waits=waits)


_Bound = tuple[int, str, WaitKind | None, str]


def _bounds(offer: Offer, pool: PoolRules, asked: int, means: Means) -> list[_Bound]:
    memory, nodes = means.memory, means.nodes
    key = offers.for_pool(offer.name, pool.name)
    new = canary.probes_left(offer, pool, memory, means.becoming, nodes)
    doubtful = offers.probes_left(offer, pool.name, memory, nodes)
    stock = offers.stock_left(offer, memory, nodes) if means.others else None
    failing = accounts.probes_left(offer.provider, memory, nodes)
    room = quotas.room(offer.provider, memory, nodes, means.at)
    calls = means.calls.why(offer.provider)
    found: list[tuple[int | None, str, WaitKind | None, str]] = [
        (
            new,
            f"one machine of {offer.name} is tried first, its image or bootstrap is new",
            WaitKind.CANARY,
            key,
        ),
        (
            stock,
            f"one machine of {offer.name} is tried, there was no stock; the others come from the next",
            None,
            key,
        ),
        (doubtful, f"one machine of {offer.name} is tried first, the last ones failed", None, key),
        (
            failing,
            f"one order is tried first at {offer.provider}, which gave no answers",
            None,
            offer.provider,
        ),
        (room, quotas.why_full(offer.provider, memory), None, offer.provider),
        (means.calls.whole(offer.provider), calls, WaitKind.CALLS, offer.provider),
        (
            max(0, means.fleet.max_calls - means.under_way),
            f"{means.under_way} calls to {offer.provider} are under way, no more go out at once",
            None,
            offer.provider,
        ),
        (asked, "", None, ""),
    ]
    return [(most, by, kind, subject) for most, by, kind, subject in found if most is not None]


def why_not(snapshot: Snapshot, memory: Memory, pool: PoolRules) -> str:
    """Why nothing may be bought on this picture; empty when something may, where machines are seen.

    What an account shows no more was counted when it did, and is counted on. So the pool's other accounts may be asked,
    but only by a daemon that has seen each once: a journal from an old copy does not know what stands there.
    """
    if isinstance(snapshot.sightings, Missing):
        return f"not buying while workers cannot be heard: {snapshot.sightings.why}"
    blind = {
        provider: why
        for provider in dict.fromkeys(offer.provider for offer in pool.offers)
        if (why := why_blind(snapshot, provider))
    }
    never = [why for provider, why in blind.items() if provider not in memory.seen]
    if never or (blind and all(offer.provider in blind for offer in pool.offers)):
        return f"not buying while {[*never, *blind.values()][0]}"
    return ""


def why_blind(snapshot: Snapshot, provider: ProviderName) -> str:
    """Why nothing may be bought at that account; empty when its machines are seen."""
    listing = snapshot.listings.get(provider, Missing(why="it is not configured"))
    if isinstance(listing, Missing):
        return f"the machines at {provider} cannot be seen: {listing.why}"
    if not listing.complete:
        return f"the list of machines at {provider} is incomplete: {listing.why_incomplete}"
    return ""
