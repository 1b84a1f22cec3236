"""OUTSCALE as a world of the contract suite: an account on loopback whose listings lag and whose ends linger.

The image keeps its volume, so that each order has to see to its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from providers.contract import Purchase
from testbed.clouds import outscale
from testbed.clouds.machines import Habits
from tests.contract.loopback import LoopbackWorld, NamesOnlyWorld

SLOW = Habits(boot_s=8.0, list_lag_s=3.0, ending_s=4.0, list_tail_s=2.0)


@contextmanager
def open_world(directory: Path) -> Iterator[LoopbackWorld]:
    """An account with nothing in it."""
    with (
        outscale.serving(SLOW) as cloud,
        NamesOnlyWorld(
            cloud,
            options={
                "driver": "outscale",
                "access_key": outscale.ACCESS_KEY,
                "secret_key": outscale.SECRET_KEY,
                "region": outscale.REGION,
            },
            purchase=Purchase(
                size="tinav6.c2r4p2", image="ami-87654321", location="eu-west-2a", user_data_bytes=100
            ),
        ) as world,
    ):
        yield world
