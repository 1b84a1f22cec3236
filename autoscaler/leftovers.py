"""What machines left behind, beside the ticks: looked for once an hour, told once, and ended on an operator's sweep.

In go the accounts that can tell and, tick by tick, the names of live nodes and the orders that wait; out come words for
the log, and of each sweep what became of it. What never happens here: an end that nobody ordered, a wait of the loop
for an account, or a change to any record.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType

from autoscaler.clock import Clock
from autoscaler.core.facts import Missing
from autoscaler.core.model import Order, OrderKind
from autoscaler.telemetry import Log
from providers.contract import (
    InstanceAbsent,
    LeftOver,
    LeftOvers,
    Provider,
    ProviderError,
    ProviderName,
    RequestRejected,
    Sweepable,
)

EVERY_S = 3600.0
"""What is left over costs cents an hour, and each look costs its account some requests."""
CALL_S = 30.0
"""For one look, and for one end: no tick waits for them, but the process does as it ends."""
ENDS_MAX = 20
"""In one sweep of an account, each with a look before it; whoever wants more orders another."""
_LONGEST = 255

NOBODY: Mapping[ProviderName, str] = MappingProxyType({})

Told = Mapping[ProviderName, LeftOvers | Missing]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What came of one account: what was found at the end, what of it was ended, and why the rest was not."""

    looked: LeftOvers | Missing
    ended: tuple[LeftOver, ...] = ()
    kept: tuple[tuple[LeftOver, str], ...] = ()


def sweepable(providers: Mapping[ProviderName, Provider]) -> Mapping[ProviderName, Sweepable]:
    """Those that can tell what their machines left."""
    return {name: provider for name, provider in providers.items() if isinstance(provider, Sweepable)}


def look(providers: Mapping[ProviderName, Provider], *, timeout_s: float) -> Told:
    """Ask all of them, at the same time."""
    asked = sweepable(providers)
    with ThreadPoolExecutor(max_workers=max(1, len(asked)), thread_name_prefix="left over") as pool:
        futures = {name: pool.submit(_look, each, timeout_s) for name, each in asked.items()}
        return {name: _outcome(future).looked for name, future in futures.items()}


class Watch:
    """Looks, tells and sweeps. Only the loop's thread may call it."""

    def __init__(
        self,
        *,
        providers: Mapping[ProviderName, Sweepable],
        clock: Clock,
        log: Log,
        stopped: Callable[[], bool] = lambda: False,
        pool: Executor | None = None,
        every_s: float = EVERY_S,
    ) -> None:
        """`stopped`: whether no more is to be asked, since the process ends; asked from any thread."""
        self._stopped = stopped
        self._providers = providers
        self._clock = clock
        self._log = log
        self._every_s = every_s
        self._pool = pool or ThreadPoolExecutor(
            max_workers=max(1, len(self._providers)), thread_name_prefix="left over"
        )
        self._due_on = 0.0
        self._under_way: dict[ProviderName, Future[Swept]] = {}
        self._sweeping: int | None = None
        """The order that is carried out now."""
        self._quiet: Mapping[ProviderName, Swept] = {}
        """Accounts that were left in peace by that sweep."""
        self._answers: dict[int, str] = {}
        self._known: frozenset[tuple[str, str, str]] = frozenset()
        self._missed: dict[ProviderName, str] = {}

    def swept(self) -> Mapping[int, str]:
        """Take in what has come: of each sweep that was carried out here, by its number, what became of it in words;
        empty: nothing was left over."""
        if self._under_way and all(future.done() for future in self._under_way.values()):
            self._take_in()
        return dict(self._answers)

    def tick(
        self, orders: Sequence[Order], live: Collection[str], quiet: Mapping[ProviderName, str] = NOBODY
    ) -> None:
        """Begin what is due, once all that was begun has come. What bears the name of a `live` node is not touched;
        accounts in `quiet` are left in peace, for that reason."""
        wanted = [order.number for order in orders if order.kind is OrderKind.SWEEP]
        self._answers = {number: says for number, says in self._answers.items() if number in wanted}
        self.swept()
        if self._under_way:
            return
        now = self._clock.monotonic()
        self._sweeping = next((number for number in wanted if number not in self._answers), None)
        if self._sweeping is None and now < self._due_on:
            return
        self._due_on = now + self._every_s
        names = frozenset(live)
        self._quiet = {
            name: Swept(looked=Missing(why=why)) for name, why in quiet.items() if name in self._providers
        }
        for name, provider in self._providers.items():
            if name in quiet:
                continue
            self._under_way[name] = (
                self._pool.submit(_look, provider, CALL_S)
                if self._sweeping is None
                else self._pool.submit(_sweep, provider, names, self._stopped)
            )
        if self._sweeping is not None and not self._under_way:
            self._answers[self._sweeping] = _in_words(self._quiet)

    def _take_in(self) -> None:
        came = {name: _outcome(future) for name, future in self._under_way.items()}
        self._under_way = {}
        self._tell(came)
        if self._sweeping is not None:
            self._answers[self._sweeping] = _in_words({**self._quiet, **came})

    def _tell(self, came: Mapping[ProviderName, Swept]) -> None:
        # What was told and could not be seen this time is no news when it is seen again.
        whole = {name for name, swept in came.items() if not why_unseen(swept.looked)}
        known: set[tuple[str, str, str]] = {each for each in self._known if each[0] not in whole}
        for name, swept in came.items():
            why = why_unseen(swept.looked)
            if why and self._missed.get(name) != why:
                self._log.say("leftover.missed", provider=name, why=why)
            self._missed[name] = why
            for one in swept.ended:
                self._log.say(
                    "leftover.ended", provider=name, kind=one.kind, id=one.left_over_id, machine=one.name
                )
            for one, says in swept.kept:
                self._log.say(
                    "leftover.refused", provider=name, kind=one.kind, id=one.left_over_id, says=says
                )
            ended = {one.left_over_id for one in swept.ended}
            for one in swept.looked.found if isinstance(swept.looked, LeftOvers) else ():
                key = (name, one.kind, one.left_over_id)
                if one.left_over_id in ended:
                    continue
                known.add(key)
                if key not in self._known:
                    self._log.say(
                        "leftover.seen",
                        provider=name,
                        kind=one.kind,
                        id=one.left_over_id,
                        machine=one.name,
                        size_gb=one.size_gb,
                    )
        self._known = frozenset(known)


