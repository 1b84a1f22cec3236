"""The service on a server, as systemd and its own commands show it.

In go a running `Stage` and the machine, out come ticks, orders, properties and what commands say. What never happens
here: a step of an installation.
"""

from __future__ import annotations

import json
from typing import Any

from testbed.endtoend import acts
from testbed.endtoend.acts import NotSo
from testbed.endtoend.server import FLEET, NAME, run
from testbed.endtoend.stage import Stage
from testbed.virtual.machine import VirtualMachine


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
