"""What is counted of ticks as they end: how long they took, and what work they saw.

A loop goes in, the same loop comes out, its ticks counted. What never happens here: a change to a tick, or a tick that
fails for what is counted of it.
"""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from autoscaler import meters
from autoscaler.core import lifecycle
from autoscaler.meters import Meters
from autoscaler.telling import Tick


class Ticking(Protocol):
    """A loop, as its pacemaker sees it."""

    def tick(self) -> object: ...


class Metered:
    """A loop whose every tick is timed, and counted once it was written down. Only the loop's thread may call it."""

    def __init__(self, loop: Ticking, counted: Meters) -> None:
        self._loop = loop
        self._meters = counted

    def tick(self) -> object:
        """One tick of the loop. Raises what it raises."""
        with self._meters.timed(meters.TICK):
            done = self._loop.tick()
        if isinstance(done, Tick):
            count(done, self._meters)
        return done


def count(tick: Tick, counted: Meters) -> None:
    """What came and went since the tick before, and how long machines served, at work or not."""
    elapsed_s = tick.snapshot.elapsed_s
    serve = Counter(node.pool for node in tick.reconciled.nodes if node.state in lifecycle.SERVING)
    for sample in tick.record.samples:
        serving = serve[sample.pool]
        # Idle ones are counted by machine, of whatever size, and only while workers are heard.
        idle = min(serving, tick.decisions[sample.pool].input.supply.idle)
        counted.count(meters.SERVING, sample.pool, by=elapsed_s * serving)
        counted.count(meters.IDLE, sample.pool, by=elapsed_s * idle)
        counted.count(meters.ARRIVED, sample.pool, by=float(sample.arrived or 0))
        counted.count(meters.COMPLETED, sample.pool, by=float(sample.completed or 0))
