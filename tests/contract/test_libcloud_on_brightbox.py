"""What is peculiar to Brightbox: a login that libcloud's driver fails at, tokens that end, and servers long deleted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from libcloud.compute.drivers.brightbox import BrightboxNodeDriver

from autoscaler.clock import SystemClock
from providers.contract import (
    CapacityRefused,
    InstanceSpec,
    ListingUnavailable,
    NodeName,
    Purchase,
    RequestRejected,
    Throttled,
)
from providers.libcloud.adapter import LibcloudProvider, open_libcloud
from testbed.clouds import brightbox
from testbed.clouds.cloud import Cloud
from testbed.clouds.exchange import Kind
from testbed.clouds.machines import Habits
from tests.contract import world_brightbox

TIMEOUT_S = 10.0
SPEC = InstanceSpec(
    name=NodeName("images-1"),
    fleet="production",
    pool="images",
    size=brightbox.SMALL,
    image=brightbox.IMAGE,
    location=brightbox.ZONE,
    user_data=b"#cloud-config\n",
)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with brightbox.serving(Habits(list_tail_s=60.0)) as serving:
        yield serving


@pytest.fixture
def provider(cloud: Cloud) -> Iterator[LibcloudProvider]:
    opened = open_at(cloud)
    yield opened
    opened.close()


def open_at(cloud: Cloud, **more: object) -> LibcloudProvider:
    here = {"host": "127.0.0.1", "port": cloud.server.port, "secure": False}
    return open_libcloud(
        name="bb",
        fleet="production",
        options={**world_brightbox.OPTIONS, **here, **more},
        clock=SystemClock(),
    )


def test_libcloud_s_own_driver_cannot_log_in(cloud: Cloud) -> None:
    """Why there is one of ours. Where this fails, libcloud was mended: see whether ours is still needed."""
    driver = BrightboxNodeDriver(
        brightbox.CLIENT, brightbox.SECRET, secure=False, host="127.0.0.1", port=cloud.server.port
    )

    with pytest.raises(AttributeError, match="status"):
        driver.list_nodes()


def test_a_create_is_a_login_and_an_order_and_the_next_one_logs_in_no_more(
    cloud: Cloud, provider: LibcloudProvider
) -> None:
    """A login is a POST and no order; its token is kept."""
    provider.create(SPEC, timeout_s=TIMEOUT_S)
    provider.create(replace(SPEC, name=NodeName("images-2")), timeout_s=TIMEOUT_S)

    assert [Kind.LOGIN, Kind.CREATE, Kind.CREATE] == [
        each.route.kind for each in cloud.server.exchanges if each.route
    ]


def test_a_token_that_ended_costs_one_order_that_is_asked_for_again(
    cloud: Cloud, provider: LibcloudProvider
) -> None:
    """A token lasts for two hours: the order that meets its end was refused, and the next one logs in anew."""
    provider.create(SPEC, timeout_s=TIMEOUT_S)
    cloud.api.end_tokens()

    with pytest.raises(Throttled):
        provider.create(replace(SPEC, name=NodeName("images-2")), timeout_s=TIMEOUT_S)
    provider.create(replace(SPEC, name=NodeName("images-2")), timeout_s=TIMEOUT_S)

    assert 2 == len(cloud.machines.standing())


def test_wrong_credentials_are_told_and_order_nothing(cloud: Cloud) -> None:
    """Refused at the login, which comes before every order; the secret is not in what is told."""
    provider = open_at(cloud, secret="the-wrong-secret")

    with pytest.raises(RequestRejected, match="nothing was ordered: answered 401 invalid_client"):
        provider.create(SPEC, timeout_s=TIMEOUT_S)
    with pytest.raises(ListingUnavailable):
        provider.list_instances(timeout_s=TIMEOUT_S)
    credentials = provider.check(
        Purchase(size=SPEC.size, image=SPEC.image, location=SPEC.location, user_data_bytes=1),
        timeout_s=TIMEOUT_S,
    )[0]

    assert not credentials.ok
    assert "the-wrong-secret" not in credentials.says
    provider.close()


def test_a_server_long_deleted_ends_no_listing(cloud: Cloud, provider: LibcloudProvider) -> None:
    """Deleted servers are shown for a while, without their image: they are none, and all others are seen."""
    gone = provider.create(SPEC, timeout_s=TIMEOUT_S)
    kept = provider.create(replace(SPEC, name=NodeName("images-2")), timeout_s=TIMEOUT_S)
    provider.destroy(gone.name, gone.instance_id, timeout_s=TIMEOUT_S)

    listing = provider.list_instances(timeout_s=TIMEOUT_S)

    assert ([kept.instance_id], True) == ([each.instance_id for each in listing.instances], listing.complete)


def test_an_account_s_limit_is_a_want_of_capacity(cloud: Cloud, provider: LibcloudProvider) -> None:
    """It comes with 403, as a missing right does: the sentence tells them apart."""
    cloud.api.limit = 0

    with pytest.raises(CapacityRefused, match="Account limit reached"):
        provider.create(SPEC, timeout_s=TIMEOUT_S)
