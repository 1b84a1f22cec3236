"""The smallest trouble that still does the same harm: a failing scenario goes in, a simpler one comes out.

Fewer kinds of fault first (delta debugging, Zeller 2002), then a shorter time of trouble. Every attempt is a life of
its own whose dice fall anew, so the result is a smaller failing life and not a part of the old one.
What never happens here: more than `attempts` lives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from autoscaler.simulate.contract import HARMS, Fault, Scenario, Verdict

ATTEMPTS = 80
_SHORTEST_TROUBLE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """The simplest life found that does the same kind of harm, and how many lives it took to find it."""

    verdict: Verdict
    attempts: int


def kinds_of_harm(verdict: Verdict) -> frozenset[str]:
    """Which of the counts that must be zero are not."""
    return frozenset(name for name in HARMS if getattr(verdict.counts, name))


def shrink(failed: Verdict, play: Callable[[Scenario], Verdict], *, attempts: int = ATTEMPTS) -> Shrunk:
    """Look for a simpler life with the same kind of harm. `failed` itself when there is none within the attempts."""
    search = _Search(failed, play, attempts)
    search.fewer_kinds()
    search.shorter_trouble()
    return Shrunk(verdict=search.best, attempts=attempts - search.left)


class _Search:
    """The best life so far, and how many more may be played."""

    def __init__(self, failed: Verdict, play: Callable[[Scenario], Verdict], attempts: int) -> None:
        self.best = failed
        self.left = attempts
        self._play = play
        self._harm = kinds_of_harm(failed)

    def fewer_kinds(self) -> None:
        """Only the kinds that struck to begin with; then parts and complements, finer each round (ddmin)."""
        struck = self.best.scenario.faults & self.best.struck
        if struck < self.best.scenario.faults:
            self._try(replace(self.best.scenario, faults=struck))
        if self._try(replace(self.best.scenario, faults=frozenset())):
            return
        parts = 2
        while self.left and len(self.best.scenario.faults) > 1:
            kinds = sorted(self.best.scenario.faults)
            parts = min(parts, len(kinds))
            cuts = [frozenset(kinds[n::parts]) for n in range(parts)]
            rest = [frozenset(kinds) - cut for cut in cuts] if parts > 2 else []
            if any(self._try(replace(self.best.scenario, faults=cut)) for cut in cuts):
                parts = 2
            elif any(self._try(replace(self.best.scenario, faults=cut)) for cut in rest):
                parts = max(parts - 1, 2)
            elif parts == len(kinds):
                return
            else:
                parts = 2 * parts

    def shorter_trouble(self) -> None:
        """Half the time, as long as that still does it."""
        while self.best.scenario.trouble_s / 2 >= _SHORTEST_TROUBLE_S:
            if not self._try(replace(self.best.scenario, trouble_s=self.best.scenario.trouble_s / 2)):
                return

    def _try(self, simpler: Scenario) -> bool:
        """Whether that life does the same kind of harm; then it is the best so far."""
        if not self.left:
            return False
        self.left -= 1
        verdict = self._play(simpler)
        if not kinds_of_harm(verdict) & self._harm:
            return False
        self.best = verdict
        return True


def spelled(fault: Fault) -> str:
    """A kind of fault as commands spell it."""
    return fault.value.replace(" ", "-")
