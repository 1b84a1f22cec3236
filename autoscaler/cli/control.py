"""The orders an operator can give: about nodes, about pools, about machines without a record.

In go names, checked against what is on record; `ordering` brings the order to the loop and its answer back. What never
happens here: the deed itself; the loop does it, whoever ordered it.
"""

from __future__ import annotations

from typing import Annotated

import typer

from autoscaler.cli import completing, exits, opened, options, ordering, output
from autoscaler.cli.ordering import Manner
from autoscaler.config import changes, config_path, parse, text_of
from autoscaler.config.values import seconds
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, OrderKind
from autoscaler.wanted import EVERYTHING, Wanted
from policies.phrases import count

_MAY_HOLD_WORK = frozenset({NodeState.READY, NodeState.LOST, NodeState.DRAINING})


def drain(
    node: options.Node,
    config: options.Config = None,
    no_wait: options.NoWait = False,
    as_json: options.AsJson = False,
) -> None:
    """Let a node finish what it holds, then give it back."""
    _about_node(OrderKind.DRAIN, node, Manner(config=config, wait=not no_wait, as_json=as_json))


def undrain(
    node: options.Node,
    config: options.Config = None,
    no_wait: options.NoWait = False,
    as_json: options.AsJson = False,
) -> None:
    """Take a draining node back into service."""
    _about_node(OrderKind.UNDRAIN, node, Manner(config=config, wait=not no_wait, as_json=as_json))


def destroy(
    node: options.Node,
    force: Annotated[
        bool,
        typer.Option("--force", help="Even if it serves or drains: what it holds is redelivered or lost."),
    ] = False,
    config: options.Config = None,
    yes: options.Yes = False,
    no_wait: options.NoWait = False,
    as_json: options.AsJson = False,
) -> None:
    """End a node's machine without waiting for its work."""
    manner = Manner(config=config, wait=not no_wait, as_json=as_json, sure=yes)
    _about_node(OrderKind.DESTROY, node, manner, force=force)


def forget(
    node: options.Node,
    config: options.Config = None,
    yes: options.Yes = False,
    no_wait: options.NoWait = False,
    as_json: options.AsJson = False,
) -> None:
    """Strike a node off the record. Its machine, if it stands, is found again as one without a record."""
    _about_node(OrderKind.FORGET, node, Manner(config=config, wait=not no_wait, as_json=as_json, sure=yes))


def replace(
    target: Annotated[
        str,
        typer.Argument(
            metavar="POOL|NODE",
            autocompletion=completing.pools_and_nodes,
            help="A pool's outdated machines, or one node.",
            show_default=False,
        ),
    ],
    everything: Annotated[
        bool, typer.Option("--all", help="All machines of the pool, those that are not outdated, too.")
    ] = False,
    config: options.Config = None,
    no_wait: options.NoWait = False,
    as_json: options.AsJson = False,
) -> None:
    """Replace machines one after the other: buy a new one, then let an old one finish and go."""
    manner = Manner(config=config, wait=not no_wait, as_json=as_json)
    settings = opened.settings(config, secrets=False)
    with opened.journal(settings, read_only=False) as journal:
        wanted = Wanted(kind=OrderKind.REPLACE, target=target, force=everything)
        ordering.give(journal, settings, wanted, manner)


def pause(
    pool: options.Pool,
    config: options.Config = None,
    no_wait: options.NoWait = False,
    as_json: options.AsJson = False,
) -> None:
    """Stop scaling a pool: what there is stays."""
    _about_pool(OrderKind.PAUSE, pool, Manner(config=config, wait=not no_wait, as_json=as_json))


def resume(
    pool: options.Pool,
    config: options.Config = None,
    no_wait: options.NoWait = False,
    as_json: options.AsJson = False,
) -> None:
    """Let a pool scale again: ends a pause and a hold."""
    _about_pool(OrderKind.RESUME, pool, Manner(config=config, wait=not no_wait, as_json=as_json))


def hold(
    pool: options.Pool,
    workers: Annotated[
        int, typer.Argument(metavar="N", min=0, max=100_000, help="So many workers.", show_default=False)
    ],
    for_: Annotated[
        str, typer.Option("--for", metavar="TIME", help="For so long: 30m, 2h, 1d.", show_default=False)
    ],
    config: options.Config = None,
    no_wait: options.NoWait = False,
    as_json: options.AsJson = False,
) -> None:
    """Fix a pool's number of workers for a while."""
    manner = Manner(config=config, wait=not no_wait, as_json=as_json)
    _about_pool(OrderKind.HOLD, pool, manner, workers=workers, for_s=_span(for_))


