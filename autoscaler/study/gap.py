"""What lies between a policy's cost and the bound, in three parts: the boots, not knowing what comes, and the rule.

Five sums are measured: what the policy costs, what the same policy costs if it is told what will come (`foresight`),
the bound, and the last two again for machines that boot in no time. With C, T, B, T₀ and B₀ for these,

    C - B  =  (C - T)  +  ((T - B) - (T₀ - B₀))  +  (T₀ - B₀)

- C - T is not knowing what comes: what the policy would save if it were told.
- (T - B) - (T₀ - B₀) is the boots: what is then left, and would go if machines booted in no time. The bound pays for
  boots too, B - B₀, whoever decides.
- T₀ - B₀ is the rule, told everything and served at once; with it stand here whole machines, ticks and drains, and what
  the bound lies too low.

T is the cheapest of several, the policy that is told nothing among them, that starts nearly as many tasks in time. So
the first part is never negative, and is what this rule makes of knowing; another might make more of it. The second may
be negative, where the bound suffers more from boots than the rule does.

What never happens here: a part that was guessed, or left over without a name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from autoscaler.study import foresight, run
from autoscaler.study.contract import Outcome, Terms, Workload
from autoscaler.study.optimum import Optimum, optimum, without_boot

NEARLY = 0.002
"""Of all tasks: so many more may be late where the future is told."""

News = Callable[[str, int, int], None]
"""Told what comes next, how many steps are done, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Sums of money. All but the first add up to what the policy costs above the bound."""

    boots_of_bound: float
    """In the bound: what boots cost whoever decides."""
    future: float
    boots: float
    rule: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The five sums, and the bound once more for those who may be as late as the policy was."""

    own: Outcome
    told: Outcome
    bound: Optimum
    told_without_boot: Outcome
    bound_without_boot: Optimum
    allowed: Optimum | None
    """If as many tasks may start late as under the policy; None where none did, or it was not asked for."""

    @property
    def parts(self) -> Parts:
        return split(
            cost=self.own.cost,
            told=self.told.cost,
            bound=self.bound.cost,
            told_without_boot=self.told_without_boot.cost,
            bound_without_boot=self.bound_without_boot.cost,
        )

    @property
    def cut_short(self) -> bool:
        """Whether the clock ended a search: with more time a bound may be higher, and the parts be others."""
        return self.bound.cut_short or self.bound_without_boot.cut_short

    @property
    def is_exact(self) -> bool:
        """Whether a schedule is known that costs as little as the bound and starts every task in time."""
        reached = any(
            one.within_target == 1.0 and math.isclose(one.cost, self.bound.cost, rel_tol=1e-9, abs_tol=1e-9)
            for one in (self.own, self.told)
        )
        return self.bound.kind == "exact" or reached


def split(
    *, cost: float, told: float, bound: float, told_without_boot: float, bound_without_boot: float
) -> Parts:
    """The parts of `cost - bound`, as the module says."""
    rule = told_without_boot - bound_without_boot
    return Parts(
        boots_of_bound=bound - bound_without_boot,
        future=cost - told,
        boots=(told - bound) - rule,
        rule=rule,
    )


def measured(
    workload: Workload,
    terms: Terms,
    configured: run.Configured,
    own: Outcome,
    *,
    seed: int = 0,
    time_limit_s: float,
    allowance: bool = False,
    news: News | None = None,
) -> Gap:
    """All five sums; `own` is what that policy came to. Each bound may take `time_limit_s`.

    OptimumUnavailable without scipy. The bound of `allowance` is found in one piece, and may lie far lower.
    """
    at_once = replace(terms, boot_s=0.0, boot_cv=0.0)
    least = own.within_target - NEARLY
    late = allowance and own.within_target < 1.0
    steps = _Steps(news, 3 + late + len(foresight.spans_s(terms)) + len(foresight.spans_s(at_once)))
    steps.next("bound")
    bound = optimum(workload, terms, time_limit_s=time_limit_s)
    steps.next("bound without boots")
    bare = without_boot(workload, terms, time_limit_s=time_limit_s)
    allowed = None
    if late:
        steps.next("bound with late tasks")
        share = own.within_target
        allowed = optimum(workload, terms, share_in_time=share, time_limit_s=time_limit_s)
    told = _told(workload, terms, configured, own, seed, least, steps)
    steps.next("without boots")
    unaware = run.run(workload, at_once, configured, seed=seed)
    return Gap(
        own=own,
        told=told,
        bound=bound,
        told_without_boot=_told(workload, at_once, configured, unaware, seed, least, steps),
        bound_without_boot=bare,
        allowed=allowed,
    )


def _told(
    workload: Workload,
    terms: Terms,
    configured: run.Configured,
    unaware: Outcome,
    seed: int,
    least: float,
    steps: _Steps,
) -> Outcome:
    """The cheapest of the policy as it is, and told of what will come within each of several spans."""

    def outcomes() -> Iterable[Outcome]:
        for ahead_s in foresight.spans_s(terms):
            steps.next(f"told {ahead_s:g} s ahead")
            knowing = foresight.told(configured, workload, terms, ahead_s=ahead_s)
            yield run.run(workload, terms, knowing, seed=seed)

    good = [one for one in outcomes() if one.within_target >= least and one.tasks_done >= unaware.tasks_done]
    return min((unaware, *good), key=lambda one: one.cost)


class _Steps:
    """Tells who listens what comes next."""

    def __init__(self, news: News | None, total: int) -> None:
        self._news, self._total, self._done = news, total, 0

    def next(self, what: str) -> None:
        """The step before is done, and this one begins."""
        if self._news:
            self._news(what, self._done, self._total)
        self._done += 1
