"""`nodes`: our records of machines, one by one; with `--cloud` beside what providers and workers say themselves.

What never happens here: an order to a machine; `control` gives those.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from autoscaler.cli import boots, comparing, completing, opened, options, output
from autoscaler.cli.comparing import Comparison
from autoscaler.config import Settings
from autoscaler.core import bills, drift, lifecycle
from autoscaler.core.facts import Hands, Memory, Missing
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, Transition, WorkerName
from autoscaler.journal import Journal, read
from autoscaler.views import documents
from policies.phrases import ago, count, duration

_HANDS_TIMEOUT_S = 3.0
"""A healthy worker answers in milliseconds."""
_CONNECT_S = 3.0
_SPEAKING = frozenset({NodeState.READY, NodeState.DRAINING})
_STYLES: Mapping[NodeState, str] = {
    NodeState.READY: output.OK,
    NodeState.LOST: output.BAD,
    NodeState.GONE: output.DIM,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outside:
    """What the world says of the nodes."""

    compared: Comparison
    hands: Mapping[WorkerName, Hands | Missing]


def nodes(
    node: Annotated[
        str | None,
        typer.Argument(
            metavar="NODE",
            autocompletion=completing.nodes,
            help="One node, with its boot and every move it made.",
            show_default=False,
        ),
    ] = None,
    config: options.Config = None,
    pool: Annotated[
        str | None,
        typer.Option(
            "--pool",
            metavar="POOL",
            autocompletion=completing.pools,
            help="Only those of one pool.",
            show_default=False,
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Those that are gone, too.")] = False,
    cloud: Annotated[
        bool, typer.Option("--cloud", help="Ask providers and workers too, and show where they differ.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Show the nodes: state, age, offer, when the worker enrolled, cost so far, and why; and how long boots take."""
    settings = opened.settings(config, secrets=cloud)
    only = opened.pool(settings, pool) if pool is not None else None
    with opened.journal(settings) as journal:
        outside = _ask(settings, journal) if cloud else None
        found = read.nodes(journal, pool=only, include_gone=everything or node is not None)
        if node is not None:
            found = tuple(n for n in found if node in {n.name, n.machine})
            if not found:
                opened.unknown_node(node, tuple(n.name for n in journal.live_nodes()))
        asked = found if node is not None else ()
        moves = {n.name: read.transitions_of(journal, n.name) for n in asked}
        booted = read.boots(journal, [n.name for n in asked]) if asked else {}
        memory = journal.memory()
    now = opened.CLOCK.now()
    if as_json:
        records = [
            documents.node(one, now, memory)
            | (documents.life(one, moves[one.name], booted.get(one.name)) if one.name in moves else {})
            | (_told_outside(one, outside) if outside is not None else {})
            for one in found
        ]
        compared = _differences_document(outside.compared) if outside is not None else {}
        output.say_json(documents.nodes(records, now, settings, memory, only) | compared)
        return
    parts: list[RenderableType | None] = []
    for one in asked:
        parts += [
            _portrait(one, moves[one.name], now, settings, outside, memory),
            boots.portrait(booted.get(one.name), one),
        ]
    if node is None:
        parts += [_table(found, now, settings, outside, memory), boots.by_offer(memory, settings, only)]
    if outside is not None:
        parts.append(Text("\n").join(differences(outside.compared)))
    output.say(output.together(*parts))


def differences(compared: Comparison) -> list[Text]:
    """Where records and providers differ, a line each; or that they agree."""
    lines = [
        output.words(
            f"{provider} has {instance.name} ({instance.instance_id}), and the journal has no record of it",
            output.BAD,
        )
        for provider, instance in compared.without_record
    ]
    lines += [
        output.words(
            f"{node.name} is {node.state.value} on record, but {node.offer.provider} has no such machine",
            output.BAD,
        )
        for node in compared.without_machine
    ]
    lines += unseen(compared)
    if compared.agree:
        lines.append(output.words("The journal and the providers agree.", output.OK))
    elif compared.agree is None:
        lines.append(output.words("No difference in what could be seen."))
    return lines


def unseen(compared: Comparison) -> list[Text]:
    """Providers that could not be looked at."""
    return [
        output.words(f"{provider} could not be seen whole: {why}", output.BAD)
        for provider, why in compared.unseen.items()
    ]


def _ask(settings: Settings, journal: Journal) -> _Outside:
    with opened.works(settings) as works:
        works.workers.start()
        compared = comparing.look(journal, works.observer)
        opened.wait_for(lambda: not isinstance(works.workers.sightings(), Missing), _CONNECT_S)
        speaking = [node.worker for node in journal.live_nodes() if node.state in _SPEAKING]
        hands = works.workers.hands(speaking, _HANDS_TIMEOUT_S) if speaking else {}
    return _Outside(compared=compared, hands=hands)


