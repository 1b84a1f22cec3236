"""How a policy fared: waits, the promise kept or not, and the bill, from a world that was run and its machines' lives.

What never happens here: an average over runs, or an opinion about which outcome is better.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice

from autoscaler.study.contract import Outcome, Terms, Workload
from autoscaler.study.world import World

HOUR_S = 3600.0
LEAST_QUANTUM_S = 60
"""A shorter unit of billing counts as none: seconds are billed as they are."""
NOISE = 1e-9
"""Of a quantum: what sums of binary fractions may be off by, and no machine is billed for."""
SAME_INSTANT_S = 1e-6
"""A wait may be off by this, for the same reason."""


def billed_s(life_s: float, quantum_s: float) -> float:
    """Seconds billed for one machine: its life in whole quanta, begun ones included; exact for a quantum below 60 s.

    ValueError for a life that is negative or not finite.
    """
    if not 0 <= life_s < math.inf:
        raise ValueError(f"a machine lived {life_s} seconds; expected a finite number, not negative")
    if quantum_s < LEAST_QUANTUM_S or life_s == 0:
        return life_s
    return max(math.ceil(life_s / quantum_s - NOISE), 1) * quantum_s


def bill_s(ordered_s: float, gone_s: float, quantum_s: float) -> float:
    """Seconds billed for one machine from second 0 on: of one that was ordered before, what was not paid by then."""
    before_s = billed_s(-ordered_s, quantum_s) if ordered_s < 0.0 else 0.0
    return billed_s(gone_s - ordered_s, quantum_s) - before_s


def nearest_rank(ordered: Sequence[float], percent: int) -> float:
    """The smallest of these ascending values that `percent` % of them do not exceed; 0 where there are none.

    Nearest rank: always one of the values, nothing between two. `percent` is from 1 to 100.
    """
    if not ordered:
        return 0.0
    return ordered[-(-len(ordered) * percent // 100) - 1]


def outcome(
    policy: str,
    workload: Workload,
    world: World,
    lives: Sequence[tuple[float, float]],
    creates: int,
    destroys: int,
    nodes_peak: int,
    terms: Terms,
) -> Outcome:
    """The outcome of this workload in this world as it stands; `lives` is (ordered_at_s, gone_at_s) of each machine.

    A task still queued for the first time counts in the quantiles with what it has waited so far, which flatters less
    than leaving it out. A task of the workload that has not arrived counts as late too. No tasks at all are in time.
    ValueError for a machine gone before it was ordered.
    """
    queued = islice(workload.submit_s, world.started, world.arrived)
    waits_s = sorted([*world.waits_s, *(world.now_s - sent_s for sent_s in queued)])
    in_time = sum(wait_s <= terms.target_wait_s + SAME_INSTANT_S for wait_s in world.waits_s)
    hours = math.fsum(bill_s(ordered_s, gone_s, terms.quantum_s) for ordered_s, gone_s in lives) / HOUR_S
    return Outcome(
        policy=policy,
        cost=hours * terms.price_per_h,
        node_hours_billed=hours,
        node_hours_busy=world.busy_s / terms.slots / HOUR_S,
        wait_p50_s=nearest_rank(waits_s, 50),
        wait_p95_s=nearest_rank(waits_s, 95),
        wait_p99_s=nearest_rank(waits_s, 99),
        wait_max_s=nearest_rank(waits_s, 100),
        within_target=in_time / len(workload) if len(workload) else 1.0,
        tasks_arrived=world.arrived,
        tasks_done=world.done,
        # Acknowledged at their end and given back by machines that go, tasks are where they are counted, or lost.
        tasks_lost=world.arrived - world.backlog - world.in_progress - world.done,
        tasks_redelivered=world.redelivered,
        creates=creates,
        destroys=destroys,
        nodes_peak=nodes_peak,
    )
