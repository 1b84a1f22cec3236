"""What is peculiar to CloudStack: forms, jobs that fail later, listings without a total, and an end that is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from unittest import mock

import pytest

from autoscaler.clock import SystemClock
from providers.contract import CapacityRefused, InstanceSpec, InstanceState, NodeName, RequestRejected
from providers.libcloud.adapter import LibcloudProvider, open_libcloud
from providers.libcloud.drivers import cloudstack as driver
from testbed.clouds import cloudstack
from testbed.clouds.cloud import Cloud
from testbed.clouds.exchange import Kind
from tests.contract import world_cloudstack

TIMEOUT_S = 10.0
SPEC = InstanceSpec(
    name=NodeName("images-1"),
    fleet="production",
    pool="images",
    size=cloudstack.SMALL,
    image=cloudstack.TEMPLATE,
    location=cloudstack.ZONE,
    user_data=b"#cloud-config\n# the-secret-of-a-broker",
)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with cloudstack.serving() as serving:
        yield serving


@pytest.fixture
def provider(cloud: Cloud) -> Iterator[LibcloudProvider]:
    opened = open_at(cloud)
    yield opened
    opened.close()


def open_at(cloud: Cloud, **more: object) -> LibcloudProvider:
    return open_libcloud(
        name="cloud",
        fleet="production",
        options={**world_cloudstack.options(cloud), **more},
        clock=SystemClock(),
    )


def test_a_create_is_one_request_and_its_url_holds_the_command_only(
    cloud: Cloud, provider: LibcloudProvider
) -> None:
    """URLs stand in logs of proxies: neither user data nor keys are in one, and no job is waited for."""
    provider.create(SPEC, timeout_s=TIMEOUT_S)

    (order,) = cloud.server.exchanges
    assert ("POST", {"command": ["deployVirtualMachine"]}) == (order.asked.method, order.asked.query)
    assert SPEC.user_data == cloud.machines.standing()[0].user_data


def test_an_order_that_comes_to_nothing_is_listed_and_can_be_ended(
    cloud: Cloud, provider: LibcloudProvider
) -> None:
    """Want of a host is found after the order was taken: the machine stands there as `Error` until it is ended."""
    cloud.api.hostless = True
    made = provider.create(SPEC, timeout_s=TIMEOUT_S)

    (seen,) = provider.list_instances(timeout_s=TIMEOUT_S).instances
    provider.destroy(seen.name, made.instance_id, timeout_s=TIMEOUT_S)

    assert (made.instance_id, InstanceState.STOPPED) == (seen.instance_id, seen.state)
    assert () == cloud.machines.standing()


def test_a_full_account_is_a_want_of_capacity(cloud: Cloud, provider: LibcloudProvider) -> None:
    """Code 535, which is a status as well and no 4xx: the offer rests, and nothing was made."""
    cloud.api.limit = 0

    with pytest.raises(CapacityRefused, match="Maximum number of resources"):
        provider.create(SPEC, timeout_s=TIMEOUT_S)


def test_an_empty_account_is_seen_to_be_empty(provider: LibcloudProvider) -> None:
    """The answer is an empty object, without rows and without their number: it proves absence all the same."""
    listing = provider.list_instances(timeout_s=TIMEOUT_S)

    assert ((), True) == (listing.instances, listing.complete)


def test_all_pages_are_read_and_the_total_is_met(cloud: Cloud, provider: LibcloudProvider) -> None:
    """A listing without page and size ends at the server's default; three machines on two pages are all seen, twice."""
    for number in range(3):
        provider.create(replace(SPEC, name=NodeName(f"images-{number}")), timeout_s=TIMEOUT_S)

    with mock.patch.object(driver, "PAGE", 2):
        listing = provider.list_instances(timeout_s=TIMEOUT_S)

    assert ({"images-0", "images-1", "images-2"}, True) == (
        {each.name for each in listing.instances},
        listing.complete,
    )
    assert 2 * 2 == cloud.server.count(Kind.LIST)


def test_who_may_not_expunge_is_told_so(cloud: Cloud, provider: LibcloudProvider) -> None:
    """The right is given by the cloud's operator: without it the end is a definite no, and the machine stands."""
    cloud.api.may_expunge = False
    provider.create(SPEC, timeout_s=TIMEOUT_S)

    with pytest.raises(RequestRejected, match="expunge"):
        provider.destroy(SPEC.name, None, timeout_s=TIMEOUT_S)

    assert 1 == len(cloud.machines.standing())


def test_a_project_has_its_orders_and_its_listings(cloud: Cloud, provider: LibcloudProvider) -> None:
    """What was ordered into a project is listed there, and not in the account beside it."""
    inside = open_at(cloud, project=cloudstack.PROJECT)
    inside.create(SPEC, timeout_s=TIMEOUT_S)

    assert [SPEC.name] == [each.name for each in inside.list_instances(timeout_s=TIMEOUT_S).instances]
    assert () == provider.list_instances(timeout_s=TIMEOUT_S).instances
    inside.close()
