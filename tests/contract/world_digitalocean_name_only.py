"""A cloud that can bear no mark but a machine's name: DigitalOcean's, of which nothing else is used.

It stands for the clouds that have neither tags nor labels, so that what tells our machines from others' there is held
to the whole contract.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest import mock

from providers.contract import Purchase
from providers.dialects import DIALECTS
from providers.dialects.contract import Listing, Mark, MarkShape
from providers.libcloud import options
from testbed.clouds import digitalocean
from testbed.clouds.machines import Habits
from tests.contract.loopback import LoopbackWorld, NamesOnlyWorld

SLOW = Habits(boot_s=8.0, list_lag_s=3.0, ending_s=4.0, list_tail_s=2.0)
WHOLE = DIALECTS["digitalocean"]
DIALECT = replace(
    WHOLE,
    mark=Mark(shape=MarkShape.NAME),
    # Nothing to ask for our own by: the whole account is listed.
    listing=Listing(reads=WHOLE.listing.reads, only_for=WHOLE.listing.only_for),
)


@contextmanager
def open_world(directory: Path) -> Iterator[LoopbackWorld]:
    """An account with nothing in it."""
    with (
        mock.patch.dict(options.DIALECTS, {"nameless": DIALECT}),
        digitalocean.serving(SLOW) as cloud,
        NamesOnlyWorld(
            cloud,
            options={"driver": "nameless", "token": digitalocean.TOKEN},
            purchase=Purchase(
                size="s-1vcpu-1gb", image="debian-13-x64", location="fra1", user_data_bytes=100
            ),
            tells_of_cut_listings=True,
        ) as world,
    ):
        yield world
