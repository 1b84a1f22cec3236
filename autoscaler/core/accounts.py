"""The breaker of an account: a provider that does not answer is not asked for more machines, and then for one.

In go the answers and listings of a tick, out comes the trouble each account is in. Ends of machines are never held back
by it: they are asked for at their own pauses, and the first clear answer to any of them closes the breaker.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from autoscaler.core.facts import (
    CallKind,
    Memory,
    Missing,
    Outcome,
    OutcomeKind,
    Rest,
    RestKind,
    Snapshot,
    Trouble,
)
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node
from providers.contract import Listing, ProviderName

CALLS_TO_OPEN = 3
"""Ticks in a row with unanswered calls: one may be a dropped connection, and each unanswered order is paid for."""
LISTINGS_TO_TELL = 3
"""Ticks in a row without a complete listing before that is told as trouble of the account."""
_FIRST_REST_S = 60.0
LONGEST_REST_S = 1800.0
_PROVIDER_CALLS = frozenset({CallKind.CREATE, CallKind.DESTROY})


def remember(snapshot: Snapshot, memory: Memory) -> Memory:
    """Memory with this tick's answers and listings counted. Accounts without trouble are not in it."""
    answers = _answers(snapshot)
    known = dict.fromkeys([*snapshot.listings, *(node.offer.provider for node in snapshot.nodes)])
    troubles = {}
    for provider in known:
        before = memory.troubles.get(provider, Trouble())
        after = _called(before, provider, answers.get(provider, []), snapshot.at)
        after = _listed(after, snapshot.listings.get(provider), snapshot.at)
        if after != Trouble():
            troubles[provider] = after
    return replace(memory, troubles=troubles)


def why_resting(provider: ProviderName, memory: Memory, at: float) -> str | None:
    """Why no machine is ordered at this account now, or None if one may be."""
    trouble = memory.troubles.get(provider)
    rest = trouble.rest if trouble else None
    return rest.why if rest is not None and rest.until_at > at else None


def probes_left(provider: ProviderName, memory: Memory, nodes: Iterable[Node]) -> int | None:
    """How many machines may be ordered at an account whose breaker is half open: one that is unanswered is enough.

    None where nothing is wrong with the account.
    """
    trouble = memory.troubles.get(provider)
    if trouble is None or trouble.rest is None:
        return None
    asked = any(n.state is NodeState.CREATING and n.offer.provider == provider for n in nodes)
    return 0 if asked else 1


def _answers(snapshot: Snapshot) -> Mapping[ProviderName, list[Outcome]]:
    answered = {outcome.node for outcome in snapshot.outcomes}
    nodes = {node.name: node for node in snapshot.nodes if node.name in answered}
    found: dict[ProviderName, list[Outcome]] = {}
    for outcome in snapshot.outcomes:
        if outcome.kind in {OutcomeKind.NOT_SENT, OutcomeKind.UNPREPARED}:
            continue  # neither an answer nor the want of one
        if outcome.call in _PROVIDER_CALLS and outcome.node in nodes:
            found.setdefault(nodes[outcome.node].offer.provider, []).append(outcome)
    return found


def _failed(outcome: Outcome) -> bool:
    """No clear answer; or no right to end what is ours, which no offer can be blamed for."""
    rejected = outcome.call is CallKind.DESTROY and outcome.kind is OutcomeKind.REJECTED
    return outcome.kind is OutcomeKind.UNKNOWN or rejected


def _called(trouble: Trouble, provider: ProviderName, answers: list[Outcome], at: float) -> Trouble:
    rest = trouble.rest
    if rest is not None and rest.until_at > at + LONGEST_REST_S:  # the wall clock was set back
        rest = replace(rest, until_at=at + LONGEST_REST_S)
        trouble = replace(trouble, rest=rest)
    if not answers:
        return trouble
    failed = [outcome for outcome in answers if _failed(outcome)]
    if len(failed) < len(answers):
        return replace(trouble, calls=0, rest=None)
    trouble = replace(trouble, calls=trouble.calls + 1)
    if trouble.calls < CALLS_TO_OPEN or (rest is not None and rest.until_at > at):
        return trouble
    openings = rest.refusals + 1 if rest else 1
    rest_s = min(LONGEST_REST_S, _FIRST_REST_S * 2 ** min(openings - 1, 10))
    why = f"{trouble.calls} times in a row {provider} gave no clear answer: {failed[-1].says or 'no answer'}"
    return replace(
        trouble,
        rest=Rest(
            until_at=at + rest_s,
            refusals=openings,
            why=why,
            kind=RestKind.FAILING,
            since_at=rest.since_at if rest else at,
        ),
    )


def _listed(trouble: Trouble, listing: Listing | Missing | None, at: float) -> Trouble:
    """The pool that buys there holds on each tick without a listing anyway; this remembers since when, and why."""
    if listing is None or (isinstance(listing, Listing) and listing.complete):
        return replace(trouble, listings=0, unlisted_since_at=0.0, why_unlisted="")
    return replace(
        trouble,
        listings=trouble.listings + 1,
        unlisted_since_at=trouble.unlisted_since_at or at,
        why_unlisted=listing.why if isinstance(listing, Missing) else listing.why_incomplete,
    )
