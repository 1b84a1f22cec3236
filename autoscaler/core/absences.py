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
from autoscaler.core.model import Node, Wait, WaitKind
from providers.contract import InstanceId, Listing, ProviderName

SUSPICIOUS = 3
"""So many recorded machines absent together, and more than half of those an account should show, are no coincidence."""
PATIENCE = 3.0
"""Times the settle time."""
_EXPECTED = frozenset({NodeState.CREATING, NodeState.DESTROYING})
"""Those on their way in or out may be absent in any number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubts:
    """The snapshot with settle times as they are to be used, and what is said of it."""

    snapshot: Snapshot
    waits: tuple[Wait, ...]


def doubt(snapshot: Snapshot, listed: Mapping[ProviderName, Collection[InstanceId]]) -> Doubts:
    """Lengthen the settle time of each account that suddenly misses most of its machines."""
    settle_s = dict(snapshot.settle_s)
    waits = []
    for provider, missing, recorded in _suspicious(snapshot, listed):
        usual_s = settle_s.get(provider, 60.0)
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
        missing = sum(node.instance_id not in listed[provider] for node in nodes)
        if missing >= SUSPICIOUS and 2 * missing > len(nodes):
            yield provider, missing, len(nodes)
