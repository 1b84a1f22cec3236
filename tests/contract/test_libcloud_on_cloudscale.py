"""What is peculiar to cloudscale.ch's driver and API: a login that fails twice over, births, zones, and SSH keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from autoscaler.clock import SystemClock
from providers.contract import (
    CapacityRefused,
    InstanceSpec,
    ListingUnavailable,
    NodeName,
    ProviderOptionsWrong,
    RequestRejected,
)
from providers.libcloud.adapter import LibcloudProvider, open_libcloud
from testbed.clouds import cloudscale
from testbed.clouds.cloud import Cloud
from testbed.clouds.exchange import Answer, Fault, Kind

TIMEOUT_S = 10.0
SPEC = InstanceSpec(
    name=NodeName("images-1"),
    fleet="production",
    pool="images",
    size="flex-4-2",
    image="debian-13",
    location="lpg1",
    user_data=b"#cloud-config\n",
)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with cloudscale.serving() as serving:
        yield serving


@pytest.fixture
def provider(cloud: Cloud) -> Iterator[LibcloudProvider]:
    opened = open_at(cloud, ssh_keys=["ssh-ed25519 AAAA people"])
    yield opened
    opened.close()


def open_at(cloud: Cloud, **options: object) -> LibcloudProvider:
    here = {"host": "127.0.0.1", "port": cloud.server.port, "secure": False}
    return open_libcloud(
        name="here",
        fleet="production",
        options={"driver": "cloudscale", "token": cloudscale.TOKEN, **here, **options},
        clock=SystemClock(),
    )


@pytest.mark.parametrize("body", [{"detail": "Invalid token."}, {"says": "who are you"}, [], "no JSON"])
def test_a_refused_login_is_told_whatever_its_body_is(
    provider: LibcloudProvider, cloud: Cloud, body: object
) -> None:
    """The driver reads `detail` unlooked and fails where there is none; what was answered decides all the same."""
    cloud.server.meet(Fault(answer=Answer(status=401, body=body)), kind=Kind.CREATE)
    cloud.server.meet(Fault(answer=Answer(status=401, body=body)), kind=Kind.LIST)

    with pytest.raises(RequestRejected):
        provider.create(SPEC, timeout_s=TIMEOUT_S)
    with pytest.raises(ListingUnavailable):
        provider.list_instances(timeout_s=TIMEOUT_S)
    assert () == cloud.machines.standing()


@pytest.mark.parametrize(
    "said", ["yesterday", "", None, 17, ["2026-01-01T00:00:00Z"], "0001-01-01T00:00:00+23:59"]
)
def test_a_birth_that_nobody_can_read_costs_the_birth_only(
    provider: LibcloudProvider, cloud: Cloud, said: object
) -> None:
    """The machine is ours and is listed; an hour of billing is then counted from when we asked for it."""
    provider.create(SPEC, timeout_s=TIMEOUT_S)
    (machine,) = cloud.machines.standing()
    machine.body["created_at"] = said

    listing = provider.list_instances(timeout_s=TIMEOUT_S)

    assert listing.complete
    assert ["images-1"] == [each.name for each in listing.instances]
    assert all(each.created_at is None or each.created_at < 0 for each in listing.instances)


def test_no_room_is_told_from_a_mistake(provider: LibcloudProvider, cloud: Cloud) -> None:
    """A full zone and a used up quota send a pool to its next offer; a size that is not sold there stops this one."""
    cloud.api.sold_out.add(("flex-4-2", "lpg1"))
    with pytest.raises(CapacityRefused):
        provider.create(SPEC, timeout_s=TIMEOUT_S)
    cloud.api.sold_out.clear()
    cloud.api.server_limit = 0
    with pytest.raises(CapacityRefused):
        provider.create(SPEC, timeout_s=TIMEOUT_S)
    with pytest.raises(RequestRejected, match="zone"):
        provider.create(replace(SPEC, size="plus-8-2", location="rma1"), timeout_s=TIMEOUT_S)


def test_an_order_without_a_zone_is_not_sent(provider: LibcloudProvider, cloud: Cloud) -> None:
    """Where a machine would stand would be the project's default, which nobody here knows."""
    with pytest.raises(RequestRejected, match="location"):
        provider.create(replace(SPEC, location=""), timeout_s=TIMEOUT_S)

    assert 0 == cloud.server.count(Kind.CREATE)


def test_an_account_without_ssh_keys_is_refused_as_it_is_opened(cloud: Cloud) -> None:
    """The API would refuse each order."""
    with pytest.raises(ProviderOptionsWrong, match="ssh_keys"):
        open_at(cloud)
