"""The libcloud adapter's EC2 dialect over the wire against moto: what is asked arrives, what stands is listed."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from autoscaler.clock import SystemClock
from providers.contract import (
    InstanceAbsent,
    InstanceId,
    InstanceSpec,
    InstanceState,
    ListingUnavailable,
    NodeName,
    Purchase,
    RequestRejected,
)
from providers.dialects import DIALECTS
from providers.libcloud.adapter import LibcloudProvider, create_token, open_libcloud
from tests.contract import moto_world
from tests.contract.moto_world import Moto

TIMEOUT_S = 20.0
SECRET = "hunter2-in-the-user-data"


@pytest.fixture(scope="module")
def server() -> Iterator[Moto]:
    with moto_world.running() as moto:
        yield moto


@pytest.fixture
def moto(server: Moto) -> Moto:
    server.reset()
    return server


@pytest.fixture
def cloud(moto: Moto) -> Iterator[LibcloudProvider]:
    provider = open_cloud(moto)
    yield provider
    provider.close()


def open_cloud(moto: Moto, *, fleet: str = "production", **options: object) -> LibcloudProvider:
    return open_libcloud(name="aws", fleet=fleet, options=moto.options(**options), clock=SystemClock())


def a_spec(moto: Moto, name: str = "images-1", **changes: object) -> InstanceSpec:
    spec = InstanceSpec(
        name=NodeName(name),
        fleet="production",
        pool="images",
        size=moto_world.SIZE,
        image=moto.image,
        location="",
        user_data=b"#cloud-config\n",
    )
    return replace(spec, **changes)  # type: ignore[arg-type]


def names(provider: LibcloudProvider) -> set[str]:
    listing = provider.list_instances(timeout_s=TIMEOUT_S)
    assert listing.complete, listing.why_incomplete
    return {instance.name for instance in listing.instances}


def test_a_machine_is_what_its_spec_says(moto: Moto, cloud: LibcloudProvider) -> None:
    """Size, image, zone, mark, client token and shutdown behaviour arrive as decided."""
    zone = f"{moto_world.REGION}b"
    made = cloud.create(a_spec(moto, location=zone), timeout_s=TIMEOUT_S)

    (reservation,) = moto.client().describe_instances(InstanceIds=[made.instance_id])["Reservations"]
    (machine,) = reservation["Instances"]
    behaviour = moto.client().describe_instance_attribute(
        InstanceId=made.instance_id, Attribute="instanceInitiatedShutdownBehavior"
    )
    assert moto_world.SIZE == machine["InstanceType"]
    assert moto.image == machine["ImageId"]
    assert zone == machine["Placement"]["AvailabilityZone"]
    assert create_token("production", "images-1") == machine["ClientToken"]
    assert "terminate" == behaviour["InstanceInitiatedShutdownBehavior"]["Value"]
    assert {
        "Name": "images-1",
        "autoscaler-fleet": "production",
        "autoscaler-pool": "images",
        "autoscaler-node": "images-1",
    } == {tag["Key"]: tag["Value"] for tag in machine["Tags"]}


@pytest.mark.parametrize(
    "user_data",
    [
        "#cloud-config\n# æøå & = + % ?\n".encode(),
        gzip.compress(b"#cloud-config\n" * 50),
        bytes(range(256)) * 64,
    ],
    ids=["text", "gzip", "the most there may be"],
)
def test_user_data_arrives_byte_for_byte(moto: Moto, cloud: LibcloudProvider, user_data: bytes) -> None:
    """The driver's encoding is undone by the provider, whatever the bytes and up to the limit."""
    made = cloud.create(a_spec(moto, user_data=user_data), timeout_s=TIMEOUT_S)

    assert user_data == moto.user_data(made.instance_id)


def test_what_was_made_is_listed_with_all_the_provider_says(moto: Moto, cloud: LibcloudProvider) -> None:
    """The listing holds name, pool, state, size, zone, address and birth of a machine."""
    made = cloud.create(a_spec(moto), timeout_s=TIMEOUT_S)

    (seen,) = cloud.list_instances(timeout_s=TIMEOUT_S).instances
    assert ("images-1", made.instance_id, "images") == (seen.name, seen.instance_id, seen.pool)
    assert (InstanceState.PENDING, InstanceState.RUNNING) == (made.state, seen.state)
    assert (moto_world.SIZE, True) == (seen.size, seen.location.startswith(moto_world.REGION))
    assert seen.addresses
    assert seen.created_at is not None
    assert abs(SystemClock().now() - seen.created_at) < 60


