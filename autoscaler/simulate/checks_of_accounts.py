"""How one account is treated: calls are counted as they arrive, and the first that it need not bear is told of.

Providers block accounts that are asked too often, so this is harm of its own, whatever else goes well. Times are true;
where the daemon goes by its wall clock it is excused by what that showed. What never happens here: a call held back.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from autoscaler.simulate.clock import SteppedClock
from providers.contract import NodeName

_WINDOW_S = 60.0
_BUCKETS = 2.0
"""A full bucket may be spent at once, and what flows in within a minute besides."""
_FIRST_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 300.0
_ANSWERS_WAITED_FOR = 3
"""Ticks in a row that brought outcomes and not one clear answer: then one order at a time is enough to see."""
_ROUNDING_S = 0.001
_KEPT_S = 7200.0


@dataclass(slots=True)
class _Asked:
    """Asks for the end of one node's machine that were not refused, and when the last one left."""

    times: int
    at: float
    wall_at: float


class Manners:
    """What an account bears of all its callers together."""

    def __init__(self, wall: SteppedClock, per_minute: float) -> None:
        self._wall = wall
        self._per_minute = per_minute
        self._calls: deque[float] = deque()
        self._set_by_s = wall.off_by_s
        self._refilled_at = float("-inf")
        self._peace_until = float("-inf")
        """On the clock that is never set."""
        self._written_off_by_s = wall.off_by_s
        self._is_new = False
        self._woken_at = float("-inf")
        self._unanswered = 0
        self._order_left_at = float("-inf")
        self._asked: dict[NodeName, _Asked] = {}
        self.broken = ""
        """What was done that the account need not bear."""

    def begins(self) -> None:
        """A daemon begins: it knows what was written down, but not for how long that has stood there."""
        self._is_new, self._unanswered = True, 0
        # It can tell only by the wall clock how long nobody called: if that was set, it believes in a whole minute.
        if self._wall.off_by_s != self._set_by_s:
            self._set_by_s, self._refilled_at = self._wall.off_by_s, self._wall.monotonic()

    def restored(self) -> None:
        """The records of calls, and of what they were answered, are older than the calls."""
        self._asked.clear()
        self._peace_until = float("-inf")
        self._refilled_at = self._wall.monotonic()

    def called(self) -> None:
        """A machine is ordered, or its end asked for."""
        at = self._wall.monotonic()
        calls = self._calls
        calls.append(at)
        while calls[0] <= at - _WINDOW_S:
            calls.popleft()
        buckets = _BUCKETS + (at - self._refilled_at < _WINDOW_S)
        if len(calls) > buckets * self._per_minute + 1:
            self._tell(f"{len(calls)} calls came in a minute where {self._per_minute:g} are allowed")

    def written(self) -> None:
        """A daemon's tick was written down: from now on it knows how long ago that was, whatever the clock shows."""
        self._peace_until -= self._believed_over_s()
        self._written_off_by_s, self._is_new = self._wall.off_by_s, False

    def told_to_wait(self, until: float) -> None:
        """A daemon has taken in that it is to leave the account in peace until then, on the clock that is never set."""
        if self._woken_at < self._wall.monotonic():
            self._peace_until = max(self._peace_until, until)

    def looked(self) -> None:
        """A daemon asks for the account's machines."""
        self._in_peace("its machines were asked for")

    def woken(self) -> None:
        """An operator said that it may be asked again, whatever it answered until now."""
        self._woken_at = self._wall.monotonic()
        self._peace_until, self._unanswered = float("-inf"), 0

    def answered(self, *, clearly: bool) -> None:
        """A daemon has taken in what this account answered, all of it unclear or not."""
        woken = self._woken_at == self._wall.monotonic()
        self._unanswered = 0 if clearly or woken else self._unanswered + 1

    def order_leaves(self, node: NodeName) -> None:
        """A daemon orders a machine."""
        at = self._wall.monotonic()
        if self._unanswered >= _ANSWERS_WAITED_FOR and at == self._order_left_at:
            self._tell(f"{node} was ordered with others though {self._unanswered} ticks brought no answer")
        self._order_left_at = at
        self._in_peace(f"{node} was ordered")

    def end_leaves(self, node: NodeName) -> None:
        """A daemon asks for the end of that node's machine."""
        self._in_peace(f"the end of {node} was asked for")
        at, wall_at = self._wall.monotonic(), self._wall.now()
        last = self._asked.get(node)
        if last is not None and last.times:
            pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(last.times - 1, 10))
            waited_s = max(at - last.at, wall_at - last.wall_at)
            if waited_s < pause_s - _ROUNDING_S:
                self._tell(
                    f"the end of {node} was asked for again after {waited_s:.0f} s, not {pause_s:.0f} s"
                )
        self._asked[node] = _Asked(times=last.times + 1 if last else 1, at=at, wall_at=wall_at)

    def end_refused(self, node: NodeName) -> None:
        """That was no: it makes the next pause no longer."""
        if node in self._asked:
            self._asked[node].times -= 1

    def tidy(self) -> None:
        """Forget what is long over."""
        before = self._wall.monotonic() - _KEPT_S
        for node in [node for node, asked in self._asked.items() if asked.at < before]:
            del self._asked[node]

    def _in_peace(self, what: str) -> None:
        """Something is asked of the account."""
        left_s = self._peace_until - self._believed_over_s() - self._wall.monotonic()
        if left_s > _ROUNDING_S:
            self._tell(f"{what} {left_s:.0f} s before the account wanted to be asked again")

    def _believed_over_s(self) -> float:
        """How much later it is by the wall clock, which was set forward since the last tick that was written down: what
        another daemon wrote can be aged by nothing else."""
        return max(0.0, self._wall.off_by_s - self._written_off_by_s) if self._is_new else 0.0

    def _tell(self, what: str) -> None:
        self.broken = self.broken or what
