"""Exchanges are held against a description to the last field, and what does not fit is found."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from testbed.clouds import descriptions
from testbed.clouds.descriptions import Description, Deviation
from testbed.clouds.exchange import Answer, Asked, Exchange

BOAT: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "key"],
    "properties": {
        "name": {"type": "string"},
        "key": {"type": "integer", "readOnly": True},
        "made": {"type": "string", "format": "date-time"},
        "owner": {"type": "string", "nullable": True},
    },
}
A_BOAT = {"$ref": "#/components/schemas/boat"}
PATHS: Mapping[str, Any] = {
    "/boats": {
        "get": {
            "parameters": [
                {"$ref": "#/components/parameters/page"},
                {"name": "tag", "in": "query", "schema": {"type": "array", "items": {"enum": ["red", "blue"]}}},
                {"name": "afloat", "in": "query", "required": True, "schema": {"type": "boolean"}},
            ],
            "responses": {
                "200": {"content": {"application/json": {"schema": {"type": "array", "items": A_BOAT}}}}
            },
        },
        "post": {
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": A_BOAT}},
            },
            "responses": {
                "201": {"content": {"application/json": {"schema": A_BOAT}}},
                "4XX": {"content": {"application/json": {"schema": {"required": ["error"], "type": "object"}}}},
            },
        },
    },
    "/boats/{key}": {
        "parameters": [{"name": "key", "in": "path", "required": True, "schema": {"type": "integer"}}],
        "delete": {"responses": {"204": {"description": "gone"}}},
    },
}  # fmt: skip
DOCUMENT: Mapping[str, Any] = {
    "openapi": "3.0.3",
    "paths": PATHS,
    "components": {
        "schemas": {"boat": BOAT},
        "parameters": {"page": {"name": "page", "in": "query", "schema": {"type": "integer", "minimum": 1}}},
    },
}
TOVE = {"name": "tove", "key": 1}


def wrong(
    method: str,
    path: str,
    *,
    sent: object = None,
    status: int = 200,
    told: object = None,
    query: Mapping[str, list[str]] | None = None,
    faulty: bool = False,
    deviations: tuple[Deviation, ...] = (),
) -> str:
    asked = Asked(method=method, path=path, query=query or {}, body=sent, raw=json.dumps(sent).encode())
    asked = asked if sent is not None else Asked(method=method, path=path, query=query or {})
    headers = {"Content-Type": "text/html"} if isinstance(told, str) else {}
    answer = Answer(status=status, body=told, headers=headers)
    exchange = Exchange(asked=asked, answer=answer, route=None, faulty=faulty)
    return "; ".join(Description(DOCUMENT, deviations=deviations).problems(exchange, path))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"told": []}, ""),
        ({"told": [TOVE]}, ""),
        ({"told": [{**TOVE, "owner": None, "made": "2026-01-02T03:04:05Z"}]}, ""),
        ({"told": [{**TOVE, "name": None}]}, "None is not of type 'string'"),
        ({"told": [{**TOVE, "key": "1"}]}, "'1' is not of type 'integer'"),
        ({"told": [{**TOVE, "made": "yesterday"}]}, "is not a 'date-time'"),
        ({"told": [{"name": "tove"}]}, "'key' is a required property"),
        ({"told": [{**TOVE, "colour": "red"}]}, "'colour' was unexpected"),
        ({"told": None}, "without the body that is described"),
        ({"told": [], "status": 500}, "with a status that is not described; known: 200"),
        ({"told": [], "query": {"afloat": ["yes"]}}, "'yes' is not of type 'boolean'"),
        ({"told": [], "query": {}}, "lacks the parameter afloat"),
        ({"told": [], "query": {"afloat": ["true"], "page": ["0"]}}, "0 is less than the minimum of 1"),
        ({"told": [], "query": {"afloat": ["true"], "tag": ["red", "blue"]}}, ""),
        ({"told": [], "query": {"afloat": ["true"], "tag": ["red", "grey"]}}, "'grey' is not one of"),
        ({"told": [], "query": {"afloat": ["true"], "colour": ["red"]}}, "a parameter that is not described: colour"),
    ],
)  # fmt: skip
def test_a_listing_is_held_to_its_parameters_and_its_rows(more: dict[str, Any], says: str) -> None:
    """Types, formats, bounds, what is required, what is unknown, and null only where it may be."""
    found = wrong("GET", "/boats", **{"query": {"afloat": ["true"]}, **more})

    assert says in found
    assert bool(says) is bool(found)


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({"name": "tove"}, ""),
        ({"name": 1}, "1 is not of type 'string'"),
        ({"name": "tove", "colour": "red"}, "'colour' was unexpected"),
        (None, "lacks its body"),
    ],
)
def test_an_order_is_held_to_its_body(sent: object, says: str) -> None:
    """What may only be read is not demanded of an order, and is of its answer."""
    found = wrong("POST", "/boats", sent=sent, status=201, told=TOVE)

    assert says in found
    assert bool(says) is bool(found)
    assert "'key' is a required property" in wrong(
        "POST", "/boats", sent={"name": "a"}, status=201, told={"name": "a"}
    )


def test_a_refusal_is_held_and_what_it_refused_is_not() -> None:
    """The provider's own words for errors are described too; a wrong request is why it refused."""
    assert "" == wrong("POST", "/boats", sent={"nome": 1}, status=422, told={"error": "no"})
    assert "'error' is a required property" in wrong("POST", "/boats", sent={}, status=422, told={})


