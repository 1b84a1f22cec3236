"""What is peculiar to Scaleway: a create of several requests of which the first one buys, and ends of two kinds."""

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
    ListingUnavailable,
    MayAct,
    NodeName,
    OutcomeUnknown,
    ProviderError,
    ProviderOptionsWrong,
    Purchase,
    RequestRejected,
    Throttled,
    always,
)
from providers.dialects import DIALECTS
from providers.libcloud import options
from providers.libcloud.adapter import LibcloudProvider, open_libcloud
from providers.libcloud.drivers.scaleway import ScalewayNodeDriver
from testbed.clouds import exchange, scaleway
from testbed.clouds.cloud import Cloud
from testbed.clouds.exchange import Answer, Asked, Fault, Kind, Route
from testbed.clouds.machines import Habits

TIMEOUT_S = 10.0
SPEC = InstanceSpec(
    name=NodeName("images-1"),
    fleet="production",
    pool="images",
    size="DEV1-S",
    image=scaleway.IMAGE,
    location=scaleway.ZONE,
    user_data=b"#cloud-config\n",
)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with scaleway.serving(Habits(boot_s=5.0)) as serving:
        yield serving


def open_at(cloud: Cloud, *, may_act: MayAct = always, **changes: object) -> LibcloudProvider:
    given = {
        "driver": "scaleway", "secret_key": scaleway.SECRET_KEY, "project": scaleway.PROJECT, "zone": scaleway.ZONE,
        "host": "127.0.0.1", "port": cloud.server.port, "secure": False,
    }  # fmt: skip
    return open_libcloud(
        name="scw", fleet="production", options={**given, **changes}, clock=SystemClock(), may_act=may_act
    )


@pytest.fixture
def provider(cloud: Cloud) -> Iterator[LibcloudProvider]:
    opened = open_at(cloud)
    yield opened
    opened.close()


def refused(provider: LibcloudProvider, spec: InstanceSpec = SPEC) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        provider.create(spec, timeout_s=TIMEOUT_S)
    return caught.value


def states(provider: LibcloudProvider) -> list[InstanceState]:
    listing = provider.list_instances(timeout_s=TIMEOUT_S)
    assert listing.complete, listing.why_incomplete
    return [each.state for each in listing.instances]


def steps(cloud: Cloud) -> list[tuple[str, str]]:
    """Method and last word of the path of all that was asked."""
    return [(each.asked.method, each.asked.path.rpartition("/")[2]) for each in cloud.server.exchanges]


def let_fail(cloud: Cloud, method: str, end: str, fault: Fault) -> None:
    """From now on requests of this kind meet the fault, and no others."""
    kind = Kind.LOGIN  # a kind that nothing else here has
    cloud.server.routes = [
        replace(each, kind=kind) if each.method == method and each.path.endswith(end) else each
        for each in cloud.server.routes
    ]
    cloud.server.meet(fault, kind=kind, times=9)


def test_a_create_buys_tells_starts_and_looks(cloud: Cloud, provider: LibcloudProvider) -> None:
    """In this order, each once: a server is never started before it has its user data."""
    made = provider.create(SPEC, timeout_s=TIMEOUT_S)

    assert [("POST", "servers"), ("PATCH", "cloud-init"), ("POST", "action")] == steps(cloud)[:3]
    assert (4, InstanceState.PENDING) == (len(cloud.server.exchanges), made.state)
    told = cloud.server.exchanges[1].asked
    assert ("text/plain", SPEC.user_data) == (told.headers["content-type"], told.raw)


@pytest.mark.parametrize(
    "fault",
    [
        exchange.REQUEST_LOST,
        exchange.BAD_GATEWAY,
        Fault(answer=scaleway.REFUSALS.throttled),
        Fault(answer=Answer(status=404, body={"type": "not_found", "message": "resource is not found"})),
        Fault(answer=scaleway.FULL),
    ],
    ids=["cut", "502", "429", "404", "403"],
)
@pytest.mark.parametrize(("method", "end"), [("PATCH", "/user_data/{key}"), ("POST", "/action")])
def test_a_create_that_breaks_off_is_unknown_found_stopped_and_ended_with_its_disk(
    cloud: Cloud, provider: LibcloudProvider, method: str, end: str, fault: Fault
) -> None:
    """Whatever the later step was told: the server is there and billed. It never runs without its user data."""
    let_fail(cloud, method, end, fault)

    error = refused(provider)

    assert isinstance(error, OutcomeUnknown), error
    assert "the order was taken" in str(error)
    cloud.server.calm()
    assert [InstanceState.STOPPED] == states(provider)
    assert (method == "PATCH") is (("POST", "action") not in steps(cloud))
    provider.destroy("images-1", None, timeout_s=TIMEOUT_S)
    assert ([], {}) == (states(provider), cloud.api.volumes)
    assert 1 == cloud.server.count(Kind.CREATE)


