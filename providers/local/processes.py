"""Finding the processes of a machine by the mark that they carry in their environment.

The mark is inherited by everything a machine starts. What runs is the truth: no file and no memory is asked, and
nothing is ended here. A fleet and the directory of its machines together are one account: two daemons of the same
fleet name on one computer, with directories of their own, never meet.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from providers.local import keeper

FLEET, POOL, NODE = "AUTOSCALER_LOCAL_FLEET", "AUTOSCALER_LOCAL_POOL", "AUTOSCALER_LOCAL_NODE"
"""A machine's mark. Names of their own, because an operator may set `AUTOSCALER_NODE` in a shell of his."""
DIRECTORY, CREATED_AT = "AUTOSCALER_LOCAL_DIRECTORY", "AUTOSCALER_LOCAL_CREATED_AT"
"""The account's directory, and the machine's birth in epoch seconds: the same from whichever process it is read."""


NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""A name becomes a directory, so it is held to its contract; a process that is marked with another is none of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One look at all processes of this computer. `hidden` names processes that are ours and cannot be read."""

    machines: Mapping[str, list[psutil.Process]]
    marks: Mapping[str, Mapping[str, str]]
    hidden: tuple[str, ...]


def mark(*, fleet: str, pool: str, node: str, directory: Path, created_at: float) -> dict[str, str]:
    """The variables that make a process part of a machine."""
    return {
        FLEET: fleet,
        POOL: pool,
        NODE: node,
        DIRECTORY: str(directory),
        CREATED_AT: repr(created_at),
        # A program that shows its title in the process list (setproctitle, which Celery uses where it is installed)
        # writes it over its environment unless told not to.
        "SPT_NOENV": "1",
    }


def look(fleet: str, directory: Path | None = None) -> Found:
    """The running processes of a fleet, by node; those of one account where its directory is given.

    Besides the marked ones these are the ones in a session with them: a session's number is not given away again while
    one process of it runs, so whoever lost the mark is still known by the company it keeps. Ended processes that nobody
    has waited for yet do not run.
    """
    machines: dict[str, list[psutil.Process]] = defaultdict(list)
    marks: dict[str, Mapping[str, str]] = {}
    node_of_session: dict[int, str] = {}
    unmarked: list[tuple[int, psutil.Process]] = []
    hidden: list[str] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            session = os.getsid(process.pid)
            try:
                environment = process.environ()
            except (psutil.AccessDenied, PermissionError):
                if _keeps_under(directory, process):
                    hidden.append(f"process {process.pid} keeps a machine here and belongs to another user")
                continue
            node = environment.get(NODE, "")
            if not NAME.fullmatch(node):
                unmarked.append((session, process))
            elif environment.get(FLEET) == fleet and directory in {
                None,
                Path(environment.get(DIRECTORY, "")),
            }:
                machines[node].append(process)
                marks.setdefault(node, environment)
                node_of_session[session] = node
    # A mark in our own session was put there by hand; whoever else is in it is no machine.
    node_of_session.pop(os.getsid(0), None)
    for session, process in unmarked:
        with contextlib.suppress(psutil.Error):
            if session in node_of_session and process.status() != psutil.STATUS_ZOMBIE:
                machines[node_of_session[session]].append(process)
    return Found(machines=machines, marks=marks, hidden=tuple(hidden))


def shows_its_mark(pid: int) -> bool:
    """Whether a look would find this process by its mark already."""
    with contextlib.suppress(psutil.Error, ProcessLookupError, PermissionError):
        return NODE in psutil.Process(pid).environ()
    return False


def machines(fleet: str) -> Mapping[str, list[psutil.Process]]:
    """The running processes of a fleet in all its accounts on this computer, by node."""
    return look(fleet).machines


def _keeps_under(directory: Path | None, process: psutil.Process) -> bool:
    """Whether its command line, which may be read where the environment may not, is that of a keeper of ours."""
    try:
        arguments = process.cmdline()
    except (psutil.Error, OSError):
        return False
    return keeper.__file__ in arguments and any(directory in Path(each).parents for each in arguments)