def test_a_fault_that_is_none_of_the_api_is_let_pass() -> None:
    """A proxy's page on order is no answer of the server's; without an order it is."""
    assert "" == wrong("GET", "/boats", query={"afloat": ["true"]}, status=502, told="<html>", faulty=True)
    assert "status that is not described" in wrong(
        "GET", "/boats", query={"afloat": ["true"]}, status=502, told="<html>"
    )


@pytest.mark.parametrize(
    ("method", "path", "more", "says"),
    [
        ("DELETE", "/boats/1", {"status": 204}, ""),
        ("DELETE", "/boats/tove", {"status": 204}, "'tove' is not of type 'integer'"),
        ("DELETE", "/boats/1", {"status": 204, "told": {}}, "with a body that is not described"),
        ("DELETE", "/boats/1", {"status": 204, "sent": {}}, "has a body that is not described"),
        ("PUT", "/boats/1", {}, "PUT /boats/1: is not described"),
        ("GET", "/ships", {}, "GET /ships: is not described"),
    ],
)
def test_paths_and_methods_are_those_of_the_description(
    method: str, path: str, more: dict[str, Any], says: str
) -> None:
    """A path that is not in it, or not with that method, is found."""
    found = wrong(method, path, **more)

    assert says in found
    assert bool(says) is bool(found)


def test_a_deviation_that_is_known_is_let_pass_and_no_other() -> None:
    """By method, path and what is said of them, each with its reason."""
    known = (
        Deviation(method="GET", path="/ships/{key}", says=descriptions.NOT_DESCRIBED, why="cut"),
        Deviation(path="/boats/{key}", says="answered 202: with a status", why="answers so in reality"),
    )

    assert "" == wrong("GET", "/ships/1", deviations=known)
    assert "" == wrong("DELETE", "/boats/1", status=202, deviations=known)
    assert wrong("GET", "/ships", deviations=known)
    assert wrong("DELETE", "/boats/1", status=200, deviations=known)
    assert wrong("DELETE", "/boats/x", status=202, deviations=known)


@pytest.fixture
def at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with one description."""
    monkeypatch.setenv(descriptions.VARIABLE, str(tmp_path))
    descriptions.load.cache_clear()
    (tmp_path / "boats.json").write_text(json.dumps(DOCUMENT))
    yield tmp_path
    descriptions.load.cache_clear()


def test_exchanges_find_their_description_by_the_base_of_their_paths(at_hand: Path) -> None:
    """A base is cut off where the description's paths lack it; what has no description at hand is not counted."""
    exchanges = [
        Exchange(asked=Asked(method="DELETE", path=path), answer=Answer(status=204), route=None)
        for path in ("/v1/boats/1", "/boats/2", "/boats/x", "/elsewhere/1", "/lost/1")
    ]

    count, found = descriptions.held(exchanges, {"/v1": "boats", "/boats": "boats", "/lost": "not-at-hand"})

    assert 3 == count
    assert ["DELETE /boats/x: parameter key $: 'x' is not of type 'integer'"] == found


def test_without_a_folder_nothing_is_at_hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A variable that names no folder is no folder, not a reason to look elsewhere."""
    monkeypatch.setenv(descriptions.VARIABLE, str(tmp_path / "nowhere"))
    descriptions.load.cache_clear()

    assert descriptions.folder() is None
    assert descriptions.load("hetzner") is None
