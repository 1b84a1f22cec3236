"""Requests and answers held against a provider's published OpenAPI description, where a folder of such is at hand.

In go exchanges as a server on loopback recorded them, out come sentences on what does not fit: a path or parameter that
the description does not have, a body or an answer of another shape, a status it does not know. The project keeps no
description; where none is found nothing is held, and tests say so. What never happens here: a repair of what is held.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jsonschema import Draft4Validator, Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match
from referencing import Registry
from referencing.jsonschema import DRAFT4, DRAFT202012

from testbed.clouds.exchange import JSON, Exchange, places

VARIABLE = "AUTOSCALER_API_SPECS"
BESIDE = Path(__file__).resolve().parents[3] / "shared" / "specs"
NOT_DESCRIBED = "is not described"
METHODS = frozenset({"get", "put", "post", "delete", "patch"})
ERRORS_MAX = 20
"""Told of one body."""
FORMATS = FormatChecker(formats=("ipv4", "ipv6"))
Node = Any


@FORMATS.checks("date-time", raises=ValueError)
def _is_an_instant(value: object) -> bool:
    if isinstance(value, str):
        datetime.fromisoformat(value)
    return True


@FORMATS.checks("uuid", raises=ValueError)
def _is_a_uuid(value: object) -> bool:
    if isinstance(value, str):
        uuid.UUID(value)  # without hyphens too: OpenStack writes a project's so
    return True


def folder() -> Path | None:
    """Where descriptions are: what the variable names, else beside the repository; None: nowhere."""
    named = os.environ.get(VARIABLE)
    found = Path(named) if named else BESIDE
    return found if found.is_dir() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """Where a driver, a server or the API itself knowingly differs from a description, and why."""

    why: str
    says: str
    """Pattern of what would be found, anywhere in it: `NOT_DESCRIBED`, `answered 201: with a status`, …"""
    method: str = ""
    """Empty: any."""
    path: str = ""
    """A path of the description's kind, with `{name}` for what varies; empty: any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operation:
    path: str
    pointer: str
    node: Node
    parameters: Sequence[tuple[str, Node]]
    """Each with the pointer to it."""


