"""CloudStack as a world of the contract suite: an account on loopback whose listings lag and whose ends linger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from providers.contract import Purchase
from testbed.clouds import cloudstack
from testbed.clouds.cloud import Cloud
from testbed.clouds.machines import Habits
from tests.contract.loopback import LoopbackWorld, NamesOnlyWorld

SLOW = Habits(boot_s=8.0, list_lag_s=3.0, ending_s=4.0, list_tail_s=2.0)


def options(cloud: Cloud) -> Mapping[str, object]:
    """What an operator would write to reach it."""
    return {
        "driver": "cloudstack", "url": cloud.server.url + cloudstack.PATH, "key": cloudstack.KEY,
        "secret": cloudstack.SECRET, "networks": [cloudstack.NETWORK], "keypair": "ops", "expunge": True,
    }  # fmt: skip


@contextmanager
def open_world(directory: Path) -> Iterator[LoopbackWorld]:
    """An account with nothing in it."""
    with (
        cloudstack.serving(SLOW) as cloud,
        NamesOnlyWorld(
            cloud,
            options=options(cloud),
            purchase=Purchase(
                size=cloudstack.SMALL,
                image=cloudstack.TEMPLATE,
                location=cloudstack.ZONE,
                user_data_bytes=100,
            ),
            tells_of_cut_listings=True,
            # The address stands in an option.
            endpoint=False,
        ) as world,
    ):
        yield world