def test_only_our_fleet_is_listed(moto: Moto, cloud: LibcloudProvider) -> None:
    """Neither another fleet's machine nor an unmarked one is ours."""
    cloud.create(a_spec(moto), timeout_s=TIMEOUT_S)
    other = open_cloud(moto, fleet="staging")
    other.create(a_spec(moto, "images-9"), timeout_s=TIMEOUT_S)
    moto.client().run_instances(ImageId=moto.image, MinCount=1, MaxCount=1)

    assert {"images-1"} == names(cloud)
    assert {"images-9"} == names(other)
    other.close()


def test_a_destroyed_machine_is_listed_no_more(moto: Moto, cloud: LibcloudProvider) -> None:
    """Destroyed by id, it is gone from the listing, and a second ask says so."""
    made = cloud.create(a_spec(moto), timeout_s=TIMEOUT_S)

    cloud.destroy("images-1", made.instance_id, timeout_s=TIMEOUT_S)

    assert set() == names(cloud)
    with pytest.raises(InstanceAbsent, match="images-1"):
        cloud.destroy("images-1", made.instance_id, timeout_s=TIMEOUT_S)


def test_destroy_by_name_ends_every_machine_of_that_name(moto: Moto, cloud: LibcloudProvider) -> None:
    """After an answer was lost the name is all we have; two machines that bear it both go, no other does."""
    for _ in range(2):
        cloud.create(a_spec(moto), timeout_s=TIMEOUT_S)
    cloud.create(a_spec(moto, "images-2"), timeout_s=TIMEOUT_S)

    cloud.destroy("images-1", None, timeout_s=TIMEOUT_S)

    assert {"images-2"} == names(cloud)


def test_a_machine_without_our_mark_is_never_ended(moto: Moto, cloud: LibcloudProvider) -> None:
    """A stranger's id, even under a name of ours, is answered as absent and left alone."""
    answer = moto.client().run_instances(ImageId=moto.image, MinCount=1, MaxCount=1)
    stranger = answer["Instances"][0]["InstanceId"]

    with pytest.raises(InstanceAbsent):
        cloud.destroy("images-1", InstanceId(stranger), timeout_s=TIMEOUT_S)

    (reservation,) = moto.client().describe_instances(InstanceIds=[stranger])["Reservations"]
    assert "running" == reservation["Instances"][0]["State"]["Name"]


def test_an_unknown_id_is_absent(cloud: LibcloudProvider) -> None:
    """What was never there is absent, not an error of ours."""
    with pytest.raises(InstanceAbsent):
        cloud.destroy("images-1", InstanceId("i-0123456789abcdef0"), timeout_s=TIMEOUT_S)


def test_an_unknown_image_is_our_fault(moto: Moto, cloud: LibcloudProvider) -> None:
    """The provider's definite no stops the offer, and its code stands in the message."""
    with pytest.raises(RequestRejected, match=r"images-1.*InvalidAMIID"):
        cloud.create(a_spec(moto, image="ami-00000000"), timeout_s=TIMEOUT_S)

    assert set() == names(cloud)


