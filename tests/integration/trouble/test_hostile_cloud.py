"""A hostile network between the daemon and its cloud: the EC2 provider against moto, past a middleman that misbehaves.

Whatever comes back, an order leaves once, an unknown outcome is called one, and a listing is whole or is none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from autoscaler.clock import SystemClock
from providers.contract import (
    InstanceAbsent,
    InstanceSpec,
    Listing,
    ListingUnavailable,
    NodeName,
    OutcomeUnknown,
    ProviderError,
    Throttled,
)
from providers.libcloud.adapter import LibcloudProvider, open_libcloud
from testbed import hostile_http
from testbed.hostile_http import (
    ANSWER_LOST,
    BAD_GATEWAY,
    ENDLESS_HEADERS,
    GARBAGE,
    LOGIN_PAGE,
    LOST,
    NEVER,
    SERVER_ERROR,
    Answer,
    HttpProxy,
    http_proxy,
)
from testbed.hostile_tcp import ANSWER_CUT, REFUSED, REQUEST_CUT, STALLED, Manners, TcpProxy, tcp_proxy
from testbed.rabbitmq import PrivateRabbitMQ
from tests.contract import moto_world
from tests.contract.moto_world import Moto
from tests.integration.crashes.audit import Ledger
from tests.integration.crashes.clouds import Rented
from tests.integration.crashes.play import CEILING, Cell, play
from tests.integration.stage import Stage

pytestmark = [pytest.mark.integration, pytest.mark.timeout(200)]

CREATE, LIST, DESTROY = "RunInstances", "DescribeInstances", "TerminateInstances"
FLEET = "production"
TIMEOUT_S = 1.5
"""For one call; those that hang are the price of these tests."""
HALF_A_BODY = Answer(rewrite=lambda body: body[: len(body) // 2])
"""Cut by somebody who then told the length of what was left."""
EMPTY_SUCCESS = Answer(status=200, body=b"")

CARRIED_OUT = {
    "answer lost": ANSWER_LOST,
    "502 after it was carried out": replace(BAD_GATEWAY, carried_out=True),
    "body shorter than told": hostile_http.truncated(40),
    "half a body": HALF_A_BODY,
    "a byte at a time": hostile_http.slow_loris(0.2),
    "too late": Answer(late_s=TIMEOUT_S * 2),
}
"""What becomes of an answer whose request was carried out."""
KEPT_BACK = {
    "request lost": LOST,
    "never": NEVER,
    "500": SERVER_ERROR,
    "502 in HTML": BAD_GATEWAY,
    "200 in HTML": LOGIN_PAGE,
    "200 and nothing": EMPTY_SUCCESS,
    "garbage": GARBAGE,
    "endless headers": ENDLESS_HEADERS,
    "gzip bomb": hostile_http.gzip_bomb(200_000_000),
}
"""What is answered to a request that never arrived."""


@pytest.fixture(scope="module")
def server() -> Iterator[Moto]:
    with moto_world.running() as moto:
        yield moto


@pytest.fixture
def moto(server: Moto) -> Moto:
    server.reset()
    return server


@pytest.fixture
def proxy(moto: Moto) -> Iterator[HttpProxy]:
    with http_proxy(moto.port) as running:
        yield running


@pytest.fixture
def link(moto: Moto) -> Iterator[TcpProxy]:
    with tcp_proxy(moto.port) as running:
        yield running


@pytest.fixture
def open_cloud(moto: Moto) -> Iterator[Callable[[int], LibcloudProvider]]:
    with ExitStack() as closing:

        def make(port: int) -> LibcloudProvider:
            cloud = open_libcloud(
                name="aws", fleet=FLEET, options=moto.options(port=port), clock=SystemClock()
            )
            closing.callback(cloud.close)
            return cloud

        yield make


def a_spec(moto: Moto, name: str = "images-1") -> InstanceSpec:
    return InstanceSpec(
        name=NodeName(name),
        fleet=FLEET,
        pool="images",
        size=moto_world.SIZE,
        image=moto.image,
        location=f"{moto_world.REGION}a",
        user_data=b"#cloud-config\n",
    )


def names(cloud: LibcloudProvider) -> list[str]:
    """What is listed, which must be whole."""
    listing = cloud.list_instances(timeout_s=20)
    assert isinstance(listing, Listing)
    assert listing.complete
    return [instance.name for instance in listing.instances]


@pytest.mark.parametrize("what", [*CARRIED_OUT, *KEPT_BACK])
def test_a_create_without_a_clear_answer_is_unknown_sent_once_and_told_by_listing(
    moto: Moto, proxy: HttpProxy, open_cloud: Callable[[int], LibcloudProvider], what: str
) -> None:
    """Exactly one machine where it was carried out, none where it was not; never a second request."""
    cloud = open_cloud(proxy.port)
    proxy.meet(CARRIED_OUT.get(what) or KEPT_BACK[what], action=CREATE)
    began = time.monotonic()

    with pytest.raises(OutcomeUnknown):
        cloud.create(a_spec(moto), timeout_s=TIMEOUT_S)

    assert time.monotonic() - began < TIMEOUT_S + 2
    assert 1 == proxy.count(CREATE)
    proxy.calm()
    assert (["images-1"] if what in CARRIED_OUT else []) == names(cloud)


@pytest.mark.parametrize("what", [*CARRIED_OUT, *KEPT_BACK])
def test_a_listing_is_whole_or_it_is_none(
    moto: Moto, proxy: HttpProxy, open_cloud: Callable[[int], LibcloudProvider], what: str
) -> None:
    """No half of a page, no login page and no silence is taken for an empty account."""
    cloud = open_cloud(proxy.port)
    cloud.create(a_spec(moto), timeout_s=20)
    proxy.meet(CARRIED_OUT.get(what) or KEPT_BACK[what], action=LIST)
    began = time.monotonic()

    with pytest.raises(ListingUnavailable):
        cloud.list_instances(timeout_s=TIMEOUT_S)

    assert time.monotonic() - began < TIMEOUT_S + 2
    assert 1 == proxy.count(LIST)
    proxy.calm()
    assert ["images-1"] == names(cloud)


@pytest.mark.parametrize(
    ("header", "expected"), [(None, None), ("7", 7.0), ("soon", None), ("-3", 0.0), ("1e99", 900.0)]
)
def test_too_many_requests_is_a_definite_no_with_the_pause_that_was_asked_for(
    moto: Moto,
    proxy: HttpProxy,
    open_cloud: Callable[[int], LibcloudProvider],
    header: str | None,
    expected: float | None,
) -> None:
    """For an order and for a look; a header that is none, or beyond reason, is bounded."""
    cloud = open_cloud(proxy.port)
    proxy.meet(hostile_http.throttled(header))
    for call in (
        lambda: cloud.create(a_spec(moto), timeout_s=TIMEOUT_S),
        lambda: cloud.list_instances(timeout_s=TIMEOUT_S),
    ):
        with pytest.raises(Throttled) as refused:
            call()
        assert expected == refused.value.retry_after_s
    proxy.calm()
    assert [] == names(cloud)


@pytest.mark.parametrize("what", [name for name in CARRIED_OUT if name != "half a body"])
def test_a_destroy_without_an_answer_is_asked_again_until_there_is_nothing(
    moto: Moto, proxy: HttpProxy, open_cloud: Callable[[int], LibcloudProvider], what: str
) -> None:
    """It was carried out: unknown at first, and at the next ask the machine is ending or absent."""
    cloud = open_cloud(proxy.port)
    made = cloud.create(a_spec(moto), timeout_s=20)
    proxy.meet(CARRIED_OUT[what], action=DESTROY, times=1)

    with pytest.raises(OutcomeUnknown):
        cloud.destroy("images-1", made.instance_id, timeout_s=TIMEOUT_S)

    assert [] == names(cloud)
    with pytest.raises(InstanceAbsent):
        cloud.destroy("images-1", made.instance_id, timeout_s=20)
    assert 1 == proxy.count(DESTROY)


def test_a_redirect_is_not_followed(
    moto: Moto, proxy: HttpProxy, open_cloud: Callable[[int], LibcloudProvider]
) -> None:
    """Neither with an order nor with a look: nobody but the configured place is asked."""
    cloud = open_cloud(proxy.port)
    with http_proxy(moto.port) as elsewhere:
        proxy.meet(hostile_http.elsewhere(elsewhere.url))
        with pytest.raises(ProviderError):
            cloud.create(a_spec(moto), timeout_s=TIMEOUT_S)
        with pytest.raises(ListingUnavailable):
            cloud.list_instances(timeout_s=TIMEOUT_S)
        assert [] == elsewhere.asked


@pytest.mark.parametrize(
    ("manners", "machines"),
    [(REQUEST_CUT, []), (ANSWER_CUT, ["images-1"]), (STALLED, [])],
    ids=["cut under the request", "cut after the request", "stalled"],
)
def test_a_connection_that_breaks_under_an_order_leaves_it_unknown(
    moto: Moto,
    link: TcpProxy,
    open_cloud: Callable[[int], LibcloudProvider],
    manners: Manners,
    machines: list[str],
) -> None:
    """Below HTTP: the order leaves on one connection, and no other is opened for it."""
    cloud = open_cloud(link.port)
    # The image is known from an order before, so that this one is all that meets the break.
    cloud.create(a_spec(moto, "images-0"), timeout_s=TIMEOUT_S)
    opened = link.accepted
    link.manners = manners
    with pytest.raises(OutcomeUnknown):
        cloud.create(a_spec(moto), timeout_s=TIMEOUT_S)
    assert link.accepted <= opened + 1
    assert ["images-0", *machines] == sorted(names(open_cloud(moto.port)))


def test_a_connection_that_is_reset_at_once_makes_nothing(
    moto: Moto, link: TcpProxy, open_cloud: Callable[[int], LibcloudProvider]
) -> None:
    """The reset may come before the client knows itself connected, then surely nothing was sent, or after."""
    cloud = open_cloud(link.port)
    link.manners = REFUSED
    with pytest.raises((OutcomeUnknown, Throttled)):
        cloud.create(a_spec(moto), timeout_s=TIMEOUT_S)
    assert 1 == link.accepted
    assert [] == names(open_cloud(moto.port))


def test_a_fleet_lives_through_a_hostile_cloud(
    broker: PrivateRabbitMQ, moto: Moto, proxy: HttpProxy, tmp_path: Path
) -> None:
    """The whole daemon: answers lost, listings broken and throttled; machines once each, work once, nothing left."""
    fleet = "hostile"
    broker.add_vhost(fleet)
    cloud = Rented(moto, fleet, broker, tmp_path, link=proxy)
    stage = Stage(
        directory=tmp_path, broker=broker, fleet=fleet, vhost=fleet, slots=2, ceiling=CEILING, tick="500ms",
        scale_in_window="1s", create="5s", **cloud.settings,
    )  # fmt: skip
    proxy.meet(ANSWER_LOST, action=CREATE, times=1)
    proxy.meet(hostile_http.throttled("1"), action=CREATE, times=1)
    for answer in (
        BAD_GATEWAY,
        HALF_A_BODY,
        hostile_http.truncated(40),
        LOGIN_PAGE,
        hostile_http.throttled(),
    ):
        proxy.meet(answer, action=LIST, times=2)
    proxy.meet(ANSWER_LOST, action=DESTROY, times=1)
    try:
        record = play(Cell(steps=(), cloud="EC2", journal="SQLite"), stage, cloud, Ledger(stage.journal))
    finally:
        stage.close()
        cloud.close()

    assert () == record.problems
    assert set(cloud.ordered().values()) == {1}
    assert stage.said("fact.missed")
