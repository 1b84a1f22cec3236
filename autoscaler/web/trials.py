"""Trials of a candidate: `backtest` as a process of its own, one at a time, and the last few as they ended.

In go a pool, a time and a fragment of TOML, out comes what became of it, for those who ask again. A trial ends when it
is done, when its time is over, when nobody asks for it any more, when it is stopped, and with the daemon. What never
happens here: a replay in the daemon's own process, a shell, or a wait for a trial's end.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from autoscaler.views import wording
from autoscaler.web import surroundings

MOST_S = 900.0
"""A day at a tick every 5 s takes half a minute on two cores, a month some ten."""
UNASKED_S = 75.0
"""Whoever waits asks every second; from a tab that is long out of sight browsers let one ask once a minute."""
_LOOK_S = 0.2
_END_S = 5.0
"""For a process that was killed to be gone."""
_KEPT = 8
_LARGEST_BYTES = 1_048_576
"""Of an answer, and of a complaint a part of that."""
_CONFIG_WRONG = 78
_NAME = "candidate.toml"


class State(Enum):
    """What became of a trial."""

    RUNNING = "running"
    DONE = "done"
    WRONG = "wrong"
    """The candidate is no configuration; `says` has the loader's words."""
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One, as it stood when it was asked for."""

    id: str
    pool: str
    since: str
    toml: str
    began_at: float
    """On the clock that only goes forward."""
    state: State = State.RUNNING
    says: str = ""
    took_s: float = 0.0
    facts: Mapping[str, Any] | None = None
    """What `backtest --json` told, of one that is done."""


class Busy(Exception):
    """One runs."""


@dataclass(slots=True)
class _Run:
    process: subprocess.Popen[bytes]
    folder: tempfile.TemporaryDirectory[str]
    asked_at: float
    why_not: str = ""
    """Why it is ended before its end."""
    over: threading.Event = field(default_factory=threading.Event)


def command(config: Path, pool: str, since: str, candidate: Path) -> list[str]:
    """The seam to the commands: of this very installation, at the lowest priority."""
    # -P: what lies in the folder that the daemon was started from is no part of it.
    python = [sys.executable, "-P", "-m", "autoscaler.beneath"]
    return [*python, "backtest", f"--config={config}", f"--pool={pool}", f"--since={since}",
            f"--candidate={candidate}", "--json"]  # fmt: skip


class Trials:
    """Those of one daemon. Any thread may call it."""

    def __init__(
        self,
        config: Path,
        monotonic: Callable[[], float],
        *,
        command: Callable[[Path, str, str, Path], Sequence[str]] = command,
        most_s: float = MOST_S,
        unasked_s: float = UNASKED_S,
    ) -> None:
        """`config`: the configuration's file, which a replay reads again."""
        self.config = config
        self._monotonic = monotonic
        self._command = command
        self._most_s, self._unasked_s = most_s, unasked_s
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Trial] = OrderedDict()
        self._run: tuple[str, _Run] | None = None
        self._closed = False

    def begin(self, pool: str, since: str, toml: str) -> Trial:
        """A new one, under way. Raises Busy; OSError where no process can be started."""
        with self._lock:
            if self._run is not None or self._closed:
                raise Busy
            trial = Trial(
                id=secrets.token_hex(8), pool=pool, since=since, toml=toml, began_at=self._monotonic()
            )
            run = self._start(trial)
            self._run = trial.id, run
            self._kept[trial.id] = trial
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        threading.Thread(target=self._see_through, args=(trial, run), name="what-if", daemon=True).start()
        return trial

    def look(self, id_: str) -> Trial | None:
        """How it stands; None for one that is not kept. Who looks wants it to go on."""
        with self._lock:
            trial, now = self._kept.get(id_), self._monotonic()
            if trial is None or trial.state is not State.RUNNING:
                return trial
            if self._run is not None and self._run[0] == id_:
                self._run[1].asked_at = now
            return replace(trial, took_s=now - trial.began_at)

    def stop(self, id_: str) -> Trial | None:
        """The same, of one that shall not go on; it has ended then, and is no longer kept."""
        self._end(id_)
        found = self.look(id_)
        with self._lock:
            self._kept.pop(id_, None)
        return found

    def _end(self, id_: str) -> None:
        with self._lock:
            run = self._run[1] if self._run is not None and self._run[0] == id_ else None
            if run is not None:
                run.why_not = "It was stopped."
                run.process.kill()
        if run is not None:
            run.over.wait(_END_S)

    def close(self) -> None:
        """End what runs, and begin no more."""
        with self._lock:
            self._closed = True
            running = self._run
        if running is not None:
            self._end(running[0])

    def _start(self, trial: Trial) -> _Run:
        folder = tempfile.TemporaryDirectory(
            prefix="autoscaler-what-if-", ignore_cleanup_errors=True
        )  # its owner's alone
        try:
            path = Path(folder.name)
            candidate = path / _NAME
            candidate.write_text(trial.toml, encoding="utf-8")
            with (path / "out").open("wb") as out, (path / "err").open("wb") as err:
                process = subprocess.Popen(
                    self._command(self.config, trial.pool, trial.since, candidate),
                    stdin=subprocess.PIPE,  # never written to: it ends with us, however we end
                    stdout=out,
                    stderr=err,
                    env=surroundings.of_a_replay(os.environ, self.config),
                    process_group=0,  # a Ctrl-C is for the daemon, which ends it in order
                )
        except OSError:
            folder.cleanup()
            raise
        return _Run(process=process, folder=folder, asked_at=trial.began_at)

    def _see_through(self, trial: Trial, run: _Run) -> None:
        code = self._waited(trial, run)
        assert run.process.stdin is not None
        run.process.stdin.close()
        with self._lock:
            took_s = self._monotonic() - trial.began_at
            self._run = None
            if trial.id in self._kept:
                self._kept[trial.id] = replace(_ended(trial, run, code), took_s=took_s)
        run.folder.cleanup()
        run.over.set()

    def _waited(self, trial: Trial, run: _Run) -> int:
        while True:
            try:
                return run.process.wait(_LOOK_S)
            except subprocess.TimeoutExpired:
                self._end_in_time(trial, run)

    def _end_in_time(self, trial: Trial, run: _Run) -> None:
        now = self._monotonic()
        with self._lock:
            if now - trial.began_at > self._most_s:
                run.why_not = f"It was not done within {self._most_s:.0f} s. Ask for a shorter time."
            elif now - run.asked_at > self._unasked_s:
                run.why_not = "Nobody asked for it any more."
            else:
                return
        run.process.kill()


