"""Waiting for the world: a condition, a deadline, and what to say when the deadline passes.

Goes in: a question that is cheap to ask. Comes out: its first true answer. Nothing here sleeps for luck.
"""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class DeadlinePassed(AssertionError):
    """What was waited for did not come in time; inside a test this is a failure, not an error."""


def wait_until(
    condition: Callable[[], T], deadline_s: float, what: str | Callable[[], str], *, pause_s: float = 0.1
) -> T:
    """Ask `condition` until its answer is true, and return that answer.

    `what` completes the sentence "waited … for"; where it says how things stand it is asked for that at the end. The
    condition is asked at least once, and once more at the end, so a slow machine gets a last chance. Raises
    DeadlinePassed after `deadline_s` seconds; what the condition itself raises goes straight through.
    """
    end = time.monotonic() + deadline_s
    while True:
        last_chance = time.monotonic() >= end
        answer = condition()
        if answer:
            return answer
        if last_chance:
            said = what if isinstance(what, str) else what()
            raise DeadlinePassed(f"waited {deadline_s:g} s for {said}; the last answer was {answer!r}")
        time.sleep(pause_s)
