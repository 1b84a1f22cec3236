"""The life cycle as a page for people: `docs/lifecycle.md`, written from the table so that the two cannot differ.

`make pages` renews it; a test holds them together.
"""

from __future__ import annotations

from autoscaler.core import lifecycle
from autoscaler.core.lifecycle import FactKind, NodeState

_COUNTS = (
    ("arriving", lifecycle.ARRIVING),
    ("serving", lifecycle.SERVING),
    ("leaving", lifecycle.LEAVING),
    ("billable", lifecycle.BILLABLE),
)
_CLOCKS = {
    FactKind.INSTANCES: "complete listings of its provider",
    FactKind.SIGHTINGS: "hearing workers at all",
}
_HEAD = """\
# The life of a node

Generated from `autoscaler/core/lifecycle.py` by `make pages`; change it there.

A node is our record of a machine. One table says which event leads from which state to which; any other pair raises
`IllegalTransition` and changes nothing. Failure is a reason, not a state. Events that end in `_chosen`, and
`forgotten`, are choices (the plan's or an operator's); the others are things that happened.
"""


def render() -> str:
    """The whole page, in Markdown with a Mermaid diagram."""
    return "\n".join([_HEAD, *_states(), "", *_diagram(), "", *_deadlines(), ""])


def _states() -> list[str]:
    rows = ["| State | Means | Counts as | Leaves by |", "|---|---|---|---|"]
    for state in NodeState:
        counts = ", ".join(name for name, members in _COUNTS if state in members) or "nothing"
        leaves = "<br>".join(
            f"{event.value} → {after.value}"
            for (before, event), after in lifecycle.TABLE.items()
            if before is state
        )
        rows.append(f"| {state.value} | {lifecycle.MEANINGS[state]} | {counts} | {leaves or '–'} |")
    return ["## States", "", *rows]


def _diagram() -> list[str]:
    edges: dict[tuple[NodeState, NodeState], list[str]] = {}
    for (before, event), after in lifecycle.TABLE.items():
        edges.setdefault((before, after), []).append(event.value)
    lines = [f"  {b.value} --> {a.value}: {', '.join(events)}" for (b, a), events in edges.items()]
    return [
        "## Picture",
        "",
        "```mermaid",
        "stateDiagram-v2",
        "  [*] --> creating",
        *lines,
        "  gone --> [*]",
        "```",
    ]


def _deadlines() -> list[str]:
    rows = ["| State | Setting | Event | Counts only while we see by |", "|---|---|---|---|"]
    for state, deadline in lifecycle.DEADLINES.items():
        setting = f"`timeouts.{deadline.timeout.removesuffix('_s')}`"
        rows.append(f"| {state.value} | {setting} | {deadline.event.value} | {_CLOCKS[deadline.clock]} |")
    return [
        "## Deadlines",
        "",
        "A deadline runs on a clock that stands still while its fact is unseen, and fires only on a tick that saw it.",
        "",
        *rows,
        "",
        '`drain_expired` fires only where the operator chose `on_drain_timeout = "destroy"`; by default a drain waits.',
    ]
