"""Whatever a cloud that speaks JSON answers: one of the contract's errors, or machines that bear our mark."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.clock import SystemClock
from providers.contract import (
    CapacityRefused,
    InstanceSpec,
    NodeName,
    OutcomeUnknown,
    ProviderError,
    RequestRejected,
    Throttled,
)
from providers.libcloud.adapter import LibcloudProvider, open_libcloud
from testbed.clouds import digitalocean, linode
from testbed.clouds.exchange import Kind
from tests.fuzz import odd
from tests.unit.providers import ec2_stub
from tests.unit.providers.ec2_stub import Stub

TOKEN = digitalocean.TOKEN
CLOUDS: Mapping[str, tuple[Any, str, str, str]] = {
    "digitalocean": (digitalocean, "s-1vcpu-1gb", "debian-13-x64", "fra1"),
    "linode": (linode, "g6-nanode-1", "linode/debian13", "se-sto"),
}
FLEET = "production"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """An account whose cloud answers what a test says, and what an honest cloud would have said."""

    stub: Stub
    provider: LibcloudProvider
    spec: InstanceSpec
    listed: Any
    made: Any


def spec_of(driver: str, name: str) -> InstanceSpec:
    _, size, image, location = CLOUDS[driver]
    return InstanceSpec(
        name=NodeName(name), fleet=FLEET, pool="images", size=size, image=image, location=location,
        user_data=b"#cloud-config\n",
    )  # fmt: skip


def open_at(driver: str, port: int, token: str) -> LibcloudProvider:
    given_options = {"driver": driver, "token": token, "host": "127.0.0.1", "port": port, "secure": False}
    return open_libcloud(name="any", fleet=FLEET, options=given_options, clock=SystemClock())


@pytest.fixture(scope="module", params=CLOUDS)
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    driver = request.param
    module = CLOUDS[driver][0]
    with module.serving() as cloud, ec2_stub.running() as stub:
        honest = open_at(driver, cloud.server.port, module.TOKEN)
        for name in ("images-1", "images-2"):
            honest.create(spec_of(driver, name), timeout_s=10)
        made = cloud.server.exchanges[-1].answer.body
        cloud.machines.clock.turn(60)
        honest.list_instances(timeout_s=10)
        listed = next(each.answer.body for each in cloud.server.exchanges if each.route.kind is Kind.LIST)
        honest.close()
        provider = open_at(driver, stub.port, module.TOKEN)
        yield Scene(stub=stub, provider=provider, spec=spec_of(driver, "images-3"), listed=listed, made=made)
        provider.close()


def as_read(body: bytes) -> str:
    """The document as one line of text; bytes that are no UTF-8 are passed over, as they are by whoever reads it."""
    return json.dumps(odd.plain(body.decode(errors="replace").encode()), default=str)


def told(error: ProviderError) -> None:
    assert 0 < len(str(error)) < 1_000
    assert TOKEN not in f"{error} {error.__cause__}"


STATUSES = st.sampled_from([200, 200, 200, 201, 202, 204, 400, 404, 408, 409, 422, 429, 500, 503])


def raw(scene: Scene, status: int, body: bytes) -> None:
    """From now on the cloud answers that to everything."""

    def reply(exchange: ec2_stub.Exchange) -> None:
        exchange.send_response(status)
        exchange.send_header("Content-Type", "application/json")
        exchange.send_header("Content-Length", str(len(body)))
        exchange.end_headers()
        exchange.wfile.write(body)

    scene.stub.asked.clear()
    scene.stub.otherwise = reply


@given(STATUSES, st.data())
def test_an_odd_listing_is_no_crash_and_never_whole_by_mistake(
    scene: Scene, status: int, data: st.DataObject
) -> None:
    """Unavailable, incomplete, or machines under our mark, of which each can be named."""
    body = data.draw(odd.bodies(scene.listed))
    raw(scene, status, body)
    try:
        found = scene.provider.list_instances(timeout_s=2)
    except ProviderError as error:
        told(error)
        return

    assert 200 <= status < 300
    for instance in found.instances:
        assert instance.instance_id
        assert instance.name
        assert instance.created_at is None or math.isfinite(instance.created_at)
    if found.instances:
        assert f"autoscaler-fleet:{FLEET}" in as_read(body).casefold()
    if body == odd.text(scene.listed):
        assert (True, 2) == (found.complete, len(found.instances))


@given(STATUSES, st.data())
def test_an_odd_answer_to_an_order_is_never_called_a_refusal(
    scene: Scene, status: int, data: st.DataObject
) -> None:
    """One order leaves. A success that cannot be read is unknown; only a refusal by status is one."""
    raw(scene, status, data.draw(odd.bodies(scene.made)))
    error: ProviderError | None = None
    try:
        made = scene.provider.create(scene.spec, timeout_s=2)
    except ProviderError as refusal:
        error = refusal
    else:
        assert ("images-3", "images") == (made.name, made.pool)
        assert made.instance_id

    assert ["POST"] == [each.method for each in scene.stub.asked]
    if error is not None:
        told(error)
        assert isinstance(error, OutcomeUnknown | CapacityRefused | RequestRejected | Throttled)
        assert isinstance(error, OutcomeUnknown) or 400 <= status < 500


@given(st.data())
def test_nothing_is_ended_that_was_not_listed_under_our_mark(scene: Scene, data: st.DataObject) -> None:
    """By name, whatever the listing says."""
    body = data.draw(odd.bodies(scene.listed))
    raw(scene, 200, body)
    try:
        scene.provider.destroy("images-1", None, timeout_s=2)
    except ProviderError as error:
        told(error)

    text = as_read(body)
    for asked in scene.stub.asked:
        if asked.method == "DELETE":
            assert f"autoscaler-fleet:{FLEET}" in text.casefold()
            assert "images-1" in text
