"""`orphans`: machines that bear our mark and have no record, as the providers list them now.

What never happens here: their end; `sweep` orders that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from rich.console import RenderableType
from rich.text import Text

from autoscaler.cli import comparing, nodes, opened, options, output
from autoscaler.core import bills
from autoscaler.core.model import Offer, PoolName, PoolRules
from policies.phrases import count, duration
from providers.contract import Instance, ProviderName


@dataclass(frozen=True, slots=True, kw_only=True)
class _Orphan:
    """`price_per_h` and `cost_so_far` are None where no offer of ours buys such a machine, or its age is not told."""

    provider: ProviderName
    instance: Instance
    age_s: float | None
    price_per_h: float | None
    cost_so_far: float | None


def orphans(config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Show machines that bear our mark and have no record, and what they cost."""
    settings = opened.settings(config)
    with opened.records(settings) as journal, opened.works(settings) as works:
        compared = comparing.look(journal, works.observer)
        rules = works.rulebook.pools
    now = opened.CLOCK.now()
    found = [_orphan(rules, provider, instance, now) for provider, instance in compared.without_record]
    if as_json:
        output.say_json({"at": now, "orphans": [asdict(o) for o in found], "unseen": dict(compared.unseen)})
        return
    unseen = nodes.unseen(compared)
    if found:
        output.say(
            output.together(
                _table(found, settings.fleet.currency), Text("\n").join([_advice(found), *unseen])
            )
        )
    elif unseen:
        output.say(Text("\n").join([output.words("No orphans in what could be seen."), *unseen]))
    else:
        output.say(output.words("No orphans: every machine of ours has a record.", output.OK))


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
