"""An order that takes several requests ends where the leave to act ends: a daemon that was stopped may be succeeded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from autoscaler.clock import SystemClock
from providers.contract import InstanceId, InstanceSpec, MayAct, NodeName, NotSent, OutcomeUnknown
from providers.libcloud.adapter import LibcloudProvider, open_libcloud
from tests.unit.providers import ec2_stub
from tests.unit.providers.ec2_stub import Reply, Stub, answer, listing, machine

SPEC = InstanceSpec(
    name=NodeName("images-1"),
    fleet="production",
    pool="images",
    size="t3.micro",
    image="ami-1",
    location="",
    user_data=b"#cloud-config",
)


@pytest.fixture
def stub() -> Iterator[Stub]:
    with ec2_stub.running() as server:
        yield server


def open_at(port: int, may_act: MayAct) -> LibcloudProvider:
    options = {
        "driver": "ec2", "key": "AKIATESTING", "secret": "hush", "region": "eu-north-1",
        "host": "127.0.0.1", "port": port, "secure": False,
    }  # fmt: skip
    return open_libcloud(
        name="aws", fleet="production", options=options, clock=SystemClock(), may_act=may_act
    )


class Leave:
    """To act, until a reply of the stub takes it away."""

    def __init__(self) -> None:
        self.given = True

    def __call__(self) -> bool:
        return self.given

    def ends_with(self, reply: Reply) -> Reply:
        def answer_and_end(exchange: ec2_stub.Exchange) -> None:
            self.given = False
            reply(exchange)

        return answer_and_end


def test_an_end_is_not_asked_for_once_leave_ended_amid_its_listing(stub: Stub) -> None:
    """The daemon was stopped while the pages came, and another leads since: no order follows, and that is said."""
    leave = Leave()
    cloud = open_at(stub.port, leave)
    stub.script["DescribeInstances"] = leave.ends_with(listing(machine("i-1", name="images-1")))

    with pytest.raises(NotSent, match="not sent: the lease is not surely ours"):
        cloud.destroy("images-1", InstanceId("i-1"), timeout_s=10.0)
    cloud.close()

    assert (1, 0) == (stub.count("DescribeInstances"), stub.count("TerminateInstances"))


def test_of_several_ends_those_after_the_end_of_leave_stay_unsent_and_the_outcome_is_unknown(
    stub: Stub,
) -> None:
    """One went out, so `NotSent` would be no longer true."""
    leave = Leave()
    cloud = open_at(stub.port, leave)
    stub.script["DescribeInstances"] = listing(
        machine("i-1", name="images-1"), machine("i-2", name="images-1")
    )
    stub.script["TerminateInstances"] = leave.ends_with(answer(200, "<TerminateInstancesResponse/>"))

    with pytest.raises(OutcomeUnknown):
        cloud.destroy("images-1", None, timeout_s=10.0)
    cloud.close()

    assert 1 == stub.count("TerminateInstances")


def test_nothing_is_sent_where_leave_ended_while_a_connection_was_made(stub: Stub) -> None:
    """A handshake takes its time, too."""
    asked: list[bool] = []

    def once() -> bool:
        asked.append(not asked)
        return asked[-1]

    cloud = open_at(stub.port, once)

    with pytest.raises(NotSent):
        cloud.create(SPEC, timeout_s=10.0)
    cloud.close()

    assert ([True, False], []) == (asked, stub.asked)


def test_who_may_not_act_may_look(stub: Stub) -> None:
    """One who stands by orders nothing, and lists all the same."""
    cloud = open_at(stub.port, lambda: False)
    stub.script["DescribeInstances"] = listing(machine("i-1", name="images-1"))

    assert 1 == len(cloud.list_instances(timeout_s=10.0).instances)
    cloud.close()
