"""What is peculiar to OUTSCALE: signatures, client tokens that are names, refusals with 400, chained pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from autoscaler.clock import SystemClock
from providers.contract import (
    CapacityRefused,
    InstanceAbsent,
    InstanceSpec,
    ListingUnavailable,
    NodeName,
    OutcomeUnknown,
    Purchase,
    RequestRejected,
)
from providers.libcloud.adapter import LibcloudProvider, open_libcloud
from providers.libcloud.drivers import outscale as driver
from testbed.clouds import outscale
from testbed.clouds.cloud import Cloud
from testbed.clouds.exchange import ANSWER_LOST, Answer, Fault, Kind

TIMEOUT_S = 10.0
SPEC = InstanceSpec(
    name=NodeName("images-1"),
    fleet="production",
    pool="images",
    size="tinav6.c2r4p2",
    image="ami-12345678",
    location="eu-west-2b",
    user_data=b"\x1f\x8b compressed",
)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with outscale.serving() as serving:
        yield serving


@pytest.fixture
def provider(cloud: Cloud) -> Iterator[LibcloudProvider]:
    opened = open_at(cloud)
    yield opened
    opened.close()


def open_at(cloud: Cloud, **options: object) -> LibcloudProvider:
    here = {"host": "127.0.0.1", "port": cloud.server.port, "secure": False, "region": outscale.REGION}
    keys = {"access_key": outscale.ACCESS_KEY, "secret_key": outscale.SECRET_KEY}
    return open_libcloud(
        name="here",
        fleet="production",
        options={"driver": "outscale", **keys, **here, **options},
        clock=SystemClock(),
    )


def test_a_wrong_secret_is_a_wrong_signature(cloud: Cloud) -> None:
    """Nothing is made, nothing is believed of the listing, and the secret is told nowhere."""
    provider = open_at(cloud, secret_key="another-secret-key-of-a-test")

    with pytest.raises(RequestRejected, match="AccessDenied") as refused:
        provider.create(SPEC, timeout_s=TIMEOUT_S)
    with pytest.raises(ListingUnavailable):
        provider.list_instances(timeout_s=TIMEOUT_S)

    assert () == cloud.machines.standing()
    assert "another-secret" not in str(refused.value)
    provider.close()


def test_a_machine_is_ours_from_its_birth_on(provider: LibcloudProvider, cloud: Cloud) -> None:
    """One request makes it and marks it: whoever dies right after it, or never hears of it, finds it listed as his."""
    cloud.server.meet(ANSWER_LOST, kind=Kind.CREATE)

    with pytest.raises(OutcomeUnknown):
        provider.create(SPEC, timeout_s=TIMEOUT_S)

    assert 1 == cloud.server.count(Kind.CREATE) == len(cloud.machines.standing())
    assert ["images-1"] == [each.name for each in provider.list_instances(timeout_s=TIMEOUT_S).instances]


def test_a_second_create_of_a_name_returns_the_first_machine(
    provider: LibcloudProvider, cloud: Cloud
) -> None:
    """The name is the key of the order, for another daemon of the fleet as well."""
    first = provider.create(SPEC, timeout_s=TIMEOUT_S)

    again = provider.create(SPEC, timeout_s=TIMEOUT_S)

    assert first.instance_id == again.instance_id
    assert 1 == len(cloud.machines.standing())


def test_no_room_is_told_from_a_mistake(provider: LibcloudProvider, cloud: Cloud) -> None:
    """All come with status 400; types and numbers tell them apart."""
    cloud.api.sold_out.add((SPEC.size, SPEC.location))
    with pytest.raises(CapacityRefused, match="InsufficientCapacity"):
        provider.create(SPEC, timeout_s=TIMEOUT_S)
    cloud.api.sold_out.clear()
    cloud.api.vm_limit = 0
    with pytest.raises(CapacityRefused, match="TooManyResources"):
        provider.create(SPEC, timeout_s=TIMEOUT_S)
    with pytest.raises(RequestRejected, match="no image ami-00000000"):
        provider.create(replace(SPEC, image="ami-00000000"), timeout_s=TIMEOUT_S)


def test_a_refused_end_is_no_end(provider: LibcloudProvider, cloud: Cloud) -> None:
    """The driver of libcloud returns the refusal, which counts as true; here it is the error that it is."""
    made = provider.create(SPEC, timeout_s=TIMEOUT_S)
    body = {"Errors": [{"Code": "4", "Type": "AccessDenied", "Details": "no"}]}
    gone = {"Errors": [{"Code": "5063", "Type": "InvalidResource", "Details": "no such machine"}]}
    cloud.server.meet(Fault(answer=Answer(status=401, body=body)), kind=Kind.END)
    cloud.server.meet(Fault(answer=Answer(status=400, body=gone)), kind=Kind.END)

    with pytest.raises(RequestRejected):
        provider.destroy("images-1", made.instance_id, timeout_s=TIMEOUT_S)
    with pytest.raises(InstanceAbsent):
        provider.destroy("images-1", made.instance_id, timeout_s=TIMEOUT_S)
    assert 1 == len(cloud.machines.standing())


def test_every_page_is_walked(
    provider: LibcloudProvider, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages are chained by tokens; a token that leads back to its own page is no listing."""
    monkeypatch.setattr(driver, "PER_PAGE", 2)
    for number in range(5):
        provider.create(replace(SPEC, name=NodeName(f"images-{number}")), timeout_s=TIMEOUT_S)
    before = cloud.server.count(Kind.LIST)

    assert 5 == len(provider.list_instances(timeout_s=TIMEOUT_S).instances)
    assert 3 == cloud.server.count(Kind.LIST) - before
    for _ in range(2):
        cloud.server.meet(Fault(answer=Answer(body={"Vms": [], "NextPageToken": "round"})), kind=Kind.LIST)
    with pytest.raises(ListingUnavailable):
        provider.list_instances(timeout_s=TIMEOUT_S)


