"""Questions asked in parallel: how long each is waited for, and which answer is taken although it came late.

In go the questions of one tick, out comes what each was answered and how old that is, or why there is no answer. An
account that does not answer in time is asked beside the ticks from then on: nobody waits for it before it does.
What never happens here: a second question to one that has not answered the first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent import futures
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace

from autoscaler.clock import Clock
from autoscaler.core.facts import Missing

Question = Callable[[], object]
Wait = Callable[[Collection["Future[object]"], float], object]
"""Lets time pass until all of these have ended, or so many seconds."""
SHARE_OF_A_TICK = 0.5
"""The longest that a tick waits for an account: the rest is for thinking, writing, and whatever else takes long."""
_FAILS_AT_ONCE_S = 1.0
"""One that fails takes its time to: a time-out of its own, which the next would take again. A no comes sooner."""
_TICKS_OF_GRACE = 2.0
"""An answer waits for the next tick, and ticks may come late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a question came to, `Missing` where it came to nothing, and how long before now it was asked if late."""

    value: object
    age_s: float = 0.0


@dataclass(slots=True)
class _Look:
    """One question under way, or answered. Both clocks: the one stands still in a suspended machine, the other may be
    set."""

    future: Future[object]
    asked_on: float
    asked_at: float
    ended_on: list[float]
    """One instant, once it ended. Its future writes there: if it knew the look, which knows it, both would stay, with
    all that was answered, until Python looks for garbage."""


def until_ended(asked: Collection[Future[object]], within_s: float) -> None:
    """Wait in real time."""
    futures.wait(asked, timeout=within_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long is waited for answers. `tick_s` is the time between two looks; who looks once has none."""

    timeout_s: float
    """For every question."""
    tick_s: float | None = None
    wait: Wait = until_ended

    @property
    def patience_s(self) -> float:
        """For an account; as long as for all else where no tick follows."""
        if self.tick_s is None:
            return self.timeout_s
        return min(self.timeout_s, SHARE_OF_A_TICK * self.tick_s)

    @property
    def oldest_s(self) -> float:
        """How old an answer may be that came late."""
        return self.timeout_s + _TICKS_OF_GRACE * (self.tick_s or 0.0)


class Looks:
    """Asks, waits and remembers who did not answer in time. Only one thread may call it."""

    def __init__(self, *, pool: Executor, clock: Clock, pace: Pace) -> None:
        self._pool = pool
        self._clock = clock
        self._pace = pace
        self._looks: dict[str, _Look] = {}
        self._slow: set[str] = set()
        """Accounts that nobody waits for."""

    def ask(self, questions: Mapping[str, Question], accounts: Mapping[str, Question]) -> dict[str, Answered]:
        """An answer to each. Those of `accounts` may be late: asked on an earlier tick, and come since."""
        began_on = self._clock.monotonic()
        # An answer to an older question may be about other workers and another time: it is not taken for this one.
        asked = {key: self._begin(key, question) for key, question in questions.items() if self._is_free(key)}
        late = {key: answered for key in accounts if (answered := self.late(key)) is not None}
        listed = {key: self._begin(key, question) for key, question in accounts.items() if self._is_free(key)}
        waited = {key: look for key, look in listed.items() if key not in self._slow}
        self._wait_for([*asked.values(), *waited.values()], self._pace.patience_s)
        left_s = self._pace.timeout_s - (self._clock.monotonic() - began_on)
        self._wait_for([*asked.values()], left_s)
        answers = {key: self._answer(key, asked.get(key), self._pace.timeout_s) for key in questions}
        for key in accounts:
            answers[key] = self._answer(
                key, listed.get(key), self._pace.patience_s if key in waited else None
            )
            if key in late and not listed[key].future.done():
                # It aged on while the others were waited for.
                waited_s = max(0.0, self._clock.monotonic() - began_on)
                older = replace(late[key], age_s=late[key].age_s + waited_s)
                answers[key] = late[key] if isinstance(late[key].value, Missing) else older
        for key, look in listed.items():
            self._judge(key, look)
        return answers

    def _wait_for(self, looks: Collection[_Look], within_s: float) -> None:
        under_way = [look.future for look in looks if not look.future.done()]
        if under_way and within_s > 0:
            self._pace.wait(under_way, within_s)

    def _is_free(self, key: str) -> bool:
        return not self.is_under_way(key)

    def _begin(self, key: str, question: Question) -> _Look:
        asked_on, asked_at = self._clock.monotonic(), self._clock.now()
        ended_on: list[float] = []
        look = _Look(self._pool.submit(question), asked_on, asked_at, ended_on)
        look.future.add_done_callback(lambda _: ended_on.append(self._clock.monotonic()))
        self._looks[key] = look
        return look

    def is_under_way(self, key: str) -> bool:
        """Whether a question was asked and not answered yet."""
        return key in self._looks and not self._looks[key].future.done()

    def late(self, key: str) -> Answered | None:
        """What came of an account's question that nobody waited for until its end, if that is worth to be known."""
        look = self._looks.get(key)
        if look is None or key not in self._slow or not look.future.done():
            return None
        self._judge(key, look)
        age_s = max(self._clock.monotonic() - look.asked_on, self._clock.now() - look.asked_at)
        # Where it answers in time again it is asked anew, and waited for.
        if key not in self._slow or not age_s <= self._pace.oldest_s:
            return None
        value = _outcome(look.future)
        return Answered(value=value, age_s=0.0 if isinstance(value, Missing) else max(0.0, age_s))

    def _judge(self, key: str, look: _Look) -> None:
        """Whether this one is to be waited for the next time."""
        lasted_s = self._lasted_s(look)
        bearable_s = self._pace.patience_s
        if look.future.done() and isinstance(_outcome(look.future), Missing):
            bearable_s = min(bearable_s, _FAILS_AT_ONCE_S)
        if look.future.done() and lasted_s <= bearable_s:
            self._slow.discard(key)
        else:
            self._slow.add(key)

    def _lasted_s(self, look: _Look) -> float:
        until_on = look.ended_on[0] if look.ended_on else self._clock.monotonic()
        return until_on - look.asked_on

    def _answer(self, key: str, look: _Look | None, waited_s: float | None) -> Answered:
        if look is None:
            asked_s = self._lasted_s(self._looks[key])
            why = f"the look before has not come back: it began {asked_s:.0f} s ago"
        elif look.future.done():
            return Answered(value=_outcome(look.future))
        elif waited_s is None:
            why = "it did not answer in time before and is not waited for"
        else:
            why = f"no answer within {waited_s:g} s"
        return Answered(value=Missing(why=why))


def _outcome(ended: Future[object]) -> object:
    error = ended.exception()
    return Missing(why=f"the look failed: {type(error).__name__}") if error else ended.result()
