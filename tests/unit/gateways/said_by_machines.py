"""What machines that become workers say, as the tests have them say it."""

from __future__ import annotations

import json
from typing import Any

from autoscaler.tokens import Tokens

TOKENS = Tokens(password="secret", fleet="fleet")
PHASES = (
    ("booted", 0.0, 6.5),
    ("network", 6.5, 7.0),
    ("packages", 7.0, 19.0),
    ("application", 7.0, 31.0),
    ("disk", 7.0, 9.0),
    ("broker", 31.0, 31.2),
    ("worker", 31.2, 34.0),
)


def phases(until: str = "worker") -> list[dict[str, Any]]:
    """All phases up to that one."""
    names = [name for name, _, _ in PHASES]
    return [
        {"phase": name, "from_s": from_s, "to_s": to_s, "ok": True, "says": ""}
        for name, from_s, to_s in PHASES[: names.index(until) + 1]
    ]


def said(node: str = "node-1", *, tokens: Tokens = TOKENS, **changes: Any) -> dict[str, Any]:
    """A report of a machine that went well so far."""
    return {
        "v": 1,
        "node": node,
        "token": tokens.of(node),
        "uptime_s": 34.5,
        "phases": phases(),
        "failed": None,
        "disk": {"mean_ms": 0.4, "worst_ms": 7.25, "requests": 250},
        "wants": None,
    } | changes


def failed(
    phase: str = "application", says: str = "pip gave up", log: Any = ("one", "two")
) -> dict[str, Any]:
    """What a machine whose boot failed says besides."""
    times = [*phases("packages"), {"phase": phase, "from_s": 19.0, "to_s": 21.0, "ok": False, "says": says}]
    return {"phases": times, "failed": {"phase": phase, "says": says, "log": list(log)}}


def body(node: str = "node-1", **changes: Any) -> bytes:
    """The same as it is published."""
    return json.dumps(said(node, **changes)).encode()
