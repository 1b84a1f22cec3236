"""How long a machine may take to become a worker: what was learned of its offer, its own word that it moves, and why.

In go records, moves and what is remembered; out come seconds within what the operator wrote, and what a tick teaches of
them. Where he wrote one number, that is obeyed and nothing here changes it. What never happens here: an end of a
machine, or the proof that nobody is at work on it, which is `deadlines`'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from autoscaler.core import deadlines, learned, moves, offers
from autoscaler.core.facts import SIGHTINGS_CLOCK, Memory, Missing, Snapshot, Unconnected
from autoscaler.core.learned import Learned
from autoscaler.core.lifecycle import Event, FactKind, NodeState
from autoscaler.core.model import Node, OfferName, PoolName, PoolRules, Timeouts, Transition
from autoscaler.core.reports import Boot, Report
from providers.contract import NodeName

UNWATCHED_S = 60.0
"""So long a part of a boot may have passed unheard; after more, when the worker came up cannot be told."""

_Reports = Mapping[NodeName, Report] | Missing


def of_offer(memory: Memory, offer: OfferName, pool: PoolName) -> Learned:
    """What is known of that offer's boots for that pool."""
    return memory.learned.get(offers.for_pool(offer, pool), Learned())


def times_of(
    node: Node, times: Timeouts, memory: Memory, booting: Mapping[NodeName, Boot], reports: _Reports
) -> Timeouts:
    """The pool's times as they are for this machine: those of one that becomes a worker are its offer's.

    While it reports one phase after another it is slow and not late: from its last word on it has the whole time again,
    within what any machine may take. Where words may wait that cannot be read now, it has all of that.
    """
    if node.state is not NodeState.BOOTING or times.enrol_first_s is None:
        return times
    of = of_offer(memory, node.offer.name, node.pool)
    enrol_s = deadlines.enrol_s(times, of, alike=_alike(node, memory, of))
    boot = booting.get(node.name)
    if boot is not None and boot.moved_on is not None and boot.failed is None:
        if isinstance(reports, Missing):
            return times
        enrol_s = min(times.enrol_s, enrol_s + max(0.0, boot.moved_on - node.entered_on))
    return replace(times, enrol_s=enrol_s)


def why(
    node: Node, times: Timeouts, memory: Memory, booting: Mapping[NodeName, Boot], clocks: Mapping[str, float]
) -> str:
    """What that time rests on, and what the machine said last; empty for one that becomes no worker."""
    if node.state is not NodeState.BOOTING:
        return ""
    says = []
    if times.enrol_first_s is not None:
        of = of_offer(memory, node.offer.name, node.pool)
        says.append(in_words(of, alike=_alike(node, memory, of)))
    boot = booting.get(node.name)
    done = [time for time in boot.phases if time.ok] if boot is not None else []
    if boot is not None and boot.moved_on is not None and done:
        ago_s = max(0.0, clocks.get(SIGHTINGS_CLOCK, 0.0) - boot.moved_on)
        says.append(
            f"its last word, {ago_s:.0f} s ago: phase {max(done, key=lambda t: t.to_s).phase} is over"
        )
    return "; ".join(says)


def in_words(of: Learned, *, alike: bool = True) -> str:
    """How long boots of an offer take, as a reason."""
    if not of.took_s:
        says = "none of this offer has become a worker yet"
    else:
        says = (
            f"boots of this offer take {learned.middle_s(of.took_s):.0f} s (95 % under "
            f"{learned.high_s(of.took_s):.0f} s, of {len(of.took_s)})"
        )
        if not alike:
            says += ", and none has become what this one is to"
    if of.at_least_s > max(learned.estimate_s(of.took_s) or 0.0, 0.0):
        says += f", others were waited for {of.at_least_s / 2:.0f} s in vain"
    return says


def learn(
    snapshot: Snapshot,
    told: Iterable[Transition],
    rules: Mapping[PoolName, PoolRules],
    clocks: Mapping[str, float],
) -> dict[OfferName, Learned]:
    """Of each offer of the configured pools, with the boots that ended on this tick, well or not."""
    bought = {
        offers.for_pool(offer.name, name): (pool, offer.name)
        for name, pool in rules.items()
        for offer in pool.offers
    }
    after = {key: of for key, of in snapshot.memory.learned.items() if key in bought}
    nodes = {node.name: node for node in snapshot.nodes}
    for move in told:
        node = nodes.get(move.node)
        key = offers.for_pool(node.offer.name, node.pool) if node is not None else None
        if node is None or key is None or key not in bought or node.machine != node.name:
            continue
        pool, offer = bought[key]
        before, most_s = after.get(key, Learned()), pool.timeouts.enrol_s
        if move.event is Event.ENROL_EXPIRED and nobody_there(snapshot, node.name):
            after[key] = learned.with_late(before, moves.lasted_s(node, clocks), most_s=most_s)
            continue
        took_s = _took_s(snapshot, node, move)
        kind = snapshot.memory.becoming.get(node.name) or before.becomes
        # One that was ordered before the last change says nothing of those to come.
        if took_s is not None and kind == pool.becomes.get(offer, kind):
            after[key] = learned.with_boots(before, (took_s,), becomes=kind, most_s=most_s)
    return {key: _noted(of, bought[key][0].becomes.get(bought[key][1], "")) for key, of in after.items()}


def renewed(before: Memory, after: Mapping[OfferName, Learned]) -> frozenset[OfferName]:
    """Offers for a pool of which the first machine of a new kind has just become a worker."""
    return frozenset(
        key
        for key, of in after.items()
        if (known := before.learned.get(key)) is not None and known.took_s and known.becomes != of.becomes
    )


def nobody_there(snapshot: Snapshot, node: NodeName) -> bool:
    """Whether the broker says that its worker is not connected: one that is there and unheard was not late."""
    idleness = snapshot.idleness.get(node)
    return idleness is not None and isinstance(idleness.unacknowledged, Unconnected)


def _took_s(snapshot: Snapshot, node: Node, move: Transition) -> float | None:
    """Seconds from its appearance until it was heard for the first time; None where nobody watched, or for others.

    Of one that was taken for late and then heard after all, only when it was ordered is on record.
    """
    if node.enrolled_at is not None:
        return None
    if move.event is Event.WORK_SEEN:
        return max(0.0, snapshot.at - node.ordered_at)
    if move.event is not Event.WORKER_SEEN or node.state is not NodeState.BOOTING:
        return None
    watched_s = moves.reading(node, snapshot.memory.clocks, FactKind.SIGHTINGS) - node.entered_on
    unheard_s = snapshot.at - node.entered_at - watched_s
    return watched_s + max(0.0, unheard_s) if abs(unheard_s) <= UNWATCHED_S else None


def _noted(of: Learned, becomes: str) -> Learned:
    changed = bool(of.took_s and becomes and becomes != of.becomes)
    return of if of.changed is changed else replace(of, changed=changed)


def _alike(node: Node, memory: Memory, of: Learned) -> bool:
    """Whether it is to become what those that are known became; where nobody says what, nothing is known to differ."""
    return memory.becoming.get(node.name, of.becomes) == of.becomes
