"""Two daemons with one journal on a server: one waits for the lease, the other keeps it.

`reach` waits for the server, `stand_by` looks until the lease is free, then it is ours; a `Keeper` renews it from then
on, in a thread of its own, so that a slow tick costs no lease. What never happens here: a tick, or a choice of who
leads; the journal's row decides.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Protocol, TypeVar

from autoscaler.journal.contract import (
    JournalAway,
    JournalUnavailable,
    LeaseHeld,
    LeaseHolder,
    LeaseLost,
    LeaseTerms,
)
from autoscaler.telemetry import Log

_TERM_TICKS = 1.5
"""One who stands by notices within a term and two of its pauses, so within two ticks of the last renewal."""
_SHORTEST_TERM_S = 3.0
"""A process on a busy machine may get no turn for a second or two, and is not dead."""
_HANGING_TICKS = 10.0
"""A tick that lasts so long will not end. Its daemon holds the lease no longer, and another goes on."""
_UNWRITTEN_TICKS = 5
"""Ticks in a row that wrote nothing down while the lease could be renewed: what stands in this daemon's way is its own,
and another may do better. Fewer could be chance; more would leave the fleet alone for longer than a death does."""
_KEEPER_GRACE_S = 1.0
"""For a renewal under way at the end. One that a silent server keeps finds the lease given back and changes nothing."""

T = TypeVar("T")
_Word = signal.Signals | BaseException | None
"""What ends a waiting: a signal, trouble that no waiting mends, or that it is over."""


class Journal(Protocol):
    """What is asked of the journal here."""

    def claim(self, owner: str, terms: LeaseTerms | None = None) -> LeaseHolder: ...

    def renew(self) -> None: ...


def terms_for(tick_s: float) -> LeaseTerms:
    """How long the lease of a daemon with this pace lasts."""
    return LeaseTerms(term_s=max(_SHORTEST_TERM_S, _TERM_TICKS * tick_s))


def _nobody(status: str) -> None:
    """Nobody wants to know."""


def reach(
    open_it: Callable[[], T], pause_s: float, log: Log, *, beat: Callable[[str], None] = _nobody
) -> T | None:
    """What that opens. While its server is away, which is said once, it is tried again; None where a signal ended that.
    `beat` hears of each look that ended and found nothing, with how we are.

    Call it from the main thread. Raises what the opening raises for other reasons: waiting would not mend them.
    """
    opened: list[T] = []
    away = False

    def is_open() -> bool:
        nonlocal away
        try:
            opened.append(open_it())
        except JournalAway as error:
            if not away:
                log.say("journal.failed", error=str(error))
            away = True
            beat("waiting for the journal's server")
            return False
        if away:
            log.say("journal.recovered")
        return True

    return opened[0] if _ends_before_a_signal(is_open, pause_s, log) else None


def stand_by(
    journal: Journal, owner: str, terms: LeaseTerms, log: Log, *, beat: Callable[[str], None] = _nobody
) -> bool:
    """Wait until the lease is ours: True. SIGTERM or SIGINT end the waiting: False. Call it from the main thread.

    That thread hears signals and does nothing else: a look at a server that is silent takes its time. A journal that
    cannot be reached is said once, and waited for. `beat` as in `reach`. Raises SchemaChanged: no waiting helps then.
    """
    return _ends_before_a_signal(_Waiting(journal, owner, terms, log, beat).is_over, terms.pause_s, log)


def _ends_before_a_signal(is_over: Callable[[], bool], pause_s: float, log: Log) -> bool:
    """Look on a thread of its own until it is over (True) or a signal comes (False, and said). Raises what looks do."""
    words: SimpleQueue[_Word] = SimpleQueue()
    leaving = threading.Event()

    def look() -> None:
        try:
            while not is_over():
                if leaving.wait(pause_s):
                    return
        except BaseException as error:  # noqa: BLE001 - carried to the thread that waits for it
            words.put(error)
        else:
            words.put(None)

    before = {
        number: signal.signal(number, lambda which, _frame: words.put(signal.Signals(which)))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        threading.Thread(target=look, name="standing by", daemon=True).start()
        word = _next(words)
    finally:
        leaving.set()
        for number, handler in before.items():
            signal.signal(number, handler)
    if isinstance(word, signal.Signals):
        log.say("daemon.stopping", signal=word.name, in_flight=0)
        return False
    if word is not None:
        raise word
    return True


def _next(words: SimpleQueue[_Word]) -> _Word:
    """Wait for it; wakes now and then, since a signal's handler runs only while this thread does."""
    while True:
        with suppress(Empty):
            return words.get(timeout=0.5)


class _Waiting:
    """One look after the other at the lease, and what was said of them."""

    def __init__(
        self, journal: Journal, owner: str, terms: LeaseTerms, log: Log, beat: Callable[[str], None]
    ) -> None:
        self._journal = journal
        self._beat = beat
        self._owner = owner
        self._terms = terms
        self._log = log
        self._holder: str | None = None
        self._blind = False

    def is_over(self) -> bool:
        """Whether the lease is ours now."""
        try:
            self._journal.claim(self._owner, self._terms)
        except LeaseHeld as held:
            if held.owner != self._holder:
                self._log.say("lease.awaited", holder=held.owner, term_s=self._terms.term_s)
            self._holder = held.owner
            self._beat(f"standing by: {held.owner} leads")
        except LeaseLost:
            raise  # another release changed the tables: waiting will not help
        except JournalUnavailable as error:
            if not self._blind:
                self._log.say("journal.failed", error=str(error))
            self._blind = True
            self._beat("standing by: the journal cannot be reached")
            return False
        else:
            return True
        if self._blind:
            self._log.say("journal.recovered")
        self._blind = False
        return False


class Ticking(Protocol):
    """A loop, as its pacemaker sees it."""

    def tick(self) -> object: ...


class Keeper:
    """Renews the lease as long as the loop it watches goes on. Tick that loop through `tick`."""

    def __init__(
        self,
        journal: Journal,
        loop: Ticking,
        terms: LeaseTerms,
        *,
        tick_s: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._journal = journal
        self._loop = loop
        self._terms = terms
        self._patience_s = _HANGING_TICKS * tick_s + terms.term_s
        self._monotonic = monotonic
        self._ticked_on = self._written_on = monotonic()
        self._unwritten = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def start(self) -> None:
        """Renew from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Renew no more."""
        self._over.set()
        self._thread.join(timeout=_KEEPER_GRACE_S)

    def tick(self) -> object:
        """One tick of the loop; however it ends, the loop does not hang."""
        try:
            done = self._loop.tick()
        except BaseException:
            self._unwritten += 1
            raise
        else:
            self._unwritten = 0
            self._written_on = self._monotonic()
            return done
        finally:
            self._ticked_on = self._monotonic()

    def goes_on(self) -> bool:
        """Whether a tick was written down lately: else nobody is looked after, whoever holds the lease."""
        return self._monotonic() - self._written_on <= self._patience_s

    def _keep(self) -> None:
        while not self._over.wait(self._terms.pause_s):
            hangs = self._monotonic() - self._ticked_on > self._patience_s
            if hangs or self._unwritten >= _UNWRITTEN_TICKS:
                continue
            try:
                self._journal.renew()
            except LeaseLost:
                return  # the next tick finds that out, too, and ends the daemon
            except JournalUnavailable:
                # The ticks say so. Nobody else can write either: this daemon's ticks fail for the same reason.
                self._unwritten = 0
