"""Workers that are heard and take nothing up: who they are, for how long, and which of them is replaced.

Celery counts a task as it starts, so a worker that has a free slot and whose count stands still while messages wait for
it does not consume, whatever it says (celery#3201). One whose slots are all busy is never judged by that: its tasks may
be long. Facts and records go in; what comes out is remembered, or a choice for the plan. Nothing is moved here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from autoscaler.core import moves
from autoscaler.core.facts import SIGHTINGS_CLOCK, Memory, Missing, Sighting, Snapshot, Standstill
from autoscaler.core.lifecycle import ARRIVING, NodeState
from autoscaler.core.model import ConsumerOrder, Node, PoolName, PoolRules, Timeouts
from policies.contract import Demand
from providers.contract import NodeName

_SHARE_LEAVING = 0.1
"""Of a pool's serving workers, at least one: so many may be leaving to be replaced at a time."""
_TRIAL_AFTER = 2.0
"""Of `timeouts.stall`: a pool that stands still as a whole is mostly no fault of its workers."""
_CURE_AFTER = 0.5
"""Of `timeouts.stall`: then the worker is told to consume again, which costs nothing and cures a lost consumer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is to be done about one pool's workers that stand still."""

    cured: tuple[Node, ...] = ()
    """To be told to consume again."""
    replaced: tuple[tuple[Node, str], ...] = ()
    """To be drained for good, each with the reason."""
    remark: str = ""


def watch(
    snapshot: Snapshot,
    nodes: Iterable[Node],
    rules: Mapping[PoolName, PoolRules],
    clocks: Mapping[str, float],
) -> dict[NodeName, Standstill]:
    """Every serving worker that stands still now, and since when. What could not be seen changes nothing."""
    found, now_on = {}, clocks.get(SIGHTINGS_CLOCK, 0.0)
    for node in nodes:
        pool = rules.get(node.pool)
        if node.state is NodeState.READY and pool is not None:
            still = _standstill(node, pool.timeouts, snapshot, now_on)
            if still is not None:
                found[node.name] = still
    return found


def judge(pool: PoolRules, nodes: tuple[Node, ...], snapshot: Snapshot, memory: Memory) -> Judged:
    """Who is to be cured and who to be replaced; nobody while workers or demand cannot be seen.

    Where nobody makes progress it is most likely the broker, the tasks or what they depend on: then nobody is replaced
    for standing still but one as a trial, and the remark says so. A task that runs longer than `timeouts.task` is its
    own worker's matter.
    """
    times, demand = pool.timeouts, snapshot.demand.get(pool.name)
    if isinstance(snapshot.sightings, Missing) or not isinstance(demand, Demand):
        return Judged()
    heard = snapshot.sightings.workers
    serving = [n for n in nodes if n.state is NodeState.READY]
    stalls = {n.name: s for n in serving if (s := memory.stalls.get(n.name)) is not None}
    if not stalls:
        return Judged()
    stalled = [n for n in serving if n.name in stalls]
    starved = {n.name for n in stalled if 0 < times.stall_s <= stalls[n.name].starved_s}
    at_work = any(_takes_up(heard.get(n.worker)) for n in serving if n.name not in starved)
    now_on = memory.clocks.get(SIGHTINGS_CLOCK, 0.0)
    trial = None if at_work else _trial(nodes, stalls, starved, times)
    reasons: dict[NodeName, str] = {}
    for node in stalled:
        still, word = stalls[node.name], heard.get(node.worker)
        if node.name == trial:
            waited_s = f"{still.starved_s:.0f} s"
            reasons[node.name] = (
                f"nobody took up a task for {waited_s} while messages waited: replaced on trial"
            )
        elif node.name in starved and at_work:
            waited_s = f"{still.starved_s:.0f} s"
            reasons[node.name] = f"it took up no task for {waited_s} while messages waited: to be replaced"
        elif word is not None and word.active and now_on - still.since_on >= times.task_s > 0:
            reasons[node.name] = f"its tasks run longer than {times.task_s:.0f} s: to be replaced"
    leaving = sum(_leaves_for_good(n, times, memory) for n in nodes)
    room = max(1, int(len(serving) * _SHARE_LEAVING)) - leaving
    longest_first = sorted(
        (n for n in stalled if n.name in reasons), key=lambda n: (stalls[n.name].since_on, n.name)
    )
    return Judged(
        cured=tuple(n for n in stalled if _is_news(n, stalls[n.name], snapshot.memory, times)),
        replaced=tuple((n, reasons[n.name]) for n in longest_first[: max(0, room)]),
        remark=_remark(len(starved), len(serving), times, at_work=at_work),
    )


