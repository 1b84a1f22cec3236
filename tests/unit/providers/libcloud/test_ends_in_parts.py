"""An end of several requests of which some were taken: never a refusal of the whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from autoscaler.clock import SystemClock
from providers.contract import MayAct, NotSent, OutcomeUnknown, RequestRejected, Throttled, always
from providers.libcloud.adapter import LibcloudProvider, open_libcloud
from tests.unit.providers import ec2_stub
from tests.unit.providers.ec2_stub import Reply, Stub

TIMEOUT_S = 5.0
TAKEN = ec2_stub.answer(200, f'<TerminateInstancesResponse xmlns="{ec2_stub.NAMESPACE}"/>')


@pytest.fixture
def stub() -> Iterator[Stub]:
    with ec2_stub.running() as running:
        twins = [ec2_stub.machine(f"i-{number}", name="images-1") for number in (1, 2)]
        running.script["DescribeInstances"] = ec2_stub.listing(*twins)
        yield running


def open_at(stub: Stub, *, may_act: MayAct = always) -> LibcloudProvider:
    options = {
        "driver": "ec2", "key": "AKIATESTING", "secret": "testing-secret", "region": "eu-north-1",
        "host": "127.0.0.1", "port": stub.port, "secure": False,
    }  # fmt: skip
    return open_libcloud(
        name="aws", fleet="production", options=options, clock=SystemClock(), may_act=may_act
    )


@pytest.mark.parametrize(
    "second",
    [
        ec2_stub.refusal(400, "OperationNotPermitted"),
        ec2_stub.refusal(503, "RequestLimitExceeded"),
        ec2_stub.refusal(400, "InvalidInstanceID.NotFound"),
        ec2_stub.cut,
    ],
    ids=["refused", "throttled", "absent", "cut"],
)
def test_what_is_refused_after_an_end_was_taken_is_unknown(stub: Stub, second: Reply) -> None:
    """The daemon would else think that nothing came of it, and could take the node back into service."""
    stub.script["TerminateInstances"] = ec2_stub.pages(TAKEN, second)
    cloud = open_at(stub)

    with pytest.raises(OutcomeUnknown, match="the order was taken, and then"):
        cloud.destroy("images-1", None, timeout_s=TIMEOUT_S)
    assert 2 == stub.count("TerminateInstances")
    cloud.close()


@pytest.mark.parametrize(
    ("first", "means"),
    [
        (ec2_stub.refusal(400, "OperationNotPermitted"), RequestRejected),
        (ec2_stub.refusal(503, "RequestLimitExceeded"), Throttled),
    ],
    ids=["refused", "throttled"],
)
def test_what_is_refused_at_once_is_refused(stub: Stub, first: Reply, means: type[Exception]) -> None:
    """Nothing was taken, and the answer says the next move."""
    stub.script["TerminateInstances"] = first
    cloud = open_at(stub)

    with pytest.raises(means):
        cloud.destroy("images-1", None, timeout_s=TIMEOUT_S)
    assert 1 == stub.count("TerminateInstances")
    cloud.close()


@pytest.mark.parametrize(("leaves", "means"), [(1, NotSent), (2, OutcomeUnknown)])
def test_leave_that_ends_midway_is_told_by_what_was_taken(
    stub: Stub, leaves: int, means: type[Exception]
) -> None:
    """One look and no end: nothing was sent. One look and one end: nobody knows."""
    stub.script["TerminateInstances"] = TAKEN
    cloud = open_at(
        stub, may_act=lambda: stub.count("DescribeInstances") + stub.count("TerminateInstances") < leaves
    )

    with pytest.raises(means):
        cloud.destroy("images-1", None, timeout_s=TIMEOUT_S)
    assert leaves - 1 == stub.count("TerminateInstances")
    cloud.close()
