"""Volumes that an image keeps: what an order says of each, so that it ends with its machine and is else the same."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from providers.dialects import DIALECTS
from providers.libcloud.devices import Images


class Looked:
    """A driver with one image, which counts the looks at it."""

    def __init__(self, **extra: Any) -> None:
        self.looks, self.extra = 0, extra

    def get_image(self, image_id: str) -> Any:
        self.looks += 1
        return SimpleNamespace(id=image_id, extra=self.extra)


def a_device(name: str, *, ends: bool, **more: Any) -> dict[str, Any]:
    return {"DeviceName": name, "Bsu": {"DeleteOnVmDeletion": ends, **more}}


def test_each_device_that_is_kept_is_named_as_it_is_and_ends() -> None:
    """Size, kind and speed as in the image; the first device is the image's own, the others come of their snapshots."""
    io1 = {"VolumeSize": 50, "VolumeType": "io1", "Iops": 900, "SnapshotId": "snap-2"}
    driver = Looked(
        RootDeviceName="/dev/sda1",
        BlockDeviceMappings=[
            a_device("/dev/sda1", ends=False, VolumeSize=10, VolumeType="gp2", Iops=100, SnapshotId="snap-1"),
            a_device("/dev/sdb", ends=False, **io1),
            a_device("/dev/sdc", ends=True, VolumeSize=5),
        ],
    )

    arguments = Images(DIALECTS["outscale"]).arguments(driver, "ami-1")

    root = {"DeleteOnVmDeletion": True, "VolumeSize": 10, "VolumeType": "gp2"}
    assert arguments == {
        "ex_block_device_mappings": [
            {"DeviceName": "/dev/sda1", "Bsu": root},
            {"DeviceName": "/dev/sdb", "Bsu": {"DeleteOnVmDeletion": True, **io1}},
        ]
    }


def test_an_image_is_looked_at_once() -> None:
    """What devices it has never changes; what one order does to its arguments the next one does not see."""
    driver = Looked(BlockDeviceMappings=[a_device("/dev/sda1", ends=False)])
    images = Images(DIALECTS["outscale"])

    first = images.arguments(driver, "ami-1")
    first["ex_block_device_mappings"].clear()
    assert 1 == len(images.arguments(driver, "ami-1")["ex_block_device_mappings"])
    assert 1 == driver.looks
    images.arguments(driver, "ami-2")
    assert 2 == driver.looks


def test_ec2_s_devices_without_a_volume_are_passed_over() -> None:
    """Ephemeral disks have none, and end with their machine."""
    driver = Looked(
        block_device_mapping=[
            {"device_name": "/dev/sdb", "virtual_name": "ephemeral0"},
            {"device_name": "/dev/xvda", "ebs": {"delete": "false", "volume_size": 8}},
        ]
    )

    arguments = Images(DIALECTS["ec2"]).arguments(driver, "ami-1")

    ends = {"DeleteOnTermination": "true", "VolumeSize": 8}
    assert {"ex_blockdevicemappings": [{"DeviceName": "/dev/xvda", "Ebs": ends}]} == arguments


@pytest.mark.parametrize("driver", sorted(set(DIALECTS) - {"ec2", "outscale"}))
def test_where_images_keep_nothing_none_is_looked_at(driver: str) -> None:
    """An order there is what it was."""
    looked = Looked()

    assert {} == Images(DIALECTS[driver]).arguments(looked, "an-image")
    assert 0 == looked.looks
