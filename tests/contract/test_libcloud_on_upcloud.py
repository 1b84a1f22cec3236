"""What is peculiar to UpCloud: an end in two steps, disks that are billed by themselves, pages that overlap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from autoscaler.clock import SystemClock
from providers.contract import (
    CapacityRefused,
    InstanceAbsent,
    InstanceSpec,
    InstanceState,
    NodeName,
    ProviderOptionsWrong,
    RequestRejected,
    Throttled,
)
from providers.libcloud.adapter import LibcloudProvider, open_libcloud
from providers.libcloud.drivers import upcloud as driver
from testbed.clouds import upcloud, upcloud_goods
from testbed.clouds.cloud import Cloud
from testbed.clouds.exchange import Answer
from testbed.clouds.machines import Habits

TIMEOUT_S = 10.0
SPEC = InstanceSpec(
    name=NodeName("images-1"),
    fleet="production",
    pool="images",
    size="1xCPU-1GB",
    image=upcloud_goods.IMAGE,
    location="fi-hel1",
    user_data=b"#cloud-config\n",
)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with upcloud.serving(Habits(boot_s=5.0)) as serving:
        yield serving


def open_at(cloud: Cloud, **options: object) -> LibcloudProvider:
    here = {"driver": "upcloud", "host": "127.0.0.1", "port": cloud.server.port, "secure": False}
    given = {**here, **(options or {"token": upcloud.TOKEN})}
    return open_libcloud(name="upcloud", fleet="production", options=given, clock=SystemClock())


@pytest.fixture
def provider(cloud: Cloud) -> Iterator[LibcloudProvider]:
    opened = open_at(cloud)
    yield opened
    opened.close()


def states(provider: LibcloudProvider) -> list[InstanceState]:
    return [each.state for each in provider.list_instances(timeout_s=TIMEOUT_S).instances]


def test_a_page_shorter_than_was_asked_for_is_not_the_last(cloud: Cloud, provider: LibcloudProvider) -> None:
    """How long pages are at most is not documented: machines past a cap would seem gone, and be bought again."""
    names = [f"images-{number}" for number in range(1, 8)]
    for name in names:
        provider.create(replace(SPEC, name=NodeName(name)), timeout_s=TIMEOUT_S)
    cloud.machines.clock.turn(10)
    cloud.api.page_most = 3

    listing = provider.list_instances(timeout_s=TIMEOUT_S)

    assert (True, sorted(names)) == (listing.complete, sorted(each.name for each in listing.instances))


def test_a_server_that_stops_slowly_is_deleted_by_a_later_word(
    cloud: Cloud, provider: LibcloudProvider
) -> None:
    """The first one stops it, and until it has stopped it is listed; the next one deletes it with its disk."""
    cloud.api.stop_s = 30.0
    made = provider.create(SPEC, timeout_s=TIMEOUT_S)
    cloud.machines.clock.turn(10)

    provider.destroy("images-1", made.instance_id, timeout_s=TIMEOUT_S)
    assert ([InstanceState.RUNNING], 1) == (states(provider), len(cloud.api.disks))
    cloud.machines.clock.turn(40)
    assert [InstanceState.STOPPED] == states(provider)

    provider.destroy("images-1", made.instance_id, timeout_s=TIMEOUT_S)
    assert ([], {}) == (states(provider), cloud.api.disks)
    with pytest.raises(InstanceAbsent):
        provider.destroy("images-1", made.instance_id, timeout_s=TIMEOUT_S)


def test_a_server_that_is_still_being_made_is_asked_again_later(
    cloud: Cloud, provider: LibcloudProvider
) -> None:
    """It can be neither stopped nor deleted: nothing was done, and that is what is said."""
    made = provider.create(SPEC, timeout_s=TIMEOUT_S)

    with pytest.raises(Throttled, match="SERVER_STATE_ILLEGAL"):
        provider.destroy("images-1", made.instance_id, timeout_s=TIMEOUT_S)

    cloud.machines.clock.turn(10)
    provider.destroy("images-1", made.instance_id, timeout_s=TIMEOUT_S)
    assert [] == states(provider)


def test_what_has_no_room_or_credit_is_capacity_and_what_is_wrong_is_ours(
    cloud: Cloud, provider: LibcloudProvider
) -> None:
    """Cores, stock and credits leave the offer for later; a plan or template that is none stops it. Nothing is made."""
    cloud.api.core_limit = 0
    with pytest.raises(CapacityRefused, match="SERVER_CORE_LIMIT_REACHED"):
        provider.create(SPEC, timeout_s=TIMEOUT_S)
    cloud.api.core_limit, cloud.api.credits = 10, False
    with pytest.raises(CapacityRefused, match="INSUFFICIENT_CREDITS"):
        provider.create(SPEC, timeout_s=TIMEOUT_S)
    cloud.api.credits, cloud.api.sold_out = True, {("1xCPU-1GB", "fi-hel1")}
    with pytest.raises(CapacityRefused, match="SERVER_RESOURCES_UNAVAILABLE"):
        provider.create(SPEC, timeout_s=TIMEOUT_S)
    for wrong in (
        replace(SPEC, size="none"),
        replace(SPEC, image=upcloud_goods.NETWORK),
        replace(SPEC, image="debian"),
    ):
        with pytest.raises(RequestRejected):
            provider.create(wrong, timeout_s=TIMEOUT_S)

    assert () == cloud.machines.standing()


def test_a_user_with_a_password_serves_as_well_as_a_token(cloud: Cloud) -> None:
    """One of the two is needed; a wrong password is refused and not shown."""
    named = {"username": upcloud.USER, "password": upcloud.PASSWORD}
    provider = open_at(cloud, **named)
    assert "images-1" == provider.create(SPEC, timeout_s=TIMEOUT_S).name
    provider.close()

    with pytest.raises(ProviderOptionsWrong, match="a token is needed"):
        open_at(cloud, disk_size="25")
    provider = open_at(cloud, **{**named, "password": "wrong-password-1"})
    with pytest.raises(RequestRejected, match="AUTHENTICATION_FAILED") as refused:
        provider.create(SPEC, timeout_s=TIMEOUT_S)
    provider.close()
    assert "wrong-password-1" not in f"{refused.value} {refused.value.__cause__}"


def test_disk_keys_networks_and_group_are_ordered_as_written(cloud: Cloud) -> None:
    """What an operator writes for every machine stands in the order, in the API's own form."""
    provider = open_at(
        cloud, token=upcloud.TOKEN, disk_size="25", disk_tier="maxiops", ssh_keys=["ssh-ed25519 AAAA ops"],
        networks=[upcloud_goods.NETWORK], public=False, server_group=upcloud_goods.NETWORK,
    )  # fmt: skip
    provider.create(SPEC, timeout_s=TIMEOUT_S)
    provider.close()

    order = cloud.server.exchanges[-1].asked.parts["server"]
    assert isinstance(order, dict)
    disk = order["storage_devices"]["storage_device"][0]
    kinds = [each["type"] for each in order["networking"]["interfaces"]["interface"]]
    assert (25, "maxiops", ["utility", "private"]) == (disk["size"], disk["tier"], kinds)
    assert ["ssh-ed25519 AAAA ops"] == order["login_user"]["ssh_keys"]["ssh_key"]


