"""The journal beside what the providers list: which machines have no record, and which records have no machine.

In go live nodes and listings, out comes where they differ. A provider that could not be looked at, or only in part,
proves nothing and is named. What never happens here: a change to either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from autoscaler.core import claims
from autoscaler.core.facts import Missing
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node
from autoscaler.observe import Seen
from providers.contract import Instance, Listing, NodeName, ProviderName

EXPECTED_TO_EXIST = frozenset({NodeState.BOOTING, NodeState.READY, NodeState.LOST, NodeState.DRAINING})
"""A CREATING machine may not exist yet, and a DESTROYING one may be gone already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """`agree` is None where no difference was found but not everything could be seen."""

    instances: Mapping[NodeName, Instance]
    """Each node's machine, where one is listed."""
    without_record: tuple[tuple[ProviderName, Instance], ...]
    without_machine: tuple[Node, ...]
    unseen: Mapping[ProviderName, str]

    @property
    def agree(self) -> bool | None:
        if self.without_record or self.without_machine:
            return False
        return None if self.unseen else True


class _Records(Protocol):
    def live_nodes(self) -> tuple[Node, ...]: ...


class _Observer(Protocol):
    def look(self, nodes: tuple[Node, ...]) -> Seen: ...


def look(records: _Records, observer: _Observer) -> Comparison:
    """Ask every provider, within the observer's deadline, and compare. Raises JournalUnavailable."""
    before = records.live_nodes()
    seen = observer.look(())
    return compare(before, seen.listings, records.live_nodes())


def compare(
    before: tuple[Node, ...], listings: Mapping[ProviderName, Listing | Missing], after: tuple[Node, ...]
) -> Comparison:
    """Compare the records `before` and `after` the providers were asked with what they listed.

    A daemon may buy and end machines meanwhile, so a difference counts only if both readings of the records show it.
    """
    instances: dict[NodeName, Instance] = {}
    claimed: set[tuple[ProviderName, str]] = set()
    indices = {p: claims.index(li) for p, li in listings.items() if isinstance(li, Listing)}
    for node in (*before, *after):
        listed = indices.get(node.offer.provider)
        mine = claims.claimed_by(node, listed) if listed else None
        if mine is not None:
            instances[node.name] = mine
            claimed.add((node.offer.provider, mine.instance_id))
    stood_before = {node.name for node in before if node.state in EXPECTED_TO_EXIST}
    return Comparison(
        instances=instances,
        without_record=tuple(
            (provider, instance)
            for provider, listing in listings.items()
            if isinstance(listing, Listing)
            for instance in listing.instances
            if (provider, instance.instance_id) not in claimed
        ),
        without_machine=tuple(
            node
            for node in after
            if node.state in EXPECTED_TO_EXIST
            and node.name in stood_before
            and node.name not in instances
            and _whole(listings.get(node.offer.provider))
        ),
        unseen=_unseen(listings),
    )


def _whole(listing: Listing | Missing | None) -> bool:
    return isinstance(listing, Listing) and listing.complete


def _unseen(listings: Mapping[ProviderName, Listing | Missing]) -> dict[ProviderName, str]:
    unseen = {}
    for provider, listing in listings.items():
        if isinstance(listing, Missing):
            unseen[provider] = listing.why
        elif not listing.complete:
            unseen[provider] = listing.why_incomplete or "the listing is incomplete"
    return unseen
