"""How an order travels: written into the journal, answered there by the loop, told to whoever gave it.

In goes what is ordered, out come the loop's words and an exit code. An order that nobody has answered yet is not lost:
it waits in the journal until a daemon runs. What never happens here: the deed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import typer

from autoscaler import wanted as asked
from autoscaler.cli import exits, identity, opened, output
from autoscaler.config import Settings
from autoscaler.core.model import OrderAnswer
from autoscaler.journal import Journal, orders
from autoscaler.views import heartbeat
from autoscaler.wanted import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a command was told to go about it."""

    config: Path | None
    wait: bool
    as_json: bool
    sure: bool = True
    """Whether the operator need not be asked."""


def give(journal: Journal, settings: Settings, wish: Wanted, manner: Manner) -> NoReturn:
    """Write the order down, tell what became of it, and end the command. Raises CommandFailed, JournalUnavailable."""
    wanted = checked(wish, settings, journal)
    number = wanted.give(journal, by=identity.user(), at=opened.CLOCK.now())
    running = heartbeat.listen(journal, settings, opened.CLOCK.now()).running
    answer = _answer(journal, settings, number) if running and manner.wait else None
    says = answer.says if answer else _why_waiting(running=running, waited=manner.wait)
    state = "waiting" if answer is None else "carried out" if answer.carried_out else "refused"
    if manner.as_json:
        output.say_json(
            {"order": number, "kind": wanted.kind, "target": wanted.target, "state": state, "says": says}
        )
    else:
        style = {"carried out": output.OK, "refused": output.BAD}.get(state, output.NOTE)
        # A plain yes says no more than who gave the order, and that is who reads this.
        plain = state == "carried out" and says == f"{wanted.kind.value} by {identity.user()}"
        output.say(output.words(f"{wanted.says()}: {state}" + ("" if plain else f": {says}"), style))
    raise typer.Exit(exits.FAILED if state == "refused" else exits.DONE)


def checked(wish: Wanted, settings: Settings, journal: Journal) -> Wanted:
    """The order with its target's own name. Raises CommandFailed where there is no such target."""
    try:
        return asked.checked(wish, settings, journal)
    except asked.NotOnRecord as error:
        code = exits.FAILED if isinstance(error, asked.NoSuchNode) else exits.USAGE
        says = output.clean(str(error))
        raise exits.CommandFailed(says, code=code) from None


def confirm(question: str, manner: Manner) -> None:
    """Ask, unless it was said that there is no need to. Raises CommandFailed for a no, or where nobody can be asked."""
    if manner.sure:
        return
    if not sys.stdin.isatty():
        raise exits.CommandFailed(
            f"{question} There is nobody to ask here: say it with --yes.", code=exits.USAGE
        )
    if not typer.confirm(output.clean(question), err=True):
        raise exits.CommandFailed("Nothing was ordered.")


def _answer(journal: Journal, settings: Settings, number: int) -> OrderAnswer | None:
    """The loop's answer, if it comes while a daemon that ticks would have given one."""
    found: list[OrderAnswer] = []

    def answered() -> bool:
        answer = orders.answer_of(journal, number)
        if answer is not None:
            found.append(answer)
        return answer is not None

    opened.wait_for(answered, heartbeat.patience_s(settings))
    return found[0] if found else None


def _why_waiting(*, running: bool, waited: bool) -> str:
    if not running:
        return "no daemon is running; it will be carried out when one runs"
    if not waited:
        return "the daemon takes it up with its next tick"
    return "the daemon has not answered it yet; `autoscaler status` shows whether it still waits"