class Description:
    """One OpenAPI document, of version 3.0 or 3.1."""

    def __init__(self, document: Node, *, deviations: Sequence[Deviation] = ()) -> None:
        self._deviations = deviations
        old = str(document["openapi"]).startswith("3.0")
        self._validator = Draft4Validator if old else Draft202012Validator
        specification = DRAFT4 if old else DRAFT202012
        # What may only be read is not demanded of a request, and what may only be written not of an answer.
        self._registries: Mapping[str, Registry[Node]] = {
            unwanted: Registry().with_resource(
                "urn:api", specification.create_resource(_plain(document, unwanted, old=old))
            )
            for unwanted in ("readOnly", "writeOnly")
        }
        self._document = document
        self._operations = tuple(self._read())

    def has(self, path: str) -> bool:
        """Whether there is such a path, with whatever method."""
        known = {*(each.path for each in self._operations), *(each.path for each in self._deviations)}
        return any(places(each, path) is not None for each in known)

    def problems(self, exchange: Exchange, path: str) -> list[str]:
        """What does not fit of an exchange whose path, as the description has it, is this one."""
        method = exchange.asked.method
        known = [
            each.says
            for each in self._deviations
            if each.method in {"", method} and (not each.path or places(each.path, path) is not None)
        ]
        found = self._found(exchange, path)
        return [
            f"{method} {path}: {each}" for each in found if not any(re.search(one, each) for one in known)
        ]

    def _found(self, exchange: Exchange, path: str) -> Iterator[str]:
        answer = exchange.answer
        operation = self._find(exchange.asked.method, path)
        if operation is None:
            yield NOT_DESCRIBED
            return
        # A refused request may well be wrong: that is why it was refused.
        if answer is None or not 400 <= answer.status < 500:
            yield from self._of_request(operation, exchange, path)
        if answer is not None and (not exchange.faulty or _is_json(answer.headers)):
            yield from (f"answered {answer.status}: {each}" for each in self._of_answer(operation, exchange))

    def _read(self) -> Iterator[_Operation]:
        for path, item in self._document["paths"].items():
            at = f"/paths/{_escaped(path)}"
            shared = [(f"{at}/parameters/{n}", each) for n, each in enumerate(item.get("parameters", ()))]
            for method in METHODS & item.keys():
                own = item[method].get("parameters", ())
                named = [*shared, *((f"{at}/{method}/parameters/{n}", each) for n, each in enumerate(own))]
                yield _Operation(
                    path=path,
                    pointer=f"{at}/{method}",
                    node={**item[method], "method": method},
                    parameters=[self._resolved(pointer, node) for pointer, node in named],
                )

    def _find(self, method: str, path: str) -> _Operation | None:
        """The operation of the most literal path that fits."""
        fit = [
            each
            for each in self._operations
            if each.node["method"] == method.lower() and places(each.path, path) is not None
        ]
        return min(fit, key=lambda each: each.path.count("{"), default=None)

    def _of_request(self, operation: _Operation, exchange: Exchange, path: str) -> Iterator[str]:
        asked = exchange.asked
        given: Mapping[str, Mapping[str, Sequence[str]]] = {
            "query": asked.query,
            "path": {name: [value] for name, value in (places(operation.path, path) or {}).items()},
            "header": {name: [value] for name, value in asked.headers.items()},
        }
        known = {node["name"] for _, node in operation.parameters if node["in"] == "query"}
        yield from (
            f"has a parameter that is not described: {name}" for name in sorted(asked.query.keys() - known)
        )
        for pointer, node in operation.parameters:
            name = node["name"].lower() if node["in"] == "header" else node["name"]
            values = given.get(node["in"], {}).get(name)
            if values is None:
                if node.get("required") and node["in"] != "cookie":
                    yield f"lacks the parameter {name}"
            elif "schema" in node:
                schema = self._resolved(f"{pointer}/schema", node["schema"])[1]
                value = _read_as(schema, values)
                yield from self._fits(f"{pointer}/schema", value, "readOnly", f"parameter {name}")
        pointer, body = self._resolved(
            f"{operation.pointer}/requestBody", operation.node.get("requestBody") or {}
        )
        if not body:
            if asked.body is not None:
                yield "has a body that is not described"
            return
        if asked.body is None and not asked.raw:
            if body.get("required"):
                yield "lacks its body"
        elif JSON in body["content"]:
            yield from self._fits(
                f"{pointer}/content/{_escaped(JSON)}/schema", asked.body, "readOnly", "body"
            )

    def _of_answer(self, operation: _Operation, exchange: Exchange) -> Iterator[str]:
        answer = exchange.answer
        assert answer is not None
        responses = operation.node["responses"]
        status = next(
            (
                each
                for each in (f"{answer.status}", f"{answer.status // 100}XX", "default")
                if each in responses
            ),
            "",
        )
        if not status:
            yield f"with a status that is not described; known: {', '.join(responses)}"
            return
        pointer, described = self._resolved(f"{operation.pointer}/responses/{status}", responses[status])
        content = described.get("content") or {}
        media = next((each for each in content if each.split(";")[0].endswith("json")), "")
        if media and "schema" in content[media]:
            if not answer.content:
                yield "without the body that is described"
                return
            document = json.loads(answer.content)
            yield from self._fits(
                f"{pointer}/content/{_escaped(media)}/schema", document, "writeOnly", "body"
            )
        elif answer.content and not content and answer.status < 400:
            yield "with a body that is not described"

    def _fits(self, pointer: str, value: object, unwanted: str, what: str) -> Iterator[str]:
        validator = self._validator(
            {"$ref": f"urn:api#{quote(pointer)}"},
            registry=self._registries[unwanted],
            format_checker=FORMATS,
        )
        for error in islice(validator.iter_errors(value), ERRORS_MAX):
            nearest = best_match([error])  # of alternatives, the one that came closest
            yield f"{what} {nearest.json_path}: {nearest.message[:300]}"

    def _resolved(self, pointer: str, node: Node) -> tuple[str, Node]:
        """The node that a reference means, and the pointer to it."""
        while isinstance(node, dict) and "$ref" in node:
            pointer = node["$ref"].removeprefix("#")
            node = self._document
            for part in pointer.strip("/").split("/"):
                node = node[part.replace("~1", "/").replace("~0", "~")]
        return pointer, node


