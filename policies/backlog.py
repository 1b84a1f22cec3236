"""The policy `backlog`: one worker for so many messages, those in the workers' hands included.

    workers = ceil((waiting + in hand) / messages_per_worker)

Without the messages in hand the wish would fall as soon as the workers took the messages, and take away the very
workers that hold them. What never happens here: a look at the past, or at how many workers there are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from policies.contract import Demand, History, Policy, Recommendation, Supply
from policies.options import Options
from policies.phrases import count, plain

SMALLEST_SHARE = 0.001
"""One message that asks for more than a thousand workers is a slip of the hand."""


@cache
def _as_typed(number: float) -> Fraction:
    """One of the few numbers of a configuration, exactly as it stands there."""
    return Fraction(repr(number))


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """`messages_per_worker` messages ask for one worker."""

    messages_per_worker: float
    count_in_progress: bool = True

    @property
    def name(self) -> str:
        return "backlog"

    def recommend(self, demand: Demand, supply: Supply, history: History, *, at: float) -> Recommendation:  # noqa: ARG002
        """Always has an opinion; never falls when messages are added."""
        in_hand = self._in_hand(demand, supply)
        messages = demand.backlog + in_hand
        workers = self._workers_for(messages)
        return Recommendation(
            policy=self.name,
            workers=workers,
            exact=float(messages / self._share) if messages else 0.0,
            why=self._why(messages, in_hand, demand.in_progress, workers),
            would_change=self._would_change(messages, workers),
        )

    @property
    def _share(self) -> Fraction:
        """The option as it was typed: 0.7 is seven tenths, so seven messages ask for ten workers and not eleven."""
        return _as_typed(self.messages_per_worker)

    def _in_hand(self, demand: Demand, supply: Supply) -> int:
        """Messages being worked on.

        With early acknowledgement the broker forgets a message when its task starts, so the workers' own count is taken
        where it is larger.
        """
        if not self.count_in_progress:
            return 0
        return max(demand.in_progress, supply.tasks_in_hand or 0)

    def _workers_for(self, messages: int) -> int:
        return math.ceil(messages / self._share)

    def _why(self, messages: int, in_hand: int, in_progress: int, workers: int) -> str:
        if messages == 0:
            return "no message asks for a worker"
        # The broker does not show these, so the sum would look wrong without them.
        unseen = f", {in_hand} of them in the workers' hands," if in_hand > in_progress else ""
        verb = "asks" if messages == 1 else "ask"
        share = plain(self.messages_per_worker)
        return f"{count(messages, 'message')}{unseen} at {share} a worker {verb} for {workers}"

    def _would_change(self, messages: int, workers: int) -> str:
        """The nearest number of messages on either side that asks for something else."""
        more = math.floor(workers * self._share) + 1 - messages
        told = f"{count(more, 'more message')} would ask for {count(self._workers_for(messages + more), 'worker')}"
        if workers == 0:
            return told
        fewer = messages - math.floor((workers - 1) * self._share)
        return f"{told}, {fewer} fewer for {self._workers_for(messages - fewer)}"


def open_policy(options: Mapping[str, object]) -> Policy:
    """Open from `messages_per_worker` (at least 0.001) and `count_in_progress` (default true).

    Raises `PolicyOptionsWrong`.
    """
    read = Options(options)
    policy = Backlog(
        messages_per_worker=read.number("messages_per_worker", least=SMALLEST_SHARE),
        count_in_progress=read.flag("count_in_progress", default=True),
    )
    read.finish()
    return policy
