"""Where machines may stand: what may be ordered, and which machines stand where they may not.

In go rules and what was seen, out come the reason why an offer is refused, and the machines that were found elsewhere.
A country that is not known is refused like one that is not allowed. What never happens here: the end of a machine. A
provider's word about a place may be wrong, and a worker may be at work; that is a person's choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from autoscaler.core.facts import CallKind, Memory, Misplaced, Missing, Rest, RestKind, Snapshot
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import FleetRules, Node, Offer, OfferName, PoolName, PoolRules
from autoscaler.core.offers import for_pool
from providers.contract import Instance, InstanceId, InstanceState, ProviderName

MISPLACED_REST_S = 86_400.0
"""As long as any offer rests: what a provider did with one order it will do with the next, until somebody mends it."""

UNSAID_S = 600.0
"""For so long a machine that is being made may have no place yet: longer than any cloud takes to find one a host."""
_LONGEST_LOCATION = 255
_Key = tuple[ProviderName, InstanceId]
_Rules = Mapping[PoolName, PoolRules]


def allowed(pool: PoolRules | None, fleet: FleetRules) -> frozenset[str] | None:
    """The countries where machines of that pool may stand; None: anywhere. A pool only ever narrows the fleet's."""
    lists = [frozenset(one) for one in (fleet.residency, pool.residency if pool else None) if one is not None]
    return frozenset.intersection(*lists) if lists else None


def why_refused(provider: ProviderName, location: str, pool: PoolRules | None, fleet: FleetRules) -> str:
    """Why no machine of the pool may be ordered there; empty where one may."""
    countries = allowed(pool, fleet)
    country = fleet.places.country(provider, location)
    if countries is None or country in countries:
        return ""
    return f"{where(provider, location, country)}; residency allows {in_words(countries)}"


def buyable(offers: Iterable[Offer], pool: PoolRules, fleet: FleetRules) -> tuple[Offer, ...]:
    """Those that may be bought where they are, in the same order."""
    return tuple(offer for offer in offers if not why_refused(offer.provider, offer.location, pool, fleet))


def where(provider: ProviderName, location: str, country: str | None) -> str:
    """A place and its country, as it follows a name: `osl-1 at vps is in NO`."""
    place = f"{location} at {provider}" if location else f"a location that is left to {provider}"
    return f"{place} is in {country}" if country else f"in which country {place} is, is not known"


def in_words(countries: Iterable[str]) -> str:
    """The countries of a rule; it may be one that allows none."""
    return ", ".join(sorted(countries)) or "no country"


def watch(snapshot: Snapshot, memory: Memory, rules: _Rules, fleet: FleetRules) -> Memory:
    """The memory with the machines that stand elsewhere, as far as they were seen, and with the offers resting by which
    they were bought.

    Presence is believed at once and in any listing. One that was found elsewhere stays so until it is seen where it may
    be, or is neither listed nor recorded any more. A place that is not said is waited for while a machine is made.
    """
    if fleet.residency is None and all(pool.residency is None for pool in rules.values()):
        return _without_rests(replace(memory, misplaced=()), rules, fleet)
    records = _records(snapshot.nodes)
    before = {(one.provider, one.instance_id): one for one in snapshot.memory.misplaced}
    seen = dict(_seen(snapshot, records, fleet))
    kept = {
        key: _Sight(name=one.machine, pool=one.pool, location=one.location)
        for key, one in before.items()
        if key not in seen and _may_stand(one, snapshot, records)
    }
    found, right = [], set()
    for key, sight in (seen | kept).items():
        node = records.of(key, sight.name)
        judged = _judged(key, sight, node, rules, fleet)
        if judged is not None:
            since_at = before[key].since_at if key in before else snapshot.at
            found.append(replace(judged, since_at=since_at))
        elif node is not None and key in seen:
            right.add(_bought_by(node))
    memory = replace(memory, misplaced=tuple(found))
    return _rested(_without_rests(memory, rules, fleet, right), found, snapshot.at)


def why_misplaced(one: Misplaced) -> str:
    """What an operator should read of it."""
    place = where(one.provider, one.location, one.country)
    return f"{one.machine} stands where it may not: {place}; residency allows {in_words(one.allowed)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sight:
    """What was told of a machine."""

    name: str
    pool: str
    """By its mark."""
    location: str


def _seen(snapshot: Snapshot, records: _Records, fleet: FleetRules) -> Iterator[tuple[_Key, _Sight]]:
    """Every machine of ours of whose place this tick tells, as the answer to its order or, which counts more, by a
    listing."""
    accounts = {node.name: node.offer.provider for node in snapshot.nodes}
    for outcome in snapshot.outcomes:
        if outcome.call is CallKind.CREATE and outcome.instance is not None and outcome.node in accounts:
            key = (accounts[outcome.node], outcome.instance.instance_id)
            # Some clouds answer with an id alone. Whether they know no more a listing tells.
            if not _unsaid(key[0], outcome.instance, fleet):
                yield key, _sight(outcome.instance)
    for provider, listing in snapshot.listings.items():
        for instance in () if isinstance(listing, Missing) else listing.instances:
            key = (provider, instance.instance_id)
            if not _unsaid(provider, instance, fleet) or not _in_the_making(
                instance, records.of(key, instance.name), snapshot.at
            ):
                yield key, _sight(instance)


