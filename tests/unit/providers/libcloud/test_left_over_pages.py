"""Volumes that EC2 lists page by page: all are read, and a listing that is not whole ends nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from autoscaler.clock import SystemClock
from providers.contract import InstanceAbsent, LeftOver, ListingUnavailable, OutcomeUnknown, RequestRejected
from providers.libcloud.adapter import LibcloudProvider, open_libcloud
from tests.unit.providers import ec2_stub
from tests.unit.providers.ec2_stub import NAMESPACE, Reply, Stub

TIMEOUT_S = 5.0
WANTED = LeftOver(kind="volume", left_over_id="vol-1", name="images-1")


@pytest.fixture
def stub() -> Iterator[Stub]:
    with ec2_stub.running() as running:
        running.script["DescribeInstances"] = ec2_stub.listing()
        running.script["DeleteVolume"] = ec2_stub.answer(
            200, f'<DeleteVolumeResponse xmlns="{NAMESPACE}"><return>true</return></DeleteVolumeResponse>'
        )
        yield running


@pytest.fixture
def cloud(stub: Stub) -> Iterator[LibcloudProvider]:
    options = {
        "driver": "ec2", "key": "AKIATESTING", "secret": "testing-secret", "region": "eu-north-1",
        "host": "127.0.0.1", "port": stub.port, "secure": False,
    }  # fmt: skip
    opened = open_libcloud(name="aws", fleet="production", options=options, clock=SystemClock())
    yield opened
    opened.close()


def a_volume(key: str, *, fleet: str = "production", name: str = "images-1", more: str = "") -> str:
    tags = {"autoscaler-fleet": fleet, "autoscaler-node": name}
    items = "".join(f"<item><key>{key}</key><value>{value}</value></item>" for key, value in tags.items())
    return (
        f"<volumeId>{key}</volumeId><size>8</size><availabilityZone>eu-north-1a</availabilityZone>"
        f"<status>available</status><createTime>2026-01-02T03:04:05.000Z</createTime>{more}<tagSet>{items}</tagSet>"
    )


def volumes(*rows: str, next_token: str = "") -> Reply:
    items = "".join(f"<item>{each}</item>" for each in rows)
    following = f"<nextToken>{next_token}</nextToken>" if next_token else ""
    return ec2_stub.answer(
        200,
        f'<DescribeVolumesResponse xmlns="{NAMESPACE}"><volumeSet>{items}</volumeSet>{following}'
        "</DescribeVolumesResponse>",
    )


def test_every_page_is_read(stub: Stub, cloud: LibcloudProvider) -> None:
    """What the last page holds is found, and ended."""
    two = (volumes(a_volume("vol-0"), next_token="more"), volumes(a_volume("vol-1")))
    stub.script["DescribeVolumes"] = ec2_stub.pages(*two)
    found = [each.left_over_id for each in cloud.left_overs(timeout_s=TIMEOUT_S).found]
    assert ["vol-0", "vol-1"] == found
    assert "more" == stub.asked[-1].parameters["NextToken"]

    stub.script["DescribeVolumes"] = ec2_stub.pages(*two)
    cloud.end_left_over(WANTED, timeout_s=TIMEOUT_S)
    (asked,) = [each for each in stub.asked if each.action == "DeleteVolume"]
    assert "vol-1" == asked.parameters["VolumeId"]


def test_pages_that_lead_back_are_incomplete_and_end_nothing(stub: Stub, cloud: LibcloudProvider) -> None:
    """The same page is announced as the next one for ever."""
    stub.script["DescribeVolumes"] = volumes(a_volume("vol-1"), next_token="round")

    assert not cloud.left_overs(timeout_s=TIMEOUT_S).complete
    with pytest.raises(RequestRejected, match="left alone"):
        cloud.end_left_over(WANTED, timeout_s=TIMEOUT_S)
    assert 0 == stub.count("DeleteVolume")


@pytest.mark.parametrize(
    "page",
    [
        ec2_stub.answer(502, "<html>Bad Gateway</html>"),
        ec2_stub.cut,
        ec2_stub.refusal(403, "UnauthorizedOperation"),
        ec2_stub.listing(),
        volumes("<volumeId>vol-2</volumeId><createTime>x</createTime>"),
    ],
    ids=["502", "cut", "403", "of something else", "a row that cannot be read"],
)
def test_a_page_that_fails_is_no_look_and_ends_nothing(
    stub: Stub, cloud: LibcloudProvider, page: Reply
) -> None:
    """Neither half of a listing nor one that is none is believed."""
    stub.script["DescribeVolumes"] = ec2_stub.pages(volumes(a_volume("vol-1"), next_token="more"), page)
    with pytest.raises(ListingUnavailable):
        cloud.left_overs(timeout_s=TIMEOUT_S)

    stub.script["DescribeVolumes"] = ec2_stub.pages(volumes(a_volume("vol-1"), next_token="more"), page)
    with pytest.raises((RequestRejected, OutcomeUnknown)):
        cloud.end_left_over(WANTED, timeout_s=TIMEOUT_S)
    assert 0 == stub.count("DeleteVolume")


@pytest.mark.parametrize(
    "row",
    [
        a_volume("vol-1", more="<attachmentSet><item><instanceId>i-1</instanceId></item></attachmentSet>"),
        a_volume("vol-1", fleet="production-2"),
        a_volume("vol-1").replace("available", "in-use"),
        a_volume("vol-1").replace("available", "creating"),
        a_volume("vol-1").replace("autoscaler-fleet", "Autoscaler-Fleet"),
        a_volume("vol-1").replace("autoscaler-node", "Name"),
        a_volume("vol-1", name=""),
    ],
    ids=["attached", "another fleet's", "in use", "being made", "another tag", "no machine's", "nobody's"],
)
def test_a_filter_is_a_promise_and_rows_are_looked_at(stub: Stub, cloud: LibcloudProvider, row: str) -> None:
    """The cloud answers what was not asked for, or what is no longer so: it is left alone."""
    stub.script["DescribeVolumes"] = volumes(row)

    assert () == cloud.left_overs(timeout_s=TIMEOUT_S).found
    with pytest.raises(InstanceAbsent):
        cloud.end_left_over(WANTED, timeout_s=TIMEOUT_S)
    assert 0 == stub.count("DeleteVolume")


@pytest.mark.parametrize(
    ("code", "means"),
    [("InvalidVolume.NotFound", InstanceAbsent), ("VolumeInUse", RequestRejected)],
)
def test_a_refused_end_says_why(
    stub: Stub, cloud: LibcloudProvider, code: str, means: type[Exception]
) -> None:
    """Somebody was faster, either way."""
    stub.script["DescribeVolumes"] = volumes(a_volume("vol-1"))
    stub.script["DeleteVolume"] = ec2_stub.refusal(400, code)

    with pytest.raises(means, match=code):
        cloud.end_left_over(WANTED, timeout_s=TIMEOUT_S)


def test_a_machine_that_is_terminated_owns_nothing_any_more(stub: Stub, cloud: LibcloudProvider) -> None:
    """EC2 lists it for an hour longer, as one that is no more; one that is ending still is."""
    stub.script["DescribeVolumes"] = volumes(a_volume("vol-1"))
    for state, count in (("terminated", 1), ("shutting-down", 0), ("running", 0)):
        stub.script["DescribeInstances"] = ec2_stub.listing(
            ec2_stub.machine("i-1", name="images-1", state=state)
        )
        assert count == len(cloud.left_overs(timeout_s=TIMEOUT_S).found), state
