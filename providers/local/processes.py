"""Finding and ending the processes of a machine by the mark they carry in their environment.

The mark is inherited by everything a machine starts and survives a changed process title. What runs is the truth; no
file and no memory is asked.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import psutil

FLEET, POOL, NODE = "AUTOSCALER_LOCAL_FLEET", "AUTOSCALER_LOCAL_POOL", "AUTOSCALER_LOCAL_NODE"
"""A machine's mark. Names of their own, because an operator may set `AUTOSCALER_NODE` in a shell of his."""


def mark(*, fleet: str, pool: str, node: str) -> dict[str, str]:
    """The variables that make a process part of a machine."""
    return {FLEET: fleet, POOL: pool, NODE: node}


def machines(fleet: str) -> Mapping[str, list[psutil.Process]]:
    """The running processes of a fleet, by node. Ended ones that nobody has waited for yet do not run."""
    found: dict[str, list[psutil.Process]] = defaultdict(list)
    for process, environment in _readable():
        if environment.get(FLEET) == fleet and environment.get(NODE):
            found[environment[NODE]].append(process)
    return found


def pool_of(processes: Iterable[psutil.Process]) -> str | None:
    """The pool that one of them says it belongs to."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            return process.environ().get(POOL) or None
    return None


def _readable() -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    """Every process whose environment we may read. Those of other users are not ours: we start all as ourselves."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            environment = process.environ()
            if environment and process.status() != psutil.STATUS_ZOMBIE:
                yield process, environment
