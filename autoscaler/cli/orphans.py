"""`orphans`: machines that bear our mark and have no record, and what machines left behind, as providers list it now.

What never happens here: their end; `sweep` orders that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from rich.console import RenderableType
from rich.text import Text

from autoscaler import leftovers
from autoscaler.cli import comparing, nodes, opened, options, output
from autoscaler.core import bills
from autoscaler.core.model import Offer, PoolName, PoolRules
from autoscaler.journal import Journal
from policies.phrases import count, duration
from providers.contract import Instance, LeftOver, LeftOvers, ProviderName


@dataclass(frozen=True, slots=True, kw_only=True)
class _Orphan:
    """`price_per_h` and `cost_so_far` are None where no offer of ours buys such a machine, or its age is not told."""

    provider: ProviderName
    instance: Instance
    age_s: float | None
    price_per_h: float | None
    cost_so_far: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _LeftOver:
    provider: ProviderName
    left_over: LeftOver


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """What machines left behind, and where that could not be seen, or not all of it."""

    found: tuple[_LeftOver, ...]
    unseen: Mapping[ProviderName, str]

    def says(self) -> list[Text]:
        return [
            output.words(f"What machines left behind at {provider} could not all be seen: {why}", output.NOTE)
            for provider, why in self.unseen.items()
        ]


def orphans(config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Show machines that bear our mark and have no record, what they cost, and what machines left behind."""
    settings = opened.settings(config)
    with opened.records(settings) as journal, opened.works(settings) as works:
        compared = comparing.look(journal, works.observer)
        rules = works.rulebook.pools
        left = _left(leftovers.look(works.providers, timeout_s=settings.loop.observe_timeout_s), journal)
    now = opened.CLOCK.now()
    found = [_orphan(rules, provider, instance, now) for provider, instance in compared.without_record]
    if as_json:
        told = {
            "left_overs": [asdict(each) for each in left.found],
            "left_overs_unseen": dict(left.unseen),
        }
        output.say_json(
            {"at": now, "orphans": [asdict(o) for o in found], "unseen": dict(compared.unseen), **told}
        )
        return
    unseen = [*nodes.unseen(compared), *left.says()]
    tables = [_table(found, settings.fleet.currency)] if found else []
    tables += [_left_table(left.found, now)] if left.found else []
    advice = [_advice(found)] if found else []
    advice += [_left_advice(left.found)] if left.found else []
    if tables:
        output.say(output.together(*tables, Text("\n").join([*advice, *unseen])))
    elif unseen:
        output.say(Text("\n").join([output.words("No orphans in what could be seen."), *unseen]))
    else:
        output.say(
            output.words(
                "No orphans: every machine of ours has a record, and nothing is left over.", output.OK
            )
        )


def _left(told: leftovers.Told, journal: Journal) -> _Left:
    """What is left over of machines that have no live record."""
    live = {name for node in journal.live_nodes() for name in (node.name, node.machine)}
    return _Left(
        found=tuple(
            _LeftOver(provider=provider, left_over=one)
            for provider, looked in told.items()
            if isinstance(looked, LeftOvers)
            for one in looked.found
            if one.name not in live
        ),
        unseen={provider: why for provider, looked in told.items() if (why := leftovers.why_unseen(looked))},
    )


def _orphan(
    rules: Mapping[PoolName, PoolRules], provider: ProviderName, instance: Instance, now: float
) -> _Orphan:
    offer = _offer_of(instance, [o for pool in rules.values() for o in pool.offers if o.provider == provider])
    created_at = instance.created_at
    return _Orphan(
        provider=provider,
        instance=instance,
        age_s=None if created_at is None else now - created_at,
        price_per_h=offer.price_per_h if offer else None,
        cost_so_far=None if offer is None or created_at is None else bills.in_all(offer, created_at, now),
    )


def _offer_of(instance: Instance, offers: Iterable[Offer]) -> Offer | None:
    """The offer that buys machines of this size there."""
    return next((offer for offer in offers if offer.size == instance.size), None)


def _table(found: list[_Orphan], currency: str) -> RenderableType:
    per_hour, so_far = f"{currency} PER HOUR", f"{currency} SO FAR"
    rows = [
        (
            orphan.instance.name,
            orphan.instance.pool or output.NOTHING,
            orphan.provider,
            orphan.instance.instance_id,
            orphan.instance.state.value,
            output.NOTHING if orphan.age_s is None else duration(orphan.age_s),
            output.NOTHING if orphan.price_per_h is None else output.amount(orphan.price_per_h),
            output.NOTHING if orphan.cost_so_far is None else output.amount(orphan.cost_so_far),
        )
        for orphan in found
    ]
    headers = ("MACHINE", "POOL", "PROVIDER", "ID", "STATE", "AGE", per_hour, so_far)
    return output.columns(headers, rows, right={per_hour, so_far})


def _advice(found: list[_Orphan]) -> Text:
    machines = count(len(found), "machine")
    return output.words(
        f"{machines} of ours without a record: `autoscaler sweep` drains or ends them.", output.BAD
    )


def _left_table(found: Iterable[_LeftOver], now: float) -> RenderableType:
    rows = [
        (
            each.left_over.name,
            each.provider,
            each.left_over.kind,
            each.left_over.left_over_id,
            output.NOTHING if each.left_over.size_gb is None else f"{each.left_over.size_gb} GB",
            output.NOTHING
            if each.left_over.created_at is None
            else duration(max(0.0, now - each.left_over.created_at)),
        )
        for each in found
    ]
    return output.columns(("LEFT BY", "PROVIDER", "WHAT", "ID", "SIZE", "AGE"), rows, right={"SIZE"})


def _left_advice(found: tuple[_LeftOver, ...]) -> Text:
    things = count(len(found), "thing")
    return output.words(
        f"{things} left over from machines that are gone, and billed: `autoscaler sweep` ends them.",
        output.BAD,
    )
