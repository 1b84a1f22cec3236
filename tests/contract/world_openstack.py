"""OpenStack as a world of the contract suite: a project on loopback whose listings lag and whose ends linger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from providers.contract import Purchase
from testbed.clouds import openstack
from testbed.clouds.cloud import Cloud
from testbed.clouds.machines import Habits, Machine
from tests.contract.loopback import LoopbackWorld

SLOW = Habits(boot_s=8.0, list_lag_s=3.0, ending_s=4.0, list_tail_s=2.0)


def options(cloud: Cloud) -> Mapping[str, object]:
    """What an operator would write to reach it."""
    return {
        "driver": "openstack", "auth_url": cloud.server.url, "user": openstack.USER, "project": openstack.PROJECT,
        "password": openstack.PASSWORD, "region": openstack.REGION, "networks": [openstack.NETWORK],
        "security_groups": ["workers"], "keypair": "ops", "config_drive": True,
    }  # fmt: skip


def _mark(machine: Machine) -> tuple[str, str]:
    metadata = machine.body["metadata"]
    return metadata.get("autoscaler-fleet", ""), metadata.get("autoscaler-node", "")


@contextmanager
def open_world(directory: Path) -> Iterator[LoopbackWorld]:
    """A project with nothing in it."""
    with (
        openstack.serving(SLOW) as cloud,
        LoopbackWorld(
            cloud,
            options=options(cloud),
            purchase=Purchase(size="m1.small", image=openstack.IMAGE, location="az2", user_data_bytes=100),
            mark=_mark,
            # The address comes with the login.
            endpoint=False,
        ) as world,
    ):
        yield world