def five(provider: LibcloudProvider) -> list[str]:
    names = [f"images-{number}" for number in range(5)]
    for name in names:
        provider.create(replace(SPEC, name=NodeName(name)), timeout_s=TIMEOUT_S)
    return names


def test_several_pages_prove_absence_by_their_overlap(
    cloud: Cloud, provider: LibcloudProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each begins with the last row of the one before: nothing moved, and no total is needed."""
    monkeypatch.setattr(driver, "PER_PAGE", 2)
    names = five(provider)

    listing = provider.list_instances(timeout_s=TIMEOUT_S)

    assert (names, True) == (sorted(each.name for each in listing.instances), listing.complete)
    # Rows 0-1, 1-2, 2-3, 3-4, and 4 alone.
    assert 5 == sum("offset" in each.asked.query for each in cloud.server.exchanges)


def test_a_row_that_fell_between_two_pages_leaves_the_listing_incomplete(
    cloud: Cloud, provider: LibcloudProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that goes moves all behind it forward, and one of them is on no page."""
    monkeypatch.setattr(driver, "PER_PAGE", 2)
    five(provider)
    look, gone = cloud.api.look, list(cloud.machines.standing())

    def moving(asked):  # type: ignore[no-untyped-def]
        answer: Answer = look(asked)
        if gone:
            cloud.machines.end(gone.pop(0))
            gone.clear()
        return answer

    cloud.server.routes = [
        replace(each, handler=moving) if each.handler == cloud.api.look else each
        for each in cloud.server.routes
    ]

    listing = provider.list_instances(timeout_s=TIMEOUT_S)

    assert (False, "what was listed moved between the pages") == (listing.complete, listing.why_incomplete)


def test_a_disk_whose_server_somebody_deleted_without_it_is_found_and_ended(cloud: Cloud) -> None:
    """In the panel disks may be kept. It bears our labels since its order, so that it is known whose it was."""
    provider = open_at(cloud, token=upcloud.TOKEN, settle_s=0.0)
    made = provider.create(SPEC, timeout_s=TIMEOUT_S)
    assert () == provider.left_overs(timeout_s=TIMEOUT_S).found
    cloud.machines.end(cloud.machines.standing()[0])
    (disk,) = cloud.api.disks.values()
    disk["servers"] = {"server": []}

    (left,) = provider.left_overs(timeout_s=TIMEOUT_S).found

    assert ("images-1", "images", disk["uuid"]) == (left.name, left.pool, left.left_over_id)
    assert made.instance_id != left.left_over_id
    provider.end_left_over(left, timeout_s=TIMEOUT_S)
    assert {} == cloud.api.disks
    provider.close()


def test_a_listing_of_disks_that_moved_between_its_pages_ends_none(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with machines: what was not seen may be what it belongs to."""
    provider = open_at(cloud, token=upcloud.TOKEN, settle_s=0.0)
    five(provider)
    for machine in cloud.machines.standing():
        cloud.machines.end(machine)
    for disk in cloud.api.disks.values():
        disk["servers"] = {"server": []}
    left = provider.left_overs(timeout_s=TIMEOUT_S).found[-1]
    monkeypatch.setattr(driver, "PER_PAGE", 2)
    look = cloud.api.storages

    def moving(asked):  # type: ignore[no-untyped-def]
        answer: Answer = look(asked)
        first = next(iter(cloud.api.disks))
        cloud.api.disks[first] = cloud.api.disks.pop(first)
        return answer

    cloud.server.routes = [
        replace(each, handler=moving) if each.handler == look else each for each in cloud.server.routes
    ]

    with pytest.raises(RequestRejected, match="moved between the pages"):
        provider.end_left_over(left, timeout_s=TIMEOUT_S)
    assert 5 == len(cloud.api.disks)
    provider.close()
