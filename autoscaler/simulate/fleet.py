"""The fleet that a life is lived with: pools, offers, limits and times, drawn from the seed.

What never happens here: a fault, or anything that changes during a life.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from autoscaler.core.model import DrainExpiry, FleetRules, Offer, OfferName, PoolName, PoolRules, Timeouts
from autoscaler.core.places import Places
from autoscaler.loop import Rulebook
from autoscaler.simulate import lengths
from autoscaler.simulate.clock import EPOCH
from autoscaler.simulate.clouds import FLEET
from autoscaler.simulate.contract import Scenario
from autoscaler.simulate.lengths import Lengths
from autoscaler.simulate.workers import Habits
from policies.contract import Limits, PolicySpec, Stabilization
from policies.local_time import DAY_S
from policies.prospect import Slice
from policies.seasons import SLICE_S
from providers.contract import ProviderName

ACCOUNTS = (ProviderName("north"), ProviderName("south"))
TICK_S = 10.0
PROOF_LAG_S = 11.0
"""As `wiring` has it for the broker's usual statistics interval of 5 s."""
CALL_S = 15.0
CREATE_S = 90.0
HERE, ABROAD, NOWHERE = "here", "abroad", "nowhere"
"""Where machines may stand, where they may not, and what nobody knows the country of. In most pools one of the latter
two is the first offer, so that whoever heeds no residency buys there at once."""
RESIDENCY = ("NO",)
PLACES = Places(known={account: {HERE: "NO", ABROAD: "SE"} for account in ACCOUNTS})
_DAYS_BEFORE = 3.0
"""One to learn from, and some to be judged by."""
_NAMES = ("images", "mails", "sums")
_SHARE_SLOWED = 0.25
"""Of all pools: what their tasks depend on bears half of what the pool may run. More would make tasks take longer than
operators allow for."""
_SHARE_REPLACING = 0.3
"""Of all lives: machines of an older definition or above an age are replaced."""
_SHARE_WITH_USERS = 0.5
"""Of all lives: each machine has a user of its own at the broker."""
_PRICES = {"small": 0.1, "large": 0.25}
MONTH_ENDS_AT = 1_701_388_800.0
"""The end of the month of `EPOCH`: 2023-12-01, in UTC."""
_LONG_MONTH_H = 31 * 24
_HOURS_OF_PEAK = (0.05, 0.35)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The rules, and how the workers of each pool are configured."""

    rules: Mapping[PoolName, PoolRules]
    workers: Mapping[PoolName, Habits]
    task_s: Mapping[PoolName, float]
    boot_s: float
    calls_per_minute: Mapping[ProviderName, float]
    """At the strictest so few that ends and purchases wait for a call for a minute and more."""
    begins_at: float = EPOCH
    max_cost_per_hour: float | None = None
    max_cost_per_month: float | None = None
    lengths: Lengths = field(default_factory=Lengths)
    node_users: bool = False
    """Whether each machine has a user of its own at the broker, which may fail to be made."""
    name: str = FLEET
    accounts: tuple[ProviderName, ...] = ACCOUNTS
    residency: tuple[str, ...] = RESIDENCY
    places: Places = PLACES

    def earlier(self, pool: PoolName, since_at: float, before_at: float) -> tuple[Slice, ...]:
        """The days before: a peak of ten minutes in every forty, as high as the pool at its ceiling can bear."""
        rules = self.rules[pool]
        highest_per_s = rules.limits.max_workers * rules.slots / self.task_s[pool]
        first = math.ceil(max(since_at, self.begins_at - _DAYS_BEFORE * DAY_S) / SLICE_S)
        last = math.ceil(min(before_at, self.begins_at - SLICE_S) / SLICE_S)
        return tuple(
            Slice(
                since_at=number * SLICE_S,
                arrived=highest_per_s * SLICE_S if number % 8 in {6, 7} else 0.0,
                looked_s=SLICE_S,
            )
            for number in range(first, last)
        )

    def becomes(self, releases: Mapping[PoolName, int]) -> dict[PoolName, dict[OfferName, str]]:
        """What new machines are to become when so many releases were made for each pool."""
        return {
            pool: {offer.name: f"{offer.size} of release {releases[pool]}" for offer in rules.offers}
            for pool, rules in self.rules.items()
        }

    def rulebook(
        self, settle_s: Mapping[ProviderName, float], becomes: Mapping[PoolName, Mapping[OfferName, str]]
    ) -> Rulebook:
        """In the words of the loop."""
        return Rulebook(
            fleet=FleetRules(
                name=self.name,
                proof_lag_s=PROOF_LAG_S,
                max_calls=self.max_calls,
                calls_per_minute=self.calls_per_minute,
                tick_s=TICK_S,
                max_cost_per_hour=self.max_cost_per_hour,
                max_cost_per_month=self.max_cost_per_month,
                residency=self.residency,
                places=self.places,
            ),
            pools={name: replace(pool, becomes=becomes[name]) for name, pool in self.rules.items()},
            settle_s=settle_s,
            tick_s=TICK_S,
        )

    @property
    def max_calls(self) -> int:
        """Enough that a fleet of a thousand is bought in minutes."""
        return max(16, sum(pool.limits.max_workers for pool in self.rules.values()) // 20)


def draw(scenario: Scenario) -> Fleet:
    """Two or three pools. All times are short, so that a life meets its deadlines often."""
    dice = random.Random(f"fleet {scenario.seed}")
    expiries = random.Random(f"expiries {scenario.seed}")
    others = random.Random(f"policies {scenario.seed}")
    behind = random.Random(f"behind {scenario.seed}")
    foresights = random.Random(f"foresights {scenario.seed}")
    places = random.Random(f"places {scenario.seed}")
    ages = random.Random(f"ages {scenario.seed}")
    replaces = ages.random() < _SHARE_REPLACING
    # All in some lives, so that the others are as they would be without.
    share = 0.6 if foresights.random() < 0.2 else 0.0
    names = [PoolName(name) for name in _NAMES[: dice.randint(2, 3)]]
    boots = lengths.draw(scenario.seed, names, ACCOUNTS)
    rules, workers, task_s = {}, {}, {}
    for name in names:
        ceiling = scenario.nodes // len(names) if scenario.nodes else dice.randint(2, 12)
        slots = dice.choice((1, 2, 4))
        workers[name] = Habits(slots=slots, prefetch=dice.choice((1, 1, 4)), early_ack=dice.random() < 0.5)
        if behind.random() < _SHARE_SLOWED:
            workers[name] = replace(workers[name], bears=max(1, ceiling * slots // 2))
        task_s[name] = dice.choice((8.0, 30.0, 90.0))
        pool = _pool(name, dice, ceiling=max(1, ceiling), slots=slots, task_s=task_s[name])
        pool = _foresees(_decides_otherwise(pool, others), foresights, share)
        pool = _tempted(pool, places)
        pool = _replacing(pool, ages, slow_boots=boots.learned) if replaces else pool
        rules[name] = replace(pool, timeouts=boots.times(_drains(pool.timeouts, expiries, task_s[name])))
    boot_s = dice.uniform(5, 40)
    # A fleet of a thousand is bought within the trouble only if its accounts take many calls.
    least = 3.0 if not scenario.nodes else max(60.0, scenario.nodes / 4)
    per_minute = {account: dice.choice((least, 4 * least, max(60.0, least))) for account in ACCOUNTS}
    made = Fleet(
        rules=rules,
        workers=workers,
        task_s=task_s,
        boot_s=boot_s,
        calls_per_minute=per_minute,
        lengths=boots,
        node_users=random.Random(f"users {scenario.seed}").random() < _SHARE_WITH_USERS,
    )
    return _with_ceilings_on_money(made, random.Random(f"money {scenario.seed}"))


def _with_ceilings_on_money(fleet: Fleet, dice: random.Random) -> Fleet:
    """In two of five lives money is short; half of these begin shortly before a month ends. Where a month's money is
    limited it pays for the floors, and beside them for some minutes of what there may be at most; an hour's pays for
    the floors at any offer."""
    if dice.random() < 0.6:
        return fleet
    begins_at = MONTH_ENDS_AT - dice.uniform(100, 900) if dice.random() < 0.5 else EPOCH
    floors_h = dice.choice(((MONTH_ENDS_AT - begins_at) / 3600, _LONG_MONTH_H))
    rules, floors, peaks = {}, 0, 0.0
    for name, pool in fleet.rules.items():
        limits, peak = pool.limits, pool.limits.max_workers * _PRICES["small"]
        ceiling = limits.min_workers * _PRICES["small"] * floors_h + peak * dice.uniform(*_HOURS_OF_PEAK)
        limited = dice.random() < 0.6
        rules[name] = replace(pool, limits=replace(limits, max_cost_per_month=ceiling if limited else None))
        floors, peaks = floors + limits.min_workers, peaks + peak
    hourly = max((floors + 1) * _PRICES["large"], peaks * dice.uniform(0.5, 1.5))
    monthly = floors * _PRICES["small"] * floors_h + peaks * dice.uniform(*_HOURS_OF_PEAK)
    return replace(
        fleet,
        rules=rules,
        begins_at=begins_at,
        max_cost_per_hour=hourly if dice.random() < 0.5 else None,
        max_cost_per_month=monthly if dice.random() < 0.6 else None,
    )


def _decides_otherwise(pool: PoolRules, dice: random.Random) -> PoolRules:
    """A third of all pools decide by waiting time, and a quarter are billed in quanta that are worth waiting for."""
    target_s, quantum_s = dice.choice((30.0, 120.0, 600.0)), dice.choice((600, 900))
    if dice.random() < 0.33:
        pool = replace(pool, policies=(PolicySpec(kind="wait", options={"target_wait_s": target_s}),))
    if dice.random() < 0.25:
        pool = replace(pool, offers=tuple(replace(offer, quantum_s=quantum_s) for offer in pool.offers))
    return pool


def _foresees(pool: PoolRules, dice: random.Random, share: float) -> PoolRules:
    """Such a share of the pools foresees peaks, most of which do not come."""
    if dice.random() >= share:
        return pool
    foresight = PolicySpec(kind="forecast", options={"target_wait_s": dice.choice((10.0, 120.0))})
    return replace(pool, policies=(*pool.policies, foresight))


def _tempted(pool: PoolRules, dice: random.Random) -> PoolRules:
    """Most pools are offered the same machine elsewhere, before any other."""
    where = dice.choice((ABROAD, NOWHERE, ""))
    if not where:
        return pool
    return replace(pool, offers=(replace(pool.offers[0], location=where), *pool.offers))


def _replacing(pool: PoolRules, dice: random.Random, *, slow_boots: bool) -> PoolRules:
    """Outdated machines are replaced, where floor and ceiling leave room for one more; some are soon too old, but none
    sooner than a floor's machines can come one after the other."""
    limits, age_s = pool.limits, dice.choice((0.0, 900.0, 2400.0))
    age_s = max(age_s, 2400.0) if age_s and slow_boots else age_s
    drifted = dice.random() < 0.7
    if limits.min_workers >= limits.max_workers:
        return pool
    if limits.max_cost_per_hour is not None:
        enough = (limits.min_workers + 1) * _PRICES["large"]
        limits = replace(limits, max_cost_per_hour=max(limits.max_cost_per_hour, enough))
    return replace(pool, limits=limits, replaces_drifted=drifted, max_age_s=age_s)