@cache
def load(name: str, deviations: tuple[Deviation, ...] = ()) -> Description | None:
    """The description of that name (a file's, without its end); None where there is none at hand."""
    where = folder()
    file = where / f"{name}.json" if where else None
    if file is None or not file.is_file():
        return None
    return Description(json.loads(file.read_text()), deviations=deviations)


def held(
    exchanges: Sequence[Exchange],
    descriptions: Mapping[str, str],
    deviations: tuple[Deviation, ...] = (),
) -> tuple[int, list[str]]:
    """How many of these exchanges were held against a description at hand, and what does not fit.

    `descriptions` names the one that holds for the paths with that base; of several bases that fit, the longest.
    Whether a description's own paths have the base or lack it is the description's affair.
    """
    count, found = 0, []
    bases = sorted(descriptions, key=len, reverse=True)
    for exchange in exchanges:
        path = exchange.asked.path
        base = next((each for each in bases if f"{path}/".startswith(f"{each}/")), None)
        description = load(descriptions[base], deviations) if base is not None else None
        if base is None or description is None:
            continue
        count += 1
        found += description.problems(exchange, path if description.has(path) else path.removeprefix(base))
    return count, found


def _is_json(headers: Mapping[str, str]) -> bool:
    return headers.get("Content-Type", JSON).startswith(JSON)


def _escaped(part: str) -> str:
    """As one part of a JSON pointer."""
    return part.replace("~", "~0").replace("/", "~1")


def _read_as(schema: Node, values: Sequence[str]) -> object:
    """A parameter's text as the value that its schema speaks of; one that cannot be read so stays a text."""
    kind = schema.get("type")
    if kind == "object" or any(each.get("type") == "object" for each in schema.get("oneOf", ())):
        with contextlib.suppress(ValueError):  # then it is a text, which fits no object
            return json.loads(values[-1])
    if kind == "array":
        return [_read_as(schema.get("items") or {}, [each]) for each in values]
    readers: Mapping[object, Callable[[str], object]] = {
        "integer": int,
        "number": float,
        "boolean": {"true": True, "false": False}.__getitem__,
    }
    kinds = kind if isinstance(kind, list) else [kind]
    for each in kinds:
        try:
            return readers.get(each, str)(values[-1])
        except (ValueError, KeyError):
            continue
    return values[-1]


def _plain(node: Node, unwanted: str, *, old: bool) -> Node:
    """A document whose schemas are plain JSON Schema: `nullable` said in its way, the unwanted not demanded."""
    if isinstance(node, list):
        return [_plain(each, unwanted, old=old) for each in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _plain(value, unwanted, old=old) for key, value in node.items() if key != "nullable"}
    required, properties = plain.get("required"), node.get("properties")
    if isinstance(required, list) and isinstance(properties, dict):
        needed = [
            name
            for name in required
            if not (isinstance(properties.get(name), dict) and properties[name].get(unwanted) is True)
        ]
        plain |= {"required": needed}
        if not needed:
            del plain["required"]  # an empty list is none in the older kind of schema
    if not (old and node.get("nullable") is True):
        return plain
    if not isinstance(plain.get("type"), str):
        return {"anyOf": [plain, {"enum": [None]}]}
    more = {"enum": [*plain["enum"], None]} if "enum" in plain else {}
    return {**plain, "type": [plain["type"], "null"], **more}
