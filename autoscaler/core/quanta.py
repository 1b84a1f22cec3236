"""Paid time: a machine whose quantum is paid to its end stays until near that end, for nothing is saved before it.

Records and an instant go in, yes or no comes out. Quanta shorter than ten minutes are as none: what they would save is
less than what a drain takes. What never happens here: a choice who leaves.
"""

from __future__ import annotations

from autoscaler.core.model import Node
from policies.contract import LONG_QUANTUM_S

PAID_ANEW = "it was still at work when its next billing quantum began"
"""Why a drain is taken back although nobody is wanted."""
_TASKS_TO_FINISH = 4.0
"""A worker amid tasks has so many task times to finish: among exponential ones 1 in 55 takes longer."""
_MOST_EARLY = 0.15
"""Part of the quantum, for pools of long tasks: what would be given away by leaving earlier is worth more."""


def is_long(node: Node) -> bool:
    """Whether the machine is billed in quanta that are worth waiting for."""
    return node.offer.quantum_s >= LONG_QUANTUM_S


def left_s(node: Node, at: float) -> float:
    """Seconds until the quantum ends that is paid now."""
    return node.offer.quantum_s - _into_s(node, at)


def is_due(
    node: Node, at: float, *, drain_s: float, in_hand: int, task_s: float, many_s: float = 0.0
) -> bool:
    """Whether it is time to leave: a drain begun later would end after the next quantum began.

    `drain_s` is how long an idle worker's drain takes, `task_s` how long a task runs, `many_s` how long it takes to
    destroy all that are too many.
    """
    if not is_long(node) or 2 * drain_s >= node.offer.quantum_s:
        return True  # shorter than what it takes to leave is as none
    finish_s = min(_TASKS_TO_FINISH * task_s, _MOST_EARLY * node.offer.quantum_s) if in_hand else 0.0
    left = left_s(node, at)
    return drain_s / 2 < left <= drain_s + min(many_s + finish_s, 2 * _MOST_EARLY * node.offer.quantum_s)


def began_while_draining(node: Node, at: float, *, drain_s: float) -> bool:
    """Whether a quantum was begun, and so paid, since it was told to leave: it may as well work until that ends."""
    return is_long(node) and node.entered_at < at - _into_s(node, at) and left_s(node, at) > 2 * drain_s


def _into_s(node: Node, at: float) -> float:
    # By our own clock, which may differ from the provider's, and a little early; it may have been set back since.
    return (at - node.ordered_at) % node.offer.quantum_s
