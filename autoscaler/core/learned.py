"""When a machine is late, by how long the last ones of its kind took to become workers: values and sums only.

In go lengths of boots, and how long others were waited for in vain; out come seconds within bounds. What never happens
here: a look at a machine, or a length that was cut off taken for one that was measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import quantiles

FIRST_S = 600.0
"""As long as nothing is known: most plain images install an application in less."""
LEAST_S = 180.0
"""Nobody is late before that. A shorter patience saves cents, and one machine too few costs a boot and a rest."""
MOST_S = 1800.0
"""An hour's quantum is not half over yet, and what takes longer wants an image of its own."""

_KEPT = 20
"""As many boots as `policies.traffic` and `enrolment` remember."""
_GAIN, _GAIN_OF_SPREAD, _SPREADS = 1 / 8, 1 / 4, 4.0
"""α, β and K of RFC 6298, which is Jacobson's estimator: the mean, its mean deviation, and how many of these."""
_MARGIN = 2.0
"""Where boots are all alike their deviation comes to nothing; what takes twice as long as nearly all is late."""
_BACK_OFF = 2.0
"""As in RFC 6298 (5.5)."""
_FADES = 0.9
"""What a boot leaves of what others waited for in vain. One dead machine among ten does not keep it up; slow ones that
are more than that push it up until one of them is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """How long machines of one offer took to become workers of a pool, since their provider took the order."""

    took_s: tuple[float, ...] = ()
    """The newest last."""
    becomes: str = ""
    """What these became: a fingerprint, where it is known."""
    at_least_s: float = 0.0
    """None is late before that: others were waited for half of it, in vain."""
    changed: bool = False
    """New ones are to become something else, of which none has become a worker yet."""


def late_after_s(of: Learned, *, alike: bool, first_s: float, least_s: float, most_s: float) -> float:
    """Seconds after which a machine is late; `alike`: it is to become what those that are known became.

    What others took says little of one that is to become something else: it may lengthen the time, not shorten it.
    """
    known_s = estimate_s(of.took_s)
    if known_s is None:
        known_s = first_s
    elif not alike:
        known_s = max(known_s, first_s)
    return min(most_s, max(least_s, known_s, of.at_least_s))


def estimate_s(took_s: Sequence[float]) -> float | None:
    """How long the next one is waited for, by these boots alone, the oldest first; None where there are none.

    A sender's time-out after RFC 6298, which is wide while little is known and follows a change at once; and not less
    than twice the 95th percentile, so that boots as alike as clockwork leave room for one that is not.
    """
    if not took_s:
        return None
    mean_s, spread_s = took_s[0], took_s[0] / 2.0
    for each_s in took_s[1:]:
        spread_s += _GAIN_OF_SPREAD * (abs(mean_s - each_s) - spread_s)
        mean_s += _GAIN * (each_s - mean_s)
    return max(mean_s + _SPREADS * spread_s, _MARGIN * high_s(took_s))


def middle_s(took_s: Sequence[float]) -> float:
    """The median of at least one."""
    known = sorted(took_s)
    return (known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2.0


def high_s(took_s: Sequence[float]) -> float:
    """The 95th percentile of at least one."""
    return quantiles(took_s, n=20, method="inclusive")[18] if len(took_s) > 1 else took_s[0]


def with_boots(of: Learned, took_s: Iterable[float], *, becomes: str, most_s: float) -> Learned:
    """With machines that became workers after so long; what another kind took is forgotten with the first of a new one.

    That others were waited for in vain fades with each, and is not forgotten at once: half of them may be slow.
    """
    told = [min(most_s, s) for s in took_s if math.isfinite(s) and s >= 0.0]
    if not told:
        return of
    before = of.took_s if becomes == of.becomes else ()
    return replace(
        of,
        took_s=(*before, *(round(s, 2) for s in told))[-_KEPT:],
        becomes=becomes,
        at_least_s=round(of.at_least_s * _FADES ** len(told), 2),
    )


def with_late(of: Learned, waited_s: float, *, most_s: float) -> Learned:
    """With a machine that was waited for so long in vain: the next is given twice that.

    It is no boot of that length, and nobody knows whether it would ever have been one. Ten that end together after the
    same time double it once.
    """
    return replace(of, at_least_s=min(most_s, max(of.at_least_s, _BACK_OFF * waited_s)))
