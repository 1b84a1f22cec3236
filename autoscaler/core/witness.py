"""Whether an end that was chosen may be asked for now, by what the broker says of the machine's worker on this tick.

In go a record and what is known of its worker, out comes why the first ask waits. Nothing is asked for from here.
"""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.core.facts import Missing, Unconnected
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import DrainExpiry, Node, Timeouts


def awaits(node: Node) -> bool:
    """Whether the end of this machine rests on what the broker says now: nobody was asked for it yet, it was no
    operator's choice, and its worker was not proven idle."""
    unasked = node.state is NodeState.DESTROYING and not node.end_asked
    return unasked and not node.given_up and not node.stop_due


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known on this tick about the worker of a machine whose end was chosen."""

    held: int | Missing | None
    """What the broker holds for it; None if it was not asked."""
    hears: bool
    """Whether a worker that speaks would have been heard by now."""
    twin: bool
    """Whether it shares its name with another machine on record."""
    waited_s: float
    """Seconds since the end was chosen."""


def why_unasked(node: Node, times: Timeouts, seen: Seen) -> str:
    """Why the end of a machine that awaits a witness is not asked for on this tick; empty where it may be.

    What was true when the end was chosen may be so no longer: the call waited for its account, or the daemon was
    killed in between.
    """
    held = seen.held
    if isinstance(held, Unconnected):
        return ""
    if not isinstance(held, int):
        says = "the broker was not asked yet" if held is None else held.why
        return f"it cannot be told whether its worker is at work ({says})"
    if seen.twin:
        return (
            "two machines bear its name, a worker of it is connected, and nobody can tell which of them works"
        )
    if held > 0:
        return f"the broker holds {held} messages for its worker"
    if not seen.hears:
        return "its worker is connected to the broker, and workers cannot be heard now"
    # One that was heard once and fell silent had its time; one that never was has that of a drain, if so chosen.
    patient = times.drain_expiry is DrainExpiry.WAIT or seen.waited_s < times.drain_s
    if node.enrolled_at is None and patient:
        return "its worker is connected to the broker but not heard"
    return ""
