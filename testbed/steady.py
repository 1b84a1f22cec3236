"""Whether figures of a process that ran for hours are flat: no growth that goes on, seen at rest only.

In go samples, each with its second, whether everything was at rest, and figures by name; out comes a verdict for each
figure that has a bound. Two rules must both hold. The median of the last quarter is not above that of the first by more
than the bound, where quarters are of what follows the warm-up. And the Theil-Sen slope (the median of the slopes of
all pairs, Sen 1968), taken over that whole time, is not either: steps that the quarters miss show there. What never
happens here: a process that is looked at, a clock, a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

WARM_S = 15 * 60.0
_WARM_SHARE = 0.125
"""Of a run, for one that is too short to wait so long."""
LEAST = 3
"""Samples at rest in a quarter; fewer tell nothing, and that is not flat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look. A figure that could not be had is left out."""

    at_s: float
    rest: bool
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """How much a figure may grow from the first quarter to the last: a share of the first, and so much besides."""

    share: float = 0.0
    more: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one figure. `first`, `last` and `grows` are None where there was too little to tell."""

    figure: str
    flat: bool
    first: float | None
    last: float | None
    grows: float | None
    """What the slope comes to over the whole time after the warm-up."""
    allowed: float
    samples: int
    """At rest, after the warm-up."""


def warm_s(whole_s: float) -> float:
    """The seconds of a run that are not judged."""
    return min(WARM_S, _WARM_SHARE * whole_s)


def judged(samples: Sequence[Sample], bounds: Mapping[str, Bound], whole_s: float) -> tuple[Verdict, ...]:
    """A verdict for each bound, in their order."""
    since = warm_s(whole_s)
    rest = [each for each in samples if each.rest and since <= each.at_s <= whole_s]
    return tuple(_judged(name, bound, rest, since, whole_s) for name, bound in bounds.items())


def _judged(name: str, bound: Bound, rest: Iterable[Sample], since_s: float, whole_s: float) -> Verdict:
    points = [(each.at_s, each.figures[name]) for each in rest if name in each.figures]
    quarter_s = (whole_s - since_s) / 4
    early = [value for at_s, value in points if at_s < since_s + quarter_s]
    late = [value for at_s, value in points if at_s >= whole_s - quarter_s]
    if min(len(early), len(late)) < LEAST:
        return Verdict(
            figure=name, flat=False, first=None, last=None, grows=None, allowed=0.0, samples=len(points)
        )
    first, last = median(early), median(late)
    grows = slope(points) * (whole_s - since_s)
    allowed = bound.share * first + bound.more
    return Verdict(
        figure=name,
        flat=max(last - first, grows) <= allowed,
        first=first,
        last=last,
        grows=grows,
        allowed=allowed,
        samples=len(points),
    )


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Theil and Sen's, in units a second: the median of the slopes of all pairs. 0.0 where there is no pair."""
    slopes = [(y - x) / (t - s) for (s, x), (t, y) in combinations(points, 2) if t != s]
    return median(slopes) if slopes else 0.0
