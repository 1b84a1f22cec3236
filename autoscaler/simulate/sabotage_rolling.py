"""Rules about replacing machines, each broken as an honest programmer might break it.

Each is put in place for one life by `sabotage`. What never happens here: an exception raised to be noticed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autoscaler.core import rolling
from autoscaler.simulate.sabotage_parts import Parts


def takes_a_new_machine_for_a_worker(parts: Parts) -> None:
    """It was ordered, so it comes: the old one may go now."""
    sound: Callable[..., Any] = vars(rolling)["_of_one"]

    def of_one(old: Any, pool: Any, given: Any, wanted: int, _serving: int, have: int) -> Any:
        return sound(old, pool, given, wanted, have, have)

    parts.put(rolling, "_of_one", of_one)


def replaces_all_at_once(parts: Parts) -> None:
    """The sooner all are new the better."""
    sound: Callable[..., Any] = vars(rolling)["_next"]

    def all_of_them(pool: Any, given: Any, decision: Any, due: tuple[Any, ...]) -> Any:
        step, why = sound(pool, given, decision, due)
        reason = "replaced with all others"
        return (rolling.Step(leaves=tuple((node, reason) for node in due)) if step.leaves else step), why

    parts.put(rolling, "_next", all_of_them)


def believes_in_the_new_definition(parts: Parts) -> None:
    """It was tried on somebody's own machine, so the old ones may go."""
    parts.put(rolling, "is_proven", lambda *_: True)


def leaves_the_last_old_one(parts: Parts) -> None:
    """One more or less."""
    sound: Callable[..., Any] = vars(rolling)["_next"]

    def but_one(pool: Any, given: Any, decision: Any, due: tuple[Any, ...]) -> Any:
        return sound(pool, given, decision, due) if len(due) > 1 else (rolling.Step(), "")

    parts.put(rolling, "_next", but_one)
