"""The life of a node: everything that can change its state, in one table.

`advance` is the only way from one state to another. An illegal pair raises `IllegalTransition` and nothing happens.
`docs/lifecycle.md` is generated from this module. Failure is a reason, never a state: a failed machine is still paid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class NodeState(StrEnum):
    """Where a node is in its life. Every state but GONE is billable."""

    CREATING = "creating"
    BOOTING = "booting"
    READY = "ready"
    LOST = "lost"
    DRAINING = "draining"
    DESTROYING = "destroying"
    GONE = "gone"


class Event(StrEnum):
    """What moves a node: the world's doing (past), or a choice of ours (…_chosen, forgotten)."""

    INSTANCE_SEEN = "instance_seen"
    WORKER_SEEN = "worker_seen"
    CREATE_REFUSED = "create_refused"
    CREATE_EXPIRED = "create_expired"
    ENROL_EXPIRED = "enrol_expired"
    ENROL_FAILED = "enrol_failed"
    WORKER_SILENT = "worker_silent"
    LOST_EXPIRED = "lost_expired"
    DRAINED = "drained"
    DRAIN_EXPIRED = "drain_expired"
    INSTANCE_GONE = "instance_gone"
    WORK_SEEN = "work_seen"
    DRAIN_CHOSEN = "drain_chosen"
    REPLACE_CHOSEN = "replace_chosen"
    UNDRAIN_CHOSEN = "undrain_chosen"
    DESTROY_CHOSEN = "destroy_chosen"
    FORGOTTEN = "forgotten"


class FactKind(StrEnum):
    """The two ways of looking that absence can be proven by. A deadline runs only while its fact is seen."""

    INSTANCES = "instances"
    SIGHTINGS = "sightings"


class IllegalTransition(Exception):
    """An event that this state cannot meet: a programmer's error. Nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """How long a state may last, on whose clock, and the event that ends it."""

    timeout: str
    """Name of the field of `Timeouts` that gives the seconds."""
    clock: FactKind
    event: Event


_S, _E = NodeState, Event

TABLE: Mapping[tuple[NodeState, Event], NodeState] = MappingProxyType(
    {
        (_S.CREATING, _E.INSTANCE_SEEN): _S.BOOTING,  # the provider answered, or listed it
        (_S.CREATING, _E.WORKER_SEEN): _S.READY,  # the worker was quicker than the provider's answer
        (_S.CREATING, _E.CREATE_REFUSED): _S.GONE,  # a definite no: nothing was made
        (_S.CREATING, _E.CREATE_EXPIRED): _S.DESTROYING,  # it may yet exist: ask for its end by name
        (_S.CREATING, _E.DESTROY_CHOSEN): _S.DESTROYING,
        (_S.BOOTING, _E.WORKER_SEEN): _S.READY,
        (_S.BOOTING, _E.ENROL_EXPIRED): _S.DESTROYING,  # and the broker knows no connection of its worker
        (
            _S.BOOTING,
            _E.ENROL_FAILED,
        ): _S.DESTROYING,  # the machine itself said that it cannot become a worker
        (
            _S.BOOTING,
            _E.DESTROY_CHOSEN,
        ): _S.DESTROYING,  # only an operator's word: its worker may work unheard
        (_S.BOOTING, _E.INSTANCE_GONE): _S.GONE,
        (_S.READY, _E.DRAIN_CHOSEN): _S.DRAINING,
        (
            _S.READY,
            _E.REPLACE_CHOSEN,
        ): _S.DRAINING,  # it makes no progress, or a new one takes its place: drained, not taken back
        (_S.READY, _E.WORKER_SILENT): _S.LOST,
        (_S.READY, _E.DESTROY_CHOSEN): _S.DESTROYING,  # only an operator's word
        (_S.READY, _E.INSTANCE_GONE): _S.GONE,
        (_S.LOST, _E.WORKER_SEEN): _S.READY,
        (_S.LOST, _E.LOST_EXPIRED): _S.DESTROYING,
        (_S.LOST, _E.DESTROY_CHOSEN): _S.DESTROYING,
        (_S.LOST, _E.INSTANCE_GONE): _S.GONE,
        (_S.DRAINING, _E.UNDRAIN_CHOSEN): _S.READY,  # load came back: cheaper than buying
        (_S.DRAINING, _E.DRAINED): _S.DESTROYING,  # two proofs of idleness agree
        (_S.DRAINING, _E.DRAIN_EXPIRED): _S.DESTROYING,  # only where the operator chose so
        (
            _S.DRAINING,
            _E.WORKER_SILENT,
        ): _S.LOST,  # a dead worker can prove nothing; let the lost deadline settle it
        (_S.DRAINING, _E.DESTROY_CHOSEN): _S.DESTROYING,
        (_S.DRAINING, _E.INSTANCE_GONE): _S.GONE,
        (_S.DESTROYING, _E.WORK_SEEN): _S.DRAINING,  # it works after all, and its end was not asked for yet
        (_S.DESTROYING, _E.INSTANCE_GONE): _S.GONE,
    }
    | {
        (state, _E.FORGOTTEN): _S.GONE for state in _S if state is not _S.GONE
    }  # an operator takes it upon himself
)

DEADLINES: Mapping[NodeState, Deadline] = MappingProxyType(
    {
        _S.CREATING: Deadline(timeout="create_s", clock=FactKind.INSTANCES, event=_E.CREATE_EXPIRED),
        _S.BOOTING: Deadline(timeout="enrol_s", clock=FactKind.SIGHTINGS, event=_E.ENROL_EXPIRED),
        _S.LOST: Deadline(timeout="lost_s", clock=FactKind.SIGHTINGS, event=_E.LOST_EXPIRED),
        _S.DRAINING: Deadline(timeout="drain_s", clock=FactKind.SIGHTINGS, event=_E.DRAIN_EXPIRED),
    }
)

ARRIVING = frozenset({_S.CREATING, _S.BOOTING})
SERVING = frozenset({_S.READY})
LEAVING = frozenset({_S.DRAINING, _S.DESTROYING})
BILLABLE = frozenset(_S) - {_S.GONE}

MEANINGS: Mapping[NodeState, str] = MappingProxyType(
    {
        _S.CREATING: "ordered; the answer is not known",
        _S.BOOTING: "the instance exists; its worker has not been heard yet",
        _S.READY: "its worker is heard under this node's name",
        _S.LOST: "was heard, and has been silent longer than `timeouts.silence`",
        _S.DRAINING: "told to stop consuming; finishing what it holds",
        _S.DESTROYING: "its end is asked for until the provider proves absence",
        _S.GONE: "the provider proved absence, settled; or its creation was definitely refused",
    }
)


def advance(state: NodeState, event: Event, *, node: str = "a node") -> NodeState:
    """The state that `event` leads to from `state`.

    Raises `IllegalTransition`, naming the node, for a pair that is not in the table.
    """
    try:
        return TABLE[state, event]
    except KeyError:
        legal = sorted(e.value for s, e in TABLE if s is state) or ["nothing"]
        raise IllegalTransition(
            f"{node} is {state.value}: {event.value} cannot happen to it (only {', '.join(legal)})"
        ) from None
