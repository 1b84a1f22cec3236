"""Which listed machine is whose record's: by its id once that is known, before that by its name.

In go records and listings, out come machines. What never happens here: a record that is made, moved or dropped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from autoscaler.core.model import Node
from providers.contract import Instance, InstanceId, Listing, ProviderName


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A listing to look machines up in, so that a tick over many nodes does not read it once for each."""

    by_id: Mapping[InstanceId, Instance]
    oldest_by_name: Mapping[str, Instance]


def index(listing: Listing) -> Index:
    """Where two machines bear one name, the older is found by it."""
    by_age = sorted(listing.instances, key=lambda i: (i.created_at or 0.0, i.instance_id), reverse=True)
    return Index(
        by_id={i.instance_id: i for i in listing.instances}, oldest_by_name={i.name: i for i in by_age}
    )


def claimed_by(node: Node, listed: Index) -> Instance | None:
    """The listed instance that is this node's: by id once that is known, else the oldest of its name."""
    if node.instance_id is not None:
        return listed.by_id.get(node.instance_id)
    return listed.oldest_by_name.get(node.machine)


def unclaimed(
    provider: ProviderName, listing: Listing, live: Collection[Node], listed: Index
) -> list[Instance]:
    """The listed machines that are no record's."""
    # Nearly all are known by the id that a record of this account has. Who claims one of the others bears its name.
    by_id = {node.instance_id for node in live if node.offer.provider == provider}
    others = [instance for instance in listing.instances if instance.instance_id not in by_id]
    claimed = {
        instance.instance_id
        for of_name in of_names(live, {instance.name for instance in others}).values()
        for node in of_name
        for instance in [claimed_by(node, listed)]
        # Two accounts of the configuration may be one at the provider: a machine recorded under the other is no
        # stranger here. Ids of different providers may be alike, so the name must be too.
        if instance is not None and (node.offer.provider == provider or instance.name == node.machine)
    }
    return [instance for instance in others if instance.instance_id not in claimed]


def of_names(live: Iterable[Node], names: Collection[str]) -> defaultdict[str, list[Node]]:
    """Records of machines that bear one of these names, by it."""
    found: defaultdict[str, list[Node]] = defaultdict(list)
    for node in live if names else ():
        if node.machine in names:
            found[node.machine].append(node)
    return found
