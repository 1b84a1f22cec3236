"""`why`: a stored decision, whole, in words; and whether it replays to the same number today.

What never happens here: a reason that the decision does not hold.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from autoscaler.cli import boots, exits, opened, options, output
from autoscaler.config.values import seconds
from autoscaler.journal import read
from autoscaler.views import boots as boot_views
from autoscaler.views import documents, replaying
from policies import account
from policies.contract import Decision
from policies.phrases import ago


def why(
    pool: options.Pool,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="As it was at a time: 10m (ago), 14:05 (today) or 2026-05-01T14:05 (local).",
            show_default=False,
        ),
    ] = None,
    replay: Annotated[
        bool,
        typer.Option(
            "--replay", help="Decide again from the same facts, and say whether the number is the same."
        ),
    ] = False,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Say why a pool's number is what it is: the last decision, or the one that held at a time."""
    settings = opened.settings(config, secrets=False)
    name = opened.pool(settings, pool)
    now = opened.CLOCK.now()
    instant = now if at is None else instant_of(at, now)
    with opened.journal(settings) as journal:
        stored = read.decision_at(journal, name, instant)
        memory = journal.memory()
    if stored is None:
        raise exits.CommandFailed(
            f"Nothing is on record about {name} "
            + (
                "yet: the daemon has not decided about it. `autoscaler status` says whether one runs."
                if at is None
                else f"at {output.local(instant)} or before. `autoscaler history {name}` shows what there is."
            )
        )
    if as_json:
        output.say_json(documents.decision(stored) | {"boots": boot_views.documents(memory, settings, name)})
        return
    output.say(
        output.words(f"Decided {output.local(stored.at)} ({ago(stored.at, now)})", output.DIM),
        output.words(stored.sentence, output.STRONG),
        "",
        _account(stored.decision),
    )
    # What is known of boots is known now; of another time it would be no reason.
    took = boots.of_pool(memory, settings, name) if at is None else None
    if took is not None:
        output.say("", took)
    if replay:
        same, says = replaying.replayed(stored)
        output.say("", output.words(says, output.OK if same else output.BAD))


def _account(decision: Decision) -> RenderableType:
    """On a terminal columns of one grid, whose words fold within theirs; elsewhere the lines as they are."""
    if not output.on_terminal():
        return output.words(account.explain(decision))
    parts = account.account(decision)
    widths = account.widths(parts)
    shown: list[RenderableType] = []
    for part in parts:
        head, _, rest = part.head.partition(": ")
        shown.append(
            Text.assemble(
                (output.clean(part.head if not rest else f"{head}: "), output.STRONG), output.clean(rest)
            )
        )
        if part.rows:
            shown.append(
                output.rows([_row(row, widths) for row in part.rows], widths=(widths[0] + 2, widths[1]))
            )
    return Group(*shown)


def _row(row: account.Row, widths: tuple[int, int]) -> tuple[Text, Text, Text]:
    style = output.NOTE if row.label in {"warning", "unseen"} else ""
    return (
        output.words(f"  {row.label}", output.DIM),
        output.words(f"{row.figure:>{widths[1]}}", output.STRONG),
        output.words(row.words, style),
    )


def instant_of(text: str, now: float) -> float:
    """A time as people write it, in epoch seconds. Raises CommandFailed for anything else, and for the future."""
    at = _ago(text, now) or _today(text, now) or _moment(text)
    if at is None:
        raise exits.CommandFailed(
            f"{text!r} is no time; expected one such as 10m (ago), 14:05 (today) or 2026-05-01T14:05.",
            code=exits.USAGE,
        )
    if at > now:
        raise exits.CommandFailed(
            f"{output.local(at)} is still to come; nothing was decided then. Expected a time that has passed.",
            code=exits.USAGE,
        )
    return at


def _ago(text: str, now: float) -> float | None:
    try:
        return now - seconds(text.removesuffix(" ago"))
    except ValueError:
        return None


def _today(text: str, now: float) -> float | None:
    day = datetime.fromtimestamp(now, UTC).astimezone().date().isoformat()
    return _moment(f"{day}T{text}") if ":" in text and len(text) <= len("23:59:59") else None


def _moment(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        return None
