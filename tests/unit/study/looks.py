"""Looks at a fleet with defaults, so that a test names only what its rule is about, and peers walked through them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autoscaler.study.contract import Look, Peer, Terms

TERMS = Terms(slots=2, target_wait_s=120.0, min_workers=0, max_workers=100)


def a_look(at_s: float = 0.0, backlog: int = 0, serving: int = 0, **given: Any) -> Look:
    """Machines of two slots; nothing arrived, done or known of the tasks unless given."""
    defaults: dict[str, Any] = {
        "in_progress": 0,
        "arrived": 0,
        "done": 0,
        "arriving": 0,
        "leaving": 0,
        "slots": 2,
        "task_s": None,
    }
    return Look(at_s=at_s, backlog=backlog, serving=serving, **(defaults | given))


def walked(peer: Peer, backlogs: Iterable[int], serving: int = 0, from_s: float = 0.0) -> list[int]:
    """What it wants period by period, for these backlogs, where every wish is granted before the next look."""
    wishes = []
    for at, backlog in enumerate(backlogs):
        serving = peer.wanted(a_look(from_s + at * peer.period_s, backlog, serving))
        wishes.append(serving)
    return wishes
