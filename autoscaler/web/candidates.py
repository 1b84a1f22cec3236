"""What somebody would change at a pool, as a request says it: held to what is played, and as lines of TOML.

In go a body and the configuration's file, out comes a fragment for `backtest --candidate`. Which keys there are and
what they may be is the loader's to say, when the fragment is played. What never happens here: a path, a secret or an
account that a request names being looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, Field

from autoscaler import pool_rules
from autoscaler.config import ConfigError, Settings, fragment, writing
from autoscaler.config.load import document_of
from autoscaler.config.pools import Pool
from autoscaler.config.values import DURATION, duration, seconds

PLAYED = ("limits", "policies", "stabilize", "offers", "slots")
"""Of a pool, what a replay heeds. What a machine runs, with its secrets and files, is none of it."""
_NOT_PLAYED = frozenset(Pool.model_fields) - {*PLAYED, "timeouts", "offers_order", "offers_margin"}
_SHORTEST_S, _LONGEST_S = 60.0, 30 * 86_400.0
SINCE = "24h"
_SOURCE = "the candidate"

Setting = Annotated[str, Field(max_length=40)] | int | float


class Turned(BaseModel):
    """Settings by name, for the pool or for each of its policies that has one by that name; values as in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    target_wait: Setting | None = None
    messages_per_worker: Setting | None = None
    messages_per_s: Setting | None = None
    min_workers: Setting | None = None
    max_workers: Setting | None = None
    scale_out_window: Setting | None = None
    scale_out_cooldown: Setting | None = None
    scale_in_window: Setting | None = None
    scale_in_cooldown: Setting | None = None
    tolerance: Setting | None = None
    max_step_out: Setting | None = None
    max_step_in: Setting | None = None


class Question(BaseModel):
    """What a pool's own past would have cost, and how long its tasks would have waited, with other settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    pool: Annotated[str, Field(min_length=1, max_length=100)]
    since: Annotated[str, Field(max_length=20, pattern=f"^{DURATION.pattern}$")] = SINCE
    """How far back, from 1m to 30d."""
    candidate: Annotated[str, Field(max_length=60_000)] | Turned
    """Settings by name; or a part of the configuration in TOML: the pool's tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """A setting that the page offers, with today's value as it is written."""

    name: str
    label: str
    now: str
    about: str
    is_number: bool


_OF_KIND: Mapping[str, tuple[str, str, str]] = {
    "wait": ("target_wait", "Target wait", "a task should start within this"),
    "backlog": ("messages_per_worker", "Messages per worker", "so many ask for one worker"),
    "rate": ("messages_per_s", "Messages a second per worker", "so many a second ask for one worker"),
}
_OF_LIMITS = ("min_workers", "max_workers")


def knobs(settings: Settings, pool: str) -> tuple[Knob, ...]:
    """What may be turned at it by hand, with the values in force."""
    return tuple(_knobs(settings.pools[pool], pool))


def _knobs(of: Pool, name: str) -> Iterator[Knob]:
    kinds: set[str] = set()
    for policy in of.policies:
        if policy.kind in _OF_KIND and policy.kind not in kinds:
            kinds.add(policy.kind)
            key, label, about = _OF_KIND[policy.kind]
            now = policy.options()[f"{key}_s" if policy.kind == "wait" else key]
            yield _knob(key, label, about, now, written=policy.kind == "wait")
    yield _knob("min_workers", "Fewest workers", "the floor", of.limits.min_workers)
    yield _knob("max_workers", "Most workers", "the ceiling", of.limits.max_workers)
    calm = pool_rules.of(name, of).stabilization
    for key, label, about in (
        ("scale_in_window", "Scale-in window", "shrinks only to the highest wish of this time"),
        ("scale_in_cooldown", "Scale-in cooldown", "time after a change before it shrinks"),
        ("scale_out_window", "Scale-out window", "grows only to the lowest wish of this time"),
    ):
        yield _knob(key, label, about, getattr(calm, f"{key}_s"), written=True)
    yield _knob("tolerance", "Tolerance", "smaller changes of the wish are let be", calm.tolerance)
    for key, label in (("max_step_out", "Largest step out"), ("max_step_in", "Largest step in")):
        yield _knob(key, label, "workers by one decision; empty for any", getattr(calm, key))


def _knob(name: str, label: str, about: str, now: Any, *, written: bool = False) -> Knob:
    text = "" if now is None else duration(now) if written else f"{now:.10g}"
    return Knob(name=name, label=label, now=text, about=about, is_number=not written)


def span_s(since: str) -> float:
    """How far back. Raises HTTPException."""
    taken_s = seconds(since)
    if not _SHORTEST_S <= taken_s <= _LONGEST_S:
        raise HTTPException(409, f"since {since!r} is no time from 1m to 30d.")
    return taken_s


def toml(question: Question, settings: Settings, config: Path) -> str:
    """The candidate as a fragment with the pool's tables under their full names. Raises HTTPException."""
    if question.pool not in settings.pools:
        raise HTTPException(404, f"There is no pool {question.pool!r}.")
    if isinstance(question.candidate, Turned):
        return _written(question.candidate, question.pool, config)
    try:
        document, _ = document_of(question.candidate, source=_SOURCE)
    except ConfigError as error:
        raise HTTPException(409, str(error)) from None
    _hold_to_the_pool(document, question.pool)
    return question.candidate


