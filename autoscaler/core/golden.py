"""What a golden image saves, or would save: from boots that were measured, and never from a guess.

In go the phases of each boot with their times, out comes how much earlier its worker would have started with packages
and application in the image. What never happens here: a sum of phases that run side by side.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from autoscaler.core.enrolment import middle_and_high
from autoscaler.core.reports import Phase, PhaseTime

_NOTHING_S = 1.0
"""A machine that has everything asks dpkg, and compares a stamp: a tenth of a second where machines are emulated."""
_NEEDED = frozenset(
    {Phase.MACHINE, Phase.PACKAGES, Phase.APPLICATION, Phase.BROKER, Phase.WORKER, Phase.HEARTBEAT}
)

MiddleAndHigh = tuple[float, float]
"""The median and the 95th percentile, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What the last boots of one offer, with one image, were like, and what they would be like on a golden one."""

    boots: int
    packages_s: MiddleAndHigh
    application_s: MiddleAndHigh
    whole_s: MiddleAndHigh
    """From the order to the first heartbeat."""
    saved_s: MiddleAndHigh
    then_s: MiddleAndHigh
    """The whole, less what that very boot would have saved."""

    @property
    def is_golden(self) -> bool:
        """Whether there is nothing to save: the image has everything already."""
        return self.packages_s[0] + self.application_s[0] < _NOTHING_S


def saving(boots: Iterable[tuple[PhaseTime, ...]]) -> Saving | None:
    """Of these boots, each as its phases' times from order to heartbeat; None where none of them is known whole."""
    known = [
        times for boot in boots if (times := {time.phase: time for time in boot if time.ok}).keys() >= _NEEDED
    ]
    if not known:
        return None
    whole = [times[Phase.HEARTBEAT].to_s - times[Phase.MACHINE].from_s for times in known]
    saved = [
        _saved_s(times[Phase.PACKAGES], times[Phase.APPLICATION], times[Phase.BROKER]) for times in known
    ]
    return Saving(
        boots=len(known),
        packages_s=_quantiles(times[Phase.PACKAGES].took_s for times in known),
        application_s=_quantiles(times[Phase.APPLICATION].took_s for times in known),
        whole_s=_quantiles(whole),
        saved_s=_quantiles(saved),
        then_s=_quantiles(all_s - saved_s for all_s, saved_s in zip(whole, saved, strict=True)),
    )


def _saved_s(packages: PhaseTime, application: PhaseTime, broker: PhaseTime) -> float:
    """How much earlier the worker would have been started had packages and application taken no time.

    The application follows the packages; the round trip to the broker runs beside both, and the worker waits for
    application and broker. So it begins at max(application.to, broker.to), and would have begun at
    max(packages.from, broker.to): what is saved is max(0, application.to - max(packages.from, broker.to)), the part of
    both phases in which nothing else was waited for. All that follows the worker's start follows it as before.
    """
    return max(0.0, application.to_s - max(packages.from_s, broker.to_s))


def _quantiles(seconds: Iterable[float]) -> MiddleAndHigh:
    return middle_and_high(seconds) or (0.0, 0.0)
