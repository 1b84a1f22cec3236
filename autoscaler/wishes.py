"""The door at which a machine's wish is heard between two ticks: credentials of its own, or that it fenced itself off.

In go reports whose token was proven; out goes each wish to whoever answers it, with the record of the machine. Asked of
the journal, at that moment: whether the machine is ours and in a state in which it may have what it wants. What never
happens here: a change of a record, or a wait on the thread that listens to the broker.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Full, Queue
from types import MappingProxyType

from autoscaler.clock import Clock
from autoscaler.core.lifecycle import ARRIVING, BILLABLE, NodeState
from autoscaler.core.model import Node
from autoscaler.core.reports import Report, Wants
from autoscaler.journal.contract import JournalUnavailable
from autoscaler.telemetry import Log
from providers.contract import MayAct, NodeName

Answer = Callable[[Node], None]
"""Gives a machine what it wants. May take its time, and raise what it likes: the machine asks again."""

MAY_HAVE: Mapping[Wants, frozenset[NodeState]] = MappingProxyType(
    {
        # A token is of no use after its machine enrolled: what stands in user data may be read by others later.
        Wants.GRANT: ARRIVING,
        Wants.FENCED: BILLABLE,
    }
)
_MOST_WAITING = 1_000
"""Wishes not answered yet; a machine repeats its own, so one too many is dropped."""
_AGAIN_S = 5.0
"""A machine whose wish was answered so lately is not answered again: its repetition was under way."""
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    node: NodeName
    wants: Wants


class Door:
    """Hears wishes on one thread, answers them on another, one at a time."""

    def __init__(
        self,
        *,
        live_nodes: Callable[[], tuple[Node, ...]],
        answers: Mapping[Wants, Answer],
        may_act: MayAct,
        clock: Clock,
        log: Log,
    ) -> None:
        """`live_nodes` reads the journal, on the door's own thread. A wish that has no answer here is dropped."""
        self._live_nodes = live_nodes
        self._answers = answers
        self._may_act = may_act
        self._clock = clock
        self._log = log
        self._wishes: Queue[_Wish | None] = Queue(maxsize=_MOST_WAITING)
        self._lock = threading.Lock()
        self._waiting: set[_Wish] = set()
        self._answered_on: dict[_Wish, float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="wishes", daemon=True)

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Answer no more. Harmless if it never began."""
        self._stopping.set()
        with suppress(Full):
            self._wishes.put_nowait(None)
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def knock(self, report: Report) -> None:
        """A report whose token was proven wants something. Never waits and never raises; any thread may call it."""
        if report.wants is None or report.wants not in self._answers:
            return
        wish = _Wish(node=report.node, wants=report.wants)
        with self._lock:
            answered_on = self._answered_on.get(wish)
            lately = answered_on is not None and self._clock.monotonic() - answered_on < _AGAIN_S
            if wish in self._waiting or lately:
                return
            with suppress(Full):
                self._wishes.put_nowait(wish)
                self._waiting.add(wish)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            with suppress(Empty):
                wish = self._wishes.get(timeout=1.0)
                if wish is not None:
                    self._answer(wish)

    def _answer(self, wish: _Wish) -> None:
        try:
            node = self._entitled(wish)
            if node is not None:
                self._answers[wish.wants](node)
        except Exception as error:  # noqa: BLE001 - around one node: its wish fails, the others' are answered
            self._log.say(
                "wish.failed",
                node=wish.node,
                wants=wish.wants.value,
                error=f"{type(error).__name__}: {error}",
            )
        finally:
            with self._lock:
                self._waiting.discard(wish)
                self._answered_on.pop(wish, None)
                self._answered_on[wish] = self._clock.monotonic()
                while len(self._answered_on) > _REMEMBERED:
                    del self._answered_on[next(iter(self._answered_on))]

    def _entitled(self, wish: _Wish) -> Node | None:
        """The machine's record, if it may have what it wants now and we may give it."""
        if not self._may_act():
            return None
        try:
            nodes = self._live_nodes()
        except JournalUnavailable as error:
            self._log.say("wish.failed", node=wish.node, wants=wish.wants.value, error=str(error))
            return None
        # An orphan that was taken in has another name in the records than the one it was given.
        found = next((n for n in nodes if n.name == wish.node and n.machine == n.name), None)
        return found if found is not None and found.state in MAY_HAVE[wish.wants] else None