def test_leave_that_ends_within_a_create_ends_its_sequence(cloud: Cloud) -> None:
    """Another daemon may lead: nothing is started any more, and what was bought is not claimed never to have been."""
    leave = {"given": True}
    create: Route = next(each for each in cloud.server.routes if each.kind is Kind.CREATE)

    def buy_and_end(asked: Asked) -> Answer:
        leave["given"] = False
        return create.handler(asked)

    cloud.server.routes = [
        replace(each, handler=buy_and_end) if each is create else each for each in cloud.server.routes
    ]
    provider = open_at(cloud, may_act=lambda: leave["given"])

    assert isinstance(refused(provider), OutcomeUnknown)
    assert [("POST", "servers")] == steps(cloud)
    assert [InstanceState.STOPPED] == states(provider)
    provider.close()


class Hasty(ScalewayNodeDriver):
    """A driver that would start something it has not bought, and one that would buy twice."""

    twice = False

    def create_node(self, *args, **named):  # type: ignore[no-untyped-def]
        if self.twice:
            super().create_node(*args, **named)
            return super().create_node(*args, **named)
        return self._act("00000001-0000-4000-8000-000000000000", "poweron")


@pytest.mark.parametrize("twice", [False, True], ids=["starts without an order", "orders twice"])
def test_a_sequence_is_one_order_and_what_follows_it(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, twice: bool
) -> None:
    """What follows leaves only after its order was taken, and a second order never does, whatever the driver wants."""
    dialect = replace(DIALECTS["scaleway"], driver_class=f"{__name__}:Hasty")
    monkeypatch.setitem(options.DIALECTS, "scaleway", dialect)  # type: ignore[misc]
    monkeypatch.setattr(Hasty, "twice", twice)
    provider = open_at(cloud)

    assert isinstance(refused(provider), OutcomeUnknown if twice else ProviderError)
    assert int(twice) == cloud.server.count(Kind.CREATE) == len(cloud.machines.standing())
    assert twice is (("POST", "action") in steps(cloud))
    provider.close()


def test_a_server_that_runs_is_terminated_and_one_that_starts_is_asked_again(
    cloud: Cloud, provider: LibcloudProvider
) -> None:
    """One request takes its volumes along; while it starts nothing can be done, and that is what is said."""
    made = provider.create(SPEC, timeout_s=TIMEOUT_S)
    with pytest.raises(Throttled, match="transient_state"):
        provider.destroy("images-1", made.instance_id, timeout_s=TIMEOUT_S)

    cloud.machines.clock.turn(10)
    provider.destroy("images-1", made.instance_id, timeout_s=TIMEOUT_S)
    assert ([], {}) == (states(provider), cloud.api.volumes)


@pytest.mark.parametrize("kind", ["l_ssd", "sbs_volume"])
def test_a_server_that_somebody_switched_off_is_deleted_with_its_volumes(
    cloud: Cloud, provider: LibcloudProvider, kind: str
) -> None:
    """A stopped one cannot be terminated: its volumes are deleted after it, each where its kind is kept."""
    cloud.api.volume_type = kind
    made = provider.create(SPEC, timeout_s=TIMEOUT_S)
    cloud.machines.standing()[0].body["started_at"] = None

    provider.destroy("images-1", made.instance_id, timeout_s=TIMEOUT_S)

    assert ([], {}) == (states(provider), cloud.api.volumes)


def test_a_volume_that_stays_is_said(cloud: Cloud, provider: LibcloudProvider) -> None:
    """The server is gone and nothing lists it any more: the error is the only word of what is billed on."""
    made = provider.create(SPEC, timeout_s=TIMEOUT_S)
    cloud.machines.standing()[0].body["started_at"] = None
    cloud.api.disks.stuck = True

    with pytest.raises(OutcomeUnknown, match=r"the order was taken.*precondition_failed"):
        provider.destroy("images-1", made.instance_id, timeout_s=TIMEOUT_S)
    assert ([], 1) == (states(provider), len(cloud.api.volumes))


def test_quota_and_stock_are_capacity_where_the_order_is_refused(
    cloud: Cloud, provider: LibcloudProvider
) -> None:
    """Nothing was made. Where only the start is refused, something was, and nobody may say that it was not."""
    cloud.api.server_quota = 0
    assert isinstance(refused(provider), CapacityRefused)
    cloud.api.server_quota, cloud.api.sold_out = 10, {"DEV1-S"}
    assert isinstance(refused(provider), CapacityRefused)
    assert isinstance(refused(provider, replace(SPEC, size="none")), RequestRejected)
    assert isinstance(refused(provider, replace(SPEC, image=scaleway.GROUP)), RequestRejected)
    assert () == cloud.machines.standing()

    cloud.api.sold_out_at_start = True
    error = refused(provider)
    assert isinstance(error, OutcomeUnknown)
    assert "out_of_stock" in str(error)


