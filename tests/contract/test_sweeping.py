"""What machines left behind is found and ended, in each cloud where something can stay; and nothing else ever is.

Each cloud is a `Stage`: books in which a volume can be put, attached or not, as people and broken ends leave them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from autoscaler.clock import SystemClock
from providers.contract import (
    InstanceAbsent,
    InstanceSpec,
    ListingUnavailable,
    MayAct,
    NodeName,
    NotSent,
    ProviderError,
    RequestRejected,
    always,
)
from providers.dialects import DIALECTS
from providers.libcloud.adapter import LibcloudProvider, open_libcloud
from testbed.clouds import descriptions, scaleway, upcloud, upcloud_goods
from testbed.clouds.cloud import Cloud
from testbed.clouds.exchange import LISTING_CUT, Kind
from tests.contract import moto_world

TIMEOUT_S = 20.0
FLEET = "web"
Put = Callable[[str, str, bool], str]
"""A fleet and a node's name, empty for none, and whether it is attached to somebody's machine; gives its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One account. `short` lets its next listings of volumes lack a row, where the cloud tells how many there are."""

    options: dict[str, object]
    put: Put
    standing: Callable[[], list[str]]
    spec: InstanceSpec
    short: Callable[[], None] | None = None
    cut: Callable[[], None] | None = None
    """The next listing of machines lacks one, and can tell."""
    settled: Callable[[], None] = lambda: None
    """Lets a new machine come to run."""

    def open(
        self, *, fleet: str = FLEET, settle_s: float = 0.0, may_act: MayAct = always
    ) -> LibcloudProvider:
        options = {**self.options, "settle_s": settle_s}
        return open_libcloud(name="here", fleet=fleet, options=options, clock=SystemClock(), may_act=may_act)


def a_spec(size: str, image: str, location: str) -> InstanceSpec:
    return InstanceSpec(
        name=NodeName("web-images-1"),
        fleet=FLEET,
        pool="images",
        size=size,
        image=image,
        location=location,
        user_data=b"#cloud-config\n",
    )


def marks(fleet: str, name: str) -> dict[str, str]:
    return {"autoscaler-fleet": fleet, "autoscaler-pool": "images", "autoscaler-node": name} if fleet else {}


@contextmanager
def on_ec2() -> Iterator[Stage]:
    with moto_world.running() as moto:
        client = moto.client()

        def put(fleet: str, name: str, attached: bool) -> str:
            tags = [{"Key": key, "Value": value} for key, value in marks(fleet, name).items()]
            more = {"TagSpecifications": [{"ResourceType": "volume", "Tags": tags}]} if tags else {}
            zone = f"{moto_world.REGION}a"
            volume = client.create_volume(AvailabilityZone=zone, Size=8, **more)["VolumeId"]
            if attached:
                machine = client.run_instances(ImageId=moto.image, MinCount=1, MaxCount=1)["Instances"][0]
                client.attach_volume(VolumeId=volume, InstanceId=machine["InstanceId"], Device="/dev/sdf")
            return str(volume)

        yield Stage(
            options=dict(moto.options()),
            put=put,
            standing=lambda: [each["VolumeId"] for each in client.describe_volumes()["Volumes"]],
            spec=a_spec(moto_world.SIZE, moto.image, ""),
        )


def hold(cloud: Cloud) -> None:
    """All that was asked and answered, against the cloud's published description, if one is at hand."""
    _, wrong = descriptions.held(cloud.server.exchanges, cloud.descriptions, cloud.deviations)
    assert not wrong, "\n".join(sorted(set(wrong)))


@contextmanager
def on_scaleway(kind: str) -> Iterator[Stage]:
    with scaleway.serving() as cloud:
        disks = cloud.api.disks

        def put(fleet: str, name: str, attached: bool) -> str:
            tags = [f"{key}:{value}" for key, value in marks(fleet, name).items()]
            made = disks.make(kind=kind, tags=tags, server=scaleway.GROUP if attached else "", age_s=3600.0)
            return str(made.key)

        def leave_out() -> None:
            disks.short = 1

        yield Stage(
            options={
                "driver": "scaleway", "secret_key": scaleway.SECRET_KEY, "project": scaleway.PROJECT,
                "zone": scaleway.ZONE, "host": "127.0.0.1", "port": cloud.server.port, "secure": False,
            },
            put=put,
            standing=lambda: [*disks.standing],
            spec=a_spec("DEV1-S", scaleway.IMAGE, scaleway.ZONE),
            short=leave_out,
            cut=lambda: cloud.server.meet(LISTING_CUT, kind=Kind.LIST),
            settled=lambda: cloud.machines.clock.turn(5),
        )  # fmt: skip
        hold(cloud)