def _trial(
    nodes: tuple[Node, ...], stalls: Mapping[NodeName, Standstill], starved: set[NodeName], times: Timeouts
) -> NodeName | None:
    """Of a pool that stands still as a whole, the one to be replaced to see whether a new worker fares better.

    All of them may have lost their consumers when the broker went away. All must have worked once and starve for twice
    the time, and none may be on its way: a new one that starves too, and so never worked, is the answer no, and nobody
    else is replaced.
    """
    serving = [n.name for n in nodes if n.state is NodeState.READY]
    arriving = any(n.state in ARRIVING for n in nodes)
    if arriving or not serving or any(n not in starved or not stalls[n].processed for n in serving):
        return None
    longest = min(serving, key=lambda n: (-stalls[n].starved_s, n))
    return longest if stalls[longest].starved_s >= _TRIAL_AFTER * times.stall_s else None


def news(
    before: Memory, after: Memory, nodes: Iterable[Node], rules: Mapping[PoolName, PoolRules]
) -> tuple[tuple[Node, float], ...]:
    """The nodes that are to be suspected from this tick on, with the seconds for which they have been starving."""
    return tuple(
        (node, still.starved_s)
        for node in nodes
        if (still := after.stalls.get(node.name)) is not None and node.pool in rules
        if _is_news(node, still, before, rules[node.pool].timeouts)
    )


def _standstill(node: Node, times: Timeouts, snapshot: Snapshot, now_on: float) -> Standstill | None:
    before = snapshot.memory.stalls.get(node.name)
    if isinstance(snapshot.sightings, Missing):
        return before
    heard = snapshot.sightings.workers.get(node.worker)
    if heard is None or not heard.online:
        return before
    if heard.active is None or heard.processed is None:
        return None
    if before is not None and (before.pid, before.processed) != (heard.pid, heard.processed):
        before = None  # it took something up, or is another process
    demand = snapshot.demand.get(node.pool)
    if isinstance(demand, Demand):
        blind, starving = False, _starves(node, heard.active, demand)
    else:
        blind, starving = True, before is not None and before.starving
    if not (times.stall_s > 0 and starving) and not (times.task_s > 0 and heard.active):
        return None
    if before is None:
        before = Standstill(pid=heard.pid, processed=heard.processed, since_on=now_on)
    both = before.starving and starving and not blind
    starved_s = before.starved_s + (snapshot.elapsed_s if both else 0.0) if starving else 0.0
    if (before.starving, before.starved_s) == (starving, starved_s):
        return before  # as of most that run something long
    # By name, for a whole fleet may stand still at once, and `replace` takes twice as long.
    return Standstill(
        pid=before.pid,
        processed=before.processed,
        since_on=before.since_on,
        starving=starving,
        starved_s=starved_s,
    )


def _starves(node: Node, active: int, demand: Demand) -> bool:
    """Whether messages wait in a queue that this worker consumes, and it has a slot for them."""
    if active >= node.slots:
        return False
    known = False
    for queue in demand.queues:
        if queue.name in node.queues:
            known = True
            if queue.backlog > 0:
                return True
    # An order by an older configuration may name other queues than those that demand is seen of.
    return not known and demand.backlog > 0


def _takes_up(heard: Sighting | None) -> bool:
    """Whether a worker took up a task in the last minute, by its own word."""
    return heard is not None and (heard.processed_per_s or 0.0) > 0


def _is_news(node: Node, still: Standstill, before: Memory, times: Timeouts) -> bool:
    """Whether it has been starving for long enough to be suspected, and had not on the tick before."""
    suspect_s = times.stall_s * _CURE_AFTER
    earlier = before.stalls.get(node.name)
    known = earlier is not None and earlier.since_on == still.since_on and earlier.starved_s >= suspect_s
    return 0 < suspect_s <= still.starved_s and not known


def _leaves_for_good(node: Node, times: Timeouts, memory: Memory) -> bool:
    """Whether it is on its way out and not to come back. One that drains far too long makes room for the next."""
    leaving = node.state is NodeState.DRAINING and node.consumer_order is ConsumerOrder.LEAVE
    return leaving and moves.lasted_s(node, memory.clocks) < times.drain_s


def _remark(starved: int, serving: int, times: Timeouts, *, at_work: bool) -> str:
    if not starved:
        return ""
    then = (
        "they are replaced one after another"
        if at_work
        else "nobody makes progress, so only one that worked before is replaced, on trial: "
        "look at the broker, the tasks and what they depend on"
    )
    return f"{starved} of {serving} workers took up no task for {times.stall_s:.0f} s while messages waited: {then}"