def _unsaid(provider: ProviderName, instance: Instance, fleet: FleetRules) -> bool:
    """Whether nothing was said of its place, and all that the account has is not in one country."""
    return not instance.location and fleet.places.country(provider, "") is None


def _in_the_making(instance: Instance, node: Node | None, at: float) -> bool:
    """Whether it may have no place yet."""
    began_at = node.ordered_at if node is not None else instance.created_at
    young = began_at is not None and 0.0 <= at - began_at < UNSAID_S
    return young and instance.state is InstanceState.PENDING


def _sight(instance: Instance) -> _Sight:
    place = instance.location[:_LONGEST_LOCATION]
    # What cannot be shown is no name that anybody knows.
    return _Sight(
        name=instance.name, pool=instance.pool or "", location=place if place.isprintable() else ascii(place)
    )


@dataclass(frozen=True, slots=True)
class _Records:
    """Live records, by the id of their machine and by its name."""

    by_id: Mapping[_Key, Node]
    by_name: Mapping[tuple[ProviderName, str], Node]

    def of(self, key: _Key, name: str) -> Node | None:
        return self.by_id.get(key) or self.by_name.get((key[0], name))


def _records(nodes: Iterable[Node]) -> _Records:
    live = [node for node in nodes if node.state is not NodeState.GONE]
    return _Records(
        by_id={(n.offer.provider, n.instance_id): n for n in live if n.instance_id is not None},
        by_name={(n.offer.provider, n.machine): n for n in live},
    )


def _may_stand(one: Misplaced, snapshot: Snapshot, records: _Records) -> bool:
    """Whether one of whose place this tick did not tell may be there all the same."""
    listing = snapshot.listings.get(one.provider, Missing(why="not configured"))
    if isinstance(listing, Missing) or not listing.complete:
        return True
    # One that is listed without a place, which may be waited for, is no less where it was seen before.
    if any(instance.instance_id == one.instance_id for instance in listing.instances):
        return True
    return records.of((one.provider, one.instance_id), one.machine) is not None


def _judged(
    key: _Key, sight: _Sight, node: Node | None, rules: _Rules, fleet: FleetRules
) -> Misplaced | None:
    """That it stands elsewhere, or None. Whose machine it is our record says; its mark, where there is none."""
    pool = node.pool if node is not None else PoolName(sight.pool)
    countries = allowed(rules.get(pool), fleet)
    country = fleet.places.country(key[0], sight.location)
    if countries is None or country in countries:
        return None
    return Misplaced(
        provider=key[0],
        machine=sight.name,
        instance_id=key[1],
        location=sight.location,
        pool=pool,
        country=country,
        allowed=tuple(sorted(countries)),
        since_at=0.0,
        bought_by=_bought_by(node) if node is not None else OfferName(""),
    )


def _bought_by(node: Node) -> OfferName:
    """Under which name the offer rests that brought the machine; empty for one that was taken in without a record."""
    return for_pool(node.offer.name, node.pool) if node.name == node.machine else OfferName("")


def _without_rests(
    memory: Memory, rules: _Rules, fleet: FleetRules, right: Iterable[OfferName] = ()
) -> Memory:
    """The memory without those rests whose cause is over: a machine of the offer was seen where it may be, or the pool
    may be anywhere."""
    free = {for_pool(o.name, p.name) for p in rules.values() if allowed(p, fleet) is None for o in p.offers}
    over = {*right, *free}
    rests = {
        key: rest
        for key, rest in memory.offer_rests.items()
        if rest.kind is not RestKind.MISPLACED or key not in over
    }
    return memory if len(rests) == len(memory.offer_rests) else replace(memory, offer_rests=rests)


def _rested(memory: Memory, found: Iterable[Misplaced], at: float) -> Memory:
    """Offers that bring machines elsewhere are not asked while these stand, nor for a day after."""
    rests = dict(memory.offer_rests)
    for one in found:
        if not one.bought_by:
            continue
        earlier = rests.get(one.bought_by)
        again = earlier is not None and earlier.kind is RestKind.MISPLACED
        rests[one.bought_by] = Rest(
            until_at=at + MISPLACED_REST_S,
            refusals=earlier.refusals if earlier else 1,
            why=why_misplaced(one),
            kind=RestKind.MISPLACED,
            since_at=earlier.since_at if earlier and again else at,
        )
    return replace(memory, offer_rests=rests)
