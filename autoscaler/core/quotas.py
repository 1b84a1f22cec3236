"""How many machines an account may have, learned from its own refusals: a full account is not asked again at once.

In go the answers of a tick and the machines that are there, out comes for each account how many more may be ordered.
The number it held when it refused is remembered: while fewer are there, as many are asked for as were given back; else
the account rests, longer each time, and then one machine is tried. What never happens here: a belief that a quota stays
what it was; other people may use the account, and a quota may be raised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from autoscaler.core.facts import (
    CallKind,
    Full,
    Memory,
    Outcome,
    OutcomeKind,
    Rest,
    RestKind,
    Snapshot,
)
from autoscaler.core.lifecycle import BILLABLE, NodeState
from autoscaler.core.model import Node
from providers.contract import ProviderName

_FIRST_REST_S = 30.0
_LONGEST_REST_S = 1800.0
"""As of an offer without stock: asking twice an hour harms nobody."""
_FORGOTTEN_S = 86_400.0
"""So long after its rest a full account is one like any other."""


def remember(snapshot: Snapshot, memory: Memory) -> Memory:
    """Memory with this tick's refusals for want of quota, and without those that were proven wrong since."""
    nodes = {node.name: node for node in snapshot.nodes}
    held = _held(snapshot, memory)
    full = {name: one for name, was in memory.quotas.items() if (one := _still(was, held[name], snapshot.at))}
    for outcome in snapshot.outcomes:
        node = nodes.get(outcome.node)
        if node is not None and outcome.call is CallKind.CREATE and outcome.kind is OutcomeKind.QUOTA_REFUSED:
            provider = node.offer.provider
            full[provider] = _refused(full.get(provider), node, outcome, held[provider])
    return replace(memory, quotas=full)


def room(provider: ProviderName, memory: Memory, nodes: Iterable[Node], at: float) -> int | None:
    """How many more machines may be ordered at an account that said it was full; None at one that did not.

    `nodes` are those of all pools, with what the plan in the making orders.
    """
    full = memory.quotas.get(provider)
    if full is None:
        return None
    there = sum(node.offer.provider == provider and node.state in BILLABLE for node in nodes)
    there += sum(stranger.provider == provider for stranger in memory.strangers)
    beyond = 0 if full.rest.until_at > at else 1
    return max(0, full.held + beyond - there)


def why_full(provider: ProviderName, memory: Memory) -> str:
    """What keeps more from being ordered there, in words; empty where nothing does."""
    full = memory.quotas.get(provider)
    return f"{provider} holds no more than {full.held} machines: {full.rest.why}" if full else ""


def _held(snapshot: Snapshot, memory: Memory) -> Counter[ProviderName]:
    """Machines that are there for certain, by account. Of an order that is under way nobody knows yet."""
    made = {o.node for o in snapshot.outcomes if o.call is CallKind.CREATE and o.kind is OutcomeKind.DONE}
    return Counter(stranger.provider for stranger in memory.strangers) + Counter(
        node.offer.provider
        for node in snapshot.nodes
        if node.state in BILLABLE and (node.state is not NodeState.CREATING or node.name in made)
    )


def _still(full: Full, there: int, at: float) -> Full | None:
    """What is known of a full account once so many machines are there; None where that is nothing any more."""
    if full.rest.until_at > at + _LONGEST_REST_S:  # the wall clock was set back
        full = replace(full, rest=replace(full.rest, until_at=at + _LONGEST_REST_S))
    over = full.rest.until_at <= at
    if full.rest.until_at <= at - _FORGOTTEN_S or (over and there > full.held):
        return None
    return replace(full, held=there) if there > full.held else full


def _refused(before: Full | None, node: Node, outcome: Outcome, there: int) -> Full:
    """What was ordered before the rest began says nothing new: a burst that meets a full account is one refusal."""
    if before is not None and node.ordered_at < before.rest.since_at:
        return before
    refusals = before.rest.refusals + 1 if before else 1
    rest_s = min(_LONGEST_REST_S, _FIRST_REST_S * 2 ** min(refusals - 1, 10))
    why = f"{node.offer.provider} is full: {outcome.says}"
    return Full(
        held=there,
        rest=Rest(
            until_at=outcome.at + rest_s,
            refusals=refusals,
            why=why,
            kind=RestKind.QUOTA,
            since_at=outcome.at,
        ),
    )
