"""DigitalOcean as a world of the contract suite: an account on loopback whose listings lag and whose ends linger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from providers.contract import Purchase
from testbed.clouds import digitalocean
from testbed.clouds.machines import Habits, Machine
from tests.contract.loopback import LoopbackWorld

SLOW = Habits(boot_s=8.0, list_lag_s=3.0, ending_s=4.0, list_tail_s=2.0)


def _mark(machine: Machine) -> tuple[str, str]:
    tags = dict(tag.rsplit(":", 1) for tag in machine.body["tags"])
    return tags.get("autoscaler-fleet", ""), tags.get("autoscaler-node", "")


@contextmanager
def open_world(directory: Path) -> Iterator[LoopbackWorld]:
    """An account with nothing in it."""
    with (
        digitalocean.serving(SLOW) as cloud,
        LoopbackWorld(
            cloud,
            options={"driver": "digitalocean", "token": digitalocean.TOKEN},
            purchase=Purchase(
                size="s-1vcpu-1gb", image="debian-13-x64", location="fra1", user_data_bytes=100
            ),
            mark=_mark,
            tells_of_cut_listings=True,
        ) as world,
    ):
        yield world
