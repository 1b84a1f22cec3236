"""What goes wrong in the demo, and in which words it is told: a few troubles, each of which comes again after hours.

In goes the time since the beginning, out come faults as the simulation's world asks for them. What never happens here:
a die that is cast: whoever looks on shall see each of them soon.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autoscaler.simulate.contract import Fault, Scenario
from autoscaler.simulate.script import Script

_MINUTE_S, _HOUR_S = 60.0, 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One that lasts. `where` is what the world asks about: an account, an account and a size, or nothing."""

    fault: Fault
    where: str
    every_s: float
    first_s: float
    """After the beginning of what people look at; what was before is counted back from there."""
    lasts_s: float
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """One that strikes the next machine, once it is due."""

    fault: Fault
    every_s: float
    first_s: float
    says: str


TROUBLES = (
    Trouble(
        fault=Fault.CAPACITY_REFUSED,
        where="fjord small",
        every_s=5 * _HOUR_S,
        first_s=35 * _MINUTE_S,
        lasts_s=45 * _MINUTE_S,
        says="fjord has no small machine left: that offer rests, and images buys in Sweden",
    ),
    Trouble(
        fault=Fault.LISTING_FAILS,
        where="skog",
        every_s=7 * _HOUR_S,
        first_s=80 * _MINUTE_S,
        lasts_s=8 * _MINUTE_S,
        says="skog does not list its machines: nothing new is bought there until it does",
    ),
    Trouble(
        fault=Fault.BROKER_DOWN,
        where="",
        every_s=11 * _HOUR_S,
        first_s=150 * _MINUTE_S,
        lasts_s=3 * _MINUTE_S,
        says="the broker is away: nobody knows what waits, so nothing shrinks until it was seen for a while",
    ),
)
STROKES = (
    Stroke(
        fault=Fault.NEVER_ENROLS,
        every_s=3 * _HOUR_S,
        first_s=10 * _MINUTE_S,
        says="a new machine will never become a worker: it is replaced, by one at first",
    ),
    Stroke(
        fault=Fault.MACHINE_DIES,
        every_s=6 * _HOUR_S,
        first_s=50 * _MINUTE_S,
        says="a machine will die soon: what it held is delivered again, and another is bought",
    ),
)

Tell = Callable[[str], None]


class Mishaps(Script):
    """The script of a calm life with these troubles in it. `begins_s` is when people begin to look."""

    def __init__(self, *, begins_s: float, tell: Tell) -> None:
        kinds = frozenset({*(each.fault for each in TROUBLES), *(each.fault for each in STROKES)})
        super().__init__(Scenario(seed=0, faults=kinds, trouble_s=float("inf")))
        self._begins_s = begins_s
        self._tell = tell
        self._told: dict[Trouble, int] = {}
        self._due = {each.fault: (each, self._first_s(each)) for each in STROKES}

    def lasts(self, fault: Fault, at: float, where: str = "") -> bool:
        """Whether that trouble lasts now, there."""
        for trouble in TROUBLES:
            if trouble.fault is fault and trouble.where == where:
                turn, since_s = divmod(at - self._begins_s - trouble.first_s, trouble.every_s)
                if since_s < trouble.lasts_s:
                    if self._told.get(trouble) != turn:
                        self._told[trouble] = int(turn)
                        self._tell(trouble.says)
                    return True
        return False

    def strikes(self, fault: Fault, at: float) -> bool:
        """Whether this machine has that bad luck: the first one after it was due."""
        stroke, due_s = self._due.get(fault, (None, 0.0))
        if stroke is None or at < due_s:
            return False
        while due_s <= at:
            due_s += stroke.every_s
        self._due[fault] = (stroke, due_s)
        self._tell(stroke.says)
        return True

    def _first_s(self, stroke: Stroke) -> float:
        """The first time in the life as a whole."""
        return (self._begins_s + stroke.first_s) % stroke.every_s
