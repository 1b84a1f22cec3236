"""The real daemon, which stops itself or is slow at one place: `python -m tests.integration.standby.troubled HOW`.

HOW is `stopped` (SIGSTOP between the commit that orders a machine and the order itself) or `slow` (one tick that looks
for `SLOW_S`). Nothing else differs from `autoscaler run`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

from autoscaler.cli import main
from tests.integration.crashes.doomed import at
from tests.integration.crashes.steps import Place

SLOW_S = 9.0


def _orders(arguments: tuple[Any, ...], _result: Any) -> bool:
    return bool(arguments[1].new_nodes)


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _be_slow() -> None:
    threading.Event().wait(SLOW_S)


if __name__ == "__main__":
    match sys.argv[1]:
        case "stopped":
            at(Place(where="autoscaler.journal.journal:Journal.commit", after=True, counts=_orders), _stop)
        case "slow":
            at(Place(where="autoscaler.observe:Observer.look", after=True, passing=3), _be_slow)
    sys.argv[1:] = ["run"]
    main()
