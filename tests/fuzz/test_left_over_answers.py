"""Whatever a cloud answers of volumes: one of the contract's errors, or left-overs that bear our mark; no other ends.

Its server's own answer, with some of its parts spoiled, is put in place of it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.clock import SystemClock
from providers.contract import ProviderError
from providers.libcloud.adapter import LibcloudProvider, open_libcloud
from testbed.clouds import scaleway, upcloud, upcloud_goods
from testbed.clouds.cloud import Cloud
from testbed.clouds.exchange import Answer, Fault, Kind
from tests.fuzz import odd

FLEET = "production"
TIMEOUT_S = 5.0
LISTING = Kind.LOGIN
"""A kind that nothing else here has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A cloud in which one volume is left over, and one is attached to somebody's machine."""

    cloud: Cloud
    provider: LibcloudProvider
    honest: object
    headers: Mapping[str, str]

    def spoil(self, body: bytes) -> None:
        self.cloud.server.calm()
        answer = Answer(body=body, headers=self.headers)
        self.cloud.server.meet(Fault(answer=answer), kind=LISTING)


def opened(cloud: Cloud, path: str, **options: object) -> Stage:
    here = {"host": "127.0.0.1", "port": cloud.server.port, "secure": False, "settle_s": 0.0}
    provider = open_libcloud(name="here", fleet=FLEET, options={**here, **options}, clock=SystemClock())
    assert 1 == len(provider.left_overs(timeout_s=TIMEOUT_S).found)
    heard = [each for each in cloud.server.exchanges if each.route and each.route.path.endswith(path)]
    # The one that says most: another product's listing may be empty.
    honest = max((each.answer for each in heard if each.answer), key=lambda answer: len(answer.content))
    cloud.server.routes = [
        replace(each, kind=LISTING) if each.method == "GET" and each.path.endswith(path) else each
        for each in cloud.server.routes
    ]
    return Stage(cloud=cloud, provider=provider, honest=json.loads(honest.content), headers=honest.headers)


@contextmanager
def on_scaleway(kind: str) -> Iterator[Stage]:
    with scaleway.serving() as cloud:
        tags = [f"autoscaler-fleet:{FLEET}", "autoscaler-node:images-1"]
        for server in ("", scaleway.GROUP):
            cloud.api.disks.make(kind=kind, tags=tags, server=server, age_s=3600.0)
        path = f"/{'block' if kind == 'sbs_volume' else 'instance'}/v1/zones/{scaleway.ZONE}/volumes"
        keys = {"secret_key": scaleway.SECRET_KEY, "project": scaleway.PROJECT, "zone": scaleway.ZONE}
        yield opened(cloud, path, driver="scaleway", **keys)


@contextmanager
def on_upcloud() -> Iterator[Stage]:
    with upcloud.serving() as cloud:
        marks = {"autoscaler-fleet": FLEET, "autoscaler-node": "images-1"}
        labels = [{"key": key, "value": value} for key, value in marks.items()]
        for number, servers in enumerate([[], [upcloud_goods.NETWORK]]):
            key = f"0100000{number}-0000-4000-8000-0000000000ff"
            at = cloud.machines.clock.now() - 3600.0
            disk = upcloud.disk({"labels": labels}, "fi-hel1", key=key, at=at)
            cloud.api.disks[key] = {**disk, "servers": {"server": servers}}
        yield opened(cloud, "/1.3/storage", driver="upcloud", token=upcloud.TOKEN)


STAGES = {
    "scaleway, local": lambda: on_scaleway("l_ssd"),
    "scaleway, block": lambda: on_scaleway("sbs_volume"),
    "upcloud": on_upcloud,
}


@pytest.fixture(scope="module", params=STAGES)
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with STAGES[request.param]() as staged:
        yield staged
        staged.provider.close()


def check_told(error: ProviderError) -> None:
    assert 0 < len(str(error)) < 1_000


def test_the_good_answer_is_believed(stage: Stage) -> None:
    """Else the laws below would hold of an adapter that refuses everything."""
    stage.spoil(json.dumps(stage.honest).encode())

    looked = stage.provider.left_overs(timeout_s=TIMEOUT_S)
    assert (True, ["images-1"]) == (looked.complete, [each.name for each in looked.found])


@odd.fewer(2)
@given(data=st.data())
def test_what_is_found_is_whole_and_bears_our_mark(stage: Stage, data: st.DataObject) -> None:
    """No other exception leaves the adapter; what is left over has an id, a name and a birth that is an instant."""
    body = data.draw(odd.bodies(stage.honest))
    stage.spoil(body)
    try:
        looked = stage.provider.left_overs(timeout_s=TIMEOUT_S)
    except ProviderError as error:
        check_told(error)
        return

    for one in looked.found:
        assert one.left_over_id
        assert one.name
        assert one.created_at is not None
        assert math.isfinite(one.created_at)
        assert FLEET in body.decode(errors="replace").encode().decode("unicode_escape", errors="replace")


@odd.fewer(2)
@given(data=st.data())
def test_an_end_is_asked_for_of_what_was_answered_only(stage: Stage, data: st.DataObject) -> None:
    """Of the one that was named, where the answer bears it; nothing else goes, and what is attached stays."""
    stage.cloud.server.calm()
    (one,) = stage.provider.left_overs(timeout_s=TIMEOUT_S).found
    body = data.draw(odd.bodies(stage.honest))
    stage.spoil(body)
    stage.cloud.server.meet(Fault(answer=Answer(status=503, body="no")), kind=Kind.END, times=9)
    before = len(stage.cloud.server.exchanges)
    try:
        stage.provider.end_left_over(one, timeout_s=TIMEOUT_S)
    except ProviderError as error:
        check_told(error)

    asked = [each.asked for each in stage.cloud.server.exchanges[before:] if each.asked.method == "DELETE"]
    assert len(asked) <= 1
    assert all(each.places["id"] == one.left_over_id for each in asked)
    assert not asked or one.left_over_id.encode() in body