def watch(
    providers: Mapping[ProviderName, Provider], *, clock: Clock, log: Log, stopped: Callable[[], bool]
) -> Watch | None:
    """One over all that can tell what is left over; None where none can, and a sweep waits for nobody."""
    watched = sweepable(providers)
    return Watch(providers=watched, clock=clock, log=log, stopped=stopped) if watched else None


def _look(provider: Sweepable, timeout_s: float) -> Swept:
    try:
        return Swept(looked=_sound(provider.left_overs(timeout_s=timeout_s)))
    except ProviderError as error:
        return Swept(looked=Missing(why=str(error)))


def _sweep(provider: Sweepable, live: frozenset[str], stopped: Callable[[], bool]) -> Swept:
    """End what is left over there, as far as all could be seen. Stops at the first answer that concerns the account and
    not the thing."""
    seen = _look(provider, CALL_S).looked
    if isinstance(seen, Missing) or not seen.complete:
        return Swept(looked=seen)
    ended: list[LeftOver] = []
    kept: list[tuple[LeftOver, str]] = []
    for one in [one for one in seen.found if one.name not in live][:ENDS_MAX]:
        if stopped():
            break
        try:
            provider.end_left_over(one, timeout_s=CALL_S)
        except InstanceAbsent:
            ended.append(one)
        except RequestRejected as error:
            kept.append((one, str(error)))
        except ProviderError as error:
            kept.append((one, str(error)))
            break
        else:
            ended.append(one)
    return Swept(looked=seen, ended=tuple(ended), kept=tuple(kept))


def _sound(looked: LeftOvers) -> LeftOvers:
    """Without what cannot be shown; it is there all the same, so the look is incomplete for its sake."""
    fit = tuple(one for one in looked.found if all(map(_fit, (one.kind, one.left_over_id, one.name))))
    if len(fit) == len(looked.found):
        return looked
    why = looked.why_incomplete or "something has a name or an id that cannot be shown"
    return LeftOvers(found=fit, complete=False, why_incomplete=why)


def _fit(said: str) -> bool:
    return 0 < len(said) <= _LONGEST and said.isprintable()


def _outcome(future: Future[Swept]) -> Swept:
    error = future.exception()
    if error:  # a stranger's message may hold anything; its type is enough
        return Swept(looked=Missing(why=f"the look failed: {type(error).__name__}"))
    return future.result()


def why_unseen(looked: LeftOvers | Missing) -> str:
    """Why there may be more; empty where all was seen."""
    if isinstance(looked, Missing):
        return looked.why
    return "" if looked.complete else looked.why_incomplete or "the look was incomplete"


def _in_words(came: Mapping[ProviderName, Swept]) -> str:
    """What a sweep came to, for whoever ordered it; empty where nothing was there."""
    ended = sum(len(swept.ended) for swept in came.values())
    parts = [f"{ended} left over from machines ended"] if ended else []
    for name, swept in came.items():
        why = why_unseen(swept.looked)
        if why:
            parts.append(f"at {name} nothing that was left over is ended: {why}")
        parts += [f"{one.kind} {one.left_over_id} at {name} stays: {says}" for one, says in swept.kept[:3]]
        found = len(swept.looked.found) if isinstance(swept.looked, LeftOvers) and not why else 0
        rest = found - len(swept.ended) - len(swept.kept)
        parts += [f"{rest} more at {name}: sweep again"] if rest else []
    return "; ".join(parts)
