"""What is done with the machines, and what must be so: each act waits for its conditions and fails by naming one.

In go a running `Stage` and a pool; out come measurements. Deadlines are generous, for machines may be emulated on a
busy computer; what is waited for is always a condition. What never happens here: a figure that was not seen.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from autoscaler.core.reports import Phase
from testbed.endtoend import phases
from testbed.endtoend.phases import Phases
from testbed.endtoend.place import CEILING, SLOTS
from testbed.endtoend.stage import Stage
from testbed.virtual.depot import Receipt

BOOT_S = 1200.0
"""An emulated machine of the plain image takes two minutes on an idle computer."""
WORK_S = 900.0
HEARD_S, CELERY_SHARE = 10.0, 1.2
"""From the network to the worker's first word."""
_LONG_S = 90.0
"""A task that is under way while its machine is drained."""
_DOWN_S = 20.0
"""supervisord would have started a worker again within a second, and it would have been heard within this time."""


class NotSo(AssertionError):
    """What an act says must be so was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """A drain that was seen from its beginning to the end of the machine."""

    node: str
    drain_s: float
    tasks_in_hand: int


def enrol(stage: Stage, pool: str) -> Phases:
    """One task calls for one machine; its road is measured while nothing else goes on."""
    before = set(stage.states(pool))
    (number,) = stage.send(pool, [1.0])
    node = stage.wait(lambda: sorted(set(stage.states(pool)) - before), 120, f"{pool} to order a machine")[0]
    # It is kept to be looked at; whoever goes on resumes the pool.
    stage.order("hold", pool, "1", "--for", "2h")
    measured = heard(stage, pool, node)
    began = stage.wait(
        lambda: _of(stage, "began", range(number, number + 1)), WORK_S, f"task {number} to begin"
    )
    task_s = round(began[0].at - stage.ordered_at(node), 1)
    return replace(measured, order_to_first_task_s=task_s, reported=_reported(stage, node))


def _reported(stage: Stage, node: str) -> dict[str, float]:
    """The boot as the daemon knows it by the machine's own reports; no phase may be missing, nor the disk."""

    def whole() -> dict[str, Any]:
        boot = stage.boot(node)
        return boot if set(Phase) <= set(seconds(boot)) and boot["disk"] else {}

    return seconds(stage.wait(whole, WORK_S, f"every phase of {node} to be reported"))


def seconds(boot: Mapping[str, Any]) -> dict[str, float]:
    """Of each phase of a boot that `autoscaler nodes NODE --json` shows."""
    return {each["phase"]: round(each["took_s"], 1) for each in boot.get("phases", ())}


def heard(stage: Stage, pool: str, node: str) -> Phases:
    """Wait until a machine's worker is heard, and ask the machine where its time went."""
    began = stage.wait(lambda: stage.ears.began(node), BOOT_S, f"the worker of {node} to be heard")
    stage.wait(lambda: stage.moved_at(node, "ready"), 120, f"{node} to enrol")
    return phases.read(
        stage.park.named(node), image=pool, ordered_at=stage.ordered_at(node), heard_at=began[0]
    )