def _drains(times: Timeouts, dice: random.Random, task_s: float) -> Timeouts:
    """A quarter of all operators do not wait for a drain without end; half of them not even for all that it holds."""
    if dice.random() < 0.75:
        return times
    drain_s = dice.choice((times.drain_s, max(120.0, 2 * task_s)))
    return replace(times, drain_s=drain_s, drain_expiry=DrainExpiry.DESTROY)


def _pool(name: PoolName, dice: random.Random, *, ceiling: int, slots: int, task_s: float) -> PoolRules:
    sizes = dice.choice((("small",), ("small", "large")))
    accounts = ACCOUNTS if dice.random() < 0.5 else ACCOUNTS[::-1]
    offers = tuple(
        Offer(provider=p, location=HERE, size=s, image="debian", price_per_h=_PRICES[s], quantum_s=60)
        for s in sizes
        for p in accounts
    )
    floor = dice.choice((0, 0, 1, max(1, ceiling // 3)))
    # A budget below the floor's price would keep the floor from ever being reached, which is no fault of the daemon's.
    budget = max(floor * _PRICES["large"], ceiling * _PRICES["small"] * dice.uniform(0.6, 2.0))
    return PoolRules(
        name=name,
        queues=(name,),
        slots=slots,
        policies=(
            PolicySpec(kind="backlog", options={"messages_per_worker": slots * dice.choice((1, 2, 4))}),
        ),
        limits=Limits(
            min_workers=floor,
            max_workers=ceiling,
            on_unknown=dice.choice((0, floor, min(ceiling, floor + 2))),
            max_creates_in_flight=max(4, ceiling // 4),
            max_cost_per_hour=budget if dice.random() < 0.6 else None,
        ),
        stabilization=Stabilization(
            scale_in_window_s=dice.choice((0.0, 20.0, 60.0)), scale_in_cooldown_s=10.0, good_looks=2
        ),
        timeouts=Timeouts(
            create_s=CREATE_S,
            enrol_s=150,
            silence_s=30,
            lost_s=180,
            drain_s=600,
            drain_expiry=DrainExpiry.WAIT,
            stall_s=dice.choice((60.0, 120.0, 300.0)),
            # Longer than any task takes here.
            task_s=dice.choice((0.0, max(120.0, 4 * task_s))),
            stop_s=30,
            call_s=CALL_S,
        ),
        offers=offers,
    )
