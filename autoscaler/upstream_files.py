"""Upstream files: what a tick knows of the machines that serve goes in, nginx's `server` lines and a reload come out.

Each file has a thread of its own, so a command that is slow or hangs holds up no tick and no other file. The loop's
thread says what should stand there and asks which machines requests may still reach. What never happens here: a file
that holds nobody because nobody could be seen; a command while the lease is not surely ours; a thing that the loop
waits for.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from autoscaler.clock import Clock
from autoscaler.core import upstream
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, PoolName
from autoscaler.core.published import Published
from autoscaler.core.upstream import Listings, Server, Upstream
from autoscaler.gateways import nginx
from autoscaler.telemetry import Log
from providers.contract import MayAct, NodeName

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 120.0
_ANSWER_S = 2.0
_ASKED_AT_ONCE = 16
_STUCK_S = 300.0
"""One piece of work lasts no longer than this and both commands, unless thousands of machines do not answer."""
_STUCK = "the work on it does not end: its disk may hang"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A pool's upstream file and how its reader takes it in."""

    upstream: Upstream
    reload: tuple[str, ...]
    check: tuple[str, ...] = ()
    """A command that refuses a configuration that cannot be used; empty: only `reload` judges."""
    command_timeout_s: float = 30.0
    linger_s: float = 60.0
    """How long requests may go on that were sent to a machine before its line went."""
    probe: str | None = None
    """A path that must be answered well before a machine enters; None: a connection is enough."""


class Outside(Protocol):
    """The gateway, which tests put something else in the place of."""

    def written(self, file: Path) -> str | None: ...

    def write(self, file: Path, text: str) -> None: ...

    def remove(self, file: Path) -> None: ...

    def run(self, command: tuple[str, ...], *, timeout_s: float) -> None: ...

    def answers(self, address: str, port: int, path: str | None, *, timeout_s: float) -> bool: ...


class Upstreams:
    """All files. The loop's thread alone calls it."""

    def __init__(
        self, *, clock: Clock, log: Log, may_act: MayAct, outside: Outside = nginx, threads: bool = True
    ) -> None:
        self._clock = clock
        self._log = log
        self._may_act = may_act
        self._outside = outside
        self._threads = threads
        self._files: dict[str, Keeper] = {}

    def configure(self, publications: Mapping[PoolName, Publication]) -> None:
        """These from now on. A file that is no longer named takes nobody in any more, and is kept until nobody that
        stands in it is left: its machines must not go while requests reach them."""
        named = {each.upstream.file: each for each in publications.values()}
        for file, keeper in self._files.items():
            if file not in named:
                keeper.retire()
        for file, publication in named.items():
            if file in self._files:
                self._files[file].go_by(publication)
            else:
                self._files[file] = Keeper(
                    publication,
                    clock=self._clock,
                    log=self._log,
                    may_act=self._may_act,
                    outside=self._outside,
                )
                if self._threads:
                    self._files[file].start()

    def tick(self, nodes: Collection[Node], listings: Listings) -> None:
        """What is now. Returns at once."""
        for file, keeper in list(self._files.items()):
            if keeper.is_over:
                keeper.stop(0.0)
                del self._files[file]
            else:
                try:
                    keeper.look(nodes, listings)
                except Exception as error:  # noqa: BLE001 - odd facts about one pool: the tick and the others go on
                    keeper.fail(f"{type(error).__name__}: {error}")

    def published(self, nodes: Collection[Node]) -> Mapping[PoolName, Published]:
        """How each file stands, by its pool; `exposed` of these live records, also in a file that was their pool's."""
        found: dict[PoolName, Published] = {}
        for keeper in sorted(self._files.values(), key=lambda k: k.is_retired):
            pool, now = keeper.pool, keeper.published(nodes)
            first = found.get(pool)
            if first is not None:  # its file has another name now, and the one before is not empty yet
                now = replace(first, exposed=tuple(sorted({*first.exposed, *now.exposed})))
            found[pool] = now
        for keeper in self._files.values():
            for node in keeper.exposed_of_others(nodes):
                of = found.get(node.pool, Published(file=keeper.file))
                found[node.pool] = replace(of, exposed=tuple(sorted({*of.exposed, node.name})))
        return found

    def stop(self, timeout_s: float) -> None:
        """Begin nothing any more. The files stay as they are: the machines serve on without us."""
        for keeper in self._files.values():
            keeper.stop(0.0)  # each is told before any is waited for
        for keeper in self._files.values():
            keeper.stop(timeout_s / len(self._files))


