"""What `check --online` finds at EC2 besides size, image and location, against moto: what options name, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from autoscaler.clock import SystemClock
from providers.contract import Finding, Purchase
from providers.dialects import DIALECTS
from providers.libcloud.adapter import open_libcloud
from tests.contract import moto_world
from tests.contract.moto_world import Moto

TIMEOUT_S = 20.0
ZONE = f"{moto_world.REGION}a"


@pytest.fixture(scope="module")
def server() -> Iterator[Moto]:
    with moto_world.running() as moto:
        yield moto


@pytest.fixture
def moto(server: Moto) -> Moto:
    server.reset()
    return server


def found(moto: Moto, location: str = ZONE, **options: object) -> Sequence[Finding]:
    cloud = open_libcloud(name="aws", fleet="shop", options=moto.options(**options), clock=SystemClock())
    wanted = Purchase(
        size=moto_world.SIZE, image=moto.image, location=location, price_per_h=0.01, currency="EUR"
    )
    findings = cloud.check(wanted, timeout_s=TIMEOUT_S)
    cloud.close()
    return findings


def bad(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(each.subject, each.says) for each in findings if not each.ok]


def test_what_the_options_name_is_looked_for(moto: Moto) -> None:
    """A subnet in its zone, groups by id, a key pair; the profile is said to be out of sight."""
    ec2 = moto.client()
    subnet = next(each for each in ec2.describe_subnets()["Subnets"] if each["AvailabilityZone"] == ZONE)
    group = ec2.create_security_group(GroupName="workers", Description="-", VpcId=subnet["VpcId"])["GroupId"]
    ec2.create_key_pair(KeyName="ops")

    findings = found(
        moto,
        subnet=subnet["SubnetId"],
        security_group_ids=[group],
        keypair="ops",
        iam_profile="worker",
    )

    assert [] == bad(findings)
    assert {
        f"subnet: {subnet['SubnetId']} exists, in {ZONE}",
        f"security_group_ids: {group} exists",
        "keypair: ops exists",
    } <= {each.says for each in findings if not each.note}
    assert ["iam_profile: worker cannot be looked up here: IAM alone tells whether it is there"] == [
        each.says for each in findings if each.note
    ]


def test_groups_by_name_are_looked_for_without_a_subnet_and_refused_with_one(moto: Moto) -> None:
    """EC2 takes no order with both, whether or not all that they name is there."""
    ec2 = moto.client()
    subnet = next(each for each in ec2.describe_subnets()["Subnets"] if each["AvailabilityZone"] == ZONE)
    ec2.create_security_group(GroupName="workers", Description="-", VpcId=subnet["VpcId"])

    alone = found(moto, security_groups=["workers"])
    both = found(moto, security_groups=["workers"], subnet=subnet["SubnetId"])

    assert ([], True) == (bad(alone), "security_groups: workers exists" in {each.says for each in alone})
    refused = "security_groups: an order with subnet too is refused; security_group_ids goes with it"
    assert [("network", refused)] == bad(both)


def test_a_slip_is_told_with_what_comes_near(moto: Moto) -> None:
    """By id where an id is wanted, also for those who wrote the name."""
    ec2 = moto.client()
    subnets = ec2.describe_subnets()["Subnets"]
    elsewhere = next(each for each in subnets if each["AvailabilityZone"] != ZONE)
    group = ec2.create_security_group(GroupName="workers", Description="-", VpcId=elsewhere["VpcId"])[
        "GroupId"
    ]
    ec2.create_key_pair(KeyName="ops")
    subnet = elsewhere["SubnetId"]

    (wrong_zone,) = bad(found(moto, subnet=subnet))
    (wrong_group,) = bad(found(moto, "", subnet=subnet, security_group_ids=["workers"]))
    (wrong_key,) = bad(found(moto, keypair="oops"))

    there = elsewhere["AvailabilityZone"]
    assert ("network", f"subnet: {subnet} is in {there}, and the offer in {ZONE}") == wrong_zone
    assert f"'workers' is not there; nearest: {group} (workers)" in wrong_group[1]
    assert ("keys", "keypair: 'oops' is not there; nearest: ops") == wrong_key


def test_an_offer_without_a_subnet_needs_a_default_vpc(moto: Moto) -> None:
    """One that was deleted is told before AWS refuses the first order."""
    assert [] == bad(found(moto))
    ec2 = moto.client()
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "isDefault", "Values": ["true"]}])["Vpcs"]
    for each in ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]:
        ec2.delete_subnet(SubnetId=each["SubnetId"])
    ec2.delete_vpc(VpcId=vpc["VpcId"])

    assert [("network", "subnet: not written, so the region's default VPC, and there is none")] == bad(
        found(moto)
    )


def test_price_and_quota_are_said_to_be_told_elsewhere(moto: Moto) -> None:
    """Neither is in this API, and neither is passed over."""
    looks = DIALECTS["ec2"].looks
    said = {each.subject: each.says for each in found(moto)}

    assert (looks.price.untold, looks.quota.untold) == (said["price"], said["quota"])
    assert looks.price.untold
    assert looks.quota.untold
