"""The daemon itself on a virtual machine: installed as docs/installing.md says, at work, killed, wedged, stopped.

In go a running `Stage` and the documentation, whose blocks of shell are run as they stand there; out comes how long
they took and what the daemon did. What never happens here: a step that the documentation does not have.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from testbed.endtoend import acts, server, serving
from testbed.endtoend.acts import NotSo
from testbed.endtoend.server import NAME, QUEUE, ROOT, run
from testbed.endtoend.stage import Stage
from testbed.virtual.machine import VirtualMachine

PAGE = ROOT / "docs" / "installing.md"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TO_CONFIGURE = "/etc/autoscaler/environment"
"""Stands in the block after which the configuration and the secrets are written."""
_ENDED = {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0", "NRestarts": "0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What was seen of a daemon on a server."""

    blocks_s: tuple[float, ...]
    """How long each block of the documentation took."""
    memory_mb: float
    """Of the service, at work."""
    exposure: str
    """What `systemd-analyze security` says of the unit: 0 is shut, 10 is open."""
    node: str
    """The machine that it ordered."""
    restarted_in: str
    """That machine's state when the daemon was restarted."""
    order_to_task_s: float
    machines_ordered: int
    killed_back_s: float
    """From `kill -9` until the next daemon's first tick was written down."""
    wedged_back_s: float
    """The same from a SIGSTOP, by systemd's watchdog."""
    stopped_s: float


def blocks(page: str, *, by_hand: bool = True) -> list[str]:
    """What the documentation tells root to do on the server, in its order: by hand, or with the package before that."""
    package, found, hand = page.partition("\n## By hand\n")
    assert found, "the page tells nothing of an installation by hand"
    return _BLOCK.findall(hand if by_hand else package)


def install(stage: Stage) -> Installed:
    """A droplet, and on it a daemon that buys a machine, is restarted while that boots, and gives it back."""
    with server.droplet(stage) as machine:
        try:
            return _at_work(stage, machine, follow(stage, machine))
        except AssertionError as error:
            log = run(machine, "journalctl --no-pager -n 60 -u autoscaler || :")
            raise NotSo(f"{error}\nThe daemon on {NAME} said:\n{log}") from error


def follow(stage: Stage, machine: VirtualMachine, *, by_hand: bool = True) -> list[float]:
    """Do what the page says. Seconds of each block."""
    took = []
    for block in blocks(PAGE.read_text(encoding="utf-8"), by_hand=by_hand):
        at = time.monotonic()
        run(machine, block)
        took.append(round(time.monotonic() - at, 1))
        if _TO_CONFIGURE in block:
            server.configure(stage, machine)
    return took


def _at_work(stage: Stage, machine: VirtualMachine, took: list[float]) -> Installed:
    before = len(serving.orders(stage))
    ticked_at = serving.ticks(stage, machine, 0.0)
    (number,) = stage.send(QUEUE, [1.0])
    (node,) = stage.wait(
        lambda: serving.orders(stage)[before:], acts.BOOT_S, f"the daemon on {NAME} to order a machine"
    )
    # Read now: it may be given back before all that follows was done.
    ordered_at = stage.wait(lambda: stage.cloud.machines.named(node), acts.WORK_S, f"{node} to be made")[
        0
    ].made_at
    killed_s = serving.killed(stage, machine)
    wedged_s = serving.wedged(stage, machine)
    serving.reload(machine)
    pid = serving.shown(machine, "MainPID")
    run(machine, "systemctl restart autoscaler")
    state = str(serving.told(machine, f"nodes {node}")["nodes"][0]["state"])
    if serving.shown(machine, "MainPID") in {pid, "0"}:
        raise NotSo(f"{NAME}: the daemon was not restarted; it is process {pid} still, or none")
    serving.ticks(stage, machine, ticked_at)
    done = stage.wait(
        lambda: [each for each in stage.depot.told("ended") if each.number == number],
        acts.BOOT_S,
        f"{node} to do task {number}",
    )[0]
    order_to_task_s = round(done.at - ordered_at, 1)
    memory_bytes = int(serving.shown(machine, "MemoryCurrent"))
    exposure = run(machine, "systemd-analyze security --no-pager autoscaler | tail -1")
    stage.wait(lambda: not stage.cloud.machines.named(node), acts.WORK_S, f"{node} to be given back")
    ordered = serving.orders(stage)[before:]
    if done.node != node or ordered != [node]:
        raise NotSo(f"{NAME}: {done.node} did task {number}, and ordered were {ordered}")
    return Installed(
        blocks_s=tuple(took),
        memory_mb=round(memory_bytes / 2**20, 1),
        exposure=exposure.strip().lstrip("→ "),
        node=node,
        restarted_in=state,
        order_to_task_s=order_to_task_s,
        machines_ordered=len(ordered),
        killed_back_s=killed_s,
        wedged_back_s=wedged_s,
        stopped_s=_stop(machine),
    )


def _stop(machine: VirtualMachine) -> float:
    """End the service; it must end by itself, in order. Seconds that took."""
    began_at = time.monotonic()
    run(machine, "systemctl stop autoscaler")
    took_s = time.monotonic() - began_at
    ended = {name: serving.shown(machine, name) for name in _ENDED}
    if ended != _ENDED or serving.told(machine, "status")["daemon"]["running"]:
        raise NotSo(f"{NAME}: the daemon was stopped, and is {ended}")
    return round(took_s, 1)
