"""Virtual time beside real time: how fast it runs, and a file that tells other programs what time it is in the demo.

A pace is held to two instants that were one: from there virtual time runs `speed` times as fast. What never happens
here: a wait.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from autoscaler.clock import Clock

FILE = "time.json"
"""What it is called, beside the configuration."""
SLOWEST, FASTEST = 1.0, 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How virtual time runs: it was `virtual_at` when it was `real_at` (epoch seconds both)."""

    real_at: float
    virtual_at: float
    speed: float

    def now(self, real_at: float) -> float:
        """The virtual instant at that real one."""
        return self.virtual_at + max(0.0, real_at - self.real_at) * self.speed


class Pace:
    """A `Clock` whose `now` is virtual; durations are real. Any thread may ask, one thread changes it."""

    def __init__(self, real: Clock, *, virtual_at: float, speed: float, file: Path) -> None:
        self._real = real
        self._file = file
        self._since = real.monotonic()
        self._course = Course(real_at=real.now(), virtual_at=virtual_at, speed=speed)
        self._write()

    @property
    def speed(self) -> float:
        """So many times as fast as real time."""
        return self._course.speed

    def now(self) -> float:
        """The virtual instant. It never steps when somebody sets the machine's clock."""
        since, course = self._since, self._course
        return course.virtual_at + (self._real.monotonic() - since) * course.speed

    def monotonic(self) -> float:
        """Real seconds."""
        return self._real.monotonic()

    def go_on(self, *, virtual_at: float | None = None, speed: float | None = None) -> None:
        """From this moment on at that speed; from that instant, where one is named: as after a machine that slept."""
        self._course = Course(
            real_at=self._real.now(),
            virtual_at=self.now() if virtual_at is None else virtual_at,
            speed=self._course.speed if speed is None else speed,
        )
        self._since = self._real.monotonic()
        self._write()

    def _write(self) -> None:
        """Whole or not at all: others read it at any moment."""
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps(asdict(self._course)), "utf-8")
        draft.replace(self._file)


def course_beside(config: Path) -> Course | None:
    """How time runs in the demo whose configuration that is; None where none was ever told, or nothing sensible."""
    try:
        told = json.loads(config.with_name(FILE).read_text("utf-8"))
        course = Course(**{name: float(told[name]) for name in ("real_at", "virtual_at", "speed")})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    usable = all(math.isfinite(each) for each in (course.real_at, course.virtual_at))
    return course if usable and 0.0 <= course.speed <= FASTEST else None