def test_every_page_of_a_long_listing_is_read(
    moto: Moto, cloud: LibcloudProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver reads one page; the adapter reads on to the last one."""
    ec2 = DIALECTS["ec2"]
    assert ec2.listing.cursor is not None
    cursor = replace(ec2.listing.cursor, size=5)
    short = replace(ec2, listing=replace(ec2.listing, cursor=cursor))
    monkeypatch.setattr("providers.libcloud.options.DIALECTS", {"ec2": short})
    for number in range(12):
        cloud.create(a_spec(moto, f"images-{number}"), timeout_s=TIMEOUT_S)

    with_short_pages = open_cloud(moto)

    assert {f"images-{number}" for number in range(12)} == names(with_short_pages)
    with_short_pages.close()


def test_threads_each_get_their_own_machine(moto: Moto, cloud: LibcloudProvider) -> None:
    """Sixteen creates on eight threads: every caller is told of the machine it asked for."""
    wanted = [f"images-{number}" for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda name: cloud.create(a_spec(moto, name), timeout_s=TIMEOUT_S), wanted))

    by_id = {seen.instance_id: seen.name for seen in cloud.list_instances(timeout_s=TIMEOUT_S).instances}
    assert wanted == [by_id[each.instance_id] for each in made]


def test_wrong_credentials_are_our_fault(moto: Moto, cloud: LibcloudProvider) -> None:
    """A create is rejected, a listing unavailable, and a check says which of all it was."""
    moto.demand_credentials_after(0)

    with pytest.raises(RequestRejected, match="AuthFailure"):
        cloud.create(a_spec(moto), timeout_s=TIMEOUT_S)
    with pytest.raises(ListingUnavailable, match="AuthFailure"):
        cloud.list_instances(timeout_s=TIMEOUT_S)
    credentials = cloud.check(a_purchase(moto), timeout_s=TIMEOUT_S)[0]
    assert ("credentials", False) == (credentials.subject, credentials.ok)
    assert "AuthFailure" in credentials.says


def a_purchase(moto: Moto, **changes: object) -> Purchase:
    purchase = Purchase(size=moto_world.SIZE, image=moto.image, location="", user_data_bytes=1000)
    return replace(purchase, **changes)  # type: ignore[arg-type]


def test_a_check_of_what_exists_finds_nothing_wrong(moto: Moto, cloud: LibcloudProvider) -> None:
    """Every subject is looked at, and nothing is made."""
    findings = cloud.check(a_purchase(moto, location=f"{moto_world.REGION}a"), timeout_s=TIMEOUT_S)

    subjects = ["credentials", "size", "image", "location", "price", "quota", "network", "user data"]
    assert subjects == [each.subject for each in findings]
    assert [] == [each.says for each in findings if not each.ok]
    assert set() == names(cloud)


@pytest.mark.parametrize(
    ("subject", "value", "says"),
    [
        ("size", "t3.mikro", "t3.micro"),
        ("image", "ami-00000000", "InvalidAMIID"),
        ("location", "eu-north-1z", "eu-north-1a"),
        ("user data", 16_385, "16384"),
    ],
)
def test_a_check_names_what_would_be_refused(
    moto: Moto, cloud: LibcloudProvider, subject: str, value: object, says: str
) -> None:
    """One wrong thing is one finding, which says what would do."""
    field = "user_data_bytes" if subject == "user data" else subject
    findings = cloud.check(a_purchase(moto, **{field: value}), timeout_s=TIMEOUT_S)

    (wrong,) = [each for each in findings if not each.ok]
    assert subject == wrong.subject
    assert says in wrong.says


def test_a_subnet_a_group_and_a_keypair_are_used(moto: Moto) -> None:
    """The account's extras reach the machine."""
    ec2 = moto.client()
    subnet = ec2.describe_subnets()["Subnets"][0]
    group = ec2.create_security_group(GroupName="workers", Description="-", VpcId=subnet["VpcId"])["GroupId"]
    ec2.create_key_pair(KeyName="ops")
    cloud = open_cloud(moto, subnet=subnet["SubnetId"], security_group_ids=[group], keypair="ops")

    made = cloud.create(a_spec(moto), timeout_s=TIMEOUT_S)

    machine = ec2.describe_instances(InstanceIds=[made.instance_id])["Reservations"][0]["Instances"][0]
    assert subnet["SubnetId"] == machine["SubnetId"]
    assert [group] == [each["GroupId"] for each in machine["SecurityGroups"]]
    assert "ops" == machine["KeyName"]
    cloud.close()


def test_no_log_line_holds_user_data_or_the_secret(
    moto: Moto, cloud: LibcloudProvider, caplog: pytest.LogCaptureFixture
) -> None:
    """Even the HTTP library's debug log, which writes every URL, sees neither."""
    caplog.set_level(logging.DEBUG)
    cloud.create(a_spec(moto, user_data=SECRET.encode()), timeout_s=TIMEOUT_S)

    assert "POST / HTTP" in caplog.text
    assert "UserData" not in caplog.text
    assert "testing-secret" not in caplog.text


def test_a_volume_that_its_image_keeps_ends_and_bears_the_mark(moto: Moto, cloud: LibcloudProvider) -> None:
    """Moto's images keep their volumes: the order says otherwise, and puts the fleet's tags on them as well."""
    image = moto.client().describe_images(ImageIds=[moto.image])["Images"][0]
    assert [False] == [each["Ebs"]["DeleteOnTermination"] for each in image["BlockDeviceMappings"]]

    cloud.create(a_spec(moto), timeout_s=TIMEOUT_S)

    (volume,) = moto.client().describe_volumes()["Volumes"]
    marks = {"autoscaler-fleet": "production", "autoscaler-pool": "images", "autoscaler-node": "images-1"}
    assert marks == {tag["Key"]: tag["Value"] for tag in volume["Tags"]}
    cloud.destroy("images-1", None, timeout_s=TIMEOUT_S)
    assert [] == moto.client().describe_volumes()["Volumes"]
