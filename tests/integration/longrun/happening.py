"""What happens in the long run: waves of tasks, looks at the web, reloads, killed workers, a broker that restarts.

In go a stage and the seconds since the start; each happening is done when its time has come. All by one thread, so
that nothing is sent to a broker that we ourselves restart; a browser's stream alone has a thread of its own.
"""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urljoin

import psutil
import requests
from kombu import pools

from providers.local import processes
from tests.integration.stage import Stage
from tests.integration.web.served import url

WAVE_S = 150.0
"""A wave, its work and the rest after it: long enough for all machines to go and for some looks at rest."""
_LOOK_S, _LISTEN_S, _KILL_S, _RELOAD_S = 20.0, 110.0, 420.0, 600.0
_PAGES = (
    "/",
    "/metrics",
    "/api/v1/status",
    "/attention",
    "/pools/flood",
    "/pools/flood/history?since=1h",
    "/readyz",
)
_ANSWER_S = 15.0
_CROWD = 12
_SHORTEST_S, _LONGEST_S = 0.2, 1.5
_FLOOD, _WIDE, _SMALL = (120, 60, 200), (0, 50, 90), (20, 0, 30)
"""Tasks of a wave for each pool, in turn: all of them at once, some, hardly any."""
_CEILINGS = ("max_workers = 3", "max_workers = 2")


@dataclass(slots=True, kw_only=True)
class Happening:
    """One run's course, and what was counted on the way."""

    stage: Stage
    daemon: subprocess.Popen[bytes]
    whole_s: float
    dice: random.Random = field(default_factory=lambda: random.Random(9))
    sent: int = 0
    counted: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    """What was asked of the web and not answered well."""
    _address: str = ""
    _due: dict[str, float] = field(default_factory=dict)
    _listener: threading.Thread | None = None
    _leave: threading.Event = field(default_factory=threading.Event)
    _silent_since_s: float = 0.0

    def __post_init__(self) -> None:
        """The daemon serves already."""
        self._address = url(self.stage, "/")

    def happen(self, now_s: float) -> None:
        """Do whatever is due, and count it."""
        for name, every_s, first_s, act in self._table():
            due = self._due.setdefault(name, first_s)
            if now_s >= due:
                self._due[name] = due + every_s
                self.counted[name] = self.counted.get(name, 0) + act(now_s)

    def watched(self, now_s: float) -> bool:
        """Whether a stream is open, or was a moment ago."""
        if self._listener is not None and self._listener.is_alive():
            self._silent_since_s = now_s
        return now_s - self._silent_since_s < 10.0

    def close(self) -> None:
        """No stream stays."""
        self._leave.set()
        if self._listener is not None:
            self._listener.join(_ANSWER_S)

    def _table(self) -> tuple[tuple[str, float, float, Callable[[float], bool]], ...]:
        """(name, every so many seconds, first at, what is done). A short run has them all, but closer together."""
        of_run = self.whole_s
        return (
            ("wave", WAVE_S, 5.0, self._wave),
            ("crowd", of_run, 40.0, self._crowd),
            ("look", _LOOK_S, 10.0, self._look),
            ("listen", _LISTEN_S, 20.0, self._listen),
            ("kill", min(_KILL_S, of_run / 3), 25.0, self._kill),
            ("reload", min(_RELOAD_S, of_run / 4), min(_RELOAD_S, of_run / 4), self._reload),
            ("restart of the broker", of_run / 3, of_run / 3, self._restart),
        )

    def _wave(self, now_s: float) -> bool:
        """Tasks for each pool, numbered on from the last; none that could not end in time."""
        if now_s > self.whole_s - WAVE_S:
            return False
        place = self.counted.get("wave", 0)
        for queue, sizes in (("flood", _FLOOD), ("wide-a", _WIDE), ("wide-b", _WIDE), ("small", _SMALL)):
            size = sizes[place % len(sizes)]
            self.stage.queue = queue
            self.stage.send(
                {self.sent + n: round(self.dice.uniform(_SHORTEST_S, _LONGEST_S), 3) for n in range(size)}
            )
            self.sent += size
        pools.reset()  # kombu keeps a connection for the next message, and ours are not to be counted
        return True

    def _crowd(self, _: float) -> bool:
        """Once and early, so that what is opened when many look is open before anything is judged."""
        with ThreadPoolExecutor(_CROWD) as pool:
            list(pool.map(self._look, range(_CROWD)))
        return True

    def _look(self, _: float) -> bool:
        for page in _PAGES:
            try:
                answer = requests.get(urljoin(self._address, page), timeout=_ANSWER_S)
                if not answer.ok:
                    self.failed.append(f"{page}: {answer.status_code}")
            except requests.RequestException as error:
                self.failed.append(f"{page}: {type(error).__name__}")
        return True

    def _listen(self, _: float) -> bool:
        """A browser that comes, stays for some ticks, and goes without a word."""
        if self._listener is not None and self._listener.is_alive():
            return False
        stay_s = self.dice.uniform(10.0, 45.0)
        self._listener = threading.Thread(target=self._listening, args=(stay_s,), daemon=True)
        self._listener.start()
        return True

    def _listening(self, stay_s: float) -> None:
        until = time.monotonic() + stay_s
        with contextlib.suppress(requests.RequestException):
            address = urljoin(self._address, "/api/v1/live")
            with requests.get(address, stream=True, timeout=(_ANSWER_S, _ANSWER_S)) as stream:
                for _ in stream.iter_lines():
                    if time.monotonic() > until or self._leave.is_set():
                        return

    def _kill(self, now_s: float) -> bool:
        """One machine's worker, or every second time all of a machine; later, where none stands."""
        machines = processes.machines(self.stage.fleet)
        if not machines:
            self._due["kill"] = now_s + 10.0
            return False
        victims = machines[self.dice.choice(sorted(machines))]
        if self.counted.get("kill", 0) % 2 == 0:
            victims = [each for each in victims if _is_worker(each)][:1]
        for process in victims:
            with contextlib.suppress(psutil.Error):
                process.kill()
        return True

    def _reload(self, _: float) -> bool:
        """Another ceiling for the pool `flood`, the first of the file, and the one before when it comes again."""
        text = self.stage.config.read_text()
        now, then = _CEILINGS if self.counted.get("reload", 0) % 2 == 0 else _CEILINGS[::-1]
        self.stage.config.write_text(text.replace(now, then, 1))
        self.daemon.send_signal(signal.SIGHUP)
        return True

    def _restart(self, now_s: float) -> bool:
        """Twice at most: a third would come as the run ends."""
        if now_s > self.whole_s * 0.9:
            return False
        self.stage.broker.restart()
        return True


def _is_worker(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return "celery" in " ".join(process.cmdline()) and "keeper.py" not in " ".join(process.cmdline())
    return False
