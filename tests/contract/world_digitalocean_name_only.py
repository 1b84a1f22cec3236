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
from providers.libcloud import marks, options
from testbed.clouds import digitalocean
from testbed.clouds.machines import Habits, Machine
from tests.contract.loopback import LoopbackWorld

SLOW = Habits(boot_s=8.0, list_lag_s=3.0, ending_s=4.0, list_tail_s=2.0)
WHOLE = DIALECTS["digitalocean"]
DIALECT = replace(
    WHOLE,
    mark=Mark(shape=MarkShape.NAME),
    # Nothing to ask for our own by: the whole account is listed.
    listing=Listing(reads=WHOLE.listing.reads, only_for=WHOLE.listing.only_for),
)


class _World(LoopbackWorld):
    """Whose machines are known by asking for each fleet whether the name is its own."""

    def user_data_of(self, *, name: str, fleet: str) -> bytes:
        return {_name(each, fleet): each.user_data for each in self.cloud.machines.standing()}[name]

    def machines_of(self, *, fleet: str) -> tuple[str, ...]:
        names = [_name(each, fleet) for each in self.cloud.machines.standing()]
        return tuple(name for name in names if name)


def _name(machine: Machine, fleet: str) -> str:
    owner = marks.owner_of(DIALECT, fleet=fleet, row={}, name=machine.name)
    return owner.name if owner else ""


@contextmanager
def open_world(directory: Path) -> Iterator[LoopbackWorld]:
    """An account with nothing in it."""
    with (
        mock.patch.dict(options.DIALECTS, {"nameless": DIALECT}),
        digitalocean.serving(SLOW) as cloud,
        _World(
            cloud,
            options={"driver": "nameless", "token": digitalocean.TOKEN},
            purchase=Purchase(
                size="s-1vcpu-1gb", image="debian-13-x64", location="fra1", user_data_bytes=100
            ),
            mark=lambda _: ("", ""),
            tells_of_cut_listings=True,
        ) as world,
    ):
        yield world
