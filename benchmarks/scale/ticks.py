"""Ticks of one fleet, measured: processor and wall by stage, memory, threads, requests, and what the journal grew by.

`python -m benchmarks.scale.ticks`, a size and a broker's address on its standard input, its figures on its standard
output: a process for each size, so that memory is of that size alone. What never happens here: a judgement.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from autoscaler import memory, meters
from autoscaler.meters import Meter, Timing
from benchmarks.scale import kept
from benchmarks.scale.fleet import TICK_S, Door, Fleet, Size, open_fleet

WARM = 3
"""Ticks that are not counted: the first one learns of everything at once."""


@dataclass(slots=True)
class Stopwatch:
    """Real seconds of a tick's stages, on the wall and of processors; all else that is counted is only counted."""

    wall_s: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    cpu_s: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    times: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def count(self, meter: Meter, *labels: str, by: float = 1.0) -> None:
        """How often."""
        del labels
        self.times[meter.name] += by > 0

    def timed(self, meter: Meter, *labels: str) -> AbstractContextManager[Timing]:
        """A stage of a tick, or one call of many."""
        self.times[meter.name] += 1
        return self.stage(labels[0] if meter is meters.STAGE else meter.name)

    @contextmanager
    def stage(self, name: str) -> Iterator[Timing]:
        """Time what stands inside."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield Timing()
        finally:
            self.wall_s[name].append(time.perf_counter() - wall)
            self.cpu_s[name].append(time.process_time() - cpu)


def measure(size: Size, door: Door, ticks: int) -> dict[str, Any]:
    """So many ticks after the first few."""
    with tempfile.TemporaryDirectory() as directory:
        file, watch = Path(directory, "journal.db"), Stopwatch()
        fleet = open_fleet(size, file, door, counted=watch)
        memory.settle()  # as the daemon does
        try:
            for _ in range(WARM):
                _tick(fleet, watch)
            warm = _clear(watch, fleet)
            for _ in range(ticks):
                _tick(fleet, watch)
            found = _figures(fleet, watch, warm, ticks)
            return found | {"journal_a_day": kept.a_day(size, kept.rows(file))}
        finally:
            fleet.close()


def _tick(fleet: Fleet, watch: Stopwatch) -> None:
    fleet.clock.elapsed_s += TICK_S
    fleet.workers.beat()
    with watch.stage("tick"), memory.of_a_tick():
        fleet.loop.tick()


@dataclass(frozen=True, slots=True)
class _Before:
    bytes_: int
    creates: int


def _clear(watch: Stopwatch, fleet: Fleet) -> _Before:
    watch.wall_s.clear()
    watch.cpu_s.clear()
    watch.times.clear()
    gc.collect()
    return _Before(bytes_=_bytes(fleet), creates=len(fleet.cloud.machines()))


def _bytes(fleet: Fleet) -> int:
    """Of the journal's pages in use, whatever stands in its log yet."""
    with fleet.journal.reading("measure it") as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        free = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()
        return int(pages - free) * int(connection.exec_driver_sql("PRAGMA page_size").scalar_one())


def _figures(fleet: Fleet, watch: Stopwatch, before: _Before, ticks: int) -> dict[str, Any]:
    grown = _bytes(fleet) - before.bytes_
    return {
        "ticks": ticks,
        "cpu_s": {name: _spread(values) for name, values in watch.cpu_s.items()},
        "wall_s": {name: _spread(values) for name, values in watch.wall_s.items()},
        "requests_per_tick": watch.times[meters.BROKER_REQUEST.name] / ticks,
        "provider_calls_per_tick": watch.times[meters.PROVIDER_CALL.name] / ticks,
        "bought": len(fleet.cloud.machines()) - before.creates,
        "nodes_at_last": len(fleet.journal.live_nodes()),
        "journal_bytes_per_tick": grown / ticks,
        "resident_mb": psutil.Process().memory_info().rss / 1e6,
        "most_resident_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        "threads": threading.active_count(),
    }


def _spread(values: list[float]) -> dict[str, float]:
    ranked = sorted(values)

    def at(share: float) -> float:
        return ranked[min(len(ranked) - 1, int(share * len(ranked)))]

    return {"p50": at(0.5), "p99": at(0.99), "most": ranked[-1], "sum": sum(values)}


def main() -> int:
    """One size, told in JSON."""
    told = json.load(sys.stdin)
    json.dump(measure(Size(**told["size"]), Door(**told["door"]), told["ticks"]), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
