"""Clouds that wait for something say for what, and what they wait for is looked at, so that nobody waits in vain."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import libcloud
import pytest
from libcloud.compute.base import NodeAuthPassword
from libcloud.compute.drivers.azure_arm import AzureImage, AzureNodeDriver

from autoscaler.clock import SystemClock
from providers import clouds_page
from providers.contract import ProviderOptionsWrong
from providers.dialects import DIALECTS, NOT_OFFERED
from providers.libcloud.adapter import open_libcloud

ITS_TURN = (
    f"libcloud {libcloud.__version__} can hand over Azure's custom data now. Nothing is broken: what Azure waited for "
    "is there. Write providers/dialects/azure_arm.py (CONTRIBUTING, 'A cloud that libcloud knows'), raise the bound of "
    "apache-libcloud in pyproject.toml, and take azure_arm out of NOT_OFFERED with this test; or let NOT_OFFERED say "
    "what else it waits for."
)


@pytest.mark.parametrize("custom_data", ["#cloud-config\n", b"#cloud-config\n"], ids=["a text", "bytes"])
def test_azure_s_driver_cannot_hand_over_custom_data_yet(custom_data: str | bytes) -> None:
    """Neither form comes to be a request. Once one does, this test fails to say so, and its message what to do."""
    driver: Any = object.__new__(AzureNodeDriver)
    driver.subscription_id = "a-subscription"
    driver.connection = SimpleNamespace(
        request=lambda *_, data, **__: SimpleNamespace(object=json.dumps(data))
    )
    driver._to_node = lambda _: SimpleNamespace()

    failure = ""
    try:
        driver.create_node(
            name="images-1",
            size=SimpleNamespace(id="Standard_B1s"),
            image=AzureImage("latest", "13", "debian-13", "Debian", "northeurope", driver),
            auth=NodeAuthPassword("a-password"),
            location=SimpleNamespace(id="northeurope"),
            ex_resource_group="fleet",
            ex_nic=SimpleNamespace(id="a-nic"),
            ex_use_managed_disks=True,
            ex_customdata=custom_data,
        )
    except TypeError as trouble:
        failure = str(trouble)
    assert "bytes" in failure, ITS_TURN


@pytest.mark.parametrize("driver", NOT_OFFERED)
def test_a_cloud_that_waits_says_for_what(driver: str) -> None:
    """To whoever writes its name as a driver, and on the page of clouds; and it is not offered at the same time."""
    with pytest.raises(ProviderOptionsWrong, match="waits for"):
        open_libcloud(name="any", fleet="shop", options={"driver": driver}, clock=SystemClock())

    assert driver not in DIALECTS
    assert NOT_OFFERED[driver] in clouds_page.render()
