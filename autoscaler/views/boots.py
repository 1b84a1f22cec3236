"""How machines became workers: one boot phase by phase, and what is known of an offer's boots.

In go what the journal holds, out come values and documents. What never happens here: a look at a machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from autoscaler import pool_rules
from autoscaler.config import Settings
from autoscaler.core import deadlines, enrolment, patience
from autoscaler.core.facts import Memory
from autoscaler.core.learned import Learned
from autoscaler.core.model import Node, Offer, PoolName, Timeouts
from autoscaler.core.reports import Boot, Boots
from autoscaler.journal.contract import BootRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An offer for a pool, what its boots were like, and when a machine of it is late."""

    pool: PoolName
    offer: Offer
    boots: Boots
    learned: Learned
    times: Timeouts

    @property
    def late_after_s(self) -> float:
        return deadlines.enrol_s(self.times, self.learned, alike=not self.learned.changed)

    @property
    def late_why(self) -> str:
        """What that rests on."""
        if self.times.enrol_first_s is None:
            return "timeouts.enrol says so"
        return patience.in_words(self.learned, alike=not self.learned.changed)

    @property
    def machines(self) -> int:
        """So many boots are known."""
        return max((len(taken) for taken in self.boots.took_s.values()), default=len(self.learned.took_s))


def document(record: BootRecord | None, node: Node) -> dict[str, Any] | None:
    """One machine's boot as plain values."""
    if record is None:
        return None
    boot: Boot = record.boot
    times = enrolment.timeline(boot, node.ordered_at, node.enrolled_at)
    return {
        "power_at": boot.power_at,
        "phases": [asdict(time) | {"took_s": time.took_s} for time in times],
        "failed": asdict(boot.failed) if boot.failed else None,
        "disk": asdict(boot.disk) if boot.disk else None,
        "log": list(record.log or ()),
    }


def documents(memory: Memory, settings: Settings, only: PoolName | None = None) -> list[dict[str, Any]]:
    """What is known of the boots of each offer, as plain values."""
    return [
        {
            "offer": each.offer.name,
            "pool": each.pool,
            "boots": each.machines,
            "all": _plain_quantiles(each.boots.whole_s),
            "phases": {phase.value: _plain_quantiles(taken) for phase, taken in each.boots.took_s.items()},
            "until_heard": _plain_quantiles(each.learned.took_s),
            "late_after_s": each.late_after_s,
            "late_why": each.late_why,
            "failed": {phase.value: number for phase, number in each.boots.failed.items()},
            "slow_disks_in_a_row": each.boots.slow_disks,
        }
        for each in known(memory, settings)
        if only in {None, each.pool}
    ]


def known(memory: Memory, settings: Settings) -> Iterable[Known]:
    """Of each offer of each pool, where there is anything to tell."""
    for name, configured in settings.pools.items():
        rules = pool_rules.of(name, configured)
        for offer in rules.offers:
            boots = enrolment.of_offer(memory, offer.name, rules.name)
            learned = patience.of_offer(memory, offer.name, rules.name)
            if boots.took_s or boots.failed or learned.took_s or learned.at_least_s:
                yield Known(pool=rules.name, offer=offer, boots=boots, learned=learned, times=rules.timeouts)


def _plain_quantiles(taken: tuple[float, ...]) -> Mapping[str, float] | None:
    both = enrolment.middle_and_high(taken)
    return None if both is None else {"p50_s": both[0], "p95_s": both[1], "boots": len(taken)}
