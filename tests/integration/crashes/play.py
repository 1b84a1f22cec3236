"""One cell of the crash matrix, played on real parts: a life of a fleet whose daemon is killed at steps, and compared.

In goes a cell and its stage, out comes a `Record` with everything that was not clean. What never happens here: a
failure by exception where a sentence in the record would do, since one cell's trouble says nothing about the next.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from testbed.waiting import DeadlinePassed, wait_until
from tests.integration.crashes.audit import Ledger
from tests.integration.crashes.clouds import Cloud
from tests.integration.crashes.steps import STEPS, Step
from tests.integration.stage import Stage

CEILING = 2
KILLED_WITHIN_S = 90.0
SETTLED_WITHIN_S = 120.0
_WAVE = 30
"""Tasks: work for two workers by the stage's 20 messages a worker."""
_TASK_S = 0.15
_ODD = ("plan.refused", "tick.failed", "journal.failed", "pool.failed", "stranger.seen")
"""Events that no crash at any step may bring about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A life: its daemons are killed at these steps, one after the other, at that cloud and with that journal."""

    steps: tuple[str, ...]
    cloud: str
    journal: str

    @property
    def name(self) -> str:
        return f"{self.cloud}, {self.journal}: {' > '.join(self.steps)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What became of a cell. Clean is a record without problems."""

    cell: Cell
    killed: tuple[str, ...]
    machines: int
    took_s: float
    looks: int
    """How often the whole was looked at while it went on; a cell that nobody watched is not clean."""
    problems: tuple[str, ...]


def play(cell: Cell, stage: Stage, cloud: Cloud, ledger: Ledger) -> Record:
    """Play it to its end, whatever happens."""
    began = time.monotonic()
    life = _Life(stage, cloud, ledger)
    try:
        life.run(tuple(STEPS[name] for name in cell.steps))
    except (DeadlinePassed, OSError, subprocess.SubprocessError) as error:
        life.problems.append(f"{type(error).__name__}: {error}")
    finally:
        life.watch.stop()
    return Record(
        cell=cell,
        killed=tuple(life.killed),
        machines=len(cloud.made()),
        took_s=round(time.monotonic() - began, 1),
        looks=life.watch.looks,
        problems=(*life.problems, *life.watch.problems, *cloud.problems),
    )


class _Life:
    """From an empty fleet through kills back to an empty fleet."""

    def __init__(self, stage: Stage, cloud: Cloud, ledger: Ledger) -> None:
        self._stage = stage
        self._cloud = cloud
        self._ledger = ledger
        self._sent = 0
        self.problems: list[str] = []
        self.killed: list[str] = []
        self.watch = _Watch(cloud, self._ledger)

    def run(self, steps: tuple[Step, ...]) -> None:
        self._send()
        for step in steps:
            self._die_at(step)
        decided = len(self._stage.said("pool.decided"))
        daemon = self._stage.start_daemon()
        # Before its first tick it does not listen to signals yet, and there may be nothing else left to wait for.
        self._wait(lambda: len(self._stage.said("pool.decided")) > decided, 60, "the last daemon to tick")
        self._wait(self._settled, SETTLED_WITHIN_S, "the work to be done and the fleet to be empty")
        daemon.send_signal(signal.SIGTERM)
        code = daemon.wait(30)
        self.watch.stop()
        self.problems += [*self._compare(), *self._ledger.problems()]
        if code != 0:
            self.problems.append(f"the last daemon ended with {code}; expected 0")

    def _die_at(self, step: Step) -> None:
        daemon = self._stage.start_daemon(sys.executable, "-m", "tests.integration.crashes.doomed", step.name)

        def ended() -> bool:
            if step.load_returns and self._drains() and self._done():
                self._send()  # perhaps not for the first time: who still serves may be quick
            return daemon.poll() is not None

        self._wait(ended, KILLED_WITHIN_S, f"the daemon to be killed {step.name}")
        if daemon.returncode != -signal.SIGKILL:
            raise DeadlinePassed(f"{step.name}: the daemon ended with {daemon.returncode}; expected SIGKILL")
        self.killed.append(step.name)

    def _send(self) -> None:
        self._stage.send({self._sent + number: _TASK_S for number in range(_WAVE)})
        self._sent += _WAVE

    def _drains(self) -> bool:
        return "draining" in self._ledger.states().values()

    def _done(self) -> bool:
        return self._sent <= len(self._stage.noted("ended"))

    def _settled(self) -> bool:
        return self._done() and not self._ledger.live() and not self._cloud.standing()

    def _wait(self, condition: Callable[[], bool], deadline_s: float, what: str) -> None:
        wait_until(condition, deadline_s, f"{what}\n{self._told()}", pause_s=0.2)

    def _told(self) -> str:
        return f"records {dict(self._ledger.states())}, machines {dict(self._cloud.standing())}"

    def _compare(self) -> Iterator[str]:
        """Journal, provider and workers, each by its own word."""
        states, made = self._ledger.states(), self._cloud.made()
        yield from (f"{name} was made {count} times" for name, count in made.items() if count > 1)
        ordered = self._cloud.ordered()
        yield from (f"the order {key} was sent {count} times" for key, count in ordered.items() if count > 1)
        for refused in self._stage.said("call.refused"):
            if (refused["call"], refused["kind"]) == ("create", "rejected"):
                yield f"an order was rejected: {refused}"
        yield from (f"{name} was made and has no record" for name in made.keys() - states.keys())
        expected = Counter(range(self._sent))
        for what in ("began", "ended"):
            noted = self._stage.noted(what)
            if noted != expected:
                yield f"tasks {what}: {dict(noted - expected)} too often, {dict(expected - noted)} too seldom"
        for event in _ODD:
            yield from (f"said {told}" for told in self._stage.said(event))
        if self._stage.asked("nodes", "--cloud")["agree"] is not True:
            yield "`nodes --cloud` finds that journal and provider disagree"


class _Watch:
    """Looks all the time: no double, no machine without a live record, never more than the ceiling."""

    def __init__(self, cloud: Cloud, ledger: Ledger) -> None:
        self._cloud = cloud
        self._ledger = ledger
        self.looks = 0
        self.problems: list[str] = []
        self._ended = threading.Event()
        self._watching = threading.Thread(target=self._look_on, name="watch", daemon=True)
        self._watching.start()

    def stop(self) -> None:
        self._ended.set()
        self._watching.join(30)
        if not self.looks:
            self._tell("nobody looked on")

    def _look_on(self) -> None:
        while not self._ended.wait(0.4):
            try:
                self._tell(*self._look())
                self.looks += 1
            except Exception as error:  # noqa: BLE001 - around one look: what it would have seen is told as unseen
                self._tell(f"a look failed: {type(error).__name__}: {error}")

    def _look(self) -> Iterator[str]:
        # Machines first: one that is seen was committed before, and its record outlives it by the settle time.
        standing = self._cloud.standing()
        unknown = standing.keys() - self._ledger.live().keys()
        yield from (f"{name} stands {count} times" for name, count in standing.items() if count > 1)
        yield from (f"{name} stands without a live record" for name in unknown)
        if len(standing) > CEILING:
            yield f"{len(standing)} machines stand; the ceiling is {CEILING}"

    def _tell(self, *found: str) -> None:
        self.problems += [each for each in found if each not in self.problems]
