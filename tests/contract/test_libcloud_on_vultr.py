"""What is peculiar to Vultr: tags as a list, images of three kinds, sentences that alone tell stock from mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from autoscaler.clock import SystemClock
from providers.contract import (
    CapacityRefused,
    Finding,
    InstanceSpec,
    NodeName,
    OutcomeUnknown,
    Purchase,
    RequestRejected,
)
from providers.libcloud.adapter import LibcloudProvider, open_libcloud
from testbed.clouds import vultr
from testbed.clouds.cloud import Cloud
from testbed.clouds.exchange import Fault, Kind

TIMEOUT_S = 10.0
SPEC = InstanceSpec(
    name=NodeName("images-1"),
    fleet="production",
    pool="images",
    size="vc2-1c-1gb",
    image="2136",
    location="sto",
    user_data=b"#cloud-config\n",
)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with vultr.serving(requests_a_second=10_000) as serving:
        yield serving


@pytest.fixture
def provider(cloud: Cloud) -> Iterator[LibcloudProvider]:
    opened = open_libcloud(
        name="vultr",
        fleet="production",
        options={
            "driver": "vultr", "token": vultr.TOKEN, "host": "127.0.0.1", "port": cloud.server.port, "secure": False,
            "ipv6": True, "no_public_ipv4": True, "tags": ["workers"],
        },
        clock=SystemClock(),
    )  # fmt: skip
    yield opened
    opened.close()


def ordered(cloud: Cloud) -> dict[str, Any]:
    """The body of the latest order."""
    return dict(
        [each.asked for each in cloud.server.exchanges if each.route and each.route.kind is Kind.CREATE][
            -1
        ].parts
    )


def test_an_order_has_a_list_of_tags_and_none_of_the_fields_that_were_dropped(
    cloud: Cloud, provider: LibcloudProvider
) -> None:
    """Ours and the operator's, in `tags`; and nobody is mailed a password."""
    provider.create(SPEC, timeout_s=TIMEOUT_S)
    order = ordered(cloud)

    assert {"workers", "autoscaler-fleet:production", "autoscaler-node:images-1"} <= set(order["tags"])
    assert (True, True, False) == (
        order["enable_ipv6"],
        order["disable_public_ipv4"],
        order["activation_email"],
    )
    assert set() == {"tag", "attach_private_network"} & set(order)


@pytest.mark.parametrize(("image", "field"), [("2136", "os_id"), (vultr.SNAPSHOT, "snapshot_id")])
def test_an_image_is_a_system_s_number_or_a_snapshot(
    cloud: Cloud, provider: LibcloudProvider, image: str, field: str
) -> None:
    """Each in its own field, of which one alone may be there; a system's is a number."""
    provider.create(replace(SPEC, image=image), timeout_s=TIMEOUT_S)

    assert image == str(ordered(cloud)[field])
    assert 1 == len(set(vultr.SYSTEMS) & set(ordered(cloud)))


def test_stock_and_limit_are_told_from_mistakes_by_their_sentence(
    cloud: Cloud, provider: LibcloudProvider
) -> None:
    """All come with 400: an offer that rests until stock is back is not one that is wrong."""
    cloud.api.sold_out = {(SPEC.size, SPEC.location)}
    with pytest.raises(CapacityRefused, match="not available in the selected datacenter"):
        provider.create(SPEC, timeout_s=TIMEOUT_S)
    provider.create(replace(SPEC, location="fra"), timeout_s=TIMEOUT_S)
    cloud.api.most = 1
    with pytest.raises(CapacityRefused, match="monthly fee limit"):
        provider.create(replace(SPEC, location="fra"), timeout_s=TIMEOUT_S)
    for wrong in (
        replace(SPEC, size="vbm-4c-32gb"),
        replace(SPEC, image="1"),
        replace(SPEC, location="moon"),
    ):
        with pytest.raises(RequestRejected):
            provider.create(wrong, timeout_s=TIMEOUT_S)


def test_a_size_is_looked_for_in_the_stock_of_its_region(cloud: Cloud, provider: LibcloudProvider) -> None:
    """`check --online` tells price and country of what is in stock, and says where a plan is not."""
    purchase = Purchase(size=SPEC.size, image=vultr.SNAPSHOT, location="sto", user_data_bytes=1)

    def found() -> dict[str, Finding]:
        return {each.subject: each for each in provider.check(purchase, timeout_s=TIMEOUT_S)}

    in_stock = found()
    cloud.api.sold_out = {(SPEC.size, "sto")}

    assert all(each.ok for each in in_stock.values()), in_stock
    assert "5 USD a month at most, without tax, which is 0.0068 to 0.0074 an hour" == in_stock["price"].says
    assert "in SE" in in_stock["location"].says
    assert "not sold at sto" in found()["size"].says


def test_bare_metal_is_never_asked_for(cloud: Cloud, provider: LibcloudProvider) -> None:
    """A listing is one request a page, of virtual machines only."""
    provider.list_instances(timeout_s=TIMEOUT_S)

    assert ["/v2/instances"] == [each.asked.path for each in cloud.server.exchanges]


def test_a_service_that_is_unavailable_is_no_want_of_stock(cloud: Cloud, provider: LibcloudProvider) -> None:
    """The words are alike, the status is not: what was done is open, and the order is not repeated elsewhere."""
    answer = vultr.no(503, "Service temporarily unavailable.")
    cloud.server.meet(Fault(answer=answer, carried_out=True), kind=Kind.CREATE)

    with pytest.raises(OutcomeUnknown):
        provider.create(SPEC, timeout_s=TIMEOUT_S)
