"""Whether the daemon goes on: told to systemd tick by tick, and acted on by the daemon itself where a tick never ends.

The loop is ticked through `Watched`, so that each beat is the end of a tick and nothing else; who stands by beats with
each look at the lease. A thread of its own counts the time since the last beat, and ends a process in which they have
stopped, under any supervisor; a process that cannot even do that is ended by systemd's watchdog.
What never happens here: a beat without evidence, or a choice about nodes.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
import threading
from collections.abc import Callable
from typing import Protocol

from autoscaler.gateways.systemd import Systemd
from autoscaler.telemetry import Log

WEDGED = 71
"""EX_OSERR of sysexits.h: the exit code of a daemon that ended itself because nothing went on in it."""
PATIENCE_S = 60.0
"""Slow answers, each within its time-out, may add up to half of this; twice that has no such excuse."""
_TICKS = 10.0
_PAUSE_S = 1.0
_SYSTEMD_MARGIN_S = 15.0
"""Our own end says more than that by systemd, so it comes first where we still can."""
_LAST_WORDS_S = 2.0
"""Whatever hangs may be the very pipe that we speak into."""


class Ticking(Protocol):
    """A loop, as its pacemaker sees it."""

    def tick(self) -> object: ...


def patience_s(*, tick_s: float, jitter_s: float, observe_timeout_s: float) -> float:
    """How long nothing may end before it counts as wedged: later than a tick that hangs is told, and than the lease is
    left to another daemon."""
    return max(PATIENCE_S, _TICKS * tick_s + jitter_s) + 2 * observe_timeout_s


def end_at_once() -> None:
    """End this process, with what every thread of it was doing."""
    with contextlib.suppress(Exception):  # no stream to write to is no reason to stay, nor is a full one
        os.set_blocking(sys.stderr.fileno(), False)
        faulthandler.dump_traceback(all_threads=True)
    os._exit(WEDGED)


class Vigil:
    """Watches over one daemon from its start: who waits for a lease calls `beat`, and ticks go through `over`."""

    def __init__(
        self,
        systemd: Systemd,
        log: Log,
        *,
        patience_s: float,
        monotonic: Callable[[], float],
        end: Callable[[], None] = end_at_once,
        pause_s: float = _PAUSE_S,
    ) -> None:
        self._systemd = systemd
        self._log = log
        self._patience_s = patience_s
        self._monotonic = monotonic
        self._end = end
        self._pause_s = pause_s
        self._beats = 0
        self._status = "started"
        self._ready = self._stopping = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="vigil", daemon=True)

    def start(self) -> None:
        """Watch from now on; and where the process dies of a signal, as of systemd's watchdog, say where it stood."""
        if sys.stderr is sys.__stderr__:
            faulthandler.enable()
        self._systemd.expect_silence(self._patience_s + _SYSTEMD_MARGIN_S)
        self._thread.start()

    def stopping(self) -> None:
        """The end has begun; how long it may take is the supervisor's business."""
        if not self._stopping:
            self._stopping = True
            self._systemd.stopping()

    def stop(self) -> None:
        """Watch no more."""
        self.stopping()
        self._over.set()

    def beat(self, status: str) -> None:
        """Something ended as it should. The first time that means: started."""
        self._ended(status)
        self._status = status
        if not self._ready:
            self._ready = True
            self._systemd.ready(status)

    def over(self, loop: Ticking, says: Callable[[object], str]) -> Watched:
        """That loop, watched over. `says` puts what a tick returned into one short sentence."""
        return Watched(self, loop, says)

    def reloading(self) -> None:
        """A configuration is being read."""
        self._systemd.reloading(self._monotonic())

    def reloaded(self) -> None:
        """It was, and the daemon goes on, by that one or by the one before."""
        self._systemd.ready(self._status)

    def failed(self, error: BaseException) -> None:
        """A tick ended otherwise. It is no start, but nothing hangs."""
        self._ended(f"the last tick failed: {type(error).__name__}")

    def _ended(self, status: str) -> None:
        self._beats += 1
        if not self._stopping:
            self._systemd.beat(status)

    def _watch(self) -> None:
        beats, silent_s, before = self._beats, 0.0, self._monotonic()
        while not self._over.wait(self._pause_s):
            now = self._monotonic()
            # Time in which this thread got no turn either, as when the process was stopped, is nobody's fault.
            silent_s += min(now - before, 2 * self._pause_s)
            before = now
            if self._beats != beats:
                beats, silent_s = self._beats, 0.0
            if silent_s > self._patience_s:
                self._say_wedged(silent_s)
                self._end()
                return

    def _say_wedged(self, silent_s: float) -> None:
        words = {"silent_s": round(silent_s), "patience_s": round(self._patience_s)}
        speaking = threading.Thread(
            target=lambda: self._log.say("daemon.wedged", **words), name="last words", daemon=True
        )
        speaking.start()
        speaking.join(_LAST_WORDS_S)


class Watched:
    """A loop whose every end is evidence. Only the loop's thread may call it."""

    def __init__(self, vigil: Vigil, loop: Ticking, says: Callable[[object], str]) -> None:
        self._vigil = vigil
        self._loop = loop
        self._says = says

    def tick(self) -> object:
        """One tick of the loop."""
        try:
            done = self._loop.tick()
        except BaseException as error:
            self._vigil.failed(error)
            raise
        self._vigil.beat(self._says(done))
        return done