def test_check_names_volumes_that_stay_and_sizes_that_are_composed(provider: LibcloudProvider) -> None:
    """What would be billed on is said, and that orders see to it; a composed size is in no list and no mistake."""
    wish = Purchase(size=SPEC.size, image="ami-87654321", location="eu-west-2a", user_data_bytes=100)

    found = {each.subject: each for each in provider.check(wish, timeout_s=TIMEOUT_S)}
    wrong = {
        each.subject: each for each in provider.check(replace(wish, size="tinav6.c2"), timeout_s=TIMEOUT_S)
    }

    assert all(each.ok for each in found.values())
    assert "keeps 1 of its volumes, which orders end with their machine" in found["image"].says
    assert "composed" in found["size"].says
    assert not wrong["size"].ok


def test_a_volume_that_its_image_keeps_is_ordered_to_end(provider: LibcloudProvider, cloud: Cloud) -> None:
    """The image is looked at once, each device that it keeps is named again, and nothing is billed in the end."""
    keeping = replace(SPEC, image="ami-87654321")
    for name in ("images-1", "images-2"):
        provider.create(replace(keeping, name=NodeName(name)), timeout_s=TIMEOUT_S)

    asked = [each.asked for each in cloud.server.exchanges]
    assert ["ReadImages", "CreateVms", "CreateVms"] == [each.path.rpartition("/")[2] for each in asked]
    ends = {
        "DeviceName": "/dev/sda1",
        "Bsu": {"DeleteOnVmDeletion": True, "VolumeSize": 10, "VolumeType": "gp2"},
    }
    assert [[ends]] * 2 == [each.parts["BlockDeviceMappings"] for each in asked[1:]]
    for name in ("images-1", "images-2"):
        provider.destroy(name, None, timeout_s=TIMEOUT_S)
    assert {} == cloud.api.volumes


def test_of_an_image_that_keeps_nothing_nothing_is_said(provider: LibcloudProvider, cloud: Cloud) -> None:
    """The order is what it was, and its volume ends as the image says."""
    provider.create(SPEC, timeout_s=TIMEOUT_S)
    assert "BlockDeviceMappings" not in cloud.server.exchanges[-1].asked.parts
    assert 1 == len(cloud.api.volumes)

    provider.destroy("images-1", None, timeout_s=TIMEOUT_S)
    assert {} == cloud.api.volumes
