"""The orders that pages offer, each with what will happen in words and the command that does the same.

In go values of what is on record, out come deeds for buttons. What never happens here: the order itself.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, OrderKind
from autoscaler.views.attention import EVERYTHING, Matter
from autoscaler.views.standing import PoolStanding
from policies.phrases import count


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One button."""

    kind: OrderKind
    target: str
    label: str
    says: str
    """What will happen."""
    force: bool = False
    grave: bool = False
    """Work may be lost by it."""
    most: int | None = None
    """For a hold: the ceiling of the pool."""
    workers: int | None = None
    """For a hold: what is proposed."""

    @property
    def title(self) -> str:
        """The question's headline."""
        return self.label if self.target == EVERYTHING else f"{self.label}: {self.target}"

    @property
    def command(self) -> str:
        """The same by hand."""
        words = ["autoscaler", self.kind.value]
        if not (self.kind is OrderKind.SWEEP and self.target == EVERYTHING):
            words.append(self.target)
        if self.kind is OrderKind.HOLD:
            words += ["N", "--for", "2h"]
        return shlex.join(words + (["--force"] if self.force else []))


def of_pool(pool: PoolStanding, most: int | None) -> tuple[Deed, ...]:
    """What may be ordered about a pool now; nothing about one that is no longer configured."""
    if not pool.configured:
        return ()
    name = str(pool.pool)
    deeds = []
    if pool.paused or pool.hold_workers is not None:
        deeds.append(
            Deed(
                kind=OrderKind.RESUME,
                target=name,
                label="Resume",
                says=f"{name} scales again by its policies: a pause and a hold both end with the daemon's next tick.",
            )
        )
    if not pool.paused:
        deeds.append(
            Deed(
                kind=OrderKind.PAUSE,
                target=name,
                label="Pause",
                says=f"Nothing is bought or drained for {name} until it is resumed. What serves goes on, and is paid.",
            )
        )
    deeds.append(
        Deed(
            kind=OrderKind.HOLD,
            target=name,
            label="Hold",
            says=f"{name} has this many workers for this time, whatever waits; then its policies decide again. "
            "Limits and budgets bind all the same.",
            most=most,
            workers=pool.wanted if pool.wanted is not None else pool.serving,
        )
    )
    if pool.outdated:
        deeds.append(
            Deed(
                kind=OrderKind.REPLACE,
                target=name,
                label="Replace outdated",
                says=f"{count(pool.outdated, 'machine')} of {name}, of an older definition or too old, are replaced "
                "one by one: a new one is bought, then an old one finishes what it holds and goes.",
            )
        )
    return tuple(deeds)


_DRAIN = "{name} takes up no more tasks, finishes what it holds and is given back, even if load comes."
_DRAIN_BOOTING = "{name} is on its way; once its worker is heard it leaves again, without having served."
_UNDRAIN = "{name} takes up tasks again."
_DESTROY = "The machine of {name} is ended without waiting. It is {state} and nothing is known to run on it."
_FORCE = (
    "The machine of {name} is ended without waiting. It is {state}: what it holds is redelivered or lost."
)


def of_node(node: Node, *, whole: bool = False) -> tuple[Deed, ...]:
    """What may be ordered about a node now; with `whole` its end without a drain, too."""
    name = str(node.name)

    def deed(kind: OrderKind, label: str, says: str, **more: bool) -> Deed:
        return Deed(
            kind=kind, target=name, label=label, says=says.format(name=name, state=node.state.value), **more
        )

    drain = deed(OrderKind.DRAIN, "Drain", _DRAIN)
    end = deed(OrderKind.DESTROY, "Destroy", _DESTROY, grave=True)
    force = deed(OrderKind.DESTROY, "Destroy", _FORCE, grave=True, force=True)
    deeds: tuple[Deed, ...]
    match node.state:
        case NodeState.READY:
            deeds = (drain, force)
        case NodeState.BOOTING:
            deeds = (deed(OrderKind.DRAIN, "Drain", _DRAIN_BOOTING), end)
        case NodeState.DRAINING:
            deeds = (deed(OrderKind.UNDRAIN, "Undrain", _UNDRAIN), force)
        case NodeState.CREATING | NodeState.LOST | NodeState.DESTROYING:
            deeds = (end,)
        case NodeState.GONE:
            deeds = ()
    return deeds if whole else tuple(each for each in deeds if each.kind is not OrderKind.DESTROY)


_ABOUT = {
    OrderKind.SWEEP: (
        "Sweep",
        "Each machine with our mark and no record is drained, or ended if silent; what others left is ended too.",
    ),
    OrderKind.WAKE: ("Wake", "{target} is asked again at once, because what failed is mended."),
    OrderKind.DRAIN: ("Drain", _DRAIN.replace("{name}", "{target}")),
    OrderKind.RESUME: ("Resume", "{target} scales again by its policies: a pause and a hold both end."),
    OrderKind.DESTROY: (
        "Destroy",
        "The machine of {target} is ended whatever its worker holds, which is redelivered or lost.",
    ),
}


def of_matter(matter: Matter) -> Deed | None:
    """The order that helps; None where none does."""
    if matter.kind is None or matter.kind not in _ABOUT:
        return None
    label, says = _ABOUT[matter.kind]
    return Deed(
        kind=matter.kind,
        target=matter.target,
        label=label,
        says=says.replace("{target}", matter.target),
        grave=matter.kind is OrderKind.DESTROY,
    )
