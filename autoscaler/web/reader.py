"""The journal as the web reads it: one picture for all who look between two ticks, and what was made of it.

Any thread may ask; one at a time reads. What never happens here: a write, or words for people.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

from autoscaler.clock import Clock
from autoscaler.config import Settings
from autoscaler.core.facts import Memory
from autoscaler.core.model import Node, PoolName
from autoscaler.journal import Journal, JournalUnavailable, read
from autoscaler.views import heartbeat, measures, standing
from autoscaler.views.heartbeat import Heartbeat
from autoscaler.views.history import History
from autoscaler.views.measures import Measures
from autoscaler.views.standing import Standing
from autoscaler.web.pasts import Pasts

_TRIES = 3
"""Between two ticks there are seconds, and reading takes milliseconds."""
_TOO_FAST = "the daemon writes faster than its journal can be read"
_STALE_S = 1.0
"""Without ticks time alone passes; nobody needs that more often."""
_MOST_MADE = 256
"""Pages kept until the next tick; of more, those that were asked for longest ago go."""
_MOST_MADE_BYTES = 32 * 1024**2


class Made:
    """What was made of one picture, under the names that who makes it chose. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._bytes = 0
        self._under_way: dict[Hashable, threading.Lock] = {}

    def once(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """That thing, made if nobody has asked for it before. Who asks for it while it is made waits for that."""
        with self._lock:
            found = self._found(key)
            if found is not None:
                return found
            making = self._under_way.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                found = self._found(key)
            if found is not None:
                return found
            try:
                found = make()
            finally:
                with self._lock:
                    self._under_way.pop(key, None)
            with self._lock:
                self._keep(key, found)
            return found

    def _found(self, key: Hashable) -> bytes | None:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def _keep(self, key: Hashable, made: bytes) -> None:
        self._bytes += len(made) - len(self._kept.pop(key, b""))
        self._kept[key] = made
        while len(self._kept) > _MOST_MADE or self._bytes > _MOST_MADE_BYTES:
            self._bytes -= len(self._kept.popitem(last=False)[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All that is on record at one tick. `at`: the tick's instant while ticks come, else the instant it was read."""

    at: float
    standing: Standing
    nodes: tuple[Node, ...]
    memory: Memory
    made: Made = field(default_factory=Made)

    def once(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """That thing of this picture, made once."""
        return self.made.once(key, make)


class Reader:
    """Reads one journal, by settings that may be replaced."""

    def __init__(self, journal: Journal, settings: Callable[[], Settings], clock: Clock) -> None:
        self.journal = journal
        self.settings = settings
        self.clock = clock
        self._lock = threading.Lock()
        self._pasts = Pasts(journal)
        self._in_force: Settings | None = None
        self._generation = 0
        self._picture: Picture | None = None
        self._key: Hashable = None
        self._measured: tuple[Picture, Measures] | None = None

    def past(self, pool: PoolName, span: str, until_at: float) -> History:
        """A pool's time until then, of a length that `pasts` has. Raises JournalUnavailable."""
        return self._pasts.of(self.settings(), self.generation(), pool, span, until_at)

    def generation(self) -> int:
        """Another number once the settings in force are others. They are held, so that none can look like the next."""
        now = self.settings()
        if now is not self._in_force:
            self._in_force = now
            self._generation += 1
        return self._generation

    def heartbeat(self) -> Heartbeat:
        """Whether a daemon ticks. Raises JournalUnavailable."""
        return heartbeat.listen(self.journal, self.settings(), self.clock.now())

    def news(self) -> Mapping[str, float | None]:
        """What is another after each tick and each order. Raises JournalUnavailable."""
        newest, answered = read.order_marks(self.journal)
        return {"tick_at": read.last_tick_at(self.journal), "orders": newest, "answered": answered}

    def picture(self) -> Picture:
        """The newest. Raises JournalUnavailable."""
        with self._lock:
            return self._newest()

    def measures(self) -> Measures:
        """What is measured of the newest picture: of the very tick that pages show. Raises JournalUnavailable."""
        with self._lock:
            for _ in range(_TRIES):
                picture = self._newest()
                if self._measured is not None and self._measured[0] is picture:
                    return self._measured[1]
                found = measures.look(
                    self.journal,
                    self.settings(),
                    picture.standing,
                    nodes=picture.nodes,
                    memory=picture.memory,
                )
                if read.last_tick_at(self.journal) == picture.standing.daemon.last_tick_at:
                    self._measured = picture, found
                    return found
        raise JournalUnavailable(_TOO_FAST)

    def _newest(self) -> Picture:
        heard = self.heartbeat()
        key = self._now(heard)
        if self._picture is None or key != self._key:
            self._key, self._picture = self._look(heard)
        return self._picture

    def _now(self, heard: Heartbeat) -> Hashable:
        passing = None if heard.running else int(self.clock.now() / _STALE_S)
        return heard.last_tick_at, read.order_marks(self.journal), passing, self.generation()

    def _look(self, heard: Heartbeat) -> tuple[Hashable, Picture]:
        for _ in range(_TRIES):
            key = self._now(heard)
            ticked_at = heard.last_tick_at
            at = heard.instant(self.clock.now())
            nodes, memory = self.journal.live_nodes(), self.journal.memory()
            found = standing.look(self.journal, self.settings(), at, nodes=nodes, memory=memory)
            picture = Picture(at=at, standing=found, nodes=nodes, memory=memory)
            heard = self.heartbeat()
            if heard.last_tick_at == ticked_at:
                return key, picture
        raise JournalUnavailable(_TOO_FAST)
