"""Lives played on all cores: jobs go in, one `Life` comes out for each, in the order in which they end.

Each player is a process of its own that is handed one life at a time, so that a process which dies or hangs is known by
the life it was playing: that life is reported as lost, never left out, and another player takes the place.
What never happens here: a judgement of what was played.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess

import psutil

from autoscaler.clock import Clock, SystemClock
from autoscaler.simulate import sabotage
from autoscaler.simulate.contract import Scenario, Verdict

Watch = Callable[[float], None]
"""Told after each simulated hour how many have passed."""
Play = Callable[[Scenario, Watch], Verdict]
LIFE_LIMIT_S = 900.0
"""A life takes seconds; one of a thousand nodes and a day is given longer by the caller. Real time, not simulated."""
ASKED_EVERY_S = 0.5
"""How often it is asked whether to stop."""
_START_S = 60.0
"""For a process to start and import everything, on a machine that has other things to do."""
_PARTING_S = 5.0
"""For a player that was told to end, before it is made to."""
_TRACE_LINES = 12
"""Of a traceback: where it was raised, and how it came there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One life to be played, by the production code or by one with this rule broken."""

    scenario: Scenario
    sabotage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """How much memory the player's process held when so many hours had been simulated.

    What is resident stays at the highest need there ever was, because freed memory is kept for later; what leaks is
    told by the blocks that are alive.
    """

    hour: float
    rss_bytes: int
    live_blocks: int
    """Pieces of memory that Python's objects hold, after everything unreachable was collected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A life that was played, or `lost` with why: then there is no verdict."""

    job: Job
    verdict: Verdict | None = None
    lost: str = ""
    cpu_s: float = 0.0
    memory: tuple[Resident, ...] = ()


def perform(job: Job, play: Play) -> Life:
    """Play one life here and now. An exception of the life's is its loss."""
    memory: list[Resident] = []
    process = psutil.Process()

    def watch(hour: float) -> None:
        gc.collect()
        rss_bytes, live_blocks = process.memory_info().rss, sys.getallocatedblocks()
        memory.append(Resident(hour=hour, rss_bytes=rss_bytes, live_blocks=live_blocks))

    began_s = time.process_time()
    verdict, lost = None, ""
    try:
        with sabotage.applied(job.sabotage):
            verdict = play(job.scenario, watch)
    except Exception:  # noqa: BLE001 - around one life: whatever it raises, the others are played
        lost = "it raised\n" + "\n".join(traceback.format_exc().rstrip().splitlines()[-_TRACE_LINES:])
    cpu_s = time.process_time() - began_s
    return Life(job=job, verdict=verdict, lost=lost, cpu_s=cpu_s, memory=tuple(memory))


def play_all(
    jobs: Iterable[Job],
    play: Play,
    *,
    players: int,
    limit_s: float = LIFE_LIMIT_S,
    clock: Clock | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Life]:
    """Play every job. `jobs` is read only as players become free, so it may end early on what was seen.

    It ends within `ASKED_EVERY_S` of `stopped` saying so, in the middle of lives. Closing the iterator, or an exception
    at its caller, ends all players.
    """
    # Spawned and not forked: a fork would copy the caller's threads' locks in whatever state they are.
    context = multiprocessing.get_context("spawn")
    clock = clock or SystemClock()
    waiting = iter(jobs)
    crew: list[_Player] = []
    try:
        while not stopped():
            crew += _hired(waiting, play, context, clock, limit_s, room=players - len(crew))
            if not crew:
                return
            ready = connection.wait([p.pipe for p in crew], timeout=_soonest(crew, clock))
            for player in list(crew):
                life = player.ended(ready, clock.monotonic())
                if life is None:
                    continue
                job = next(waiting, None) if not life.lost else None
                if job is None:
                    crew.remove(player)
                    player.dismiss(at_once=bool(life.lost))
                else:
                    player.give(job)
                yield life
    finally:
        for player in crew:
            player.dismiss(at_once=True)


def _hired(
    waiting: Iterator[Job], play: Play, context: SpawnContext, clock: Clock, limit_s: float, *, room: int
) -> Iterator[_Player]:
    for _ in range(room):
        job = next(waiting, None)
        if job is None:
            return
        yield _Player(context, play, job, limit_s, clock.monotonic())


def _soonest(crew: Iterable[_Player], clock: Clock) -> float:
    left_s = min(player.deadline for player in crew) - clock.monotonic()
    return min(max(0.0, left_s), ASKED_EVERY_S)


class _Player:
    """One process, and the job it was given last."""

    def __init__(self, context: SpawnContext, play: Play, job: Job, limit_s: float, now: float) -> None:
        self._limit_s = limit_s
        self.deadline = now + _START_S + limit_s
        self.pipe, theirs = context.Pipe()
        self._process: SpawnProcess = context.Process(target=_work, args=(theirs, play), daemon=True)
        with _born_deaf_to_ctrl_c():
            self._process.start()
        theirs.close()  # so that the pipe ends with the process
        self.give(job)

    def give(self, job: Job) -> None:
        """Hand over the next life. Its time begins when the player says that it took it."""
        self.job = job
        with contextlib.suppress(OSError):  # it died meanwhile: the end of the pipe tells
            self.pipe.send(job)

    def ended(self, ready: Sequence[object], now: float) -> Life | None:
        """The life that ended, well or not; None while it is still played."""
        if self.pipe in ready:
            try:
                life: Life | None = self.pipe.recv()
            except (EOFError, OSError):
                self._process.join(_PARTING_S)
                return Life(job=self.job, lost=f"its process died (exit code {self._process.exitcode})")
            if life is None:
                self.deadline = now + self._limit_s
            return life
        if now >= self.deadline:
            return Life(job=self.job, lost=f"it did not end within {self._limit_s:g} s")
        return None

    def dismiss(self, *, at_once: bool = False) -> None:
        """End the process, by force if it does not go."""
        self.pipe.close()
        if at_once:
            self._process.kill()
        self._process.join(_PARTING_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


@contextlib.contextmanager
def _born_deaf_to_ctrl_c() -> Iterator[None]:
    """What is started here ignores Ctrl-C from its first instruction on, not only once it has imported everything.

    The signal waits meanwhile for the caller. A tracker that `multiprocessing` starts with its first process would let
    the signal through behind itself, so it is started before.
    """
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Connection, play: Play) -> None:
    """What a player does until its pipe ends. Ctrl-C reaches the whole terminal; it is the caller's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    with contextlib.suppress(EOFError, OSError):
        while True:
            job = pipe.recv()
            pipe.send(None)  # taken
            pipe.send(perform(job, play))
