"""The API of a real daemon: what it says, whom it obeys, and that no client holds up a tick."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
import requests

from testbed.waiting import wait_until
from tests.integration.stage import Stage
from tests.integration.web.served import BEARER, TOKEN, get, order, serving, url

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def same_tick(stage: Stage) -> tuple[dict[str, object], dict[str, object]]:
    """What the command and the API say of one and the same tick."""
    for _ in range(20):
        said, served = stage.asked("status"), get(stage, "/api/v1/status").json()
        if said["daemon"]["last_tick_at"] == served["daemon"]["last_tick_at"]:
            return said, served
    raise AssertionError("never saw both between two ticks")


def test_the_api_says_what_the_command_says_of_the_same_tick(set_stage: Callable[..., Stage]) -> None:
    """Both are read as of that tick, figures that grow with time included."""
    stage = serving(set_stage, tick="3s")
    stage.send(dict.fromkeys(range(30), 3.0))
    stage.wait_until_serving(2)

    said, served = same_tick(stage)

    assert said == served
    assert stage.nodes().keys() == {each["name"] for each in get(stage, "/api/v1/nodes").json()["nodes"]}


def test_machines_tell_how_many_tasks_their_workers_did(set_stage: Callable[..., Stage]) -> None:
    """By the workers' own word, the last one included: together as many as were sent."""
    stage = serving(set_stage)
    stage.send(dict.fromkeys(range(6), 1.0))
    stage.wait_until_ended(6, 90)
    stage.wait_until_empty(90)

    done = {each["name"]: each["tasks_done"] for each in stage.asked("nodes", "--all")["nodes"]}

    assert 6 == sum(filter(None, done.values())), done
    assert done == {name: get(stage, f"/api/v1/nodes/{name}").json()["tasks_done"] for name in done}


def test_an_order_with_the_token_is_carried_out_and_stands_on_record(set_stage: Callable[..., Stage]) -> None:
    """And with who gave it, by which way, and without the token anywhere."""
    stage = serving(set_stage)
    stage.send(dict.fromkeys(range(4), 3.0))
    (node,) = stage.wait_until_serving(1)

    answer = order(stage, {"kind": "drain", "target": node, "by": "Anna"})

    assert 202 == answer.status_code
    number = answer.json()["order"]
    wait_until(
        lambda: (
            next(o for o in get(stage, "/api/v1/orders").json()["orders"] if o["number"] == number)["state"]
            == "carried out"
        ),
        20,
        "the order to be carried out",
    )
    given = get(stage, "/api/v1/orders").json()["orders"][0]
    assert ("drain", node, "Anna (web, 127.0.0.1)") == (given["kind"], given["target"], given["given_by"])
    assert TOKEN not in (stage.directory / "daemon.log").read_text()


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        (BEARER | {"Origin": "http://elsewhere.example"}, 403),
        (BEARER | {"Sec-Fetch-Site": "cross-site"}, 403),
        (BEARER | {"Host": "elsewhere.example"}, 421),
        (BEARER | {"Content-Type": "text/plain"}, 422),
    ],
)
def test_an_order_is_taken_from_nobody_else(
    set_stage: Callable[..., Stage], headers: dict[str, str], code: int
) -> None:
    """Nor from a page of another site, nor by a name that is not ours."""
    stage = serving(set_stage)

    answer = order(stage, {"kind": "pause", "target": "flood"}, headers=headers)

    assert code == answer.status_code
    assert [] == get(stage, "/api/v1/orders").json()["orders"]


def test_without_a_token_in_the_configuration_nobody_orders(set_stage: Callable[..., Stage]) -> None:
    """Reading goes on."""
    stage = serving(set_stage, web="")

    assert 403 == order(stage, {"kind": "pause", "target": "flood"}).status_code


def test_health_goes_red_when_ticks_end_to_be_written(set_stage: Callable[..., Stage]) -> None:
    """What serves the page lives on when the loop does not."""
    stage = serving(set_stage)
    assert 200 == get(stage, "/healthz").status_code

    stage.kill_daemon()
    with pytest.raises(requests.ConnectionError):
        get(stage, "/healthz")


def test_an_order_that_cannot_be_written_down_says_so(set_stage: Callable[..., Stage]) -> None:
    """Where the journal was moved away there is none to write into: no failure of ours, and the reason in words."""
    stage = serving(set_stage)
    journal = stage.directory / "journal.db"
    journal.rename(journal.with_name("moved.db"))

    answer = order(stage, {"kind": "pause", "target": "images"})

    assert 503 == answer.status_code, answer.text
    assert "journal" in answer.json()["detail"]


def test_every_answer_forbids_what_a_page_has_no_use_for(set_stage: Callable[..., Stage]) -> None:
    """Errors too."""
    stage = serving(set_stage)

    for path in ("/api/v1/status", "/healthz", "/nowhere"):
        headers = get(stage, path).headers
        assert "script-src 'self'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert ("nosniff", "DENY") == (headers["X-Content-Type-Options"], headers["X-Frame-Options"])
        assert "Access-Control-Allow-Origin" not in headers


def test_a_browser_is_told_of_every_tick(set_stage: Callable[..., Stage]) -> None:
    """Without repetition, and in order."""
    stage = serving(set_stage)
    ticks = []

    with requests.get(url(stage, "/api/v1/live"), stream=True, timeout=20) as stream:
        for line in stream.iter_lines():
            if line.startswith(b"data: "):
                ticks.append(json.loads(line.removeprefix(b"data: "))["tick_at"])
            if len(ticks) == 4:
                break

    assert sorted(ticks) == ticks
    assert len(set(ticks)) >= 3


def test_a_hundred_clients_that_never_finish_hold_up_no_tick_and_no_other_client(
    set_stage: Callable[..., Stage],
) -> None:
    """Some send the head of a request byte by byte, some a body, some read no answer; all are sent away in time."""
    stage = serving(set_stage)
    at = urlsplit(url(stage, "/"))
    assert at.hostname is not None
    heads = (
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        b"POST /api/v1/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n{",
        b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 20,
    )
    with ExitStack() as clients:
        slow = [
            clients.enter_context(socket.create_connection((at.hostname, at.port), timeout=10))
            for _ in range(100)
        ]
        for number, client in enumerate(slow):
            client.sendall(heads[number % len(heads)])
        before, began = ticked(stage), time.monotonic()
        asked = []
        while time.monotonic() - began < 15:
            for client in slow:
                with_one_byte(client)
            asked.append(get(stage, "/healthz"))
            time.sleep(0.5)
        lasted, ticks = time.monotonic() - began, ticked(stage) - before

        assert all(answer.ok for answer in asked)
        assert max(answer.elapsed.total_seconds() for answer in asked) < 2.0
        assert ticks >= lasted * 0.8  # a tick a second
        assert [] == stage.said("tick.overran")


def with_one_byte(client: socket.socket) -> None:
    try:
        client.send(b"a", socket.MSG_DONTWAIT)
    except OSError:
        return  # it was sent away


def ticked(stage: Stage) -> int:
    """How many ticks there were: each tick writes a sample of each pool."""
    import sqlite3  # noqa: PLC0415

    with sqlite3.connect(f"file:{stage.directory}/journal.db?mode=ro", uri=True, timeout=10) as journal:
        return int(journal.execute("select count(*) from samples").fetchone()[0])
