"""Every named step at which the daemon is killed, as data: the matrix counts them, the doomed daemon dies at one.

A place is a function of the program, before it begins or after it returned, on the n-th passing that counts. What never
happens here: a hook in the program itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from autoscaler.core.facts import CallKind, Outcome
from autoscaler.core.lifecycle import Event
from autoscaler.core.model import CreateNode, DestroyNode, DrainNode, StopWorker, UndrainNode

Counts = Callable[[tuple[Any, ...], Any], bool]
"""Whether a passing counts: by the arguments, a method's own object first, and by what was returned (None before)."""

_CALL = "autoscaler.execute:_call"
_COMMIT = "autoscaler.journal.journal:Journal.commit"
_LAST_WRITE = "autoscaler.journal.committing:_replace"
"""The last statement of a commit's transaction: after it, everything is written and nothing is committed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in the program: `module:function` or `module:Class.method`, and which passing of it."""

    where: str
    after: bool
    counts: Counts = lambda _arguments, _result: True
    passing: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One row of the matrix."""

    name: str
    dies: Place
    told_to_end: Place | None = None
    """Where the process gets SIGTERM, on its way to an end in order that it does not reach."""
    hangs_there: bool = False
    """Whether what was under way there comes no further."""
    load_returns: bool = False
    """Whether new work must come while workers drain, or the step is never passed."""


def _calls(kind: type, passing: int = 1) -> dict[str, Place]:
    def counts(arguments: tuple[Any, ...], _result: Any) -> bool:
        return isinstance(arguments[0], kind)

    return {
        when: Place(where=_CALL, after=when == "after", counts=counts, passing=passing)
        for when in ("before", "after")
    }


def _commits(counts: Counts) -> dict[str, Place]:
    """The three sides of one transaction, where its record is one that counts."""
    return {
        "before": Place(where=_COMMIT, after=False, counts=counts),
        "in": Place(where=_LAST_WRITE, after=True, counts=counts),
        "after": Place(where=_COMMIT, after=True, counts=counts),
    }


def _moves(event: Event) -> Counts:
    return lambda arguments, _: any(event is move.event for move in arguments[1].transitions)


def _answered(call: CallKind) -> Place:
    """The answer is in the mailbox and the tick has read it; no commit has taken it in."""

    def counts(_: tuple[Any, ...], result: Iterable[Outcome]) -> bool:
        return any(call is outcome.call for outcome in result)

    return Place(where="autoscaler.execute:Executor.outcomes", after=True, counts=counts)


def _sees_work(_: tuple[Any, ...], result: Any) -> bool:
    return any(getattr(demand, "backlog", 0) for demand in result.demand.values())


_LOOKED = Place(where="autoscaler.observe:Observer.look", after=True, counts=_sees_work)
_CALLS = {
    "create": CreateNode,
    "drain": DrainNode,
    "undrain": UndrainNode,
    "stop": StopWorker,
    "destroy": DestroyNode,
}
_COMMITS: dict[str, Counts] = {
    "buying": lambda arguments, _: bool(arguments[1].new_nodes),
    "draining": _moves(Event.DRAIN_CHOSEN),
    "drained": _moves(Event.DRAINED),
    "gone": _moves(Event.INSTANCE_GONE),
}

STEPS: dict[str, Step] = {
    step.name: step
    for step in (
        Step(name="lease taken", dies=Place(where="autoscaler.journal.journal:Journal.claim", after=True)),
        Step(name="looked", dies=_LOOKED),
        *(
            Step(name=f"{side} commit: {what}", dies=place)
            for what, counts in _COMMITS.items()
            for side, place in _commits(counts).items()
        ),
        *(
            Step(name=f"{side} {what}", dies=place, load_returns=kind is UndrainNode)
            for what, kind in _CALLS.items()
            for side, place in _calls(kind).items()
        ),
        Step(name="amid creates", dies=_calls(CreateNode, passing=2)["before"]),
        Step(name="create answered", dies=_answered(CallKind.CREATE)),
        Step(name="destroy answered", dies=_answered(CallKind.DESTROY)),
        Step(
            name="stopping: create under way",
            told_to_end=_calls(CreateNode)["before"],
            hangs_there=True,
            dies=Place(where="autoscaler.execute:Executor.stop", after=False),
        ),
        Step(
            name="stopping: lease not given back",
            told_to_end=_LOOKED,
            dies=Place(where="autoscaler.journal.journal:Journal.release", after=False),
        ),
    )
}
"""All of them, in the order of a machine's life."""
