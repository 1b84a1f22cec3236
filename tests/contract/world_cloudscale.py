"""cloudscale.ch as a world of the contract suite: a project on loopback whose listings lag and whose ends linger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from providers.contract import Purchase
from testbed.clouds import cloudscale
from testbed.clouds.machines import Habits, Machine
from tests.contract.loopback import LoopbackWorld

SLOW = Habits(boot_s=8.0, list_lag_s=3.0, ending_s=4.0, list_tail_s=2.0)


def _mark(machine: Machine) -> tuple[str, str]:
    tags = machine.body["tags"]
    return tags.get("autoscaler-fleet", ""), tags.get("autoscaler-node", "")


@contextmanager
def open_world(directory: Path) -> Iterator[LoopbackWorld]:
    """A project with nothing in it."""
    with (
        cloudscale.serving(SLOW) as cloud,
        LoopbackWorld(
            cloud,
            options={
                "driver": "cloudscale",
                "token": cloudscale.TOKEN,
                "ssh_keys": ["ssh-ed25519 AAAA people"],
            },
            purchase=Purchase(size="flex-4-2", image="debian-13", location="rma1", user_data_bytes=100),
            mark=_mark,
        ) as world,
    ):
        yield world
