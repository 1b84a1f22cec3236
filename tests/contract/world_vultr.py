"""Vultr as a world of the contract suite: an account on loopback whose listings lag and whose ends linger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from providers.contract import Purchase
from testbed.clouds import vultr
from testbed.clouds.machines import Habits, Machine
from tests.contract.loopback import LoopbackWorld

SLOW = Habits(boot_s=8.0, list_lag_s=3.0, ending_s=4.0, list_tail_s=2.0)


def _mark(machine: Machine) -> tuple[str, str]:
    tags = dict(tag.split(":", 1) for tag in machine.body["tags"])
    return tags.get("autoscaler-fleet", ""), tags.get("autoscaler-node", "")


@contextmanager
def open_world(directory: Path) -> Iterator[LoopbackWorld]:
    """An account with nothing in it."""
    with (
        # More than the real one allows: the suite asks as fast as it can.
        vultr.serving(SLOW, requests_a_second=10_000) as cloud,
        LoopbackWorld(
            cloud,
            options={"driver": "vultr", "token": vultr.TOKEN},
            purchase=Purchase(size="vc2-1c-1gb", image="2136", location="fra", user_data_bytes=100),
            mark=_mark,
            tells_of_cut_listings=True,
        ) as world,
    ):
        yield world
