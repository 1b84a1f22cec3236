"""What really happened to a pool, in the form in which a simulated run is told: waits, the bill, machines.

The waits are read off two curves: tasks that had arrived, and tasks that had been delivered (those that had arrived
less those that waited). In a queue that serves in order the distance between them is the wait of each task, as exactly
as the time between two looks allows. The bill is that of the recorded machines, by the offers they were bought by.
What never happens here: a policy.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from itertools import pairwise

from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node
from autoscaler.journal.contract import Sample
from autoscaler.study import recorded
from autoscaler.study.contract import Outcome
from autoscaler.study.recorded import Arrivals
from autoscaler.study.score import HOUR_S, SAME_INSTANT_S, bill_s, nearest_rank

RECORDED = "recorded"
_MOST_WAITS = 200_000
"""Of more tasks every second, third and so on is looked at."""

Curve = list[tuple[float, float]]
"""Instants and how many tasks by then; both never fall, and between two points it grows evenly."""


def outcome(
    samples: Sequence[Sample], came: Arrivals, nodes: Iterable[Node], slots: int, target_wait_s: float
) -> Outcome:
    """How the pool fared between the first look of these samples and the last."""
    looks = recorded.seen(samples)
    begins_at, ends_at = looks[0].at, looks[-1].at
    bought = [node for node in nodes if existed(node) and _end_at(node, ends_at) > begins_at]
    lives = [(node.ordered_at - begins_at, _end_at(node, ends_at) - begins_at, node) for node in bought]
    lives = [life for life in lives if life[0] < ends_at - begins_at]
    billed = [
        (bill_s(ordered_s, gone_s, node.offer.quantum_s) / HOUR_S, node.offer.price_per_h)
        for ordered_s, gone_s, node in lives
    ]
    waits_s, late = _waits(looks, came)
    in_time = sum(wait_s <= target_wait_s + SAME_INSTANT_S for wait_s in waits_s)
    ordered = array("d", sorted([*waits_s, *late]))
    final = looks[-1]
    undone = (final.backlog or 0) + (final.in_progress or 0)
    busy_s = math.fsum(
        recorded.busy_s(before, after, after.at - before.at) for before, after in pairwise(looks)
    )
    return Outcome(
        policy=RECORDED,
        cost=math.fsum(hours * price for hours, price in billed),
        node_hours_billed=math.fsum(hours for hours, _ in billed),
        node_hours_busy=busy_s / slots / HOUR_S,
        wait_p50_s=nearest_rank(ordered, 50),
        wait_p95_s=nearest_rank(ordered, 95),
        wait_p99_s=nearest_rank(ordered, 99),
        wait_max_s=nearest_rank(ordered, 100),
        within_target=in_time / len(ordered) if ordered else 1.0,
        tasks_arrived=came.total,
        tasks_done=max(0, came.total - undone),
        tasks_lost=0,
        tasks_redelivered=0,
        creates=sum(ordered_s >= 0.0 for ordered_s, _, _ in lives),
        destroys=sum(node.state is NodeState.GONE and node.entered_at <= ends_at for _, _, node in lives),
        nodes_peak=_peak([(ordered_s, gone_s) for ordered_s, gone_s, _ in lives]),
    )


def existed(node: Node) -> bool:
    """Whether the order may have become a machine: one that was refused cost nothing."""
    return node.state is not NodeState.GONE or node.instance_id is not None


def serving_ages_s(nodes: Iterable[Node], first: Sample) -> tuple[float, ...]:
    """How long before that look the machines were ordered that served at it, the oldest first.

    Those of which the journal forgot the record are taken to have been ordered at the look.
    """
    there = [
        node
        for node in nodes
        if node.enrolled_at is not None and node.enrolled_at <= first.at < _end_at(node, math.inf)
    ]
    # Those that end first were leaving already.
    there.sort(key=lambda node: (-_end_at(node, math.inf), node.name))
    ages_s = [first.at - node.ordered_at for node in there[: first.serving]]
    return tuple(sorted([*ages_s, *(0.0 for _ in range(first.serving - len(ages_s)))], reverse=True))


def _end_at(node: Node, otherwise_at: float) -> float:
    return min(node.entered_at, otherwise_at) if node.state is NodeState.GONE else otherwise_at


def _peak(lives: Iterable[tuple[float, float]]) -> int:
    """The most machines at once."""
    events = sorted(event for ordered_s, gone_s in lives for event in ((ordered_s, 1), (gone_s, -1)))
    now = most = 0
    for _, step in events:
        now += step
        most = max(most, now)
    return most


def _waits(looks: Sequence[Sample], came: Arrivals) -> tuple[array[float], list[float]]:
    """Waits of the tasks that were delivered after the first look, and how long those waited by the last that were not.

    Where there are very many, a sample of every second, third and so on.
    """
    arrived = _arrived(looks, came)
    delivered = _delivered(looks, arrived)
    first, last, end_s = came.running, int(arrived[-1][1]), looks[-1].at - looks[0].at
    stride = max(1, (last - first) // _MOST_WAITS)
    sent, begun = _Reader(arrived), _Reader(delivered)
    waits_s: array[float] = array("d")
    late: list[float] = []
    for task in range(first, last, stride):
        # A task is taken at the middle of its step of the curve.
        count = task + 0.5
        sent_s = sent.at_s(count)
        begun_s = begun.at_s(count) if count < delivered[-1][1] else None
        if begun_s is None:
            late.append(end_s - sent_s)
        else:
            waits_s.append(max(0.0, begun_s - sent_s))
    return waits_s, late


def _arrived(looks: Sequence[Sample], came: Arrivals) -> Curve:
    """Tasks that had arrived by each instant, those there at the first look included."""
    count = float(came.waiting + came.running)
    curve: Curve = [(0.0, count)]
    for interval in came.intervals:
        if interval.from_s > curve[-1][0]:
            curve.append((interval.from_s, count))
        count += interval.arrived
        curve.append((interval.to_s, count))
    end_s = looks[-1].at - looks[0].at
    if end_s > curve[-1][0]:
        curve.append((end_s, count))
    return curve


def _delivered(looks: Sequence[Sample], arrived: Curve) -> Curve:
    """Tasks that had been delivered by each look. What is given back to the queue does not count a second time."""
    by = _Reader(arrived)
    curve: Curve = []
    most = 0.0
    for look in looks:
        at_s = look.at - looks[0].at
        most = max(most, by.count_at(at_s) - (look.backlog or 0))
        curve.append((at_s, most))
    return curve


class _Reader:
    """Reads a curve from left to right; asked for instants, or for counts, that never fall."""

    def __init__(self, curve: Curve) -> None:
        self._curve = curve
        self._place = 0

    def at_s(self, count: float) -> float:
        """When the curve passed this count; the first instant where it began above it."""
        curve = self._curve
        while self._place < len(curve) - 1 and curve[self._place][1] < count:
            self._place += 1
        to_s, above = curve[self._place]
        if not self._place:
            return to_s
        from_s, below = curve[self._place - 1]
        return from_s + (to_s - from_s) * (count - below) / (above - below) if above > below else to_s

    def count_at(self, at_s: float) -> float:
        """How many by this instant."""
        curve = self._curve
        while self._place < len(curve) - 1 and curve[self._place][0] < at_s:
            self._place += 1
        to_s, above = curve[self._place]
        if not self._place or to_s <= at_s:
            return above
        from_s, below = curve[self._place - 1]
        return below + (above - below) * (at_s - from_s) / (to_s - from_s)