def _ended(trial: Trial, run: _Run, code: int) -> Trial:
    if run.why_not and code != 0:
        return replace(trial, state=State.STOPPED, says=run.why_not)
    folder = Path(run.folder.name)
    complaint = _text(folder / "err").replace(str(folder / _NAME), "the candidate").strip()
    if code == _CONFIG_WRONG:
        return replace(trial, state=State.WRONG, says=complaint)
    if code != 0:
        says = _for_a_page(complaint, trial) or f"The replay ended by signal {-code}, without a word."
        return replace(trial, state=State.FAILED, says=says)
    try:
        return replace(trial, state=State.DONE, facts=json.loads(_text(folder / "out")))
    except ValueError:
        return replace(trial, state=State.FAILED, says="The replay said what is no document.")


def _for_a_page(complaint: str, trial: Trial) -> str:
    """The same, with advice that can be followed where it is read."""
    said, advises, _ = complaint.partition(wording.SAY_HOW_LONG)
    if not advises:
        return complaint
    return (
        f"{said}wait until some tasks are done, or use the command: "
        f"autoscaler backtest --pool={trial.pool} --since={trial.since} --candidate=FILE --task-seconds=MEAN"
    )


def _text(path: Path) -> str:
    """Nothing where somebody has cleared it away."""
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
