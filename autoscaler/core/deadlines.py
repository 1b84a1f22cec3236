"""How long a state may last, given what the witnesses of its worker say. In go a record and what was seen of it, out
come seconds; infinitely many where somebody may still be at work. Nothing is ended from here.
"""

from __future__ import annotations

import math

from autoscaler.core import learned, lifecycle
from autoscaler.core.facts import Idleness, Sighting, Unconnected
from autoscaler.core.learned import Learned
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import DrainExpiry, Node, Timeouts


def enrol_s(times: Timeouts, of: Learned, *, alike: bool) -> float:
    """Seconds that a machine of that offer may take to become a worker: the operator's number, if he wrote one."""
    if times.enrol_first_s is None:
        return times.enrol_s
    return learned.late_after_s(
        of,
        alike=alike,
        first_s=times.enrol_first_s,
        least_s=times.enrol_least_s,
        most_s=times.enrol_s,
    )


def allowed_s(
    node: Node, times: Timeouts, heard: Sighting | None, idleness: Idleness | None, listing_age_s: float = 0.0
) -> float:
    """Seconds of sight that this node may stay in its state, which must be one that has a deadline."""
    limit_s: float = getattr(times, lifecycle.DEADLINES[node.state].timeout)
    match node.state:
        case NodeState.CREATING:
            # A listing that came late says nothing of what was made since it was asked for.
            return limit_s + listing_age_s
        case NodeState.BOOTING:
            return _enrolling_s(limit_s, times, idleness)
        case NodeState.LOST:
            return _silent_s(limit_s, times, heard, idleness)
        case NodeState.DRAINING if times.drain_expiry is DrainExpiry.WAIT:
            return math.inf
        case _:
            return limit_s


def _enrolling_s(limit_s: float, times: Timeouts, idleness: Idleness | None) -> float:
    """A machine past its time to enrol may have a worker at work all the same: one that we do not hear.

    Its heartbeats may be switched off, or go to another exchange. Only the broker's word that nobody of that name is
    connected ends such a machine in time; where somebody is, it has the time of a drain, if the operator chose so.
    """
    held = None if idleness is None else idleness.unacknowledged
    if isinstance(held, Unconnected):
        return limit_s
    if times.drain_expiry is DrainExpiry.WAIT or not isinstance(held, int) or held > 0:
        return math.inf
    return limit_s + times.drain_s


def _silent_s(limit_s: float, times: Timeouts, heard: Sighting | None, idleness: Idleness | None) -> float:
    """A lost worker is waited for while the broker, a second witness, holds messages on its connection, or does not
    say whether it does.

    One whose last word was of tasks in hand has the time of a drain: after a goodbye, because a warm shutdown finishes
    in silence; otherwise unless the broker says that it is gone, where tasks acknowledged early are no messages.
    """
    held = None if idleness is None else idleness.unacknowledged
    connected = isinstance(held, int)
    if not isinstance(held, Unconnected) and not (connected and held == 0):
        return math.inf
    at_work = heard is not None and bool(heard.active)
    gone = heard is not None and heard.online and isinstance(held, Unconnected)
    return max(limit_s, times.drain_s) if at_work and not gone else limit_s
