"""The documents of the API as types, for its description; what is sent is made by `views.documents`.

In go the values that documents are made of. What never happens here: a value.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, get_type_hints

from autoscaler.core.model import Node, Order, OrderKind, Transition
from autoscaler.study.contract import Outcome
from autoscaler.views.standing import PoolStanding, Standing
from autoscaler.web.trials import State
from policies.contract import Decision

NAME: dict[str, Any] = {"max_length": 100, "pattern": r"^[^\x00]*$"}
"""Of a pool or a node. PostgreSQL takes no NUL in a text, and would be said to be unavailable."""


def _like(name: str, made_of: type, **besides: Any) -> type:
    """A type with the fields of that dataclass, some of them others, some added."""
    hints = get_type_hints(made_of)
    fields = {field.name: hints[field.name] for field in dataclasses.fields(made_of)} | besides
    return dataclasses.make_dataclass(name, list(fields.items()), frozen=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """What is known of the daemon."""

    running: bool
    owner: str | None
    since_at: float | None
    last_tick_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Of the last boots, in seconds."""

    p50_s: float
    p95_s: float
    boots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferBoots:
    """What is known of the boots of one offer for one pool."""

    offer: str
    pool: str
    boots: int
    all: Quantiles | None
    phases: dict[str, Quantiles | None]
    until_heard: Quantiles | None
    late_after_s: float
    late_why: str
    failed: dict[str, int]
    slow_disks_in_a_row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One phase of a boot, in seconds since the machine had power."""

    phase: str
    from_s: float
    to_s: float
    took_s: float
    ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """How a machine became a worker, or failed to."""

    power_at: float | None
    phases: list[Phase]
    failed: dict[str, Any] | None
    disk: dict[str, Any] | None
    log: list[str]


Status = _like("Status", Standing, daemon=Daemon)
_OF_NODE: dict[str, Any] = {
    "worker": str,
    "tasks_done": int | None,
    "age_s": float,
    "cost_so_far": float,
    "outdated": str | None,
}
NodeRecord = _like("NodeRecord", Node, **_OF_NODE)
NodeLife = _like(
    "NodeLife",
    Node,
    **_OF_NODE,
    transitions=list[Transition],
    boot=Boot | None,
)
OrderAnswered = _like(
    "OrderAnswered", Order, state=str, answered_at=float | None, carried_out=bool | None, says=str | None
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """Every pool."""

    at: float
    currency: str
    pools: list[PoolStanding]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """Nodes, and what is known of boots."""

    at: float
    currency: str
    nodes: list[NodeRecord]  # type: ignore[valid-type] # a type that is made above
    boots: list[OfferBoots]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionDocument:
    """A stored decision, whole."""

    pool: str
    at: float
    wanted: int
    sentence: str
    replays: bool
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Moves of nodes, newest first."""

    at: float
    events: list[Transition]


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """Orders with what became of them, newest first."""

    at: float
    orders: list[OrderAnswered]  # type: ignore[valid-type] # a type that is made above


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An order that is written down."""

    order: int
    kind: OrderKind
    target: str
    state: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A pool's recorded time, played again. `says`: what it means; `doubts`: why to trust it less."""

    today: Outcome
    """By today's settings."""
    candidate: Outcome
    recorded: Outcome
    """As it was."""
    seconds: float
    tasks: int
    target_wait_s: float
    says: list[str]
    doubts: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """A question, and its answer once it is there."""

    id: str
    pool: str
    since: str
    state: State
    says: str
    """Why there is no result."""
    took_s: float
    toml: str
    """What was tried, as lines for the configuration."""
    currency: str
    result: Replayed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why something is not answered."""

    detail: str
