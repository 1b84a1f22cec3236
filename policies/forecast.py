"""The policy `forecast`: machines before a peak that the pool's own past knows, and none for one that it only guesses.

It stands beside `wait` or another policy of the present: the largest wish wins, so it can only raise the number. What
comes is foreseen elsewhere (`policies.seasons`) and is part of the history that a decision is made from; here it
becomes workers, in two ways:

* a floor for the highest rate foreseen from now until a machine ordered now serves,
* and no fewer than there are, while a peak will want them again and pass within the quantum that keeping them costs:
  the quanta paid are the same, and nobody waits for a boot.

Without a method that is believed it has no opinion. What never happens here: a look at the present's demand, more
workers than the highest rate ever seen asks for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from policies import traffic as traffics
from policies.contract import LONG_QUANTUM_S, Demand, History, Policy, Recommendation, Supply, Traffic
from policies.local_time import ZoneUnknown, told, zone
from policies.options import Options
from policies.phrases import count
from policies.prospect import Foreseen, Prospect

NAME = "forecast"
DEFAULT_ZONE = "UTC"
SHORTEST_WAIT_S = 1.0
MARGIN_S = 30.0
"""Before a boot is over on average: six usual ticks, for the order, the worker's first word and slower boots."""
_OVERLOAD, _SPARE = 1.2, 0.9
"""Where a machine bought when tasks wait is there in time, a queue carries the rest: as `wait` sizes what it keeps."""
_BETA = 1.0
"""Where it is not: by the square-root rule (Halfin and Whitt, 1981), two tasks in nine wait at all. One in ten (1.42)
costs 11 to 13 % more by the hour on daily leaps and starts hardly more in time."""
_MOST = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """`target_wait_s`: seconds within which a task should start; `time_zone`: whose clocks the past goes by."""

    target_wait_s: float
    time_zone: str = DEFAULT_ZONE

    @property
    def name(self) -> str:
        return NAME

    def recommend(self, demand: Demand, supply: Supply, history: History, *, at: float) -> Recommendation:  # noqa: ARG002
        """Depends on what is foreseen, on how long tasks and boots take, and to hold workers on how many there are."""
        prospect, traffic = history.prospect, history.traffic
        if prospect is None:
            return self._silent("there is no history to look at")
        if prospect.soon is None and prospect.later is None:
            return self._silent(prospect.why or "nothing is foreseen")
        floor, peak_at = self._floor(prospect, supply, traffic, at)
        held, again_at = self._held(prospect, supply, traffic, at)
        if floor >= held and floor and prospect.soon is not None:
            return self._told(floor, prospect.soon, f"{count(floor, 'worker')} for {self._when(peak_at, at)}")
        if held and prospect.later is not None:
            what = f"{count(held, 'worker')} of those there are will be wanted {self._when(again_at, at)} and not long"
            return self._told(held, prospect.later, what)
        return self._silent("no peak is near")

    def _floor(self, prospect: Prospect, supply: Supply, traffic: Traffic, at: float) -> tuple[int, float]:
        """Workers for the highest rate until a machine ordered now serves, and when that rate begins."""
        if prospect.soon is None:
            return 0, at
        until_at = at + traffics.boot_s(traffic) + MARGIN_S
        rates = [
            (per_s, since_at)
            for since_at, per_s in _slices(prospect, prospect.soon, at)
            if since_at < until_at
        ]
        per_s, since_at = max(rates, key=lambda rate: rate[0], default=(0.0, at))
        return self._workers(per_s, supply, traffic), since_at

    def _held(self, prospect: Prospect, supply: Supply, traffic: Traffic, at: float) -> tuple[int, float]:
        """Of the workers there are, as many as a peak wants that comes and passes within one quantum, and when."""
        if prospect.later is None or supply.quantum_s < LONG_QUANTUM_S:
            return 0, at
        until_at = at + supply.quantum_s
        held, when = 0, at
        coming = [
            (since_at, min(self._workers(per_s, supply, traffic), supply.workers))
            for since_at, per_s in _slices(prospect, prospect.later, at)
        ]
        for since_at, workers in coming:
            if workers > held and _ends_at(coming, workers, prospect.slice_s) <= until_at:
                held, when = workers, since_at
        return held, when

    def _workers(self, per_s: float, supply: Supply, traffic: Traffic) -> int:
        load = per_s * traffics.task_s(traffic)
        slots = max(supply.slots, 1)
        if not math.isfinite(load):
            return 0
        if self.target_wait_s < traffics.boot_s(traffic):
            wanted = (load + _BETA * math.sqrt(load)) / slots
        else:
            wanted = load / slots / _OVERLOAD - _SPARE
        return max(0, math.ceil(min(wanted, float(_MOST))))

    def _told(self, workers: int, foreseen: Foreseen, what: str) -> Recommendation:
        errors = f"{100 * foreseen.error:.0f} % against {100 * foreseen.present_error:.0f} % of the present"
        return Recommendation(
            policy=self.name,
            workers=workers,
            why=f"{what}, {foreseen.says} (where that said more, its error was {errors})",
            would_change="the end of the peak, or days without it, would ask for fewer workers",
        )

    def _silent(self, why: str) -> Recommendation:
        return Recommendation(
            policy=self.name,
            workers=None,
            why=why,
            would_change="a history that foretells more than the present would ask for workers",
        )

    def _when(self, begins_at: float, at: float) -> str:
        if begins_at <= at:
            return "now"
        return f"{told(begins_at, self.time_zone, seen_from=at)} ({self.time_zone})"


def _slices(prospect: Prospect, foreseen: Foreseen, at: float) -> list[tuple[float, float]]:
    """When each slice that is not over begins, and its rate."""
    slices = [(prospect.from_at + n * prospect.slice_s, per_s) for n, per_s in enumerate(foreseen.per_s)]
    return [
        (since_at, per_s)
        for since_at, per_s in slices
        if since_at + prospect.slice_s > at and 0.0 <= per_s < math.inf
    ]


def _ends_at(coming: Sequence[tuple[float, int]], workers: int, slice_s: float) -> float:
    """When so many are wanted for the last time; never, where that is not seen."""
    if coming[-1][1] >= workers:
        return math.inf
    return max(since_at for since_at, wanted in coming if wanted >= workers) + slice_s


def open_policy(options: Mapping[str, object]) -> Policy:
    """Open from `target_wait_s` (seconds, at least 1) and `time_zone` (UTC if it is not given).

    Raises `PolicyOptionsWrong`, also for a zone that this machine does not know.
    """
    read = Options(options)
    target_wait_s = read.number("target_wait_s", least=SHORTEST_WAIT_S)
    time_zone = DEFAULT_ZONE
    if "time_zone" in options:
        time_zone = read.text("time_zone")
        try:
            zone(time_zone or DEFAULT_ZONE)
        except ZoneUnknown as unknown:
            read.wrong("time_zone", f"is {time_zone[:40]!r}; expected {unknown}")
    read.finish()
    return Forecast(target_wait_s=target_wait_s, time_zone=time_zone)
