"""The kit for cloud servers keeps its word, shown on the smallest cloud there is."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from testbed.clouds import exchange, guards, paging, shapes
from testbed.clouds.cloud import Cloud
from testbed.clouds.exchange import Answer, Asked, Fault, Kind
from testbed.clouds.machines import Habits
from testbed.clouds.shapes import Wrong
from tests.unit.testbed import tiny_cloud

SLOW = Habits(boot_s=10, list_lag_s=5, ending_s=20, list_tail_s=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    status: int
    headers: Mapping[str, str]
    body: Any


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with tiny_cloud.serving() as running:
        yield running


def ask(cloud: Cloud, method: str, path: str, body: object = None, *, token: str = tiny_cloud.TOKEN) -> Heard:
    link = http.client.HTTPConnection("127.0.0.1", cloud.server.port, timeout=5)
    try:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        content = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        link.request(method, path, body=content, headers=headers)
        answer = link.getresponse()
        raw = answer.read()
        return Heard(
            status=answer.status, headers=dict(answer.getheaders()), body=json.loads(raw) if raw else None
        )
    finally:
        link.close()


def boat(name: str = "tove", **more: object) -> dict[str, object]:
    return {"name": name, "seats": 4, **more}


def test_a_machine_is_made_listed_found_and_ended(cloud: Cloud) -> None:
    """The plain way through a server: each route answers what its handler says."""
    made = ask(cloud, "POST", "/boats", boat(tags=["red"]))

    assert (201, {"key": "1", "state": "building", "name": "tove", "seats": 4, "tags": ["red"]}) == (
        made.status,
        made.body,
    )
    assert [made.body] == ask(cloud, "GET", "/boats").body["boats"]
    assert made.body == ask(cloud, "GET", "/boats/1").body
    assert (204, None) == (
        (ended := ask(cloud, "DELETE", "/boats/1")).status,
        ended.body,
    )
    assert [] == ask(cloud, "GET", "/boats").body["boats"]
    assert 404 == ask(cloud, "DELETE", "/boats/1").status


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"name": "tove"}, 422, "seats is required"),
        (boat(colour="red"), 422, "colour is no field of this request"),
        (boat("Tove"), 422, "name does not match [a-z]+"),
        (boat(seats="4"), 422, "seats expected an integer, found a value of type str"),
        (boat(seats=True), 422, "seats expected an integer, found a value of type bool"),
        (boat(seats=9), 422, "seats must be from 1 to 8"),
        (boat(tags=[1]), 422, "tags[0] expected a string, found a value of type int"),
        (boat(crew={"captain": 1}), 422, "crew.captain expected a string, found a value of type int"),
        ([], 422, " expected an object, found a value of type list"),
        (None, 422, " expected an object, found a value of type NoneType"),
        (b'{"name": ', 400, "no JSON"),
    ],
)
def test_a_body_is_held_to_its_shape_to_the_last_field(
    cloud: Cloud, body: object, status: int, says: str
) -> None:
    """What is missing, unknown, of another kind or out of bounds is refused by its place, and makes nothing."""
    heard = ask(cloud, "POST", "/boats", body)

    assert (status, {"error": says}) == (heard.status, heard.body)
    assert () == cloud.machines.standing()


def test_what_may_be_null_may_be_null(cloud: Cloud) -> None:
    """A nullable field takes null and what it is otherwise."""
    assert 201 == ask(cloud, "POST", "/boats", boat("a", crew=None)).status
    assert 201 == ask(cloud, "POST", "/boats", boat("b", crew={"captain": "Tove"})).status


def test_nobody_is_heard_without_the_right_credentials(cloud: Cloud) -> None:
    """A wrong token gets 401 on every path but the open ones, and nothing is done."""
    assert 401 == ask(cloud, "POST", "/boats", boat(), token="another").status
    assert 401 == ask(cloud, "GET", "/nowhere", token="another").status
    assert 200 == ask(cloud, "GET", "/weather", token="another").status
    assert () == cloud.machines.standing()


def test_guards_know_their_credentials() -> None:
    """Basic, bearer and lent tokens are compared whole."""
    lent: set[str] = set()
    header = {"authorization": "Basic dTpw", "x-auth-token": "t"}
    asked = Asked(method="GET", path="/", headers=header)

    assert guards.basic("u", "p")(asked)
    assert not guards.basic("u", "q")(asked)
    assert not guards.bearer("dTpw")(asked)
    assert not guards.header_among("X-Auth-Token", lent)(asked)
    lent.add("t")
    assert guards.header_among("X-Auth-Token", lent)(asked)


def test_an_unknown_path_method_or_parameter_is_refused(cloud: Cloud) -> None:
    """404 for a path, 405 for a method that the path lacks, and a parameter nobody knows is named."""
    assert 404 == ask(cloud, "GET", "/ships").status
    assert 405 == ask(cloud, "PUT", "/boats/1", {}).status
    misspelt = ask(cloud, "GET", "/boats?perpage=5")
    assert (422, {"error": "perpage is no parameter of this request"}) == (misspelt.status, misspelt.body)


def test_pages_are_walked_by_number(cloud: Cloud) -> None:
    """Every page but the last names the next one; sizes and numbers that cannot be are refused."""
    for name in "abcde":
        ask(cloud, "POST", "/boats", boat(name))

    pages = [ask(cloud, "GET", f"/boats?page={number}").body for number in (1, 2, 3, 4)]

    assert [["a", "b"], ["c", "d"], ["e"], []] == [[row["name"] for row in page["boats"]] for page in pages]
    assert [2, 3, None, None] == [page["next"] for page in pages]
    for parameters in ("page=0", "page=x", "per_page=6", "per_page=0"):
        assert 400 == ask(cloud, "GET", f"/boats?{parameters}").status


def test_a_cursor_leads_on_and_a_made_up_one_does_not() -> None:
    """Rows after a cursor, until an empty cursor says that that was all."""
    names = ("cursor", "per_page")
    first, cursor = paging.after("abc", cursor="", size="2", names=names, default=1, most=5)
    rest, end = paging.after("abc", cursor=cursor, size="", names=names, default=9, most=9)

    assert (("a", "b"), ("c",), "") == (first, rest, end)
    with pytest.raises(paging.BadPage, match="cursor"):
        paging.after("abc", cursor="!", size="", names=names, default=1, most=5)


def test_a_link_header_names_the_pages_around() -> None:
    """First, next and last, with what else was asked."""
    page = paging.numbered("abc", number="1", size="2", names=("page", "per_page"), default=2, most=5)

    told = paging.link("http://here/rows", page, parameter="page", query={"tag": "x"})

    assert {
        "Link": '<http://here/rows?tag=x&page=1>; rel="first", <http://here/rows?tag=x&page=2>; rel="next", '
        '<http://here/rows?tag=x&page=2>; rel="last"'
    } == told


def test_a_listing_lags_and_an_end_lingers() -> None:
    """Made is found by its key at once and listed later; ended stays a while, and listings show it longer still."""
    with tiny_cloud.serving(SLOW) as cloud:
        ask(cloud, "POST", "/boats", boat())

        def seen() -> tuple[int, list[str]]:
            rows = ask(cloud, "GET", "/boats").body["boats"]
            return ask(cloud, "GET", "/boats/1").status, [row["state"] for row in rows]

        assert (200, []) == seen()
        cloud.machines.clock.turn(6)
        assert (200, ["building"]) == seen()
        cloud.machines.clock.turn(5)
        assert (200, ["afloat"]) == seen()
        ask(cloud, "DELETE", "/boats/1")
        assert () == cloud.machines.standing()
        assert (200, ["sinking"]) == seen()
        cloud.machines.clock.turn(21)
        assert (404, ["sinking"]) == seen()
        cloud.machines.clock.turn(7)
        assert (404, []) == seen()


def test_a_limit_is_counted_told_and_held() -> None:
    """Each answer tells what is left; one request too many gets 429, and the bucket refills with time."""
    with tiny_cloud.serving(requests=2) as cloud:
        heard = [ask(cloud, "GET", "/boats") for _ in range(3)]

        assert [200, 200, 429] == [each.status for each in heard]
        assert ["1", "0", "0"] == [each.headers["X-Left"] for each in heard]
        assert {"2"} == {each.headers["X-Limit"] for each in heard}
        assert float(heard[-1].headers["X-Reset"]) > cloud.machines.clock.now()
        cloud.machines.clock.turn(3600)
        assert 200 == ask(cloud, "GET", "/boats").status


def test_faults_meet_the_calls_they_concern(cloud: Cloud) -> None:
    """A refusal does nothing, a lost answer was carried out, a lost request was not, and each is met once."""
    no_more = Answer(status=503, body={"error": "full"})
    cloud.server.meet(Fault(answer=no_more), kind=Kind.CREATE)

    assert 200 == ask(cloud, "GET", "/boats").status
    assert (503, {"error": "full"}) == ((heard := ask(cloud, "POST", "/boats", boat())).status, heard.body)
    assert () == cloud.machines.standing()
    for fault, stands in ((exchange.REQUEST_LOST, 0), (exchange.ANSWER_LOST, 1)):
        cloud.server.meet(fault, kind=Kind.CREATE)
        with pytest.raises((http.client.HTTPException, OSError)):
            ask(cloud, "POST", "/boats", boat())
        assert stands == len(cloud.machines.standing())
    cloud.server.meet(exchange.LISTING_CUT, kind=Kind.LIST)
    assert [] == ask(cloud, "GET", "/boats").body["boats"]
    assert ["tove"] == [row["name"] for row in ask(cloud, "GET", "/boats").body["boats"]]


def test_a_silence_lasts_until_it_is_calmed(cloud: Cloud) -> None:
    """The request is taken and not answered; calming lets its thread go and forgets what was not met."""
    cloud.server.meet(exchange.SILENCE, times=2)
    link = http.client.HTTPConnection("127.0.0.1", cloud.server.port, timeout=0.2)
    link.request("GET", "/weather")
    with pytest.raises(TimeoutError):
        link.getresponse()
    link.close()

    cloud.server.calm()

    assert 200 == ask(cloud, "GET", "/weather").status


def test_the_record_holds_what_was_asked_and_no_credentials(cloud: Cloud) -> None:
    """Requests and answers are there for tests to read, without what authenticates."""
    ask(cloud, "POST", "/boats", boat())
    ask(cloud, "GET", "/boats?page=1")

    first, second = cloud.server.exchanges
    assert (boat(), 201, Kind.CREATE) == (
        first.asked.body,
        first.answer and first.answer.status,
        first.route and first.route.kind,
    )
    assert (["1"], False) == (list(second.asked.query["page"]), second.faulty)
    assert 1 == cloud.server.count(Kind.CREATE)
    assert tiny_cloud.TOKEN not in "".join(f"{each!r} {dict(each.asked.headers)}" for each in (first, second))


def test_a_mistake_in_a_handler_is_not_swallowed() -> None:
    """A server that fails by itself would look like a fault on order; its end says so."""

    def ask_a_broken_server() -> None:
        with tiny_cloud.serving() as cloud:
            cloud.server.routes = (
                exchange.Route(method="GET", path="/", handler=lambda _: Answer(status=1 // 0)),
            )
            with pytest.raises((http.client.HTTPException, OSError)):
                ask(cloud, "GET", "/")

    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        ask_a_broken_server()


@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        ("/a/{x}", "/a/1", {"x": "1"}),
        ("/a/{x}", "/a/", None),
        ("/a/{x}", "/a/1/2", None),
        ("/a/{x}/b", "/a/1/b", {"x": "1"}),
        ("/a/{x…}", "/a/1/2", {"x": "1/2"}),
        ("/a", "/a/", None),
    ],
)
def test_paths_fit_whole(pattern: str, path: str, found: Mapping[str, str] | None) -> None:
    """A part in braces takes one part of a path, with an ellipsis the rest of it."""
    assert found == exchange.places(pattern, path)


def test_of_several_shapes_the_nearest_is_told_of() -> None:
    """An object that is nearly right is told what it lacks, not that it is no text."""
    shape = shapes.either(shapes.text(), shapes.record(required={"a": shapes.flag, "b": shapes.null}))

    assert [("b", Wrong.MISSING)] == [
        (each.place, each.wrong) for each in shapes.problems(shape, {"a": True})
    ]
