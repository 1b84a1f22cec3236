"""The JSON Schema of the configuration file, generated from the models; editors complete and check with it.

`python -m autoscaler.config.json_schema [PATH]` prints it, or writes it. What never happens here: a rule of its
own; what is in no model is not in the schema.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoscaler.config.settings import Settings
from autoscaler.config.values import DURATION_MARK, duration

TITLE = "Configuration of autoscaler"


def schema() -> dict[str, Any]:
    """The schema, as a tree of plain values. Defaults stand as they would be written in the file."""
    tree = _tidied(Settings.model_json_schema(by_alias=True))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **tree, "title": TITLE}


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
