"""Whatever stands in for a broker: each look is a value, a figure is believed only if it was there, and no is not 0."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autoscaler.clock import SystemClock
from autoscaler.core.facts import Missing
from autoscaler.gateways.rabbitmq import RabbitMQ
from policies.contract import Demand, Reading, Trust
from tests.fuzz import odd, raw_server
from tests.fuzz.raw_server import RawServer
from tests.unit.gateways.looking import POOL, WORKER, HandClock
from tests.unit.gateways.management_server import Answer, ManagementServer, serving

PASSWORD = "hunter2-of-the-broker"
LONGEST_WHY = 1_000
MAILBOX = f"{WORKER}.celery.pidbox"
QUEUES = ("images", "thumbs")


def a_row(name: str) -> dict[str, Any]:
    return {
        "name": name, "messages_ready": 30, "messages_unacknowledged": 4, "consumers": 2, "arguments": {},
        "message_stats": {"publish": 100, "ack": 60, "deliver_no_ack": 5, "get_no_ack": 1, "redeliver": 0},
    }  # fmt: skip


LISTING = [a_row("images"), a_row("thumbs"), a_row("mail")]
OWNED = {
    "name": MAILBOX,
    "consumer_details": [{"channel_details": {"connection_name": "1:2 -> 3:4", "number": 1}}],
    "owner_pid_details": {},
}
CHANNELS = [{"messages_unacknowledged": 0, "number": 1}, {"messages_unacknowledged": 7, "number": 2}]


@pytest.fixture(scope="module")
def server() -> Iterator[ManagementServer]:
    """One for all examples; each gives it a script of its own."""
    with serving(lambda _p, _q: Answer()) as started:
        yield started


@pytest.fixture(scope="module")
def wire() -> Iterator[RawServer]:
    with raw_server.listening() as started:
        yield started


@contextmanager
def a_broker_at(url: str, *, timeout_s: float = 2.0) -> Iterator[RabbitMQ]:
    broker = RabbitMQ(
        management_url=url, username="u", password=PASSWORD, vhost="/", clock=HandClock(), timeout_s=timeout_s
    )
    try:
        yield broker
    finally:
        broker.close()


FIGURES = ("messages_ready", "messages_unacknowledged", "consumers")


def figures(row: Any, name: str) -> tuple[int, int] | None:
    """Backlog and in progress of a row that can be believed; None for any other."""
    if not isinstance(row, dict) or row.get("name") != name:
        return None
    counts = [row.get(key) for key in FIGURES]
    if not all(type(count) is int and 0 <= count <= 10**12 for count in counts):
        return None
    return counts[0], counts[1]


def is_told(why: str) -> bool:
    return 0 < len(why) <= LONGEST_WHY and PASSWORD not in why


def is_sound(reading: Reading) -> bool:
    if reading.value is None:
        return reading.trust is Trust.ABSENT and bool(reading.why)
    return reading.trust is not Trust.ABSENT and math.isfinite(reading.value) and reading.value >= 0


def check_demand(found: Demand | Missing, believable: list[tuple[int, int] | None]) -> None:
    """A demand is the sum of figures that were all there; anything else is a reason."""
    if isinstance(found, Missing):
        assert is_told(found.why)
        return
    assert None not in believable
    sums = [sum(column) for column in zip(*[pair for pair in believable if pair], strict=True)] or [0, 0]
    assert sums == [found.backlog, found.in_progress]
    assert all(map(is_sound, (found.arrivals_per_s, found.completions_per_s, found.wait_s)))


@given(st.lists(st.tuples(*(odd.bodies(a_row(name)) for name in QUEUES)), min_size=1, max_size=3))
@example([(odd.text(a_row("images")), odd.text(a_row("images")))])  # another queue's figures
@example([(odd.text(a_row("images") | {"\0messages_ready": 0}), odd.text(a_row("thumbs")))])
def test_figures_of_a_queue_are_believed_only_if_they_were_there(
    server: ManagementServer, looks: list[tuple[bytes, bytes]]
) -> None:
    """Asked one by one, over several looks, with histories that such answers leave behind."""
    said = dict(zip(QUEUES, looks[0], strict=True))
    server.script = lambda path, _q: Answer(body=said[unquote(path.rpartition("/")[2])])
    with a_broker_at(server.url) as broker:
        for bodies in looks:
            said.update(zip(QUEUES, bodies, strict=True))
            found = broker.demand({POOL: QUEUES})[POOL]
            broker._clock.at += 10.0  # type: ignore[attr-defined]  # a clock that is moved by hand

            check_demand(found, [figures(odd.plain(said[name]), name) for name in QUEUES])
            if isinstance(found, Demand):
                assert not any(odd.told_twice(body, *FIGURES) for body in bodies)
            if all(said[name] == odd.text(a_row(name)) for name in QUEUES):
                assert isinstance(found, Demand)


@given(odd.bodies(LISTING))
@example(odd.text([a_row("images"), a_row("mail"), {"name": 5}]))
@example(odd.text([a_row("images"), a_row("mail"), {}]))
def test_a_listing_is_believed_only_if_every_row_of_it_can_be_placed(
    server: ManagementServer, body: bytes
) -> None:
    """A row without a name may be one of ours: passed over, its backlog would read as nothing."""
    server.script = lambda _p, _q: Answer(body=body)
    with a_broker_at(server.url) as broker:
        found = broker.demand({POOL: ("images", "thumb*")})[POOL]

    if isinstance(found, Missing):
        assert is_told(found.why)
        return
    rows = odd.plain(body)
    assert all(isinstance(row["name"], str) for row in rows)
    # Of a name that stands twice the later row counts.
    rows = list({row["name"]: row for row in rows}.values())
    ours = [row for row in rows if row["name"] == "images" or row["name"].startswith("thumb")]
    check_demand(found, [figures(row, row["name"]) for row in ours])


@given(odd.bodies(OWNED), odd.bodies(CHANNELS))
@example(
    odd.text(OWNED | {"consumer_details": [*OWNED["consumer_details"], {"channel_details": []}]}),
    odd.text(CHANNELS),
)
@example(
    odd.text(OWNED | {"consumer_details": [{"channel_details": {"connection_name": "\ud800"}}]}),
    odd.text(CHANNELS),
)
@example(
    odd.text(OWNED | {"consumer_details": [{"channel_details": {"connection_name": ".."}}]}),
    odd.text(CHANNELS),
)
@example(odd.text(OWNED | {"name": "celery@b.celery.pidbox"}), odd.text(CHANNELS))
@example(odd.text(OWNED), odd.text([{"messages_unacknowledged": 0}, {"messages_unacknowledged": None}]))
def test_what_a_worker_holds_is_never_under_reported(
    server: ManagementServer, mailbox: bytes, channels: bytes
) -> None:
    """A malformed row about its connection is no zero: the second proof of idleness is missing then."""

    def script(path: str, _query: dict[str, str]) -> Answer:
        if path == "/api/queues/%2F/celery%40a-1.celery.pidbox":
            return Answer(body=mailbox)
        if path.startswith("/api/connections/") and path.endswith("/channels"):
            return Answer(body=channels)
        return Answer(status=404)

    server.script = script
    with a_broker_at(server.url) as broker:
        found = broker.unacknowledged([WORKER], 5)[WORKER]

    if isinstance(found, Missing):
        assert is_told(found.why)
        return
    row, rows = odd.plain(mailbox), odd.plain(channels)
    assert MAILBOX == row["name"]
    consumers = [each["channel_details"]["connection_name"] for each in row.get("consumer_details", [])]
    assert all(isinstance(name, str) and name for name in consumers)
    held = [each["messages_unacknowledged"] for each in rows]
    assert all(type(count) is int and count >= 0 for count in held)
    assert len(held) >= 2
    assert sum(held) == found
    assert not odd.told_twice(channels, "messages_unacknowledged")
    assert not odd.told_twice(mailbox, "name", "connection_name", "consumer_details")


WHOLE = odd.text(a_row("images"))
bodies = st.sampled_from(
    [
        WHOLE, gzip.compress(WHOLE, mtime=0), WHOLE.decode().encode("utf-16"), WHOLE[:-5], b"", b"\xff" * 50,
        b"[" * 50_000, b"9" * 5_000, b'{"reason": "' + b"x" * 3_000 + b'"}', b'{"reason": ' + b"[" * 990,
        b"<html>404 page not found</html>", b" " * 100_000 + WHOLE, WHOLE.replace(b"30", b"3e1"),
        WHOLE.replace(b"30", b"NaN"), WHOLE.replace(b"30", b"1e999"),
    ]
) | odd.bodies(a_row("images"))  # fmt: skip
status_lines = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 302 Found", b"HTTP/1.1 404 Not Found", b"HTTP/1.1 204",
     b"HTTP/1.1 401 No", b"HTTP/1.1 500", b"HTTP/1.1 999 ?", b"HTTP/1.1 099 ?", b"HTTP/1.1 2x0", b"HTTP/9 200 OK",
     b"SSH-2.0-OpenSSH", b"\x15\x03\x01\x00\x02", b""]
)  # fmt: skip
headers = st.sampled_from(
    [b"Location: http://[", b"Location: \xff\xfe", b"Location: /api", b"Content-Encoding: gzip", b"Content-Length: -1",
     b"Content-Encoding: deflate, gzip, br", b"Content-Length: many", b"Content-Length: 5, 6", b"Content-Length: 9999",
     b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Set-Cookie: a=\xff; Path=",
     b"Set-Cookie: =; Expires=never; Domain=..", b"Content-Type: text/html; charset=rot13", b"\xff\xff: 1", b"no colon",
     b"X: " + b"y" * 70_000, b"Retry-After: -1"]
)  # fmt: skip


@given(status_lines, st.lists(headers, max_size=4), bodies)
@example(b"HTTP/1.1 302 Found", [b"Location: \xff\xfe"], WHOLE)
@example(b"HTTP/1.1 302 Found", [b"Location: http://["], WHOLE)
@example(b"HTTP/1.1 404 Not Found", [], b"404 page not found")
def test_whatever_comes_over_the_wire_is_a_look_without_an_exception(
    wire: RawServer, status: bytes, fields: list[bytes], body: bytes
) -> None:
    """Headers that contradict each other, redirects to nowhere, packed and endless bodies, no HTTP at all."""
    wire.says = b"\r\n".join([status, *fields, b"", body])
    with a_broker_at(f"http://127.0.0.1:{wire.port}") as broker:
        found = broker.demand({POOL: ("images",)})[POOL]
        held = broker.unacknowledged([WORKER], 5)[WORKER]
        checks = broker.check()

    assert isinstance(held, Missing)
    assert all(is_told(finding.says) for finding in checks)
    if isinstance(found, Missing):
        assert is_told(found.why)
    elif found.queues[0].missing:
        # Only a broker says so, and says it as an object.
        assert b"404" in status
    else:
        assert b"200" in status
        assert found.queues[0].backlog >= 0


def test_the_body_of_a_redirect_is_not_read_to_its_end(wire: RawServer) -> None:
    """The HTTP client would read all of it, however long, though no redirect is followed."""
    wire.says = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n" + b"x" * 80_000_000
    with a_broker_at(f"http://127.0.0.1:{wire.port}") as broker:
        began = SystemClock().monotonic()
        found = broker.demand({POOL: ("images",)})[POOL]

    assert isinstance(found, Missing)
    assert "more than 2000 bytes" in found.why
    assert SystemClock().monotonic() - began < 5


def test_a_good_answer_is_believed(server: ManagementServer) -> None:
    """Else every law above would hold of a reader that believes nothing."""
    server.script = lambda _p, _q: Answer(body=json.dumps(a_row("images")).encode())
    with a_broker_at(server.url) as broker:
        found = broker.demand({POOL: ("images",)})[POOL]

    assert isinstance(found, Demand)
    assert (30, 4) == (found.backlog, found.in_progress)
