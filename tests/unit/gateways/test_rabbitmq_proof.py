"""The second proof of idleness, the check of a broker, and whatever a hostile broker may say."""

from contextlib import closing, suppress
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.clock import SystemClock
from autoscaler.core.facts import Missing, Unconnected
from autoscaler.core.model import WorkerName
from autoscaler.gateways import rabbitmq_rows
from autoscaler.gateways.contract import FactUnavailable
from autoscaler.gateways.rabbitmq import RabbitMQ
from tests.unit.gateways.looking import POOL, WORKER, HandClock, looking
from tests.unit.gateways.management_server import Answer, Script, says, serving


def queue_in(path: str) -> str:
    """The queue that is asked for, because RabbitMQ sends the name with the columns that we ask for."""
    return unquote(path.rpartition("/")[2])


def a_worker(channels: object, mailbox: Any = ...) -> Script:
    owned = {"consumer_details": [{"channel_details": {"connection_name": "1:2 -> 3:4"}}]}

    def script(path: str, query: dict[str, str]) -> Answer:
        match path:
            case "/api/queues/%2F/celery%40a-1.celery.pidbox":
                named = {"name": "celery@a-1.celery.pidbox"}
                return says(named | (owned if mailbox is ... else mailbox))
            case "/api/queues/%2F":
                return says({})
            case "/api/connections/1%3A2%20-%3E%203%3A4/channels":
                return says(channels)
        return says({}, 404)

    return script


def test_what_a_worker_holds_is_the_sum_over_the_channels_of_its_connection() -> None:
    """Found by its control queue, whose consumer is on the same connection."""
    channels = [
        {"messages_unacknowledged": 3},
        {"messages_unacknowledged": 0},
        {"messages_unacknowledged": 1},
    ]
    with looking(a_worker(channels)) as (broker, _, _):
        found = broker.unacknowledged([WORKER, WorkerName("celery@gone")], 5)

    assert {
        WORKER: 4,
        "celery@gone": Unconnected(why="the broker knows no connection of celery@gone"),
    } == found


TWO_CONNECTIONS = {
    "consumer_details": [{"channel_details": {"connection_name": "a"}}],
    "owner_pid_details": {"name": "b"},
}


@pytest.mark.parametrize(
    ("channels", "mailbox", "why"),
    [
        ([{"messages_unacknowledged": 0}], ..., "no channel for tasks"),
        ([], ..., "no channel for tasks"),
        ({}, ..., "no channel for tasks"),
        ([{"messages_unacknowledged": 0}, {}], ..., "gives no messages_unacknowledged"),
        ([{"messages_unacknowledged": 0}, 7], ..., "not an object"),
        ([], {}, "names 0 connections"),
        ([], {"name": "celery@a-2.celery.pidbox"}, "with something else"),
        ([], {"consumer_details": 3, "owner_pid_details": []}, "names 0 connections"),
        ([], TWO_CONNECTIONS, "names 2 connections"),
    ],
)  # fmt: skip
def test_what_proves_nothing_is_no_proof(channels: object, mailbox: object, why: str) -> None:
    """A green pool's mailbox on its own connection, statistics not there yet, two connections: not idleness."""
    with looking(a_worker(channels, mailbox)) as (broker, _, _):
        found = broker.unacknowledged([WORKER], 5)[WORKER]

    assert isinstance(found, Missing)
    assert why in found.why


def test_gone_is_told_from_could_not_look() -> None:
    """A broker that knows no connection has been asked; one that fails has not answered."""

    def script(path: str, _query: dict[str, str]) -> Answer:
        return says({}, 404 if "gone" in path else 500 if "a-1" in path else 200)

    with looking(script) as (broker, _, _):
        found = broker.unacknowledged([WORKER, WorkerName("celery@gone")], 5)

    gone, blind = found[WorkerName("celery@gone")], found[WORKER]
    assert Unconnected(why="the broker knows no connection of celery@gone") == gone
    assert isinstance(blind, Missing)
    assert "status 500" in blind.why
    assert not isinstance(blind, Unconnected)


def test_a_vhost_that_is_not_there_says_nothing_about_its_workers() -> None:
    """It answers as an absent queue does, and so does a proxy in front of nothing."""
    with looking(lambda _path, _query: says({}, 404)) as (broker, _, _):
        found = broker.unacknowledged([WORKER], 5)[WORKER]

    assert isinstance(found, Missing)
    assert not isinstance(found, Unconnected)


MANY = [WorkerName(f"celery@{n}") for n in range(5)]
NO_TIME = Missing(why="no time left on this tick; asked first on the next")