def _table(
    found: tuple[Node, ...], now: float, settings: Settings, outside: _Outside | None, memory: Memory
) -> RenderableType:
    if not found:
        return output.words("There are no nodes.")
    cost = settings.fleet.currency
    headers = ["NODE", "POOL", "STATE", "FOR", "AGE", "OFFER", "ENROLLED", cost, "WHY"]
    rows = [list(_row(node, now)) for node in found]
    if outside is not None:
        headers[7:7] = ["TASKS", "MACHINE"]
        for node, row in zip(found, rows, strict=True):
            row[7:7] = [_in_hand(node, outside), _machine(node, outside)]
    if any(node.name in memory.outdated or node.replace_due for node in found):
        headers.insert(-1, "DEFINITION")
        for node, row in zip(found, rows, strict=True):
            row.insert(-1, _definition(node, memory))
    total = sum(bills.in_all_of_node(node, now) for node in found)
    return output.together(
        output.columns(headers, rows, right={cost, "TASKS"}),
        output.words(f"{count(len(found), 'node')}, {output.amount(total, settings.fleet.currency)} so far"),
    )


def _row(node: Node, now: float) -> tuple[str | Text, ...]:
    gone = node.state is NodeState.GONE
    return (
        node.name,
        node.pool,
        output.words(node.state.value, _STYLES.get(node.state, "")),
        duration(now - node.entered_at),
        duration((node.entered_at if gone else now) - node.ordered_at),
        output.offer(node.offer),
        output.NOTHING if node.enrolled_at is None else ago(node.enrolled_at, now),
        output.amount(bills.in_all_of_node(node, now)),
        node.reason,
    )


def _done(node: Node, now: float) -> str:
    if node.tasks_done is None or node.tasks_noted_at is None:
        return "not known: its worker told of no task yet"
    return f"{count(node.tasks_done, 'task')}, counted {ago(node.tasks_noted_at, now)}"


def _definition(node: Node, memory: Memory) -> str | Text:
    """Whether a new machine would be like it, in a word or two."""
    if node.replace_due and node.state not in lifecycle.LEAVING:
        return output.words("to be replaced", output.NOTE)
    if node.name in memory.outdated:
        return output.words("outdated", output.NOTE)
    if node.state not in lifecycle.SERVING | lifecycle.ARRIVING:
        return output.NOTHING
    return "current" if drift.is_known(node) else "not known"


def _definition_in_full(node: Node, memory: Memory) -> str:
    """Why it is outdated, and what was ordered about it."""
    why = memory.outdated.get(node.name, "")
    known = (
        "as a new machine would be" if drift.is_known(node) else "not known: nothing says how it was ordered"
    )
    if node.state not in lifecycle.SERVING | lifecycle.ARRIVING | {NodeState.LOST}:
        known = "as it was ordered"
    said = f"outdated ({why})" if why else known
    return f"{said}; to be replaced, as ordered" if node.replace_due else said


def _in_hand(node: Node, outside: _Outside) -> str:
    hands = outside.hands.get(node.worker)
    if isinstance(hands, Hands):
        return str(hands.total)
    return output.NOTHING if hands is None else "not heard"


def _machine(node: Node, outside: _Outside) -> str:
    instance = outside.compared.instances.get(node.name)
    return instance.state.value if instance else output.NOTHING


def _portrait(
    node: Node,
    moves: tuple[Transition, ...],
    now: float,
    settings: Settings,
    outside: _Outside | None,
    memory: Memory,
) -> RenderableType:
    currency = settings.fleet.currency
    facts = {
        "node": node.name,
        "machine": f"{node.machine} ({node.instance_id or 'id not known'})",
        "pool": node.pool,
        "state": f"{node.state.value} for {duration(now - node.entered_at)}: {node.reason}",
        "ordered": f"{output.local(node.ordered_at)} ({ago(node.ordered_at, now)})",
        "enrolled": output.local(node.enrolled_at) if node.enrolled_at is not None else "not yet",
        "offer": f"{output.offer(node.offer)}, {output.amount(node.offer.price_per_h, currency)} an hour",
        "worker": f"{node.worker}, {count(node.slots, 'slot')}, queues {', '.join(node.queues) or 'not known'}",
        "done": _done(node, now),
        "definition": _definition_in_full(node, memory),
        "cost": f"{output.amount(bills.in_all_of_node(node, now), currency)} so far",
    }
    if outside is not None:
        instance = outside.compared.instances.get(node.name)
        facts["provider"] = (
            f"{instance.state.value} {' '.join(instance.addresses)}".strip()
            if instance
            else "does not list it"
        )
        facts["tasks"] = _in_hand(node, outside)
    life = output.columns(
        ("AT", "FROM", "TO", "WHY"),
        [
            (output.local(m.at), m.before.value if m.before else output.NOTHING, m.after.value, m.reason)
            for m in moves
        ],
    )
    return output.together(output.facts(facts), life)


def _told_outside(node: Node, outside: _Outside) -> dict[str, Any]:
    hands = outside.hands.get(node.worker)
    instance = outside.compared.instances.get(node.name)
    return {
        "hands": asdict(hands) if isinstance(hands, Hands) else None,
        "instance": asdict(instance) if instance else None,
    }


def _differences_document(compared: Comparison) -> dict[str, Any]:
    return {
        "agree": compared.agree,
        "without_record": [{"provider": p, **asdict(i)} for p, i in compared.without_record],
        "without_machine": [node.name for node in compared.without_machine],
        "unseen": dict(compared.unseen),
    }
