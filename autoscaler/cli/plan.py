"""`plan`: one look and one decision, with nothing written down and nothing done.

It thinks as the daemon does, with the daemon's own loop, beside a running one or without any. What never happens here:
a commit, a dispatch, or a journal made where there was none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.text import Text

from autoscaler.cli import completing, exits, opened, options, output
from autoscaler.core import unseen
from autoscaler.core.facts import Missing, Snapshot
from autoscaler.core.model import (
    Action,
    CreateNode,
    DestroyNode,
    DrainNode,
    PoolName,
    StopWorker,
    UndrainNode,
)
from autoscaler.gateways.celery_link import CeleryLink
from autoscaler.telling import Tick

_HEARD_S = 3.0
"""Workers speak every two seconds, so whoever has not been heard after three is silent."""
_LISTEN_S = 8.0
"""How long to wait for that, the connection included."""


class _PoolFailures:
    """Takes the one event that thinking can say: a policy that failed."""

    def __init__(self) -> None:
        self.why: dict[str, str] = {}

    def say(self, event: str, /, **fields: object) -> None:
        if event == "pool.failed":
            self.why[str(fields["pool"])] = str(fields["error"])


def plan(
    pool: Annotated[
        str | None,
        typer.Argument(
            metavar="POOL",
            autocompletion=completing.pools,
            help="Only this pool.",
            show_default=False,
        ),
    ] = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Look once and say what would be done. Does nothing."""
    settings = opened.settings(config)
    pools = tuple(map(PoolName, settings.pools)) if pool is None else (opened.pool(settings, pool),)
    failures = _PoolFailures()
    with opened.records(settings) as journal, opened.works(settings, buys=True) as works:
        works.workers.start()
        opened.wait_for(lambda: _heard(works.workers), _LISTEN_S)
        tick = works.loop(journal, clock=opened.CLOCK, log=failures).think()
    missing = unseen.missing(tick.snapshot)
    if as_json:
        output.say_json(_document(tick, pools, missing, failures.why))
    else:
        _tell(tick, pools, missing, failures.why, settings.fleet.currency)
    raise typer.Exit(exits.UNREACHABLE if _blind(tick.snapshot, pools) else exits.DONE)


def _heard(workers: CeleryLink) -> bool:
    seen = workers.sightings()
    return not isinstance(seen, Missing) and seen.listening_s >= _HEARD_S


def _blind(snapshot: Snapshot, pools: tuple[PoolName, ...]) -> bool:
    """Whether the broker kept from us what the decision rests on."""
    unseen = any(isinstance(snapshot.demand.get(name), Missing) for name in pools)
    return unseen or isinstance(snapshot.sightings, Missing)


def _tell(
    tick: Tick,
    pools: tuple[PoolName, ...],
    missing: Mapping[str, str],
    failed: Mapping[str, str],
    currency: str,
) -> None:
    sentences = {decision.pool: decision.sentence for decision in tick.record.decisions}
    for name in pools:
        output.say(output.words(sentences.get(name) or _undecided(name, failed), output.STRONG))
        moves = [t for t in tick.record.transitions if t.pool == name and t.before is not None]
        for move in moves:
            before = move.before.value if move.before else output.NOTHING
            output.say(f"  {move.node}: {before} → {move.after.value}: {move.reason}")
        actions = [action for action in tick.plan.actions if _pool_of(tick, action) == name]
        for action in actions:
            output.say(f"  would {in_words(action, currency)}")
        if not actions:
            output.say(output.words("  would do nothing", output.DIM))
    seen = [output.words(f"could not be seen: {fact}: {why}", output.BAD) for fact, why in missing.items()]
    note = output.words("Nothing was done. Names of new nodes will be others.", output.DIM)
    output.say("", Text("\n").join([*seen, note]))


def in_words(action: Action, currency: str) -> str:
    """An action as it completes "would …"."""
    match action:
        case CreateNode(node=node, offer=offer):
            price = output.amount(offer.price_per_h, currency)
            return f"buy {node} from {output.offer(offer)} for {price} an hour"
        case DrainNode(node=node):
            return f"tell {node} to stop consuming and finish what it holds"
        case UndrainNode(node=node):
            return f"take {node} back into service"
        case StopWorker(node=node):
            return f"tell the worker of {node}, which is idle, to shut down"
        case DestroyNode(node=node, provider=provider):
            return f"destroy {node} at {provider}"


def _pool_of(tick: Tick, action: Action) -> PoolName | None:
    return next((node.pool for node in tick.plan.nodes if node.name == action.node), None)


def _undecided(pool: PoolName, failed: Mapping[str, str]) -> str:
    return (
        f"{pool}: no decision: a policy failed ({failed.get(pool, 'no reason given')}); it keeps what it has"
    )


def _document(
    tick: Tick, pools: tuple[PoolName, ...], missing: Mapping[str, str], failed: Mapping[str, str]
) -> dict[str, Any]:
    stored = {decision.pool: decision for decision in tick.record.decisions}
    return {
        "at": tick.snapshot.at,
        "missing": dict(missing),
        "pools": [
            {
                "pool": name,
                "wanted": stored[name].decision.wanted if name in stored else None,
                "sentence": stored[name].sentence if name in stored else _undecided(name, failed),
                "actions": [
                    {"do": type(action).__name__, **asdict(action)}
                    for action in tick.plan.actions
                    if _pool_of(tick, action) == name
                ],
            }
            for name in pools
        ],
    }
