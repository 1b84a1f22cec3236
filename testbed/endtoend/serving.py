"""The service on a server, as systemd and its own commands show it.

In go a running `Stage` and the machine, out come ticks, orders, properties and what commands say. What never happens
here: a step of an installation.
"""

from __future__ import annotations

import json
import time
from typing import Any

from testbed.endtoend import acts
from testbed.endtoend.acts import NotSo
from testbed.endtoend.server import FLEET, NAME, QUEUE, run
from testbed.endtoend.stage import Stage
from testbed.virtual.machine import VirtualMachine

_BACK_S = 240.0
"""Five seconds of rest, a start on a small machine that may be emulated, and a first tick."""
_WATCHDOG_S = 120.0
"""What the daemon tells systemd to wait for a beat at its pace of 5 s (91 s), and the end of one that is stopped."""
_JOURNAL = "journalctl --no-pager -o cat -u autoscaler"


def ticks(stage: Stage, machine: VirtualMachine, after: float) -> float:
    """Wait for a tick after that one, while the service is active. When it was, by the server's clock."""

    def ticked() -> float:
        state = shown(machine, "ActiveState")
        if state not in {"active", "activating"}:
            raise NotSo(f"{NAME}: the service is {state}")
        # Until the first tick there is no journal, which the command says in words and not as a document.
        said = run(machine, "autoscaler status --json 2>/dev/null || :")
        daemon = json.loads(said)["daemon"] if said else {"running": False, "last_tick_at": None}
        at = float(daemon["last_tick_at"] or 0.0)
        return at if daemon["running"] and at > after else 0.0

    return stage.wait(ticked, acts.WORK_S, f"the daemon on {NAME} to tick")


def orders(stage: Stage) -> list[str]:
    """The names of all machines that this fleet's daemon ever ordered, an order that was sent twice twice."""
    asked = [each.asked for each in stage.cloud.server.exchanges]
    made = [each.parts for each in asked if (each.method, each.path) == ("POST", "/v2/droplets")]
    return [str(order["name"]) for order in made if str(order["name"]).startswith(f"{FLEET}-")]


def shown(machine: VirtualMachine, name: str) -> str:
    """A property of the service."""
    return run(machine, f"systemctl show --value --property={name} autoscaler").strip()


def told(machine: VirtualMachine, command: str) -> Any:
    """What a command of the daemon's computer says."""
    return json.loads(run(machine, f"autoscaler {command} --json"))


def killed(stage: Stage, machine: VirtualMachine) -> float:
    """`kill -9`. Seconds until the first tick of the next one."""
    return _dies(stage, machine, "KILL", _BACK_S)


def wedged(stage: Stage, machine: VirtualMachine) -> float:
    """Stopped whole, so that it ticks no more and cannot be asked to end. The same seconds, the watchdog's in them."""
    took_s = _dies(stage, machine, "STOP", _WATCHDOG_S + _BACK_S)
    if "Watchdog timeout" not in run(machine, _JOURNAL):
        raise NotSo(f"{NAME}: the daemon was stopped whole, and it was not the watchdog that ended it")
    return took_s


def _dies(stage: Stage, machine: VirtualMachine, signal: str, longest_s: float) -> float:
    """Send that to the daemon. Seconds until the next one has started, which is when its first tick was written."""
    pid, at = shown(machine, "MainPID"), time.monotonic()
    run(machine, f"kill -s {signal} {pid}")

    def is_back() -> bool:
        return shown(machine, "MainPID") not in {pid, "0"} and shown(machine, "ActiveState") == "active"

    stage.wait(is_back, longest_s, f"the daemon on {NAME} to be back after SIG{signal}")
    return round(time.monotonic() - at, 1)


def reload(machine: VirtualMachine) -> None:
    """A change that the running daemon takes in, and one that it refuses: systemd's word is the daemon's verdict."""
    pid, config = shown(machine, "MainPID"), "/etc/autoscaler/config.toml"
    run(machine, f"sed -i 's/^max_workers = 1$/max_workers = 2/' {config} && systemctl reload autoscaler")
    refused = run(
        machine,
        f"sed -i 's/^max_workers = 2$/max_wrokers = 2/' {config}\n"
        f"if systemctl reload autoscaler; then echo taken; else echo refused; fi\n"
        f"sed -i 's/^max_wrokers = 2$/max_workers = 2/' {config}",
    )
    said = run(machine, _JOURNAL)
    taken = f"{QUEUE}: max_workers 1 \\u2192 2" in said
    if not taken or "refused" not in refused or "max_wrokers" not in said or shown(machine, "MainPID") != pid:
        raise NotSo(f"{NAME}: after two reloads, one of them refused: {taken=}, {refused!r}")
