"""`python -m benchmarks.events`: what it costs the daemon to hear ten thousand workers.

A private RabbitMQ, a process that publishes what 10,000 Celery workers say, and a process with the production link to
the workers, whose seconds of a processor are counted, whoever else is at work meanwhile. Looked at each second: what
waits in the broker, memory, threads. The figures go to build/events.json; it fails above the limits. What never happens
here: a worker, a tick.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import requests

from autoscaler import meters
from autoscaler.clock import SystemClock
from autoscaler.core.facts import Sightings
from autoscaler.gateways import roll_calls
from autoscaler.gateways.celery_link import CeleryLink
from autoscaler.meters import Tally
from benchmarks import saying
from benchmarks.saying import Load
from testbed.rabbitmq import PrivateRabbitMQ

MOST_PERCENT = 30.0
_MOST_SILENT_S = 10.0
"""By the clock of hearing: a sixth of what `timeouts.silence` grants."""
_WORKERS, _SECONDS = 10_000, 60.0
_SILENCED = 100
_OUT = Path("build/events.json")
_START_S, _END_S, _LOOK_S, _SETTLE_S = 120.0, 60.0, 1.0, 3.0
_TICK_S = 5.0
"""So often sightings are asked for, as by a daemon that ticks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One load, and how much of a core may be spent on it."""

    name: str
    load: Load
    share: float = roll_calls.SHARE

    @property
    def most_percent(self) -> float:
        """The limit: as much above the share as the whole consumer may cost."""
        return MOST_PERCENT * self.share / roll_calls.SHARE


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the consumer tells of itself."""

    beats: int
    workers: int
    listening_s: float
    unheard_s: float
    silent_s: float
    """The longest silence of a worker that speaks."""
    silenced_s: float
    """The shortest one of a worker that does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured with one load."""

    scenario: str
    workers: int
    beats_per_s: float
    task_messages_per_s: float
    seconds: float
    percent_of_a_core: float
    limit_percent: float
    us_per_beat_read: float
    beats_published: int
    beats_read: int
    workers_heard: int
    unheard_s: float
    """Of the time: between roll calls."""
    longest_silence_s: float
    silence_of_the_silenced_s: float
    waiting_most: int
    waiting_at_the_end: int
    rss_mb_begin: float
    rss_mb_most: float
    threads: int
    threads_most: int

    @property
    def faults(self) -> tuple[str, ...]:
        """What is not as it must be."""
        lost = self.beats_published - self.beats_read
        checks = (
            (self.percent_of_a_core <= self.limit_percent, "it took more than its share of a core"),
            (
                self.workers_heard == self.workers,
                f"{self.workers - self.workers_heard} workers were never heard",
            ),
            (self.longest_silence_s <= _MOST_SILENT_S, "a worker that speaks fell silent for it"),
            (self.waiting_most <= roll_calls.MOST_WAITING, "more waits in the broker than may"),
            (self.unheard_s > 0 or lost <= 0, f"{lost} beats were lost without its knowledge"),
            (self.unheard_s > 0 or self.waiting_at_the_end <= roll_calls.PREFETCH, "it falls behind"),
            (self.threads == self.threads_most, "threads came up"),
        )
        return tuple(says for holds, says in checks if not holds)


def _hear(broker: tuple[int, str, str], share: float, door: Connection) -> None:
    """The whole of the consuming process: the link, and sightings as often as a tick asks for them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    roll_calls.SHARE = share
    clock = SystemClock()
    counted = Tally(clock)
    port, username, password = broker
    link = CeleryLink(
        amqp_url=f"amqp://127.0.0.1:{port}", username=username, password=password, vhost="/", clock=clock,
        counted=counted,
    )  # fmt: skip
    link.start()
    silenced = frozenset(saying.name_of(number) for number in range(_SILENCED))
    longest_s, told_ready = 0.0, False
    while True:
        seen = link.sightings()
        if isinstance(seen, Sightings):
            if not told_ready:
                door.send("ready")
                told_ready = True
            speaking = [each.silent_s for name, each in seen.workers.items() if name not in silenced]
            longest_s = max(longest_s, *speaking, 0.0) if speaking else longest_s
        if door.poll(_TICK_S if told_ready else 0.1):
            break
    door.recv()
    seen = link.sightings()
    assert isinstance(seen, Sightings), seen
    quiet = [each.silent_s for name, each in seen.workers.items() if name in silenced]
    read = {each.labels[0]: each.total for each in counted.read()[meters.WORKER_MESSAGES.name]}
    door.send(
        Heard(
            beats=int(read["heard"]), workers=len(seen.workers), listening_s=seen.listening_s,
            unheard_s=getattr(seen, "unheard_s", 0.0), silent_s=longest_s, silenced_s=min(quiet, default=0.0),
        )
    )  # fmt: skip
    link.stop(10)


@contextmanager
def _process(target: object, *words: object) -> Iterator[tuple[Connection, psutil.Process]]:
    """A process that has said that it is ready, and is gone afterwards."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=target, args=(*words, theirs))  # type: ignore[arg-type]
    process.start()
    try:
        if not ours.poll(_START_S):
            raise TimeoutError(f"{target} did not start")
        ours.recv()
        yield ours, psutil.Process(process.pid)
        process.join(_END_S)
    finally:
        process.kill()


