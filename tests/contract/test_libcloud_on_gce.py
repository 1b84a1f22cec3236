"""What is peculiar to Google Compute Engine: logins, orders that are given back, zones that are not reached."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from autoscaler.clock import SystemClock
from providers.contract import (
    CapacityRefused,
    InstanceSpec,
    ListingUnavailable,
    NodeName,
    OutcomeUnknown,
    QuotaRefused,
    RequestRejected,
)
from providers.libcloud.adapter import LibcloudProvider, open_libcloud
from testbed.clouds import gce
from testbed.clouds.cloud import Cloud
from testbed.clouds.exchange import Answer, Fault, Kind

TIMEOUT_S = 10.0
SPEC = InstanceSpec(
    name=NodeName("images-1"),
    fleet="production",
    pool="images",
    size="e2-small",
    image=gce.IMAGES[0],
    location="europe-west1-b",
    user_data=b"#cloud-config\n",
)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with gce.serving() as serving:
        yield serving


@pytest.fixture
def provider(cloud: Cloud) -> Iterator[LibcloudProvider]:
    opened = open_at(cloud)
    yield opened
    opened.close()


def open_at(cloud: Cloud, **options: object) -> LibcloudProvider:
    here = {"host": "127.0.0.1", "port": cloud.server.port, "secure": False, "project": gce.PROJECT}
    key = {"service_account": gce.service_account(cloud)}
    return open_libcloud(
        name="here",
        fleet="production",
        options={"driver": "gce", **here, **key, **options},
        clock=SystemClock(),
    )


def test_a_zone_without_stock_gives_the_order_back(provider: LibcloudProvider, cloud: Cloud) -> None:
    """The order is taken with 200; that nothing came of it is the operation's word, and sends a pool elsewhere."""
    cloud.api.sold_out.add(("e2-small", "europe-west1-b"))

    with pytest.raises(CapacityRefused, match="ZONE_RESOURCE_POOL_EXHAUSTED"):
        provider.create(SPEC, timeout_s=TIMEOUT_S)

    assert () == cloud.machines.standing()


def test_an_operation_that_goes_on_has_given_nothing_back(provider: LibcloudProvider, cloud: Cloud) -> None:
    """Whatever error it bears meanwhile: the machine is looked for, and found."""
    cloud.server.meet(
        Fault(answer=Answer(status=200, body={"name": "o"}), carried_out=True), kind=Kind.CREATE
    )
    amid = {"status": "RUNNING", "error": {"errors": [{"code": "QUOTA_EXCEEDED"}]}}
    cloud.server.meet(Fault(answer=Answer(status=200, body=amid)), kind=Kind.OTHER)

    assert "images-1" == provider.create(SPEC, timeout_s=TIMEOUT_S).name


@pytest.mark.parametrize(
    ("sentence", "means"),
    [
        ("Quota 'CPUS_ALL_REGIONS' exceeded.  Limit: 12.0 globally.", QuotaRefused),
        ("Quota 'CPUS' exceeded.  Limit: 8.0 in region europe-west1.", CapacityRefused),
        ("Quota 'N2_CPUS' exceeded.  Limit: 50.0 in region us-east1.", CapacityRefused),
        ("Quota 'IN_USE_ADDRESSES' exceeded.  Limit: 4.0 in region us-central1.", CapacityRefused),
        # Of all regions too, and other offers need none.
        ("Quota 'GPUS_ALL_REGIONS' exceeded.  Limit: 0.0 globally.", CapacityRefused),
    ],
)
@pytest.mark.parametrize("by_operation", [False, True])
def test_only_a_quota_of_all_regions_and_all_machines_is_the_account_s(
    provider: LibcloudProvider, cloud: Cloud, sentence: str, means: type[Exception], by_operation: bool
) -> None:
    """Another region's offers fare otherwise, and are asked; told at once or by the operation, it is the same."""
    if by_operation:
        cloud.server.meet(Fault(answer=Answer(status=200, body={"name": "o"})), kind=Kind.CREATE)
        told = {"status": "DONE", "error": {"errors": [{"code": "QUOTA_EXCEEDED", "message": sentence}]}}
        cloud.server.meet(Fault(answer=Answer(status=200, body=told)), kind=Kind.OTHER)
    else:
        refusal = {"error": {"errors": [{"reason": "quotaExceeded", "message": sentence}], "code": 403}}
        cloud.server.meet(Fault(answer=Answer(status=403, body=refusal)), kind=Kind.CREATE)

    with pytest.raises(CapacityRefused) as refused:
        provider.create(SPEC, timeout_s=TIMEOUT_S)

    assert means is refused.type


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, {"error": {"errors": [{"reason": "quotaExceeded"}]}}),
        (404, {"error": {"errors": [{"reason": "notFound"}]}}),
        (400, {"error": {"errors": [{"reason": "invalid"}]}}),
        (502, "<html>Bad Gateway</html>"),
        (200, {"status": "DONE", "error": {"errors": [{"code": "SOMETHING_NEW"}]}}),
        (200, "no JSON"),
    ],
)
def test_what_is_not_the_operation_s_own_word_leaves_the_outcome_unknown(
    provider: LibcloudProvider, cloud: Cloud, status: int, body: object
) -> None:
    """A look that is refused says nothing of the machine, which may stand: it is ours, and listed."""
    cloud.server.meet(
        Fault(answer=Answer(status=200, body={"name": "o"}), carried_out=True), kind=Kind.CREATE
    )
    cloud.server.meet(Fault(answer=Answer(status=status, body=body)), kind=Kind.OTHER)

    with pytest.raises(OutcomeUnknown):
        provider.create(SPEC, timeout_s=TIMEOUT_S)

    assert ["images-1"] == [each.name for each in provider.list_instances(timeout_s=TIMEOUT_S).instances]


