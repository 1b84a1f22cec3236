"""Machines that cannot become workers: one whose application cannot be installed, and one whose disk is too slow.

In go a running `Stage` and a pool whose first machine is such a one; out comes how it was found, ended and replaced.
The pool's deadline for enrolling is half an hour, so an end within minutes is the machine's own word. What never
happens here: a machine that is mended; the one after it is like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from testbed.clouds.machines import Machine
from testbed.endtoend import acts
from testbed.endtoend.acts import NotSo
from testbed.endtoend.phases import Phases
from testbed.endtoend.place import FLEET, SLOW
from testbed.endtoend.stage import Stage
from testbed.virtual.park import Peculiar, Peculiarity

SLOW_IOPS = 100
"""A read takes 10 ms then, twice as long as the daemon lets a disk take where nothing is configured."""
RELEASE = "/simple/shop-tasks"
"""Where the index of packages has the application."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """What became of the first machine, as the daemon tells it, and the road of the second."""

    node: str
    phase: str
    """In which it failed."""
    says: str
    order_to_failed_s: float
    """Until the daemon acted on the machine's word."""
    failed_to_gone_s: float
    order_to_next_order_s: float
    order_to_task_s: float
    """From the first order until the second machine had done the task."""
    reported: dict[str, float]
    disk: dict[str, float] | None
    log_lines: int
    next: Phases


def one_slow_disk() -> Peculiarity:
    """The first machine of the slow pool has a slow disk; all others have what there is."""
    slow: list[str] = []

    def of(machine: Machine, _number: int) -> Peculiar:
        if slow or not machine.name.startswith(f"{FLEET}-{SLOW}-"):
            return Peculiar()
        slow.append(machine.name)
        return Peculiar(disk_iops=SLOW_IOPS)

    return of


def replace(stage: Stage, pool: str, phase: str, sign: str, mend: Callable[[], None]) -> tuple[Replaced, str]:
    """One task calls for a machine, which fails in that phase; `mend` is done then, and the next does the task.

    `sign` must stand in the log that the failed one sent. Returns what `autoscaler nodes NODE` shows of it, too.
    """
    before = set(stage.states(pool))
    (number,) = stage.send(pool, [1.0])
    node = stage.wait(lambda: sorted(set(stage.states(pool)) - before), 120, f"{pool} to order a machine")[0]
    stage.order("hold", pool, "1", "--for", "2h")
    ended = stage.wait(
        lambda: [each for each in stage.moves(node) if each["before"] == "booting"],
        acts.BOOT_S,
        f"{node} to be given up",
    )[0]
    if f"its boot failed in phase {phase}" not in ended["reason"]:
        raise NotSo(f"{node}: was to fail in phase {phase}, and the daemon says: {ended['reason']}")
    mend()
    other = stage.wait(
        lambda: sorted(set(stage.states(pool)) - before - {node}), acts.BOOT_S, f"{pool} to replace {node}"
    )[0]
    measured = acts.heard(stage, pool, other)
    done = stage.wait(
        lambda: [each for each in stage.depot.told("ended") if each.number == number],
        acts.WORK_S,
        f"task {number} to end",
    )[0]
    gone_at = stage.wait(lambda: stage.moved_at(node, "gone"), acts.WORK_S, f"{node} to be gone")
    if stage.ears.began(node) or done.node != other:
        raise NotSo(f"{pool}: {node} failed, and yet worked; task {number} was done by {done.node}")
    boot, ordered_at = stage.boot(node), stage.moved_at(node, "creating") or 0.0
    if boot["failed"]["phase"] != phase or not any(sign in line for line in boot["log"]):
        raise NotSo(f"{node}: {sign!r} does not stand in the log of phase {phase}: {boot}")
    found = Replaced(
        node=node,
        phase=phase,
        says=boot["failed"]["says"],
        order_to_failed_s=round(ended["at"] - ordered_at, 1),
        failed_to_gone_s=round(gone_at - ended["at"], 1),
        order_to_next_order_s=round((stage.moved_at(other, "creating") or 0.0) - ordered_at, 1),
        order_to_task_s=round(done.at - ordered_at, 1),
        reported=acts.seconds(boot),
        disk=boot["disk"],
        log_lines=len(boot["log"]),
        next=measured,
    )
    return found, stage.order("nodes", node)