@dataclass(slots=True)
class Watch:
    """What was seen of the consumer and of the broker, second by second."""

    broker: PrivateRabbitMQ
    process: psutil.Process
    waiting: list[int] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def look(self) -> None:
        """One look."""
        answer = requests.get(
            f"{self.broker.management_url}/api/queues",
            auth=(self.broker.user, self.broker.password),
            timeout=10,
        )
        answer.raise_for_status()
        self.waiting.append(sum(queue.get("messages_ready", 0) for queue in answer.json()))
        self.rss_mb.append(self.process.memory_info().rss / 1e6)
        self.threads.append(self.process.num_threads())

    def cpu_s(self) -> float:
        """Seconds of a processor that the consumer took so far."""
        spent = self.process.cpu_times()
        return float(spent.user + spent.system)


def measure(broker: PrivateRabbitMQ, scenario: Scenario) -> Figures:
    """Let the workers speak for the time, and count."""
    load, place = scenario.load, (broker.amqp_port, broker.user, broker.password)
    with (
        _process(_hear, place, scenario.share) as (ears, consumer),
        _process(saying.publish, broker.amqp_url, load) as (mouth, _),
    ):
        watch = Watch(broker, consumer)
        watch.look()
        began, before_s = time.perf_counter(), watch.cpu_s()
        mouth.send("speak")
        while not mouth.poll(_LOOK_S):
            watch.look()
        spent_s, took_s = watch.cpu_s() - before_s, time.perf_counter() - began
        published = mouth.recv()
        waiting_at_the_end = watch.waiting[-1]
        time.sleep(_SETTLE_S)
        ears.send("end")
        if not ears.poll(_END_S):
            raise TimeoutError("the consumer does not answer")
        heard: Heard = ears.recv()
    return Figures(
        scenario=scenario.name,
        workers=load.workers,
        beats_per_s=round(published / took_s),
        task_messages_per_s=load.task_messages_per_s,
        seconds=round(took_s, 1),
        percent_of_a_core=round(100 * spent_s / took_s, 1),
        limit_percent=round(scenario.most_percent, 1),
        us_per_beat_read=round(1e6 * spent_s / max(1, heard.beats), 1),
        beats_published=published,
        beats_read=heard.beats,
        workers_heard=heard.workers,
        unheard_s=round(heard.unheard_s, 1),
        longest_silence_s=round(heard.silent_s, 1),
        silence_of_the_silenced_s=round(heard.silenced_s, 1),
        waiting_most=max(watch.waiting),
        waiting_at_the_end=waiting_at_the_end,
        rss_mb_begin=round(watch.rss_mb[0]),
        rss_mb_most=round(max(watch.rss_mb)),
        threads=watch.threads[0],
        threads_most=max(watch.threads),
    )


def scenarios(workers: int, seconds: float) -> tuple[Scenario, ...]:
    """Heartbeats alone; with events of tasks, which are not for us; and where a core is worth a quarter of this one."""
    beats = Load(workers=workers, seconds=seconds)
    return (
        Scenario(name="heartbeats", load=beats),
        Scenario(name="and tasks", load=replace(beats, task_messages_per_s=1_000.0)),
        Scenario(
            name="a quarter of the share",
            load=replace(beats, silenced=_SILENCED),
            share=roll_calls.SHARE / 4,
        ),
    )


def main() -> int:
    """Measure, write it down, tell it; 1 above the limits."""
    parser = argparse.ArgumentParser(prog="benchmarks.events")
    parser.add_argument("--workers", type=int, default=_WORKERS)
    parser.add_argument("--seconds", type=float, default=_SECONDS)
    parser.add_argument("--only", help="the scenario of that name")
    asked = parser.parse_args()
    found = []
    for scenario in scenarios(asked.workers, asked.seconds):
        if asked.only in {None, scenario.name}:
            with (
                tempfile.TemporaryDirectory() as place,
                PrivateRabbitMQ(Path(place), statistics_interval_s=1) as broker,
            ):
                found.append(measure(broker, scenario))
            _tell(found[-1])
    _OUT.parent.mkdir(exist_ok=True)
    _OUT.write_text(json.dumps([asdict(each) for each in found], indent=2) + "\n", encoding="utf-8")
    return 1 if any(each.faults for each in found) else 0


def _tell(each: Figures) -> None:
    sys.stdout.write(
        f"{each.scenario}: {each.workers:,} workers, {each.beats_per_s:,.0f} heartbeats/s: "
        f"{each.percent_of_a_core:.1f} % of a core (limit {each.limit_percent:g}), "
        f"{each.beats_read:,} of {each.beats_published:,} read at {each.us_per_beat_read:.0f} µs, "
        f"{each.unheard_s:.0f} s unheard, longest silence {each.longest_silence_s:.1f} s, "
        f"at most {each.waiting_most:,} waiting, {each.rss_mb_most:.0f} MB, {each.threads_most} threads\n"
    )
    for fault in each.faults:
        sys.stdout.write(f"  FAILED: {fault}\n")


if __name__ == "__main__":
    sys.exit(main())