class Keeper:
    """One file: written when what should stand in it changes, and taken in until that succeeded."""

    def __init__(
        self, publication: Publication, *, clock: Clock, log: Log, may_act: MayAct, outside: Outside
    ) -> None:
        self._by = publication
        self._clock = clock
        self._log = log
        self._may_act = may_act
        self._outside = outside
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self.is_retired = False
        self._stands: tuple[Server, ...] | None = None
        """What the file holds; None until it was read."""
        self._wanted: tuple[Server, ...] | None = None
        self._last_resort: tuple[Server, ...] = ()
        """Who stays in it while those that are wanted all do not answer."""
        self._unknown: tuple[NodeName, ...] = ()
        self._awaited: tuple[NodeName, ...] = ()
        self._taken_in: str | None = None
        """The text that the reader was told of last, by this process."""
        self._taken_servers: tuple[NodeName, ...] = ()
        self._first_taken_on = math.inf
        self._left_on: dict[NodeName, float] = {}
        """Of machines that stood in it under this process: when a reload without them succeeded; before, infinity."""
        self._trouble, self._trouble_since_at = "", 0.0
        self._began_on = math.inf
        """When the piece of work under way began; infinity between two."""
        self._failures, self._again_on, self._failed_text = 0, 0.0, ""
        """A text that failed is tried again after a pause, another one at once."""

    @property
    def pool(self) -> PoolName:
        return self._by.upstream.pool.name

    @property
    def file(self) -> str:
        return self._by.upstream.file

    @property
    def is_over(self) -> bool:
        """Whether it is named no more, the reader knows that nobody stands in it, and all requests have ended."""
        with self._lock:
            empty = self._stands == () and self._taken_in == upstream.text((), self._by.upstream)
            return self.is_retired and empty and not any(map(self._is_exposed, self._left_on))

    def go_by(self, publication: Publication) -> None:
        """Changed settings of the same file."""
        with self._lock:
            self._by, self.is_retired = publication, False
            self._again_on = 0.0

    def retire(self) -> None:
        """Take nobody in any more."""
        with self._lock:
            self.is_retired = True

    def start(self) -> None:
        """Keep it from now on."""
        self._thread = threading.Thread(target=self._keep, name=f"upstream {self.pool}", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Begin nothing any more; a command under way may end."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def look(self, nodes: Collection[Node], listings: Listings) -> None:
        """What is now; the thread does the rest."""
        with self._lock:
            stands = self._stands
            if stands is not None:
                chosen, unknown = upstream.servers(nodes, listings, stands, self._by.upstream)
                if self.is_retired:
                    stood = {server.node for server in stands}
                    chosen, unknown = tuple(s for s in chosen if s.node in stood), ()
                # Nobody to name although somebody serves: their account was not seen, and what stands there stays.
                if chosen or not unknown:
                    self._wanted = chosen
                self._last_resort = upstream.last_resort(nodes, listings, stands, self._by.upstream)
                self._unknown = unknown
                live = {node.name for node in nodes}
                for name in [n for n, on in self._left_on.items() if n not in live and on < math.inf]:
                    del self._left_on[name]
            longest_s = 2 * self._by.command_timeout_s + _STUCK_S
            is_stuck = self._clock.monotonic() > self._began_on + longest_s and self._trouble != _STUCK
        if is_stuck:
            self.fail(_STUCK)
        self._wake.set()

    def published(self, nodes: Iterable[Node]) -> Published:
        """How it stands."""
        with self._lock:
            leaving = [n.name for n in nodes if n.pool == self.pool and n.state is NodeState.DRAINING]
            return Published(
                file=self._by.upstream.file,
                servers=self._taken_servers,
                awaited=tuple(sorted({*self._unknown, *self._awaited})),
                exposed=tuple(sorted(name for name in leaving if self._is_exposed(name))),
                trouble=self._trouble,
                since_at=self._trouble_since_at,
            )

    def exposed_of_others(self, nodes: Iterable[Node]) -> tuple[Node, ...]:
        """Leaving machines of other pools that stood in it, as after their pool was given another name."""
        with self._lock:
            others = [n for n in nodes if n.pool != self.pool and n.state is NodeState.DRAINING]
            return tuple(n for n in others if n.name in self._left_on and self._is_exposed(n.name))

    def _is_exposed(self, node: NodeName) -> bool:
        left_on = self._left_on.get(node, self._first_taken_on)
        return self._clock.monotonic() < left_on + self._by.linger_s

    def _keep(self) -> None:
        while not self._stopping:
            self._wake.wait()
            self._wake.clear()
            if not self._stopping:
                self.work()

    def work(self) -> None:
        """Bring the file and its reader to what is wanted, as far as that goes now. Whatever happens, it is said."""
        self._began_on = self._clock.monotonic()
        try:
            self._work()
        except (OSError, nginx.NotTaken) as error:
            self.fail(str(error))
        except Exception as error:  # noqa: BLE001 - around one file: the others are kept by threads of their own
            self.fail(f"{type(error).__name__}: {error}")
        finally:
            self._began_on = math.inf

    def _work(self) -> None:
        if self._stands is None:
            self._begin()
            return
        with self._lock:
            by, wanted, stands = self._by, self._wanted, self._stands
        if wanted is None or not self._may_act():
            return
        chosen = self._enter(self._that_answer(wanted, stands, by))
        text = upstream.text(chosen, by.upstream)
        file = Path(by.upstream.file)
        before = self._outside.written(file)
        if before == text and self._taken_in == text:
            if self._trouble:
                self._well(by, chosen, text)
            return
        if text == self._failed_text and self._clock.monotonic() < self._again_on:
            return
        self._failed_text = text
        if before != text:
            self._outside.write(file, text)
        with self._lock:
            self._stands = chosen  # also where it was written before, and the disk failed after that
        self._take_in(by, chosen, text, before)

    def _enter(self, answered: tuple[Server, ...]) -> tuple[Server, ...]:
        """Those that are still wanted; where none of them answers, those of before who still may. From here on requests
        may reach them: one that is told to leave later waits."""
        with self._lock:
            wanted = {server.node for server in self._wanted or ()}
            chosen = tuple(server for server in answered if server.node in wanted)
            if wanted and not chosen:  # never one that left it since
                chosen = tuple(server for server in self._last_resort if server in (self._stands or ()))
            for server in chosen:
                self._left_on[server.node] = math.inf
        return chosen

    def _begin(self) -> None:
        """What stands there is what a predecessor published, and whoever reads it may have taken that in."""
        found = upstream.read(self._outside.written(Path(self._by.upstream.file)) or "")
        with self._lock:
            self._stands = found
            self._left_on.update({server.node: math.inf for server in found})

    def _take_in(self, by: Publication, chosen: tuple[Server, ...], text: str, before: str | None) -> None:
        if by.check and self._may_act():
            try:
                self._outside.run(by.check, timeout_s=by.command_timeout_s)
            except nginx.NotTaken:
                self._put_back(by, before)
                raise
        if not self._may_act():
            return
        self._outside.run(by.reload, timeout_s=by.command_timeout_s)
        self._well(by, chosen, text)

    def _put_back(self, by: Publication, before: str | None) -> None:
        """Refused with the new text: with the former one the reader could start, whatever is wrong."""
        file = Path(by.upstream.file)
        if before is None:
            self._outside.remove(file)
        else:
            self._outside.write(file, before)
        with self._lock:
            self._stands = upstream.read(before or "")

    def _that_answer(
        self, wanted: tuple[Server, ...], stands: tuple[Server, ...], by: Publication
    ) -> tuple[Server, ...]:
        """Those that stand there already, and of the others those that answer now."""
        there = {(server.node, server.address) for server in stands}
        new = [server for server in wanted if (server.node, server.address) not in there]
        silent: set[NodeName] = set()
        if new:
            with ThreadPoolExecutor(min(_ASKED_AT_ONCE, len(new)), "upstream asks") as asking:
                answered = asking.map(
                    lambda s: self._outside.answers(
                        s.address, by.upstream.port, by.probe, timeout_s=_ANSWER_S
                    ),
                    new,
                )
                silent = {s.node for s, well in zip(new, answered, strict=True) if not well}
        with self._lock:
            first = silent.difference(self._awaited)
            self._awaited = tuple(sorted(silent))
        for node in sorted(first):
            self._log.say("upstream.awaited", pool=self.pool, node=node)
        return tuple(server for server in wanted if server.node not in silent)

    def _well(self, by: Publication, chosen: tuple[Server, ...], text: str) -> None:
        now = self._clock.monotonic()
        names = tuple(server.node for server in chosen)
        with self._lock:
            self._taken_in, self._taken_servers = text, names
            self._first_taken_on = min(self._first_taken_on, now)
            for name, left_on in self._left_on.items():
                if left_on == math.inf and name not in names:
                    self._left_on[name] = now
            self._trouble, self._trouble_since_at = "", 0.0
            self._failures, self._again_on = 0, 0.0
        self._log.say("upstream.published", pool=self.pool, file=by.upstream.file, servers=len(names))

    def fail(self, why: str) -> None:
        """Say once what is wrong, and wait before the same is tried again."""
        with self._lock:
            news = why != self._trouble
            if not self._trouble:
                self._trouble_since_at = self._clock.now()
            self._trouble = why
            pause_s = min(_FIRST_PAUSE_S * 2**self._failures, _LONGEST_PAUSE_S)
            self._failures = min(self._failures + 1, 10)
            self._again_on = self._clock.monotonic() + pause_s
        if news:
            self._log.say("upstream.failed", pool=self.pool, file=self._by.upstream.file, why=why)
