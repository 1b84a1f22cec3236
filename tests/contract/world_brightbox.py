"""Brightbox as a world of the contract suite: an account on loopback whose listings lag and whose ends linger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from providers.contract import Purchase
from testbed.clouds import brightbox
from testbed.clouds.machines import Habits
from tests.contract.loopback import LoopbackWorld, NamesOnlyWorld

SLOW = Habits(boot_s=8.0, list_lag_s=3.0, ending_s=4.0, list_tail_s=2.0)
OPTIONS: Mapping[str, object] = {
    "driver": "brightbox",
    "client": brightbox.CLIENT,
    "secret": brightbox.SECRET,
    "server_groups": [brightbox.GROUP],
}


@contextmanager
def open_world(directory: Path) -> Iterator[LoopbackWorld]:
    """An account with nothing in it."""
    with (
        brightbox.serving(SLOW) as cloud,
        NamesOnlyWorld(
            cloud,
            options=OPTIONS,
            purchase=Purchase(
                size=brightbox.SMALL, image=brightbox.IMAGE, location=brightbox.ZONE, user_data_bytes=100
            ),
        ) as world,
    ):
        yield world