def flood(stage: Stage, pool: str, tasks: int, seconds: float) -> list[Phases]:
    """More work than one machine should do: the pool must come to its ceiling, and all machines work at once.

    Half of the tasks calls for the machines, the other half comes when they are there. Returns the roads of those that
    came for it.
    """
    before = set(stage.standing(pool))
    first = stage.send(pool, [seconds] * (tasks // 2))
    stage.wait(lambda: len(stage.standing(pool)) == CEILING, 120, f"{pool} to order {CEILING} machines")
    # Machines that are slow to boot may find the work done; they are kept to be looked at.
    stage.order("hold", pool, str(CEILING), "--for", "2h")
    nodes = stage.standing(pool)
    measured = [heard(stage, pool, node) for node in nodes if node not in before]
    stage.wait(lambda: len(stage.standing(pool, "ready")) == CEILING, BOOT_S, f"{CEILING} workers of {pool}")
    second = stage.send(pool, [seconds] * (tasks - tasks // 2))
    for numbers in (first, second):
        stage.wait(partial(_all_ended, stage, numbers), WORK_S, f"{tasks} tasks of {pool} to end")
    at_work = {each.node for each in _of(stage, "ended", second)}
    if at_work != set(nodes):
        raise NotSo(f"{pool}: of {nodes} only {sorted(at_work)} worked on the second half of the flood")
    return measured


def restart(stage: Stage, node: str) -> float:
    """`kill -9` of a worker: supervisord must bring it back. Seconds from the new process to its first word."""
    times = len(stage.ears.began(node))
    old = kill_worker(stage, node)
    began = stage.wait(
        lambda: stage.ears.began(node)[times:], BOOT_S, f"supervisord to bring the worker of {node} back"
    )
    again = phases.look(stage.park.named(node)).worker
    if again is None or again.pid == old:
        raise NotSo(f"{node}: the worker's process was {old} and is {again} after it was killed")
    return round(began[0] - again.began_at, 1)


def soon_enough(network_to_heard_s: float | None, celery_s: float) -> float:
    """A golden machine has its worker heard within 10 s of its network; where it is emulated, and Celery alone takes
    longer than that there, within 1.2 times as long as that. Returns the share of Celery's own start."""
    if network_to_heard_s is None or network_to_heard_s > max(HEARD_S, CELERY_SHARE * celery_s):
        raise NotSo(f"heard {network_to_heard_s} s after its network, while Celery alone takes {celery_s} s")
    return round(network_to_heard_s / celery_s, 2)


def kill_worker(stage: Stage, node: str) -> str:
    """`kill -9`, without a word to supervisord; the process id that it had."""
    machine = stage.park.named(node)
    worker = phases.look(machine).worker
    if worker is None:
        raise NotSo(f"{node}: no worker runs that could be killed")
    done = machine.agent.run("/bin/kill", "-9", worker.pid)
    if done.code:
        raise NotSo(f"{node}: the worker could not be killed: {done.output}")
    return worker.pid


def drain(stage: Stage, pool: str) -> Drained:
    """One machine fewer while all of them work: it must finish what it holds before it ends."""
    numbers = _busy(stage, pool)
    node, began_at = _draining(stage, pool)
    in_hand = [each for each in _of(stage, "began", numbers) if each.node == node]
    stage.wait(lambda: stage.moved_at(node, "gone"), WORK_S, f"{node} to be drained and gone")
    destroying_at = stage.moved_at(node, "destroying") or 0.0
    ended = {each.number: each for each in _of(stage, "ended", numbers) if each.node == node}
    for each in in_hand:
        if each.number not in ended or not began_at < ended[each.number].at < destroying_at:
            raise NotSo(f"{node} held task {each.number} when it was drained, and was ended before the task")
    if not in_hand:
        raise NotSo(f"{node} held no task when it was drained")
    stage.wait(lambda: _all_ended(stage, numbers), WORK_S, "the other machine's tasks to end")
    return _drained(stage, node, began_at, len(in_hand))


def kill_in_drain(stage: Stage, pool: str) -> Drained:
    """`kill -9` of a worker that is being drained: it must stay down, and others do what it held."""
    numbers = _busy(stage, pool)
    node, began_at = _draining(stage, pool)
    in_hand = [each for each in _of(stage, "began", numbers) if each.node == node]
    times = len(stage.ears.began(node))
    kill_worker(stage, node)
    until = time.monotonic() + _DOWN_S
    while time.monotonic() < until and not stage.moved_at(node, "destroying"):
        if len(stage.ears.began(node)) > times:
            raise NotSo(f"{node}: a worker was started again in the middle of its drain")
        time.sleep(0.5)
    stage.wait(lambda: _all_ended(stage, numbers), WORK_S, "the other machine to do all tasks")
    stage.wait(lambda: stage.moved_at(node, "gone"), WORK_S, f"{node} to be gone")
    if len(stage.ears.began(node)) > times:
        raise NotSo(f"{node}: a worker was started again after it was drained")
    return _drained(stage, node, began_at, len(in_hand))


def _drained(stage: Stage, node: str, began_at: float, in_hand: int) -> Drained:
    gone_at = stage.moved_at(node, "gone") or 0.0
    return Drained(node=node, drain_s=round(gone_at - began_at, 1), tasks_in_hand=in_hand)


def empty(stage: Stage, pool: str) -> None:
    """Work is done: the pool must give back all machines by itself."""
    stage.order("resume", pool)
    stage.wait(lambda: not stage.standing(pool), WORK_S, f"{pool} to drain to nothing")


def _busy(stage: Stage, pool: str) -> range:
    """Every slot of the pool's machines, all of which serve, holds a long task, and nothing waits."""
    numbers = stage.send(pool, [_LONG_S] * (CEILING * SLOTS))
    stage.wait(lambda: len(_of(stage, "began", numbers)) >= len(numbers), WORK_S, "every slot to be busy")
    return numbers


def _draining(stage: Stage, pool: str) -> tuple[str, float]:
    """Wish for one machine fewer. The node that the daemon drains, and since when."""
    stage.order("hold", pool, str(CEILING - 1), "--for", "2h")
    node = stage.wait(lambda: stage.standing(pool, "draining"), 120, f"{pool} to drain a machine")[0]
    return node, stage.moved_at(node, "draining") or 0.0


def _of(stage: Stage, what: str, numbers: range) -> list[Receipt]:
    return [each for each in stage.depot.told(what) if each.number in numbers]


def _all_ended(stage: Stage, numbers: range) -> bool:
    return set(numbers) <= {each.number for each in stage.depot.told("ended")}


def done(stage: Stage) -> Counter[int]:
    """How often each task ended."""
    return Counter(each.number for each in stage.depot.told("ended"))
