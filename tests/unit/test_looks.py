"""How long a tick waits for whom: everybody for a while, an account that does not answer once, and then no more."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Collection
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

from autoscaler.core.facts import Missing
from autoscaler.looks import Answered, Looks, Pace
from tests.unit.stand_ins import FixedClock

TIMEOUT_S, TICK_S = 8.0, 5.0
PATIENCE_S = 2.5
CLOUD, OTHER, DEMAND = "cloud", "other", "demand"


class Life:
    """Ticks on a clock set by hand. An account answers after `takes_s`, infinitely late where it hangs."""

    def __init__(self, timeout_s: float = TIMEOUT_S, tick_s: float | None = TICK_S) -> None:
        self.clock = FixedClock()
        self.takes_s = {CLOUD: 0.1, OTHER: 0.1, DEMAND: 0.1}
        self.fails: set[str] = set()
        self.asked: list[tuple[str, float]] = []
        self.due: list[tuple[float, Future[object], str]] = []
        pace = Pace(timeout_s=timeout_s, tick_s=tick_s, wait=self._wait)
        self.looks = Looks(pool=_Later(self), clock=self.clock, pace=pace)
        self.tick_s = tick_s or 0.0

    def tick(self) -> tuple[dict[str, Answered], float]:
        """One tick's answers, and how long it waited; then the rest of the time between two passes."""
        began = self.clock.lasted
        answers = self.looks.ask({DEMAND: lambda: DEMAND}, {CLOUD: lambda: CLOUD, OTHER: lambda: OTHER})
        took_s = self.clock.lasted - began
        self.pass_s(max(0.0, self.tick_s - took_s))
        return answers, took_s

    def pass_s(self, seconds: float) -> None:
        until = self.clock.lasted + seconds
        for due in sorted(self.due, key=lambda each: each[0]):
            if due[0] <= until:
                self._end(due)
        self._set(until)

    def submitted(self, name: str) -> Future[object]:
        future: Future[object] = Future()
        self.asked.append((name, self.clock.lasted))
        self.due.append((self.clock.lasted + self.takes_s[name], future, name))
        return future

    def _end(self, due: tuple[float, Future[object], str]) -> None:
        self._set(max(self.clock.lasted, due[0]))
        self.due.remove(due)
        due[1].set_result(Missing(why="502") if due[2] in self.fails else f"{due[2]} at {self.clock.lasted}")

    def _wait(self, asked: Collection[Future[object]], within_s: float) -> None:
        until = self.clock.lasted + within_s
        while any(not each.done() for each in asked):
            following = min(self.due, key=lambda each: each[0], default=(float("inf"),))
            if following[0] > until:
                self._set(until)
                return
            self._end(following)  # type: ignore[arg-type]

    def _set(self, lasted: float) -> None:
        self.clock.at += lasted - self.clock.lasted
        self.clock.lasted = lasted


class _Later(Executor):
    """Answers come when they are due."""

    def __init__(self, life: Life) -> None:
        self._life = life

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._life.submitted(fn())


def seen(answers: dict[str, Answered], name: str = CLOUD) -> bool:
    return not isinstance(answers[name].value, Missing)


@pytest.mark.parametrize(("timeout_s", "tick_s"), [(8.0, 10.0), (8.0, 5.0), (60.0, 1.0), (0.5, 10.0)])
def test_a_hanging_account_is_waited_for_once(timeout_s: float, tick_s: float) -> None:
    """Half a tick at most, whatever tick and time-out are; and nobody else is seen less or later."""
    life = Life(timeout_s, tick_s)
    life.takes_s[CLOUD] = float("inf")

    ticks = [life.tick() for _ in range(20)]

    first, *later = [took_s for _, took_s in ticks]
    assert first == pytest.approx(min(timeout_s, tick_s / 2))
    assert later == pytest.approx([0.1] * 19)
    assert all(seen(answers, OTHER) and seen(answers, DEMAND) for answers, _ in ticks)
    assert not any(seen(answers) for answers, _ in ticks)


