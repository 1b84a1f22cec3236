"""Two daemons on one stage: how they are started, and when they said something."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime

from tests.integration.stage import Stage

TICK_S = 3.0
FIRST, SECOND = "daemon.log", "second.log"


def start_both(stage: Stage, *, trouble: str = "") -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]:
    """The first leads, and meets that trouble, if any; the second stands by."""
    command = (sys.executable, "-m", "tests.integration.standby.troubled", trouble) if trouble else ()
    first = stage.start_daemon(*command, log=FIRST)
    stage.wait_until_said("daemon.started")
    second = stage.start_daemon(log=SECOND)
    stage.wait_until_said("lease.awaited", log=SECOND)
    return first, second


def made(stage: Stage) -> set[str]:
    """Every machine there ever was, by the provider's own word: each has a directory, made before its start."""
    place = stage.directory / "nodes" / stage.fleet
    return {each.name for each in place.iterdir()} if place.is_dir() else set()


def ordered_again(stage: Stage) -> list[str]:
    """Names for which a second machine was ordered: this provider refuses that, and the daemon says so."""
    refused = [each for log in (FIRST, SECOND) for each in stage.said("call.refused", log)]
    return [each["node"] for each in refused if (each["call"], each["kind"]) == ("create", "rejected")]


def said_at(stage: Stage, event: str, log: str) -> float:
    """When that was first said, in epoch seconds."""
    (first, *_) = stage.said(event, log)
    return datetime.fromisoformat(first["timestamp"]).timestamp()
