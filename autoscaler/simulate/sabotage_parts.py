"""Parts of the production code that are exchanged for one simulated life, and put back after it.

What never happens here: the reason why.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from autoscaler.core import node_facts


class Parts:
    """Parts of the production code that were exchanged, and what stood in their places."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def put(self, place: object, name: str, part: object) -> None:
        """Let `part` stand for that function, method or table until the life is over."""
        before = vars(place)[name]
        setattr(place, name, part)
        self._stack.callback(setattr, place, name, before)

    def step(self, name: str, broken: Callable[..., Any]) -> None:
        """Exchange one of the steps by which a node is reconciled."""
        sound = getattr(node_facts, name)
        steps = tuple(broken if step is sound else step for step in vars(node_facts)["_STEPS"])
        self.put(node_facts, "_STEPS", steps)
