"""Hetzner Cloud as a world of the contract suite: a project on loopback whose listings lag and whose ends linger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from providers.contract import Purchase
from testbed.clouds import hetzner
from testbed.clouds.machines import Habits, Machine
from tests.contract.loopback import LoopbackWorld

SLOW = Habits(boot_s=8.0, list_lag_s=3.0, ending_s=4.0, list_tail_s=2.0)


def _mark(machine: Machine) -> tuple[str, str]:
    labels = machine.body["labels"]
    return labels.get("autoscaler-fleet", ""), labels.get("autoscaler-node", "")


@contextmanager
def open_world(directory: Path) -> Iterator[LoopbackWorld]:
    """A project with nothing in it."""
    with (
        hetzner.serving(SLOW) as cloud,
        LoopbackWorld(
            cloud,
            options={"driver": "hetzner", "token": hetzner.TOKEN},
            purchase=Purchase(size="cx23", image="debian-13", location="fsn1", user_data_bytes=100),
            mark=_mark,
            tells_of_cut_listings=True,
        ) as world,
    ):
        yield world
