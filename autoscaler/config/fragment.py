"""A configuration with a part of it written anew: what a candidate says, over what stands.

In come two documents and a pool's name, out come checked settings. A candidate may be a whole configuration, a part of
one with its tables under their full names (`[pools.images.stabilize]`), or just the tables of the pool (`[stabilize]`,
`[[policies]]`). Tables are merged key by key, lists take the other's place. What never happens here: a guess which of
two pools was meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoscaler.config.load import checked, document_of, text_of
from autoscaler.config.problem import ConfigError, Place, Problem, dotted
from autoscaler.config.settings import Settings

_WHOLE = ("fleet", "broker", "providers")
"""Whoever names one of these wrote a whole configuration."""


def candidate(standing: Path, path: Path, pool: str, environ: Mapping[str, str]) -> Settings:
    """What the configuration at `standing` would be with what the file at `path` says. Raises ConfigError."""
    text = text_of(path)
    said, places = document_of(text, source=str(path))
    if any(name in said for name in _WHOLE):
        return checked(said, places, environ, source=str(path))
    if "pools" not in said:
        said, places = _of_pool(said, pool), _placed(places, pool)
    elif pool not in _table(said["pools"]):
        named = ", ".join(_table(said["pools"])) or "none"
        raise ConfigError(
            [
                Problem(
                    path="pools",
                    line=places.get(("pools",)),
                    found=f"settings of {named}",
                    expected=f"settings of {dotted(('pools', pool))}",
                )
            ],
            source=str(path),
        )
    return over(document(standing), said, environ, source=str(path), places=places)


def document(path: Path) -> dict[str, Any]:
    """The tables of a configuration, as they are written. Raises ConfigError."""
    return document_of(text_of(path), source=str(path))[0]


def over(
    standing: Mapping[str, Any],
    said: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    source: str,
    places: Mapping[Place, int] | None = None,
) -> Settings:
    """The settings of the document `standing` with what is said in its place. Raises ConfigError."""
    return checked(merged(standing, said), places or {}, environ, source=source)


def merged(standing: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Both documents in one; where both say something, what is said."""
    whole = dict(standing)
    for key, value in said.items():
        before = whole.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            whole[key] = merged(before, value)
        else:
            whole[key] = value
    return whole


def _of_pool(said: Mapping[str, Any], pool: str) -> dict[str, Any]:
    return {"pools": {pool: dict(said)}}


def _placed(places: Mapping[Place, int], pool: str) -> dict[Place, int]:
    return {("pools", pool, *place): line for place, line in places.items()}


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
