"""Colours by owner, on a light and on a dark ground.

The first is for the strongest; each can be told from its neighbours by people who see fewer colours. What never happens
here: a drawing.
"""

from __future__ import annotations

LIGHT = (
    "#1f5fbf", "#d9730d", "#2a8f5b", "#a8479f", "#b3372b", "#6b6f1a", "#0f8ea0", "#7a5230", "#5b5bd6", "#555d66",
)  # fmt: skip
DARK = (
    "#6ba4ff", "#ffa657", "#5fd39a", "#e08ad8", "#ff8a7d", "#c9cf5a", "#4fd0e0", "#d0a37c", "#a9a9ff", "#b3bcc7",
)  # fmt: skip
NEUTRAL = "#8a94a3"


def place(owner: int | None) -> int | None:
    """Which colour of a row an owner has; None for the neutral one."""
    return None if owner is None else owner % len(LIGHT)
