"""A loop whose configuration can be replaced between two of its ticks: by an operator's order, or by SIGHUP.

In go the file, read anew, and the standing order or signal that asked for it; afterwards either everything goes by the
new settings, or everything goes on as before and the order's answer says why. What never happens here: half of a
configuration in force, a tick while one is replaced, or a link to the broker that is cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from autoscaler.clock import Clock
from autoscaler.config import ConfigError, Settings, changes
from autoscaler.config.changes import Change, Standing
from autoscaler.core.model import Node, Order, OrderAnswer, OrderKind
from autoscaler.journal.contract import JournalUnavailable
from autoscaler.telemetry import Log

BY_SIGNAL = "SIGHUP"
_LONGEST = 2_000
_STAYS = "the configuration in force stays"
_ANOTHER = (
    "the daemon reads another file than the order means, or it was changed since: see the --config that the daemon was "
    "started with, and order it again"
)
_NO_JUMP = "Nothing was changed; `autoscaler reload --yes` does it all the same."


class Ticking(Protocol):
    """A loop over one configuration."""

    def tick(self) -> object: ...


class Parts(Protocol):
    """What was opened from one configuration."""

    @property
    def settings(self) -> Settings: ...

    @property
    def loop(self) -> Ticking: ...


class Journal(Protocol):
    """Where orders wait and are answered."""

    def waiting_orders(self) -> tuple[Order, ...]: ...

    def live_nodes(self) -> tuple[Node, ...]: ...

    def answer(self, answers: tuple[OrderAnswer, ...], at: float) -> None: ...


class Told(Protocol):
    """Who is told that a configuration is being read."""

    def reloading(self) -> None: ...

    def reloaded(self) -> None: ...


class Bell:
    """Rung by a signal's handler, which may do no more than that; looked at between two ticks."""

    def __init__(self) -> None:
        self.rung = False

    def ring(self, _number: int = 0, _frame: object = None) -> None:
        """SIGHUP came."""
        self.rung = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How a configuration is read and put in force."""

    read: Callable[[], tuple[str, Callable[[], Settings]]]
    """The text of the file as it is now, and what makes settings of that text. Both raise ConfigError."""
    replace: Callable[[Settings], Parts]
    """Opens parts for settings and puts them in the place of those before; where it raises, those before are there."""
    give: Callable[[str], int]
    """Writes down that a signal asked for the configuration of that digest; the order's number."""
    foreseen: tuple[type[Exception], ...]
    """What these raise whose message is for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    taken: bool
    says: str
    changes: tuple[str, ...] = ()


class Reloading:
    """Ticks by the configuration that is in force. Only one thread may call it."""

    def __init__(
        self, parts: Parts, ways: Ways, journal: Journal, bell: Bell, told: Told, *, clock: Clock, log: Log
    ) -> None:
        self._parts = parts
        self._ways = ways
        self._journal = journal
        self._bell = bell
        self._told = told
        self._clock = clock
        self._log = log

    @property
    def settings(self) -> Settings:
        """Those in force."""
        return self._parts.settings

    def tick(self) -> object:
        """Take in a configuration if that was asked for; then one tick. Raises what these raise."""
        self._heed()
        return self._parts.loop.tick()

    def _heed(self) -> None:
        orders = [order for order in self._journal.waiting_orders() if order.kind is OrderKind.RELOAD]
        if self._bell.rung:
            number = self._ways.give(self._digest_now())
            self._bell.rung = False
            self._carry_out(number, by=BY_SIGNAL, digest=None, sure=False)
        for order in orders:
            self._carry_out(order.number, by=order.given_by, digest=order.target, sure=order.force)

    def _carry_out(self, number: int, *, by: str, digest: str | None, sure: bool) -> None:
        self._told.reloading()
        try:
            verdict = self._verdict(digest, sure=sure)
            says = f"by {by}: {verdict.says}"[:_LONGEST]
            answer = OrderAnswer(number=number, carried_out=verdict.taken, says=says)
            self._journal.answer((answer,), self._clock.now())
        finally:
            self._told.reloaded()
        if verdict.taken:
            self._log.say("configuration.reloaded", by=by, changes=list(verdict.changes))
        else:
            self._log.say("configuration.kept", by=by, why=verdict.says)

    def _verdict(self, digest: str | None, *, sure: bool) -> _Verdict:
        try:
            return self._take(digest, sure=sure)
        except JournalUnavailable:
            raise  # the order waits, and so does the tick
        except self._ways.foreseen as error:
            return _Verdict(taken=False, says=f"{_STAYS}: {error}")
        except Exception as error:  # noqa: BLE001 - around one configuration: other people's providers are opened from it
            return _Verdict(taken=False, says=f"{_STAYS}: it could not be opened ({type(error).__name__})")

    def _take(self, digest: str | None, *, sure: bool) -> _Verdict:
        before = self.settings
        text, settings_of = self._ways.read()
        if digest is not None and digest != changes.digest(text):
            return _Verdict(taken=False, says=_ANOTHER)
        after = settings_of()
        found = changes.changes(before, after)
        if not found:
            return _Verdict(taken=True, says="nothing differs from what is in force")
        refused = _why_not(before, after, found, self._standing, sure=sure)
        if refused:
            return _Verdict(taken=False, says=refused)
        self._parts = self._ways.replace(after)
        words = tuple(change.says() for change in found)
        return _Verdict(taken=True, says="; ".join(words), changes=words)

    def _standing(self) -> Standing:
        nodes = self._journal.live_nodes()
        return Standing(
            of_pools=Counter(node.pool for node in nodes),
            at_accounts=Counter(node.offer.provider for node in nodes),
        )

    def _digest_now(self) -> str:
        """Of the file that the signal means; empty for one that cannot be read, which the answer will say."""
        try:
            text, _ = self._ways.read()
        except ConfigError:
            return ""
        return changes.digest(text)


def _why_not(
    before: Settings,
    after: Settings,
    found: tuple[Change, ...],
    standing: Callable[[], Standing],
    *,
    sure: bool,
) -> str:
    """Why these changes are not taken in; empty if they are."""
    fixed = changes.needs_restart(found)
    if fixed:
        verb = "do" if len(fixed) > 1 else "does"
        return (
            f"{', '.join(fixed)} {verb} not change while the daemon runs: nothing was changed. A restart takes the "
            "file in whole, and loses nothing"
        )
    jumps = () if sure else changes.jumps(before, after, standing())
    return f"{'; '.join(jumps)}. {_NO_JUMP}" if jumps else ""
