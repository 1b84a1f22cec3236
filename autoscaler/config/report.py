"""From pydantic's errors to problems in the words of an operator.

In goes a `ValidationError`, out come findings: place, found, expected, advice. An unknown key is answered with the
key that was probably meant, or with the table it belongs to. What never happens here: a value that may be a secret,
in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from autoscaler.config import shape
from autoscaler.config.problem import Place, described, dotted, nearest, quoted
from autoscaler.config.settings import Settings
from autoscaler.config.values import WRONG

EXPECTED: Mapping[str, str] = {
    "bool_type": "true or false, without quotes",
    "dict_type": "a table",
    "finite_number": "a number that is finite",
    "float_type": "a number, without quotes",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "int_from_float": "a whole number",
    "int_type": "a whole number, without quotes",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number of at most {le:g}",
    "literal_error": "{expected}",
    "mapping_type": "a table",
    "model_attributes_type": "a table",
    "model_type": "a table",
    "string_type": "text in quotes",
    "too_long": "at most {max_length} of them",
    "too_short": "at least one",
    "tuple_type": "a list in brackets",
}
"""What was expected, by pydantic's error type; the braces are filled from the error's context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem before its line is known."""

    place: Place
    found: str
    expected: str
    advice: str = ""


def findings(error: ValidationError) -> Iterator[Finding]:
    """Every error of a validation in words."""
    for detail in error.errors(include_url=False):
        # A list or map all of whose items are wrong is "too short" to pydantic as well; that would be told twice.
        if not (detail["type"] == "too_short" and detail["input"]):
            yield _finding(detail)


def _finding(detail: ErrorDetails) -> Finding:
    tagged: Place = detail["loc"]
    place = shape.without_tags(tagged)
    context: Mapping[str, Any] = detail.get("ctx", {})
    # pydantic marks an error in the key of a map so; the key itself is in the place already.
    if place[-1:] == ("[key]",):
        place = place[:-1]
    match detail["type"]:
        case kind if kind == WRONG:
            return Finding(
                place=place,
                found=context["found"],
                expected=context["expected"],
                advice=context["advice"],
            )
        case "extra_forbidden":
            return _unknown_key(tagged, place)
        case "missing":
            return Finding(place=place, found="nothing", expected=_missing(tagged))
        case kind:
            return Finding(
                place=place,
                found=described(detail["input"], place),
                expected=EXPECTED[kind].format_map(context) if kind in EXPECTED else detail["msg"],
            )


def _unknown_key(tagged: Place, place: Place) -> Finding:
    name = str(place[-1])
    section = shape.section_at(Settings, tagged[:-1])
    known = shape.keys(section) if section else {}
    advice = nearest(name, known)
    if name not in known:
        for table, kind in known.items():
            if any(name in shape.keys(inner) for inner in shape.sections(kind)):
                advice = f"It belongs into [{dotted((*place[:-1], table))}]."
    return Finding(
        place=place,
        found=f"the key {quoted(name)}, which is unknown here",
        expected=f"one of {', '.join(sorted(known))}" if known else "another key",
        advice=advice,
    )


def _missing(tagged: Place) -> str:
    """What a missing key should have been: a table or list by its header, else a value."""
    place = shape.without_tags(tagged)
    section = shape.section_at(Settings, tagged[:-1])
    kind = shape.keys(section).get(str(tagged[-1])) if section else None
    path = dotted(place)
    if shape.sections(kind):
        return f"a table [{path}]"
    inner = shape.inner_sections(kind)
    if inner and str(tagged[-1]) in {"policies", "offers"}:
        return f"at least one table [[{path}]]"
    if inner and len(tagged) == 1:
        return f"at least one table [{path}.NAME]"
    return "a value, because there is no default"
