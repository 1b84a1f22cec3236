"""How much of what workers say is read: all of it, as long as that costs no more than its share of a core.

Where it would cost more, heartbeats are read by roll calls: for a while all of them are let into our queue, then none
until those are read, however slowly. A beat that was not let in is dropped whole, by the broker, and costs us nothing.
Every worker is heard in every roll call, and the time between two of them is nobody's silence. In go instants, seconds
of a processor and how many beats wait; out comes what to do next. What never happens here: a connection, a look at a
clock.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

SHARE = 0.25
"""Of a core, for all that is read from the broker by the link's thread. A daemon has other things to do."""
PREFETCH = 1_000
"""Beats on their way to us at once. Answers to orders wait behind them: some 50 ms of work at most."""
MOST_WAITING = 40_000
"""In the broker, which keeps the newest: what 20,000 workers say in four seconds, longer than a roll call. 30 MB."""
EXPIRES_S = 30.0
"""What was not read by then is dropped. Longer than reading a roll call takes at three times what a core can read."""
ROLL_CALL_S = 3.0
"""Celery's workers speak every two seconds, so each of them is heard in it; the third is for those that are late."""
_LOOK_S, _SELDOM_S = 0.5, 5.0
"""Between two looks at how many wait: each is a request to the broker, needed where much is said."""
_MUCH = 100
"""Beats between two looks that make us look often, and gather what comes."""
_BEHIND = 5_000
"""A second of what 10,000 workers say: less is a hiccup of a busy machine, and soon caught up with."""
_ASK_AFTER, _ASK_LATEST_S = 250, 1.0
_GATHER_S = 0.02
"""A pass over the socket costs as much as reading a beat, so beats are read some at a time. Orders wait for it, too."""


class Step(enum.Enum):
    """What is to be done with the queue of heartbeats after a look at it."""

    NOTHING = enum.auto()
    SHUT = enum.auto()
    """Let no more of them in; then read what is there."""
    OPEN = enum.auto()
    """Let them in again: a roll call begins. `RollCalls.open` is to be told when it has begun."""


@dataclass(slots=True)
class RollCalls:
    """Whether heartbeats are let in, and how long in all they were not. Belongs to whoever holds its lock."""

    _opened_on: float = 0.0
    _shut_on: float | None = None
    _unheard_s: float = 0.0
    """Since ever: between roll calls, and in those of which the broker dropped a part."""
    _torn: bool = False
    _looked_on: float = 0.0
    _taken: int = 0
    """Beats since then."""
    _waited: int = 0
    """How many waited then."""

    def open(self, now: float) -> float:
        """They are let in from now on, as a connection or a roll call begins. Returns the seconds unheard before."""
        unheard_s = 0.0
        if self._shut_on is not None:
            expired = now - self._shut_on > EXPIRES_S - ROLL_CALL_S
            unheard_s = now - (self._opened_on if self._torn or expired else self._shut_on)
        self._unheard_s += unheard_s
        self._opened_on, self._shut_on, self._torn = now, None, False
        self._looked_on, self._taken, self._waited = now, 0, 0
        return unheard_s

    def take(self) -> None:
        """A beat was read."""
        self._taken += 1

    @property
    def has_much(self) -> bool:
        """Whether so much is said that it should be read some at a time."""
        return max(self._taken, self._waited) >= _MUCH or self._shut_on is not None

    def gather_s(self) -> float:
        """How long to leave the socket alone."""
        return _GATHER_S if self.has_much else 0.0

    def is_to_look(self, now: float) -> bool:
        """Whether it is time to look how many beats wait."""
        return now - self._looked_on >= (_LOOK_S if self.has_much else _SELDOM_S)

    def look(self, now: float, waiting: int) -> Step:
        """So many wait in the broker. A roll call is never cut short: every worker must have had its turn to speak."""
        taken, self._taken, self._looked_on = self._taken, 0, now
        waited, self._waited = self._waited, waiting
        self._torn |= waiting >= MOST_WAITING - PREFETCH
        if self._shut_on is not None:
            return Step.NOTHING if waiting else Step.OPEN
        # More than a second's, at two looks, and no fewer at the second: we read slower than they come.
        is_behind = waiting >= waited > max(_BEHIND, 2 * taken)
        if is_behind and now - self._opened_on >= ROLL_CALL_S:
            self._shut_on = now
            return Step.SHUT
        return Step.NOTHING

    def heard_on(self, now: float) -> float:
        """The clock of hearing, by which silence is counted: it stands still while beats are not let in.

        What is read meanwhile was said before, so it counts as heard when the roll call ended.
        """
        return (now if self._shut_on is None else self._shut_on) - self._unheard_s


@dataclass(slots=True)
class Credit:
    """When the broker is asked for more beats: once those that came have cost no more than the share. One thread's.

    Seconds of a processor are those of that thread, whatever it did: a large answer, too, is paid for with beats.
    """

    _since_on: float = 0.0
    _since_cpu_s: float = 0.0
    _taken: int = 0

    def take(self) -> None:
        """A beat was read."""
        self._taken += 1

    def rest_s(self, now: float, cpu_s: float) -> float:
        """How long until what was spent is within the share."""
        return max(0.0, self._since_on + (cpu_s - self._since_cpu_s) / SHARE - now)

    def is_due(self, now: float, cpu_s: float) -> bool:
        """Whether to ask for more now, which is to acknowledge what was read."""
        enough = self._taken >= _ASK_AFTER or (self._taken > 0 and now - self._since_on >= _ASK_LATEST_S)
        return enough and self.rest_s(now, cpu_s) <= 0.0

    def renew(self, now: float, cpu_s: float) -> None:
        """More was asked for. What was saved before is not spent later."""
        self._since_on, self._since_cpu_s, self._taken = now, cpu_s, 0
