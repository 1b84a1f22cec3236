"""Which machines are of an older definition of their pool than a new one would be, or too old; and why, in words.

Records and rules go in, reasons come out. What is not known is no drift: records of older releases, and machines that
were taken in without a record of their order. What never happens here: a choice of what is done about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from autoscaler.core.lifecycle import ARRIVING, SERVING, NodeState
from autoscaler.core.model import Node, PoolName, PoolRules
from policies.phrases import duration
from providers.contract import NodeName

_STAY = ARRIVING | SERVING | {NodeState.LOST}


def outdated(nodes: Iterable[Node], rules: Mapping[PoolName, PoolRules], at: float) -> dict[NodeName, str]:
    """Why each is outdated, of those that are and that nobody told to leave yet."""
    found: dict[NodeName, str] = {}
    last: tuple[object, ...] = ()
    drifted = ""
    for node in nodes:
        pool = rules.get(node.pool) if node.state in _STAY else None
        if pool is None:
            continue
        # Most machines of a pool were ordered alike, drift alike, and stand beside each other.
        ordered = node.pool, node.offer, node.slots, node.queues, node.becomes, node.name == node.machine
        if ordered != last:
            last, drifted = ordered, why_drifted(node, pool)
        if why := _both(drifted, why_too_old(node, pool, at)):
            found[node.name] = why
    return found


def why_outdated(node: Node, pool: PoolRules, at: float) -> str:
    """What a new machine would be otherwise, and that it is too old; empty if neither."""
    return _both(why_drifted(node, pool), why_too_old(node, pool, at))


def _both(drifted: str, old: str) -> str:
    return f"{drifted}; {old}" if drifted and old else drifted or old


def is_known(node: Node) -> bool:
    """Whether it is on record what the machine was to become."""
    return bool(node.becomes) and node.name == node.machine


def why_drifted(node: Node, pool: PoolRules) -> str:
    """What would be otherwise if it were ordered now; empty if nothing, or if that is not known."""
    if node.name != node.machine:
        return (
            ""  # nobody knows how it was ordered: its offer, slots and queues on record are those of that day
        )
    if gone := _offer_gone(node, pool):
        return gone
    offer = node.offer.name
    slots, queues, found = pool.slots_of(offer), pool.queues, []
    if node.slots != slots:
        found.append(f"slots: {node.slots}, now {slots}")
    if node.queues != queues and set(node.queues) != set(queues):
        found.append(f"queues: {', '.join(node.queues) or 'none'}, now {', '.join(queues)}")
    new = pool.becomes.get(offer, "")
    if not found and node.becomes and new and node.becomes != new:
        found.append("bootstrap: another than now")
    return "; ".join(found)


def why_too_old(node: Node, pool: PoolRules, at: float) -> str:
    """That it is older than `limits.max_age`; empty if not, or if there is no such limit."""
    age_s = at - node.ordered_at
    if not pool.max_age_s or age_s <= pool.max_age_s:
        return ""
    return f"{duration(age_s)} old, max_age is {duration(pool.max_age_s)}"


def _offer_gone(node: Node, pool: PoolRules) -> str:
    """That its offer is no longer configured, by what took its place where that can be told."""
    old = node.offer
    if old in pool.offers or any(offer.name == old.name for offer in pool.offers):
        return ""
    there = [o for o in pool.offers if (o.provider, o.location) == (old.provider, old.location)]
    images = dict.fromkeys(o.image for o in there if o.size == old.size)
    sizes = dict.fromkeys(o.size for o in there if o.image == old.image)
    if images:
        return f"image: {old.image}, now {' or '.join(images)}"
    if sizes:
        return f"size: {old.size}, now {' or '.join(sizes)}"
    return f"offer: {old.name} is no longer configured"
