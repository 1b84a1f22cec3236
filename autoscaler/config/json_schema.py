"""The JSON Schema of the configuration file, generated from the models and the docstrings of their fields; editors
complete and check with it.

`python -m autoscaler.config.json_schema [PATH]` prints it, or writes it. What never happens here: a rule of its
own; what is in no model is not in the schema.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from autoscaler.config.settings import Settings
from autoscaler.config.values import DURATION_MARK, Section, duration

TITLE = "Configuration of autoscaler"


def schema() -> dict[str, Any]:
    """The schema, as a tree of plain values. Defaults stand as they would be written in the file."""
    tree = Settings.model_json_schema(by_alias=True)
    for section in _sections(Section):
        table = tree if section is Settings else tree["$defs"].get(section.__name__, {})
        _describe(table.get("properties", {}), section)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_tidied(tree), "title": TITLE}


def _sections(above: type[Section]) -> Iterator[type[Section]]:
    for section in above.__subclasses__():
        yield section
        yield from _sections(section)


def _describe(properties: Mapping[str, dict[str, Any]], section: type[Section]) -> None:
    """Each by the docstring of its field, where it brings no description along. Pydantic could do so, too: whenever the
    models are imported, for which it reads and parses all their source."""
    said = {name: words for of in reversed(section.__mro__) for name, words in _docstrings(of).items()}
    for name, field in section.model_fields.items():
        property_ = properties.get(field.alias or name)
        if property_ is not None and field.description is None and name in said:
            property_["description"] = said[name]


def _docstrings(section: type) -> Mapping[str, str]:
    """Those of the fields that it adds itself; none where it was made and not written."""
    return (
        _docstrings_in(section.__module__).get(section.__name__, {}) if issubclass(section, Section) else {}
    )


@cache
def _docstrings_in(module: str) -> Mapping[str, Mapping[str, str]]:
    """By class and field."""
    found: dict[str, dict[str, str]] = {}
    for written in ast.parse(inspect.getsource(sys.modules[module])).body:
        if not isinstance(written, ast.ClassDef):
            continue
        of_class = found.setdefault(written.name, {})
        for field, behind in pairwise(written.body):
            match field, behind:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                    of_class[name] = words
                case _:
                    pass
    return found


def text() -> str:
    """The schema as it is published."""
    return json.dumps(schema(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def as_written(default: object, property_: Mapping[str, Any]) -> object:
    """A default in the file's own words: seconds with their unit, where the key takes a duration."""
    is_duration = any(DURATION_MARK in option for option in (property_, *property_.get("anyOf", ())))
    return duration(float(default)) if is_duration and isinstance(default, int | float) else default


def _tidied(node: Any) -> Any:
    """Without the titles pydantic makes up, with defaults as written and descriptions on one line."""
    if isinstance(node, list):
        return [_tidied(item) for item in node]
    if not isinstance(node, dict):
        return node
    tidy = {
        # A property may itself be called `title`; then what stands there is a table.
        key: _tidied(value)
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str))
    }
    if isinstance(tidy.get("description"), str):
        tidy["description"] = " ".join(tidy["description"].split())
    if "default" in tidy and not isinstance(tidy["default"], dict):
        tidy["default"] = as_written(tidy["default"], tidy)
    if tidy.get("default", ...) is None:
        del tidy["default"]
    return tidy


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text(), encoding="utf-8")
    else:
        sys.stdout.write(text())
