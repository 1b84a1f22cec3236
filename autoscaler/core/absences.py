"""Many machines absent at once are a reason to doubt the listing: their absence must last longer to be believed.

In go the records and the listings, out come settle times and what an operator should read. A provider that shows an
empty list, or another project's, does it for minutes; a zone that is gone is gone for longer. It ends by itself:
patience is a multiple of the settle time, never a hold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from autoscaler.core.facts import Missing, Snapshot
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node
from autoscaler.core.waits import Wait, WaitKind
from providers.contract import InstanceId, Listing, ProviderName

SUSPICIOUS = 3
"""So many recorded machines absent together, and more than half of those an account should show, are no coincidence."""
PATIENCE = 3.0
"""Times the settle time."""
USUAL_SETTLE_S = 60.0
"""Of an account of which nothing is known."""
_EXPECTED = frozenset({NodeState.CREATING, NodeState.DESTROYING})
"""Those on their way in or out may be absent in any number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubts:
    """The snapshot with settle times as they are to be used, and what is said of it."""

    snapshot: Snapshot
    waits: tuple[Wait, ...]


def doubt(snapshot: Snapshot, listed: Mapping[ProviderName, Collection[InstanceId]]) -> Doubts:
    """Lengthen the settle time of each account whose listing came late or misses most machines at once."""
    settle_s = dict(snapshot.settle_s)
    for provider, age_s in snapshot.listing_age_s.items():
        # What was asked for earlier is as late to tell of a machine as a listing that lags so much more.
        settle_s[provider] = settle_s.get(provider, USUAL_SETTLE_S) + age_s
    waits = []
    for provider, missing, recorded in _suspicious(snapshot, listed):
        usual_s = settle_s.get(provider, USUAL_SETTLE_S)
        settle_s[provider] = PATIENCE * usual_s
        why = (
            f"{missing} of {recorded} machines are absent from its listing at once: "
            f"believed after {PATIENCE * usual_s:.0f} s instead of {usual_s:.0f} s"
        )
        waits.append(Wait(kind=WaitKind.ABSENCES, subject=provider, why=why, since_at=snapshot.at))
    return Doubts(snapshot=replace(snapshot, settle_s=settle_s), waits=tuple(waits))


def _suspicious(
    snapshot: Snapshot, listed: Mapping[ProviderName, Collection[InstanceId]]
) -> Iterator[tuple[ProviderName, int, int]]:
    recorded: dict[ProviderName, list[Node]] = {}
    for node in snapshot.nodes:
        if node.instance_id is not None and node.state not in _EXPECTED:
            recorded.setdefault(node.offer.provider, []).append(node)
    for provider, nodes in recorded.items():
        listing = snapshot.listings.get(provider, Missing(why="not configured"))
        if not isinstance(listing, Listing) or not listing.complete:
            continue
        since_at = snapshot.at - snapshot.listing_age_s.get(provider, 0.0)
        absent = [node for node in nodes if node.instance_id not in listed[provider]]
        missing = sum(node.ordered_at < since_at for node in absent)
        if missing >= SUSPICIOUS and 2 * missing > len(nodes):
            yield provider, missing, len(nodes)
