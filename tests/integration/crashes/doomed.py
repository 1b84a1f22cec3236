"""The real daemon, killed by itself with SIGKILL when it passes the step that its first argument names.

Run as `python -m tests.integration.crashes.doomed STEP`. Nothing else differs from `autoscaler run`: one function is
wrapped, in this process alone.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from autoscaler.cli import main
from tests.integration.crashes.steps import STEPS, Place


def at(place: Place, do: Callable[[], None]) -> None:
    """Do that on the passing of this place that is meant, and on no other."""
    module, _, path = place.where.partition(":")
    *owners, name = path.split(".")
    owner: Any = functools.reduce(getattr, owners, importlib.import_module(module))
    real = getattr(owner, name)
    lock = threading.Lock()
    passings = 0

    def pass_by(arguments: tuple[Any, ...], result: Any) -> None:
        nonlocal passings
        if place.counts(arguments, result):
            with lock:
                passings += 1
                meant = passings == place.passing
            if meant:
                do()

    @functools.wraps(real)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        if not place.after:
            pass_by(arguments, None)
        result = real(*arguments, **named)
        if place.after:
            pass_by(arguments, result)
        return result

    setattr(owner, name, wrapped)


def die() -> None:
    """No handler, no `finally`, no flush."""
    os.kill(os.getpid(), signal.SIGKILL)


def be_told_to_end(*, hang: bool) -> None:
    """SIGTERM, as from a supervisor."""
    os.kill(os.getpid(), signal.SIGTERM)
    if hang:
        threading.Event().wait()


def doom(step_name: str) -> None:
    """Prepare this process for its end at that step."""
    step = STEPS[step_name]
    at(step.dies, die)
    if step.told_to_end is not None:
        at(step.told_to_end, functools.partial(be_told_to_end, hang=step.hangs_there))


if __name__ == "__main__":
    doom(sys.argv[1])
    sys.argv[1:] = ["run"]
    main()