def sweep(
    config: options.Config = None,
    yes: options.Yes = False,
    no_wait: options.NoWait = False,
    as_json: options.AsJson = False,
) -> None:
    """Drain or end every machine that bears our mark and has no record, and end what machines left behind."""
    manner = Manner(config=config, wait=not no_wait, as_json=as_json, sure=yes)
    settings = opened.settings(config, secrets=False)
    with opened.journal(settings, read_only=False) as journal:
        known = len(journal.memory().strangers)
        machines = count(known, "machine") if known else "Machines"
        question = (
            f"{machines} of ours without a record will be drained or destroyed, and what machines that are gone "
            "left behind will be ended. Go on?"
        )
        ordering.confirm(question, manner)
        ordering.give(journal, settings, Wanted(kind=OrderKind.SWEEP, target=EVERYTHING), manner)


def wake(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            autocompletion=completing.pools,
            help="A pool, an account, an offer as `status` names it, or * for all.",
            show_default=False,
        ),
    ],
    config: options.Config = None,
    no_wait: options.NoWait = False,
    as_json: options.AsJson = False,
) -> None:
    """Ask again now what rests after failures, because their cause is mended."""
    manner = Manner(config=config, wait=not no_wait, as_json=as_json)
    settings = opened.settings(config, secrets=False)
    with opened.journal(settings, read_only=False) as journal:
        ordering.give(journal, settings, Wanted(kind=OrderKind.WAKE, target=target), manner)


def reload(
    config: options.Config = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Even where it is a big jump, or takes a pool away.")
    ] = False,
    no_wait: options.NoWait = False,
    as_json: options.AsJson = False,
) -> None:
    """Let the daemon take in its configuration anew, between two ticks, and tell what changed or why it did not."""
    manner = Manner(config=config, wait=not no_wait, as_json=as_json)
    text = text_of(config_path(config))
    settings = parse(text, opened.EVERY_VARIABLE_SET, source=str(config_path(config)))
    with opened.journal(settings, read_only=False) as journal:
        wanted = Wanted(kind=OrderKind.RELOAD, target=changes.digest(text), force=yes)
        ordering.give(journal, settings, wanted, manner)


def _about_pool(
    kind: OrderKind,
    pool: str,
    manner: Manner,
    *,
    workers: int | None = None,
    for_s: float | None = None,
) -> None:
    settings = opened.settings(manner.config, secrets=False)
    name = opened.pool(settings, pool)
    until_at = None if for_s is None else opened.CLOCK.now() + for_s
    with opened.journal(settings, read_only=False) as journal:
        wanted = Wanted(kind=kind, target=name, workers=workers, until_at=until_at)
        ordering.give(journal, settings, wanted, manner)


def _about_node(kind: OrderKind, name: str, manner: Manner, *, force: bool = False) -> None:
    settings = opened.settings(manner.config, secrets=False)
    with opened.journal(settings, read_only=False) as journal:
        wanted = ordering.checked(Wanted(kind=kind, target=name, force=force), settings, journal)
        node = next(n for n in journal.live_nodes() if n.name == wanted.target)
        question = _question(kind, node, force=force)
        if question:
            ordering.confirm(question, manner)
        ordering.give(journal, settings, wanted, manner)


def _question(kind: OrderKind, node: Node, *, force: bool) -> str:
    """What must be asked first; empty for an order that costs nothing, or that the loop will refuse."""
    if kind is OrderKind.FORGET:
        return f"{node.name} is {node.state.value}. Once forgotten, its machine may cost money unseen. Forget it?"
    refused = node.state is not NodeState.LOST and not force
    if kind is not OrderKind.DESTROY or node.state not in _MAY_HOLD_WORK or refused:
        return ""
    return f"{node.name} is {node.state.value} and may hold work, which is redelivered or lost. Destroy it?"


def _span(text: str) -> float:
    try:
        taken_s = seconds(text)
    except ValueError:
        taken_s = 0.0
    if taken_s <= 0:
        raise exits.CommandFailed(
            f"--for {output.clean(text)!r} is no duration; expected one such as 30m, 2h or 1d.",
            code=exits.USAGE,
        )
    return taken_s