def test_another_zone_is_another_account(cloud: Cloud, provider: LibcloudProvider) -> None:
    """An offer names its account's zone, or nothing is sent; a zone that is none is told as the account opens."""
    assert isinstance(refused(provider, replace(SPEC, location="nl-ams-1")), RequestRejected)
    assert () == cloud.server.exchanges
    with pytest.raises(ProviderOptionsWrong, match="zone"):
        open_at(cloud, zone="fr-par-9")

    purchase = Purchase(size="DEV1-S", image=scaleway.IMAGE, location=scaleway.ZONE)
    says = {each.subject: each.says for each in provider.check(purchase, timeout_s=TIMEOUT_S) if each.ok}
    assert "DEV1-S is sold at fr-par-1" == says["size"]
    assert "0.0088 EUR an hour" in says["price"]
    assert "FR" in says["location"]


def test_groups_and_addresses_are_ordered_as_written(cloud: Cloud) -> None:
    """What an operator writes for every machine stands in the order."""
    provider = open_at(cloud, public=False, security_group=scaleway.GROUP, tags=["team-images"])
    provider.create(SPEC, timeout_s=TIMEOUT_S)
    provider.close()

    order = cloud.server.exchanges[0].asked.parts
    assert (False, scaleway.GROUP) == (order["dynamic_ip_required"], order["security_group"])
    assert isinstance(order["tags"], list)
    assert {"team-images", "autoscaler-fleet:production"} < {*order["tags"]}


def test_a_server_with_a_block_volume_is_switched_off_and_deleted_with_it(
    cloud: Cloud, provider: LibcloudProvider
) -> None:
    """A server that is terminated lets go of block volumes, which are billed on: so it is not, and asked for again."""
    cloud.api.volume_type, cloud.api.disks.release_s, cloud.api.stop_s = "sbs_volume", 0.0, 30.0
    provider.create(SPEC, timeout_s=TIMEOUT_S)
    cloud.machines.clock.turn(10)

    provider.destroy("images-1", None, timeout_s=TIMEOUT_S)
    assert ([InstanceState.ENDING], 1) == (states(provider), len(cloud.api.volumes))
    cloud.machines.clock.turn(60)
    assert [InstanceState.STOPPED] == states(provider)
    provider.destroy("images-1", None, timeout_s=TIMEOUT_S)

    assert ([], {}) == (states(provider), cloud.api.volumes)


def test_an_end_that_breaks_off_midway_is_finished_when_it_is_asked_for_again(cloud: Cloud) -> None:
    """The server is gone and its volume still in use: it bears the fleet's mark by then, and goes with the next ask."""
    provider = open_at(cloud, settle_s=0)
    cloud.api.volume_type, cloud.api.disks.release_s = "sbs_volume", 20.0
    cloud.api.disks.make(kind="sbs_volume", tags=["autoscaler-fleet:production", "autoscaler-node:images-9"])
    provider.create(SPEC, timeout_s=TIMEOUT_S)
    cloud.machines.clock.turn(10)
    provider.destroy("images-1", None, timeout_s=TIMEOUT_S)
    with pytest.raises(OutcomeUnknown, match="precondition_failed"):
        provider.destroy("images-1", None, timeout_s=TIMEOUT_S)
    assert ([], 2) == (states(provider), len(cloud.api.volumes))

    cloud.machines.clock.turn(30)
    with pytest.raises(InstanceAbsent):
        provider.destroy("images-1", None, timeout_s=TIMEOUT_S)

    assert ["autoscaler-node:images-9"] == [each.tags[-1] for each in cloud.api.volumes.values()]
    provider.close()


def test_a_key_without_the_right_to_block_volumes_still_ends_machines(
    cloud: Cloud, provider: LibcloudProvider
) -> None:
    """Where all volumes are local it needs none: that a server is gone is no refusal for what may not be seen."""
    provider.create(SPEC, timeout_s=TIMEOUT_S)
    cloud.machines.clock.turn(5)
    provider.destroy(SPEC.name, None, timeout_s=TIMEOUT_S)
    cloud.machines.clock.turn(60)

    def refuse(_: Asked) -> Answer:
        return Answer(status=403, body={"type": "permissions_denied", "message": "insufficient permissions"})

    cloud.server.routes = [
        replace(each, handler=refuse) if each.path.startswith("/block/") else each
        for each in cloud.server.routes
    ]
    with pytest.raises(InstanceAbsent):
        provider.destroy(SPEC.name, None, timeout_s=TIMEOUT_S)
    with pytest.raises(ListingUnavailable, match="permissions_denied"):
        provider.left_overs(timeout_s=TIMEOUT_S)