def test_in_bounded_time_everybody_gets_a_turn() -> None:
    """With time for two of five on a tick, those two are answered, and the others come before them next time."""
    clocks: list[HandClock] = []

    def slow(path: str, _query: dict[str, str]) -> Answer:
        clocks[0].at += 0.5
        if path.endswith("/channels"):
            return says([{"messages_unacknowledged": 0}, {"messages_unacknowledged": 7}])
        return says({"name": queue_in(path), "owner_pid_details": {"name": "c"}})

    with looking(slow) as (broker, _, clock):
        clocks.append(clock)
        ticks = [broker.unacknowledged(MANY, 2.0) for _ in range(3)]

    answered = [{worker for worker, held in tick.items() if held == 7} for tick in ticks]
    assert [2, 2, 2] == [len(tick) for tick in answered]
    assert set(MANY) == set().union(*answered)
    for tick, some in zip(ticks, answered, strict=True):
        assert {NO_TIME} == {held for worker, held in tick.items() if worker not in some}


def test_one_that_hangs_keeps_nobody_else_from_a_turn() -> None:
    """It takes all the time of one look, and stands behind the others on the next."""
    hung = MANY[0]

    def script(path: str, _query: dict[str, str]) -> Answer:
        if "celery%400." in path:
            return Answer(silent_s=30)
        if path.endswith("/channels"):
            return says([{"messages_unacknowledged": 0}] * 2)
        return says({"name": queue_in(path), "owner_pid_details": {"name": "c"}})

    with serving(script) as server:
        broker = RabbitMQ(
            management_url=server.url, username="u", password="p", vhost="/", clock=SystemClock()
        )
        with closing(broker):
            first, second = (broker.unacknowledged(MANY, 0.5) for _ in range(2))

    assert isinstance(first[hung], Missing)
    assert "did not answer within" in first[hung].why
    assert [NO_TIME] * 4 == [first[worker] for worker in MANY[1:]]
    assert [0] * 4 == [second[worker] for worker in MANY[1:]]
    assert NO_TIME == second[hung]


@pytest.mark.parametrize(
    ("tags", "overview", "vhost_status", "bad"),
    [
        (["monitoring"], {"rates_mode": "basic"}, 200, set()),
        ("administrator", {"rates_mode": "detailed"}, 200, set()),
        (["management"], {"rates_mode": "basic"}, 200, {"right to look"}),
        (["monitoring"], {"rates_mode": "none"}, 200, {"statistics"}),
        (["monitoring"], {"rates_mode": "basic", "disable_stats": True}, 200, {"statistics"}),
        (["monitoring"], {"rates_mode": "basic"}, 404, {"vhost"}),
        (["monitoring"], {"rates_mode": "basic"}, 401, {"vhost"}),
    ],
    ids=str,
)  # fmt: skip
def test_a_check_finds_what_is_in_the_way(
    tags: object, overview: dict[str, object], vhost_status: int, bad: set[str]
) -> None:
    """The right to look, the vhost, the statistics: each is a finding of its own."""

    def script(path: str, query: dict[str, str]) -> Answer:
        match path:
            case "/api/whoami":
                return says({"tags": tags})
            case "/api/overview":
                return says(overview)
        return says({}, vhost_status)

    with looking(script) as (broker, _, _):
        assert bad == {finding.subject for finding in broker.check() if not finding.ok}


def test_a_check_of_a_broker_that_refuses_us_is_one_finding() -> None:
    """Nothing else could be found out."""
    with looking(lambda _p, _q: says({"reason": "Login failed"}, 401)) as (broker, _, _):
        (finding,) = broker.check()

    assert ("management API", False) == (finding.subject, finding.ok)
    assert "Login failed" in finding.says


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
KEYS = (
    "name", "messages_ready", "messages_unacknowledged", "consumers", "arguments", "message_stats",
    "consumer_details", "owner_pid_details",
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_a_hostile_row_gives_numbers_or_a_reason(row: dict[str, Any]) -> None:
    """Nothing else is ever raised."""
    for read in (
        lambda: rabbitmq_rows.queue_demand(row, "q"),
        lambda: rabbitmq_rows.counters(row, "q", 0.0),
        lambda: rabbitmq_rows.connection_of(row, "q"),
        lambda: rabbitmq_rows.is_fifo(row),
    ):
        with suppress(FactUnavailable):
            read()


@settings(max_examples=30)
@given(JSON)
def test_a_hostile_broker_never_raises(document: object) -> None:
    """Whatever every address answers, each look is a value."""
    with looking(lambda _p, _q: says(document)) as (broker, _, _):
        assert {POOL} == broker.demand({POOL: ("a", "b*")}).keys()
        assert {POOL} == broker.demand({POOL: ("a",)}).keys()
        assert {WORKER} == broker.unacknowledged([WORKER], 5).keys()
        assert broker.check()
