"""The policy `rate`: one worker for so many messages a second, whether or not any of them waits.

    workers = ceil(messages a second over the last minute / messages_per_s)

It is for what must be there before anything waits, as a web tier whose requests are each told to a queue. While the
broker tells no rate, the one that was measured last stands. What never happens here: a look at the backlog.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from policies.contract import Demand, History, Policy, Recommendation, Supply
from policies.options import Options
from policies.phrases import count, plain

NAME = "rate"
SMALLEST_SHARE = 0.001
"""A worker that bears less than one message in a quarter of an hour is a slip of the hand."""
_NOTHING_PER_S = 1e-6
"""What is smoothed never quite becomes zero: less than one message in eleven days is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`messages_per_s` messages a second ask for one worker."""

    messages_per_s: float

    @property
    def name(self) -> str:
        return NAME

    def recommend(self, demand: Demand, supply: Supply, history: History, *, at: float) -> Recommendation:  # noqa: ARG002
        """No opinion before anything was measured; never falls when more arrive."""
        measured, how = _measured(demand, history)
        if measured is None:
            return Recommendation(policy=self.name, workers=None, why=how)
        per_s = measured if measured > _NOTHING_PER_S else 0.0
        exact = per_s / self.messages_per_s
        workers = math.ceil(exact)
        return Recommendation(
            policy=self.name,
            workers=workers,
            exact=exact,
            why=self._why(per_s, workers, how),
            would_change=self._would_change(workers),
        )

    def _why(self, per_s: float, workers: int, how: str) -> str:
        if not workers:
            return f"nothing arrives{how}"
        arriving = f"{plain(round(per_s, 3))} messages a second{how}"
        return f"{arriving} at {plain(self.messages_per_s)} a worker ask for {workers}"

    def _would_change(self, workers: int) -> str:
        more = f"more than {plain(workers * self.messages_per_s)} a second would ask for {count(workers + 1, 'worker')}"
        if not workers:
            return more
        return f"{more}, {plain((workers - 1) * self.messages_per_s)} for {workers - 1}"


def _measured(demand: Demand, history: History) -> tuple[float | None, str]:
    """The rate, and in words how it was come by where that is not the broker's own last minute."""
    if demand.arrivals_per_s.value is not None:
        return demand.arrivals_per_s.value, ""
    if history.traffic.arrivals:
        return history.traffic.arrivals_per_s, " as measured last"
    return None, f"no rate was measured yet: {demand.arrivals_per_s.why}"


def open_policy(options: Mapping[str, object]) -> Policy:
    """Open from `messages_per_s` (at least 0.001). Raises `PolicyOptionsWrong`."""
    read = Options(options)
    policy = Rate(messages_per_s=read.number("messages_per_s", least=SMALLEST_SHARE))
    read.finish()
    return policy