@contextmanager
def on_upcloud() -> Iterator[Stage]:
    with upcloud.serving() as cloud:

        def put(fleet: str, name: str, attached: bool) -> str:
            labels = [{"key": key, "value": value} for key, value in marks(fleet, name).items()]
            key = f"01{len(cloud.api.disks):06x}-0000-4000-8000-0000000000ff"
            servers = [upcloud_goods.NETWORK] if attached else []
            born = cloud.machines.clock.now() - 3600.0
            disk = upcloud.disk({"labels": labels}, "fi-hel1", key=key, at=born)
            cloud.api.disks[key] = {**disk, "servers": {"server": servers}}
            return key

        yield Stage(
            options={
                "driver": "upcloud", "token": upcloud.TOKEN, "host": "127.0.0.1", "port": cloud.server.port,
                "secure": False,
            },
            put=put,
            standing=lambda: [*cloud.api.disks],
            spec=a_spec("1xCPU-1GB", upcloud_goods.IMAGE, "fi-hel1"),
            settled=lambda: cloud.machines.clock.turn(5),
        )  # fmt: skip
        hold(cloud)


STAGES = {
    "ec2": on_ec2,
    "scaleway, local": lambda: on_scaleway("l_ssd"),
    "scaleway, block": lambda: on_scaleway("sbs_volume"),
    "upcloud": on_upcloud,
}


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with STAGES[request.param]() as opened:
        yield opened


def found(provider: LibcloudProvider) -> list[str]:
    looked = provider.left_overs(timeout_s=TIMEOUT_S)
    assert looked.complete, looked.why_incomplete
    return sorted(each.left_over_id for each in looked.found)


def test_every_cloud_where_something_can_stay_has_a_stage_here() -> None:
    """A dialect that says what it leaves is tried in this file."""
    assert {name.partition(",")[0] for name in STAGES} == {
        name for name, dialect in DIALECTS.items() if dialect.leaves
    }


def test_what_is_left_is_told_whole_and_ended(stage: Stage) -> None:
    """Whose it was, how large and how old it is; ended it is found no more, and a second end says that it is none."""
    key = stage.put(FLEET, "web-images-7", False)
    provider = stage.open()

    (one,) = provider.left_overs(timeout_s=TIMEOUT_S).found
    assert (key, "web-images-7", "images") == (one.left_over_id, one.name, one.pool)
    assert (one.size_gb or 0) > 0
    assert one.created_at is not None
    assert one.location

    provider.end_left_over(one, timeout_s=TIMEOUT_S)
    assert ([], []) == (stage.standing(), found(provider))
    with pytest.raises(InstanceAbsent):
        provider.end_left_over(one, timeout_s=TIMEOUT_S)
    provider.close()


@pytest.mark.parametrize(
    ("fleet", "attached"),
    [(FLEET, True), ("web-2", False), ("we", False), ("", False)],
    ids=["ours, on a person's machine", "of fleet web-2", "of fleet we", "without a mark"],
)
def test_what_is_not_left_over_is_neither_found_nor_ended(stage: Stage, fleet: str, attached: bool) -> None:
    """Even where its end is asked for by its very id: what is attached or another's stays as it is."""
    left = stage.put(FLEET, "web-images-7", False)
    kept = stage.put(fleet, "web-images-7", attached)
    before = {*stage.standing()}
    provider = stage.open()
    (one,) = provider.left_overs(timeout_s=TIMEOUT_S).found
    assert left == one.left_over_id

    wanted = type(one)(kind=one.kind, left_over_id=kept, name=one.name)
    with pytest.raises(InstanceAbsent):
        provider.end_left_over(wanted, timeout_s=TIMEOUT_S)
    assert before == {*stage.standing()}
    provider.end_left_over(one, timeout_s=TIMEOUT_S)
    assert before - {left} == {*stage.standing()}
    provider.close()