def test_a_listing_without_a_zone_is_not_whole(provider: LibcloudProvider, cloud: Cloud) -> None:
    """The answer is 200 and looks like one without machines; whoever believed it would call a standing one gone."""
    provider.create(SPEC, timeout_s=TIMEOUT_S)
    cloud.api.unreachable.add("europe-west1-b")

    listing = provider.list_instances(timeout_s=TIMEOUT_S)

    assert () == listing.instances
    assert not listing.complete
    assert "everywhere" in listing.why_incomplete


def test_user_data_cannot_make_a_listing_doubtful(provider: LibcloudProvider) -> None:
    """The sign stands outside of every text: within one its quotes are escaped."""
    provider.create(
        replace(SPEC, user_data=b'{"code": "UNREACHABLE", "unreachables": ["x"]}'), timeout_s=TIMEOUT_S
    )

    assert provider.list_instances(timeout_s=TIMEOUT_S).complete


def test_an_empty_project_is_told_from_no_listing(provider: LibcloudProvider, cloud: Cloud) -> None:
    """Without machines there may be no rows at all; what it is an answer of stands there all the same."""
    kind = "compute#instanceAggregatedList"
    cloud.server.meet(Fault(answer=Answer(body={"kind": kind})), kind=Kind.LIST)
    cloud.server.meet(Fault(answer=Answer(body={})), kind=Kind.LIST)
    odd = {"kind": kind, "items": {"zones/a": {"instances": "none"}}}
    cloud.server.meet(Fault(answer=Answer(body=odd)), kind=Kind.LIST)

    assert provider.list_instances(timeout_s=TIMEOUT_S).complete
    for _ in range(2):
        with pytest.raises(ListingUnavailable):
            provider.list_instances(timeout_s=TIMEOUT_S)


@pytest.mark.parametrize(
    "change", [{"client_email": "another@x"}, {"private_key": "no key"}, {"token_uri": 7}]
)
def test_a_key_that_is_none_is_told_without_it(cloud: Cloud, change: dict[str, object]) -> None:
    """Nothing is ordered, and nothing of the key is told."""
    key = {**json.loads(gce.service_account(cloud)), **change}
    provider = open_at(cloud, service_account=json.dumps(key))

    with pytest.raises(RequestRejected) as refused:
        provider.create(SPEC, timeout_s=TIMEOUT_S)

    assert 0 == cloud.server.count(Kind.CREATE)
    assert "PRIVATE KEY" not in str(refused.value)
    provider.close()


def test_a_driver_logs_in_once(provider: LibcloudProvider, cloud: Cloud) -> None:
    """A token lasts an hour and is kept in memory."""
    provider.create(SPEC, timeout_s=TIMEOUT_S)
    provider.list_instances(timeout_s=TIMEOUT_S)

    assert 1 == cloud.server.count(Kind.LOGIN)
