"""A hostile network between the daemon and its broker: figures that lie in form, and connections that stall or break.

Whatever comes back, it is no figure and no silence of a worker's; and what was deaf hears again without a restart.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest

from autoscaler.clock import SystemClock
from autoscaler.core.facts import Missing, Sightings
from autoscaler.core.model import PoolName
from autoscaler.gateways import amqp, celery_events
from autoscaler.gateways.celery_link import CeleryLink
from autoscaler.gateways.rabbitmq import RabbitMQ
from policies.contract import Demand
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
from testbed.hostile_tcp import FAIR, REFUSED, STALLED, Manners, TcpProxy, Way, tcp_proxy
from testbed.rabbitmq import PrivateRabbitMQ
from testbed.waiting import wait_until
from tests.integration.stage import Stage

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

POOL = PoolName("flood")
TIMEOUT_S = 1.0
TROUBLES = {
    "answer lost": ANSWER_LOST,
    "request lost": LOST,
    "never": NEVER,
    "500": SERVER_ERROR,
    "502 in HTML": BAD_GATEWAY,
    "200 in HTML": LOGIN_PAGE,
    "200 and nothing": Answer(status=200, body=b""),
    "429": hostile_http.throttled("3600"),
    "garbage": GARBAGE,
    "body shorter than told": hostile_http.truncated(3),
    "half a body": Answer(rewrite=lambda body: body[: len(body) // 2]),
    "a byte at a time": hostile_http.slow_loris(0.1),
    "too late": Answer(late_s=TIMEOUT_S * 2),
    "redirect": hostile_http.elsewhere("http://127.0.0.1:9/api/overview"),
    "endless headers": ENDLESS_HEADERS,
    "gzip bomb": hostile_http.gzip_bomb(200_000_000),
}


@pytest.fixture
def proxy(broker: PrivateRabbitMQ) -> Iterator[HttpProxy]:
    with http_proxy(broker.management_port) as running:
        yield running


@pytest.fixture
def wire(broker: PrivateRabbitMQ) -> Iterator[TcpProxy]:
    with tcp_proxy(broker.amqp_port) as running:
        yield running


@pytest.fixture
def figures(broker: PrivateRabbitMQ, proxy: HttpProxy) -> Iterator[RabbitMQ]:
    gateway = RabbitMQ(
        management_url=proxy.url,
        username=broker.user,
        password=broker.password,
        vhost="/",
        timeout_s=TIMEOUT_S,
        clock=SystemClock(),
        statistics_interval_s=1.0,
    )
    with contextlib.closing(gateway):
        yield gateway


@pytest.mark.parametrize("queues", [("no-such-queue",), ("no-such-*",)], ids=["name", "pattern"])
@pytest.mark.parametrize("what", TROUBLES)
def test_an_answer_that_is_none_is_no_figure(
    proxy: HttpProxy, figures: RabbitMQ, what: str, queues: tuple[str, ...]
) -> None:
    """Above all not "no messages": every pool's demand is missing, within the time-out, and is back when it is over."""
    assert isinstance(figures.demand({POOL: queues})[POOL], Demand)
    proxy.meet(TROUBLES[what])
    began = time.monotonic()

    seen = figures.demand({POOL: queues})[POOL]

    assert isinstance(seen, Missing)
    assert seen.why
    assert time.monotonic() - began < 3 * TIMEOUT_S
    proxy.calm()
    # A connection that the trouble left half closed may cost the first look after it, as it costs a daemon one tick.
    looks = (figures.demand({POOL: queues})[POOL] for _ in range(2))
    assert any(isinstance(look, Demand) for look in looks)


@pytest.fixture
def ears(
    broker: PrivateRabbitMQ, wire: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], CeleryLink]]:
    """Links through the wire, all of whose times are shorter than in life by the same measure."""
    monkeypatch.setattr(celery_events, "_PROBE_EVERY_S", 0.2)
    monkeypatch.setattr(celery_events, "_DEAF_AFTER_S", 1.0)
    monkeypatch.setattr(amqp, "_SOCKET_S", 1.0)
    monkeypatch.setattr(amqp, "_STACK_S", 1.5)
    links: list[CeleryLink] = []

    def listen() -> CeleryLink:
        link = CeleryLink(
            amqp_url=f"amqp://127.0.0.1:{wire.port}",
            username=broker.user,
            password=broker.password,
            vhost="/",
            clock=SystemClock(),
        )
        links.append(link)
        link.start()
        return link

    yield listen
    wire.manners = FAIR
    wire.cut_all()
    for link in links:
        link.stop(10)


