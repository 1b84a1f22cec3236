"""Rules about seeing, each broken as an honest programmer might break it: what is believed of the world on which word.

Each is put in place for one life by `sabotage`. What never happens here: an exception raised to be noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from autoscaler import observe
from autoscaler.core import (
    learned,
    node_facts,
    reconcile,
    stalls,
)
from autoscaler.core.facts import (
    Hands,
    Idleness,
    Missing,
    Snapshot,
)
from autoscaler.core.lifecycle import Event
from autoscaler.core.model import Node
from autoscaler.gateways import rabbitmq_rows
from autoscaler.simulate.sabotage_parts import Parts
from policies.contract import Demand, Reading, Trust
from providers.contract import Listing

_Step = Callable[[Node, Any], tuple[Node, Event | None, str]]


def believes_absence_at_once(parts: Parts) -> None:
    """A machine that a complete listing does not name is gone, whatever the listing's lag."""
    parts.put(node_facts.View, "settle_s", lambda *_: 0.0)


def believes_absence_while_blind(parts: Parts) -> None:
    """A listing that failed is taken as one without machines."""
    sound = reconcile.reconcile
    nothing = Listing(instances=(), complete=True)

    def believing(snapshot: Snapshot, *rules: Any) -> reconcile.Reconciled:
        seen = {name: nothing if isinstance(li, Missing) else li for name, li in snapshot.listings.items()}
        return sound(replace(snapshot, listings=seen), *rules)

    parts.put(reconcile, "reconcile", believing)


def trusts_the_worker_alone(parts: Parts) -> None:
    """The worker must know what it holds: why ask the broker?"""
    parts.step("_proven_idle", _believing(lambda seen: replace(seen, unacknowledged=0)))


def trusts_the_broker_alone(parts: Parts) -> None:
    """The broker must know what it handed out: why ask the worker?"""
    nothing = Hands(active=0, reserved=0, scheduled=0)
    parts.step("_proven_idle", _believing(lambda seen: replace(seen, hands=nothing)))


def _believing(told: Callable[[Idleness], Idleness]) -> _Step:
    """The proof of idleness on what is made of both words."""
    sound: _Step = vars(node_facts)["_proven_idle"]

    def proven(node: Node, view: Any) -> tuple[Node, Event | None, str]:
        seen = view.snapshot.idleness.get(node.name)
        if seen is None:
            return sound(node, view)
        snapshot = replace(view.snapshot, idleness={**view.snapshot.idleness, node.name: told(seen)})
        return sound(node, replace(view, snapshot=snapshot))

    return proven


def sweeps_on_an_incomplete_listing(parts: Parts) -> None:
    """A listing is a listing: what a page that failed would have named is swept from the records."""
    sound = reconcile.reconcile

    def believing(snapshot: Snapshot, *rules: Any) -> reconcile.Reconciled:
        whole = {
            name: li if isinstance(li, Missing) else replace(li, complete=True)
            for name, li in snapshot.listings.items()
        }
        return sound(replace(snapshot, listings=whole), *rules)

    parts.put(reconcile, "reconcile", believing)


def reads_missing_statistics_as_zero(parts: Parts) -> None:
    """A figure that is not there is 0, as `dict.get(key, 0)` reads it."""
    sound = vars(observe)["_each"]
    nothing = Reading(value=None, trust=Trust.ABSENT, why="not measured")

    def zero_if_missing(keys: Any, found: Any) -> dict[Any, Any]:
        seen = sound(keys, found)
        zero = Demand(
            backlog=0,
            in_progress=0,
            arrivals_per_s=nothing,
            completions_per_s=nothing,
            wait_s=nothing,
            measured_at=0.0,
        )
        return {key: zero if isinstance(fact, Missing) else fact for key, fact in seen.items()}

    parts.put(observe, "_each", zero_if_missing)


def lets_one_bad_node_stop_the_tick(parts: Parts) -> None:
    """What the handling of one node raises is nobody's business but the tick's."""
    sound = node_facts.reconcile_node
    parts.put(reconcile, "_reconcile_isolated", lambda node, view, _: sound(node, view))


def takes_deafness_for_silence(parts: Parts) -> None:
    """Who is not heard is silent, whoever's fault that is."""

    def silent_s(view: Any, node: Node) -> float:
        heard = view.sighting(node)
        return float("inf") if heard is None else float(heard.silent_s)

    for name, part in (("silent_s", silent_s), ("blind", False), ("hears_all", True)):
        parts.put(node_facts.View, name, part)


def knows_a_worker_by_its_pid(parts: Parts) -> None:
    """A worker that began anew has another pid."""
    parts.put(node_facts, "_may_have_begun_anew", lambda *_: False)


def waits_no_longer_than_the_last_time(parts: Parts) -> None:
    """A machine that was late teaches nothing: nobody knows how long it would have taken."""
    parts.put(learned, "with_late", lambda of, *_, **__: of)


def takes_figures_for_granted(parts: Parts) -> None:
    """Every row of the broker's has every figure, and where one does not, the look is simply missing."""
    sound = rabbitmq_rows.count

    def count(row: Mapping[str, Any], key: str, where: str, **absent: Any) -> int:
        figure: int = sound(row if absent else {key: row[key]}, key, where, **absent)
        return figure

    parts.put(rabbitmq_rows, "count", count)


def lets_zombies_be(parts: Parts) -> None:
    """Who sends heartbeats works."""
    parts.put(stalls, "judge", lambda *_: stalls.Judged())