def _hold_to_the_pool(document: Mapping[str, Any], pool: str) -> None:
    """A key that nobody knows is let through: the loader has the better words for it."""
    tables: Any = document
    if "pools" in document:
        others = sorted(set(document) & (set(Settings.model_fields) - {"pools"}))
        pools = document["pools"]
        tables = pools.get(pool) if isinstance(pools, dict) and set(pools) == {pool} else None
        if others or not isinstance(tables, dict):
            says = f"A what-if takes settings of the one pool: [pools.{writing.key(pool)}]."
            raise HTTPException(409, says)
    refused = sorted(set(tables) & (_NOT_PLAYED | {"fleet", "broker", "providers"}))
    if refused:
        says = f"{', '.join(refused)}: not played in a what-if, which takes {', '.join(PLAYED)}."
        raise HTTPException(409, says)


def _written(turned: Turned, pool: str, config: Path) -> str:
    said = turned.model_dump(exclude_none=True)
    of_kind = {key: kind for kind, (key, _, _) in _OF_KIND.items()}
    prefix, lines = f"pools.{writing.key(pool)}", []
    limits = {key: value for key, value in said.items() if key in _OF_LIMITS}
    calm = {key: value for key, value in said.items() if key not in limits and key not in of_kind}
    for name, table in (("limits", limits), ("stabilize", calm)):
        if table:
            lines += [f"[{prefix}.{name}]", *writing.pairs(table), ""]
    turned_of_kinds = {key: value for key, value in said.items() if key in of_kind}
    if turned_of_kinds:
        policies = _policies(config, pool)
        strange = {of_kind[key] for key in turned_of_kinds} - {policy.get("kind") for policy in policies}
        if strange:
            raise HTTPException(409, f"No policy of {pool!r} is of kind {' or '.join(sorted(strange))}.")
        for policy in policies:
            changed = {key: of for key, of in turned_of_kinds.items() if policy.get("kind") == of_kind[key]}
            lines += [f"[[{prefix}.policies]]", *writing.pairs({**policy, **changed}), ""]
    return "\n".join(lines)


def _policies(config: Path, pool: str) -> list[Mapping[str, Any]]:
    """As they are written: a list takes the other's place whole."""
    try:
        return list(fragment.document(config)["pools"][pool]["policies"])
    except ConfigError as error:
        raise HTTPException(409, f"The configuration cannot be read again: {error}") from None
    except (KeyError, TypeError):
        raise HTTPException(409, f"The configuration's file has no policies of {pool!r} any more.") from None
