"""What programs read: the documents behind `--json`, and the API's answers. Their names are stable; docs/json.md tells.

In go values of this room and of the journal, out come plain values. What never happens here: a word for people.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from autoscaler.config import Settings
from autoscaler.core import bills
from autoscaler.core.facts import Memory
from autoscaler.core.model import Node, PoolDecision, PoolName, Transition
from autoscaler.journal.contract import BootRecord, OrderRecord
from autoscaler.views import boots, replaying
from autoscaler.views.history import History
from autoscaler.views.standing import Standing


def status(now: Standing) -> dict[str, Any]:
    """The whole fleet."""
    holder = now.daemon.holder
    return asdict(now) | {
        "daemon": {
            "running": now.daemon.running,
            "owner": holder.owner if holder else None,
            "since_at": holder.since_at if holder else None,
            "last_tick_at": now.daemon.last_tick_at,
        }
    }


def nodes(
    records: Iterable[dict[str, Any]], at: float, settings: Settings, memory: Memory, only: PoolName | None
) -> dict[str, Any]:
    """Nodes, and what is known of the boots of each offer, or of those of that pool alone."""
    return {
        "at": at,
        "currency": settings.fleet.currency,
        "nodes": list(records),
        "boots": boots.documents(memory, settings, only),
    }


def node(one: Node, at: float, memory: Memory) -> dict[str, Any]:
    """A node's record."""
    return asdict(one) | {
        "worker": one.worker,
        "tasks_done": one.tasks_done,
        "age_s": at - one.ordered_at,
        "cost_so_far": bills.in_all_of_node(one, at),
        "outdated": memory.outdated.get(one.name),
    }


def life(one: Node, moves: Iterable[Transition], booted: BootRecord | None) -> dict[str, Any]:
    """What a node went through: every move, and its boot."""
    return {"transitions": [asdict(move) for move in moves], "boot": boots.document(booted, one)}


def decision(stored: PoolDecision) -> dict[str, Any]:
    """A stored decision, whole, and whether it replays to the same number today."""
    same, _ = replaying.replayed(stored)
    return {
        "pool": stored.pool,
        "at": stored.at,
        "wanted": stored.decision.wanted,
        "sentence": stored.sentence,
        "replays": same,
        "decision": asdict(stored.decision),
    }


def history(past: History) -> dict[str, Any]:
    """A pool's time: points, gaps, what changed the number, totals, and what it would have cost otherwise."""
    return asdict(past)


def pools(now: Standing) -> dict[str, Any]:
    """Every pool, as it stands in `status`."""
    return {"at": now.at, "currency": now.currency, "pools": [asdict(pool) for pool in now.pools]}


def events(moves: Iterable[Transition], at: float) -> dict[str, Any]:
    """What happened to nodes."""
    return {"at": at, "events": [asdict(move) for move in moves]}


def orders(given: Iterable[OrderRecord], at: float) -> dict[str, Any]:
    """Orders with what became of them."""
    return {"at": at, "orders": [order(each) for each in given]}


def order(given: OrderRecord) -> dict[str, Any]:
    """One order. `state` is "waiting", "carried out" or "refused"."""
    answer = given.answer
    return asdict(given.order) | {
        "state": "waiting" if answer is None else "carried out" if answer.carried_out else "refused",
        "answered_at": given.answered_at,
        "carried_out": answer.carried_out if answer else None,
        "says": answer.says if answer else None,
    }


def encoded(document: object) -> bytes:
    """As JSON. Raises ValueError for a number that JSON has no word for."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False, default=str).encode()