def hears(link: CeleryLink) -> None:
    wait_until(lambda: isinstance(link.sightings(), Sightings), 20, "the link to hear")


def is_deaf(link: CeleryLink) -> str:
    def deaf() -> str:
        seen = link.sightings()
        return seen.why if isinstance(seen, Missing) else ""

    return wait_until(deaf, 20, "the link to know that it is deaf")


def test_a_cut_connection_is_made_anew(wire: TcpProxy, ears: Callable[[], CeleryLink]) -> None:
    """Deaf at once, and hearing again by itself, past connections that are refused."""
    link = ears()
    hears(link)
    wire.arm(REFUSED, connections=2)
    wire.cut_all()

    assert "cannot be reached" in is_deaf(link)
    hears(link)
    assert 4 == wire.accepted


@pytest.mark.parametrize(
    "manners",
    [STALLED, Manners(to_client=Way(stalled=True)), Manners(to_server=Way(stalled=True))],
    ids=["both ways", "from the broker", "to the broker"],
)
def test_a_stalled_connection_is_deafness_and_ends_with_the_stall(
    wire: TcpProxy, ears: Callable[[], CeleryLink], manners: Manners
) -> None:
    """An open connection on which nothing comes proves nothing about workers; when it flows again, so do they."""
    link = ears()
    hears(link)
    wire.manners = manners

    assert "our own probe does not come back" in is_deaf(link)
    wire.manners = FAIR
    hears(link)
    assert 1 == wire.accepted


@pytest.mark.parametrize(
    "manners",
    [
        STALLED,
        Manners(to_client=Way(cut_after_bytes=100)),
        Manners(to_client=Way(piece_bytes=1, late_s=0.05)),
    ],
    ids=["stalled", "cut in the greeting", "a byte at a time"],
)
def test_a_connection_that_cannot_be_opened_is_tried_again(
    wire: TcpProxy, ears: Callable[[], CeleryLink], manners: Manners
) -> None:
    """Each attempt has its time, and the first one that goes well is kept."""
    wire.arm(manners, connections=2)
    link = ears()

    assert is_deaf(link)
    hears(link)
    assert 3 == wire.accepted


def test_a_fleet_sits_out_a_hostile_broker(
    set_stage: Callable[..., Stage], broker: PrivateRabbitMQ, proxy: HttpProxy, wire: TcpProxy
) -> None:
    """The whole daemon: HTML for figures and a stalled connection; nobody comes or goes, then all goes on by itself."""
    stage = set_stage(
        slots=2, ceiling=2, silence="12s", scale_in_window="1s", management_url=proxy.url, amqp_port=wire.port,
        bootstrap='broker_url = { env = "FLOOD_WORKER_URL" }',
    )  # fmt: skip
    stage.secrets = {"FLOOD_WORKER_URL": broker.amqp_url_for(stage.vhost)}
    stage.send({0: 8.0})
    stage.start_daemon()
    before = stage.wait_until_serving(1)

    known = len(stage.said("fact.missed"))
    proxy.meet(BAD_GATEWAY)
    wire.manners = STALLED
    stage.wait_until_said("fact.missed", known + 2)
    stage.send({100 + number: 0.02 for number in range(100)})  # five workers' worth
    stage.wait_until_ended(101, 30)  # and then nothing is left to do
    standing = time.monotonic() + 4
    while time.monotonic() < standing:
        assert before == stage.live()
    told = {each["fact"]: each["why"] for each in stage.said("fact.missed")[known:]}
    assert "status 502" in told["demand of flood"]
    assert "our own probe does not come back" in told["workers"]

    proxy.calm()
    wire.manners = FAIR
    stage.wait_until_empty(60)
    assert set(before) == set(stage.nodes())
    assert 1 == len(stage.said("daemon.started"))
