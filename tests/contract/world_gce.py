"""Google Compute Engine as a world of the contract suite: a project on loopback, slow to list and slow to end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from providers.contract import Purchase
from testbed.clouds import gce
from testbed.clouds.machines import Habits, Machine
from tests.contract.loopback import LoopbackWorld

# A name is free again when its machine is gone, and not while it ends; the suite takes names up again at once.
SLOW = Habits(boot_s=8.0, list_lag_s=3.0, list_tail_s=6.0)


def _mark(machine: Machine) -> tuple[str, str]:
    labels = machine.body["labels"]
    return labels.get("autoscaler-fleet", ""), labels.get("autoscaler-node", "")


@contextmanager
def open_world(directory: Path) -> Iterator[LoopbackWorld]:
    """A project with nothing in it."""
    with (
        gce.serving(SLOW) as cloud,
        LoopbackWorld(
            cloud,
            options={
                "driver": "gce",
                "service_account": gce.service_account(cloud),
                "project": gce.PROJECT,
            },
            purchase=Purchase(
                size="e2-small", image=gce.IMAGES[0], location="europe-west1-b", user_data_bytes=100
            ),
            mark=_mark,
            tells_of_cut_listings=True,
        ) as world,
    ):
        yield world
