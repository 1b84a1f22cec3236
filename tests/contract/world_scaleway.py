"""Scaleway as a world of the contract suite: a project's zone on loopback whose listings lag and whose ends linger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from providers.contract import Purchase
from testbed.clouds import scaleway
from testbed.clouds.machines import Habits, Machine
from tests.contract.loopback import LoopbackWorld

# A server that starts cannot be ended: it has started before a listing shows it.
SLOW = Habits(boot_s=2.0, list_lag_s=3.0, ending_s=4.0, list_tail_s=2.0)


def _mark(machine: Machine) -> tuple[str, str]:
    marks = dict(tag.split(":", 1) for tag in machine.body["tags"])
    return marks.get("autoscaler-fleet", ""), marks.get("autoscaler-node", "")


@contextmanager
def open_world(directory: Path) -> Iterator[LoopbackWorld]:
    """A zone with nothing in it."""
    with (
        scaleway.serving(SLOW) as cloud,
        LoopbackWorld(
            cloud,
            options={
                "driver": "scaleway",
                "secret_key": scaleway.SECRET_KEY,
                "project": scaleway.PROJECT,
                "zone": scaleway.ZONE,
            },
            purchase=Purchase(
                size="DEV1-S", image=scaleway.IMAGE, location=scaleway.ZONE, user_data_bytes=100
            ),
            mark=_mark,
            tells_of_cut_listings=True,
        ) as world,
    ):
        yield world