def test_what_is_younger_than_the_settle_time_is_left_alone(stage: Stage) -> None:
    """A machine that is being made is in no listing yet, and neither is its disk attached to it."""
    stage.put(FLEET, "web-images-7", False)
    provider = stage.open(settle_s=7200.0)

    assert [] == found(provider)
    provider.close()


def test_what_came_with_a_machine_that_stands_is_left_alone(stage: Stage) -> None:
    """Somebody detached it from a machine of ours: as long as that is listed, it may want it again."""
    provider = stage.open()
    provider.create(stage.spec, timeout_s=TIMEOUT_S)
    stage.settled()
    key = stage.put(FLEET, stage.spec.name, False)
    assert [] == found(provider)

    for _ in range(2):
        provider.destroy(stage.spec.name, None, timeout_s=TIMEOUT_S)
        if not provider.list_instances(timeout_s=TIMEOUT_S).instances:
            break
    assert [key] == found(provider)
    provider.close()


def test_who_may_not_act_finds_and_ends_nothing(stage: Stage) -> None:
    """Another daemon may lead by now: it is still told what there is, and nothing goes out."""
    key = stage.put(FLEET, "web-images-7", False)
    provider = stage.open(may_act=lambda: False)
    (one,) = provider.left_overs(timeout_s=TIMEOUT_S).found

    with pytest.raises(NotSent):
        provider.end_left_over(one, timeout_s=TIMEOUT_S)
    assert [key] == stage.standing()
    provider.close()


def test_nothing_is_ended_where_volumes_were_listed_in_part(stage: Stage) -> None:
    """A row is missing of which the cloud says that it is there: the look is incomplete, and so is every end."""
    if stage.short is None:
        pytest.skip("this cloud does not tell how many volumes there are")
    keys = [stage.put(FLEET, f"web-images-{number}", False) for number in (7, 8)]
    provider = stage.open()
    one = provider.left_overs(timeout_s=TIMEOUT_S).found[0]
    stage.short()

    looked = provider.left_overs(timeout_s=TIMEOUT_S)
    assert not looked.complete
    with pytest.raises(RequestRejected, match="left alone"):
        provider.end_left_over(one, timeout_s=TIMEOUT_S)
    assert keys == stage.standing()
    provider.close()


def test_nothing_is_ended_where_machines_were_listed_in_part(stage: Stage) -> None:
    """Its machine may be the one that is missing."""
    if stage.cut is None:
        pytest.skip("a listing of machines that lacks one does not tell here")
    provider = stage.open()
    provider.create(stage.spec, timeout_s=TIMEOUT_S)
    key = stage.put(FLEET, "web-images-7", False)
    one = provider.left_overs(timeout_s=TIMEOUT_S).found[0]
    stage.cut()

    with pytest.raises(RequestRejected, match="left alone"):
        provider.end_left_over(one, timeout_s=TIMEOUT_S)
    assert key in stage.standing()
    stage.cut()
    assert not provider.left_overs(timeout_s=TIMEOUT_S).complete
    provider.close()


def test_where_nothing_can_stay_nothing_is_asked() -> None:
    """The other clouds find nothing without a request, and have nothing to end."""
    options = {"driver": "hetzner", "token": "t" * 64, "host": "127.0.0.1", "port": 9, "secure": False}
    provider = open_libcloud(name="here", fleet=FLEET, options=options, clock=SystemClock())

    assert [] == found(provider)
    provider.close()


def test_a_cloud_that_cannot_be_asked_is_unseen() -> None:
    """Not seen is not empty."""
    options = {
        "driver": "ec2",
        "key": "k",
        "secret": "s" * 8,
        "host": "127.0.0.1",
        "port": 9,
        "secure": False,
    }
    provider = open_libcloud(name="here", fleet=FLEET, options=options, clock=SystemClock())

    with pytest.raises(ListingUnavailable):
        provider.left_overs(timeout_s=2.0)
    assert issubclass(ListingUnavailable, ProviderError)
    provider.close()
