"""UpCloud as a world of the contract suite: an account on loopback whose listings lag and whose ends linger.

Its servers stop at once, so that one word ends them: `test_libcloud_on_upcloud.py` has those that take their time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from providers.contract import Purchase
from testbed.clouds import upcloud, upcloud_goods
from testbed.clouds.machines import Habits, Machine
from tests.contract.loopback import LoopbackWorld

SLOW = Habits(boot_s=2.0, list_lag_s=3.0, ending_s=4.0, list_tail_s=2.0)


def _mark(machine: Machine) -> tuple[str, str]:
    labels = {each["key"]: each["value"] for each in machine.body["labels"]["label"]}
    return labels.get("autoscaler-fleet", ""), labels.get("autoscaler-node", "")


@contextmanager
def open_world(directory: Path) -> Iterator[LoopbackWorld]:
    """An account with nothing in it."""
    with (
        upcloud.serving(SLOW) as cloud,
        LoopbackWorld(
            cloud,
            options={"driver": "upcloud", "token": upcloud.TOKEN},
            purchase=Purchase(
                size="1xCPU-1GB", image=upcloud_goods.IMAGE, location="fi-hel1", user_data_bytes=100
            ),
            mark=_mark,
        ) as world,
    ):
        yield world