def test_an_account_whose_looks_end_by_their_own_timeout_is_not_waited_for_either() -> None:
    """It hangs all the same: every look would take as long again."""
    life = Life()
    life.takes_s[CLOUD] = TIMEOUT_S
    life.fails.add(CLOUD)

    ticks = [life.tick() for _ in range(12)]

    assert [PATIENCE_S, *[0.1] * 11] == pytest.approx([took_s for _, took_s in ticks])
    assert len([name for name, _ in life.asked if name == CLOUD]) == 6
    assert {0.0} == {answers[CLOUD].age_s for answers, _ in ticks}
    assert {"502"} == {
        a[CLOUD].value.why
        for a, _ in ticks
        if "look" not in a[CLOUD].value.why and "answer" not in a[CLOUD].value.why
    }


def test_an_account_that_says_no_at_once_is_waited_for() -> None:
    """It keeps nobody waiting, and may answer the next time."""
    life = Life()
    life.fails.add(CLOUD)

    assert all(not seen(life.tick()[0]) for _ in range(3))
    life.fails.clear()
    life.takes_s[CLOUD] = 2.0

    answers, took_s = life.tick()
    assert (True, 0.0) == (seen(answers), answers[CLOUD].age_s)
    assert took_s == pytest.approx(2.0)


def test_an_account_that_answers_again_is_asked_anew_and_waited_for() -> None:
    """Its listing is fresh from the tick on that finds it well."""
    life = Life()
    life.takes_s[CLOUD] = 3 * TICK_S
    for _ in range(3):
        assert not seen(life.tick()[0])
    life.takes_s[CLOUD] = 1.0

    ticks = [life.tick() for _ in range(3)]

    assert [False, True, True] == [seen(answers) and not answers[CLOUD].age_s for answers, _ in ticks]


def test_an_account_that_is_always_slow_is_seen_late_on_every_tick() -> None:
    """What it lists is as old as it says, and holds up nobody."""
    life = Life()
    life.takes_s[CLOUD] = 4.0

    ticks = [life.tick() for _ in range(6)]

    assert [PATIENCE_S, *[0.1] * 5] == pytest.approx([took_s for _, took_s in ticks])
    # A tick old, and as much older as the tick waited for the others.
    assert [5.1] * 5 == pytest.approx([answers[CLOUD].age_s for answers, _ in ticks[1:]])
    assert all(seen(answers) for answers, _ in ticks[1:])


@pytest.mark.parametrize("jump", ["monotonic", "wall"])
def test_what_waited_too_long_is_not_taken(jump: str) -> None:
    """After a suspended machine goes on, whichever clock tells of it, a list of an hour ago shows nothing of now."""
    life = Life()
    life.takes_s[CLOUD] = 4.0
    life.tick()
    if jump == "wall":
        life.clock.at += 3600.0
    else:
        life.clock.lasted += 3600.0

    answers, _ = life.tick()

    assert not seen(answers)


def test_who_looks_once_waits_for_all_alike() -> None:
    """A command has no next tick."""
    life = Life(tick_s=None)
    life.takes_s[CLOUD] = 7.0

    answers, took_s = life.tick()

    assert (True, pytest.approx(7.0)) == (seen(answers), took_s)


def test_a_slow_broker_is_waited_for_beside_a_hanging_account() -> None:
    """What the account is not given, the broker may have."""
    life = Life()
    life.takes_s |= {CLOUD: float("inf"), DEMAND: 6.0}

    answers, took_s = life.tick()

    assert (True, False, pytest.approx(6.0)) == (seen(answers, DEMAND), seen(answers), took_s)


class _Answer:
    """Something that tells when it is gone."""


def test_what_was_answered_is_gone_once_the_next_answer_is_there() -> None:
    """At once, whenever Python looks for garbage: of a large fleet an answer is MB, and comes on each tick."""
    answered: list[weakref.ref[_Answer]] = []

    def question() -> _Answer:
        answer = _Answer()
        answered.append(weakref.ref(answer))
        return answer

    gc.disable()
    try:
        with ThreadPoolExecutor(1) as pool:
            looks = Looks(pool=pool, clock=FixedClock(), pace=Pace(timeout_s=TIMEOUT_S, tick_s=TICK_S))
            for _ in range(3):
                looks.ask({DEMAND: question}, {CLOUD: question})
        alive = [each() is not None for each in answered]
    finally:
        gc.enable()

    assert [False, False, False, False] == alive[:4]
    assert 6 == len(alive)
